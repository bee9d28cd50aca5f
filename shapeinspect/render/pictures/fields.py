"""The receptive field: what one output position sees of the model's input, as a cone."""

from __future__ import annotations

from fractions import Fraction

from shapeinspect.explanation import CallFact, LayerExplanation
from shapeinspect.render.pictures.canvas import Canvas

_WIDE, _HIGH, _APART = 420, 16, 56


def cone(layer: LayerExplanation, call: CallFact) -> Canvas | None:
    """Draw the input's positions that one output in the middle sees, an axis each.

    Args:
        layer: the layer.
        call: the call to draw.
    """
    lengths = {axis.name: axis.length for tensor in call.outputs[:1] for axis in tensor.axes or ()}
    drawn = Canvas()
    y = 0.0
    for fact in call.field:
        out = lengths.get(fact.axis)
        if not isinstance(fact.length, int) or not isinstance(out, int) or not fact.followed:
            continue
        if fact.size is None or fact.size < 2 or fact.start is None or fact.jump is None:
            continue
        scale = _WIDE / fact.length
        middle = out // 2
        first = fact.start + middle * float(Fraction(fact.jump))
        low, high = max(first, 0), min(first + fact.size, fact.length)
        if high <= low:
            continue
        drawn.text(0, y + _HIGH - 3, fact.axis, "bold")
        drawn.box(30, y, _WIDE, _HIGH, "input")
        drawn.box(30 + low * scale, y, max((high - low) * scale, 2), _HIGH, "window")
        under = y + _HIGH + _APART
        span = _WIDE / out
        drawn.box(30, under, _WIDE, _HIGH, "output")
        drawn.box(30 + middle * span, under, max(span, 2), _HIGH, "window")
        for start, end in ((low * scale, middle * span), (high * scale, middle * span + max(span, 2))):
            drawn.line((30 + start, y + _HIGH), (30 + end, under), "ray")
        drawn.text(30 + _WIDE + 10, y + 12, f"{fact.input} {fact.axis}{fact.length}", "quiet")
        drawn.text(30 + _WIDE + 10, under + 12, f"{layer.path} {fact.axis}{out}", "quiet")
        words = f"sees {fact.size} of {fact.length}; the next one {fact.jump} further"
        drawn.text(30 + _WIDE + 10, (y + under) / 2 + 12, words, "quiet")
        y = under + _HIGH + 22
    if not y:
        return None
    canvas = Canvas()
    canvas.text(0, 12, "receptive field of one output position in the middle", "bold")
    canvas.paste(drawn, 0, 26)
    return canvas
