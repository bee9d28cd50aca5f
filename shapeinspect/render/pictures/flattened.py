"""In which order a flattening writes the numbers of a volume: channel by channel, or position by position."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shapeinspect.dims import Dim
from shapeinspect.explanation import TensorFact
from shapeinspect.render.pictures.canvas import SERIES, Canvas

_CELL = 17
#: How much of each axis the small example has.
_EXAMPLE = {"C": 3, "D": 2, "H": 2, "W": 3, "L": 4, "T": 3, "E": 3}
_COMPOSITE = re.compile(r"\(([A-Z ]+)\)")


def flattened(source: TensorFact, result: TensorFact) -> Canvas | None:
    """Draw a small volume and the row that it becomes, in the order of this layer and in the other one.

    Args:
        source: what goes in.
        result: what comes out; none is drawn where no axis of it is several with a letter each.
    """
    found = next(
        (match for axis in result.axes or () if (match := _COMPOSITE.fullmatch(axis.name or ""))), None
    )
    if found is None:
        return None
    order = found[1].split()
    if len(order) < 2 or "C" not in order:
        return None
    lengths = {axis.name: axis.length for axis in source.axes or ()}
    rest = [letter for letter in order if letter != "C"]
    other = [*rest, "C"] if order[0] == "C" else ["C", *rest]
    canvas = Canvas()
    _volume(canvas, rest)
    x = 150.0
    for number, (letters, words) in enumerate(((order, "this layer"), (other, "the other layout"))):
        y = 6 + number * 74
        canvas.text(x, y + 8, f"{words}: ({' '.join(letters)})", "" if number == 0 else "quiet")
        _strip(canvas, x, y + 18, letters)
        canvas.text(x, y + 18 + _CELL + 17, _index(letters, lengths), "quiet")
    return canvas


def _volume(canvas: Canvas, rest: Sequence[str]) -> None:
    """Draw the example: a plane for each channel, with the numbers of its positions."""
    rows = _EXAMPLE.get(rest[-2], 1) if len(rest) > 1 else 1
    columns = _EXAMPLE.get(rest[-1], 3)
    for channel in reversed(range(_EXAMPLE["C"])):
        for row in range(rows):
            for column in range(columns):
                x, y = channel * 12 + column * _CELL, (2 - channel) * 12 + 20 + row * _CELL
                canvas.box(x, y, _CELL, _CELL, SERIES[channel])
                if channel == 0:
                    canvas.text(x + _CELL / 2, y + 12, row * columns + column, "small", "middle")
    bottom = 24 + 20 + rows * _CELL + 18
    canvas.text(0, bottom, f"C {' '.join(rest)}", "quiet")
    canvas.text(0, bottom + 16, "a color a channel", "quiet")


def _strip(canvas: Canvas, x: float, y: float, letters: Sequence[str]) -> None:
    """Draw the numbers of the example in an order of its axes, the last of which runs fastest."""
    counts = [_EXAMPLE.get(letter, 2) for letter in letters]
    total = 1
    for count in counts:
        total *= count
    for place in range(total):
        rest, indices = place, {}
        for letter, count in zip(reversed(letters), reversed(counts), strict=True):
            rest, indices[letter] = divmod(rest, count)
        position = 0
        for letter in letters:
            if letter != "C":
                position = position * _EXAMPLE.get(letter, 2) + indices[letter]
        left = x + place * _CELL
        canvas.box(left, y, _CELL, _CELL, SERIES[indices["C"]])
        canvas.text(left + _CELL / 2, y + 12, position, "small", "middle")


def _index(letters: Sequence[str], lengths: dict[str | None, Dim]) -> str:
    """Write where a number stands in the row: ``(c·H + h)·W + w``."""
    text = letters[0].lower()
    for letter in letters[1:]:
        length = lengths.get(letter)
        factor = str(length) if isinstance(length, int) else letter
        text = f"{f'({text})' if '+' in text else text}·{factor} + {letter.lower()}"
    return f"index = {text}"
