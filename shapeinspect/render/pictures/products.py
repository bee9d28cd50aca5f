"""A matrix product: each output is a sum over all inputs."""

from __future__ import annotations

from shapeinspect.explanation import WeightFact
from shapeinspect.render.pictures.canvas import Canvas

_LARGEST, _LEAST = 130, 18


def product(weight: WeightFact) -> Canvas | None:
    """Draw a weight as a matrix between the vector that goes in and the one that comes out.

    Args:
        weight: a weight of two axes, ``o i`` in the common order; none is drawn of any other.
    """
    common = weight.common or ()
    if len(common) != 2 or common[0][0] != "o":
        return None
    (_, out), (name, inside) = common
    if not isinstance(out, int) or not isinstance(inside, int) or not out or not inside:
        return None
    scale = _LARGEST / max(out, inside)
    high, wide = max(out * scale, _LEAST), max(inside * scale, _LEAST)
    canvas = Canvas()
    canvas.text(0, 12, f"{weight.name}: o{out} × {name}{'=' if ' ' in name else ''}{inside}", "bold")
    above, left, tallest = 44.0, 40.0, max(wide, high)
    top, column = above + (tallest - high) / 2, above + (tallest - wide) / 2
    canvas.box(left, top, wide, high, "input")
    row = max(high / out, 4)
    at = top + high * 0.35
    canvas.box(left, at, wide, row, "window")
    x = left + wide + 34
    canvas.text(left + wide + 17, above + tallest / 2 + 4, "·", "bold", "middle")
    canvas.box(x, column, 16, wide, "window")
    canvas.text(x + 8, column - 8, name, "quiet", "middle")
    y = x + 62
    canvas.text(x + 39, above + tallest / 2 + 4, "=", "bold", "middle")
    canvas.box(y, top, 16, high, "output")
    canvas.box(y, at, 16, row, "window")
    canvas.text(y + 8, top - 8, "o", "quiet", "middle")
    canvas.text(left - 8, top + high / 2 + 4, "o", "quiet", "end")
    canvas.text(
        0,
        top + max(wide, high) + 22,
        f"one output is a sum over all {inside} inputs; there are {out} such rows",
        "quiet",
    )
    return canvas
