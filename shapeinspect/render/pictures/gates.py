"""The gates of a recurrent layer as bands of its weight, in the stored and in the common order."""

from __future__ import annotations

from collections.abc import Sequence

from shapeinspect.explanation import WeightFact
from shapeinspect.render.pictures.canvas import SERIES, Canvas

_WIDE, _HIGH, _APART = 74, 30, 44

#: What each letter stands for.
GATES = {
    "i": "input",
    "f": "forget",
    "g": "cell",
    "c": "cell",
    "o": "output",
    "r": "reset",
    "z": "update",
    "n": "new",
    "h": "new",
}
#: Letters of one gate that frameworks spell in two ways.
_ALIKE = {"c": "g", "h": "n"}


def gates(weights: Sequence[WeightFact]) -> Canvas | None:
    """Draw the gates in the order in which a layer's weights hold them, and in the common one.

    Args:
        weights: the weights; none is drawn of a layer without gates.
    """
    weight = next(
        (weight for weight in weights if any(name == "gate" for name, _ in weight.common or ())), None
    )
    if weight is None:
        return None
    sizes = dict(weight.common or ())
    count, out = sizes.get("gate"), sizes.get("o")
    if count not in (3, 4) or out is None:
        return None
    common = "i f g o" if count == 4 else "r z n"
    stored = next((native for axis, native, _ in weight.orders if axis == "gate"), common)
    names = [_ALIKE.get(letter, letter) for letter in common.split()]
    fills = dict(zip(names, SERIES, strict=False))
    canvas = Canvas()
    canvas.text(0, 12, f"{weight.name}: {count} gates of {out}", "bold")
    places: dict[str, float] = {}
    for number, (words, order) in enumerate((("stored", stored), ("common", common))):
        y = 24 + number * (_HIGH + _APART)
        canvas.text(0, y + 19, words, "quiet")
        for place, letter in enumerate(order.split()):
            name = _ALIKE.get(letter, letter)
            x = 62 + place * _WIDE
            canvas.box(x, y, _WIDE, _HIGH, fills.get(name, "plain"))
            canvas.text(x + _WIDE / 2, y + 19, f"{letter} {GATES.get(letter, '')}".rstrip(), anchor="middle")
            middle = x + _WIDE / 2
            if number:
                canvas.curve((places.get(name, middle), 24 + _HIGH), (middle, y))
            else:
                places[name] = middle
    return canvas
