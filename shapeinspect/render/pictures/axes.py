"""Axes as rows of labels, and where each goes: a weight's from the stored to the common order, an input's."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shapeinspect.dims import Dim
from shapeinspect.explanation import AxisFact, CallFact, LayerExplanation, WeightFact
from shapeinspect.render.pictures.canvas import SERIES, Canvas, text_width

_HIGH, _PAD, _SPACE, _BETWEEN, _APART = 26, 9, 8, 30, 46
_LETTER = re.compile(r"[A-Za-z]+\d*")
#: An axis of an input in a formula, by its number: ``n1``; ``m0`` of the second input, ``q0`` of the queries.
_NUMBERED = re.compile(r"([nmq])(\d+)")
_INPUT = {"n": 0, "q": 0, "m": 1}
#: Of more inputs than these only the first are drawn.
_MOST_INPUTS = 4


@dataclass(frozen=True, slots=True)
class Label:
    """One axis of a row.

    Args:
        words: its letter and length.
        keys: what it consists of; labels of two rows that share a key belong together.
        first: whether a new tensor begins with it.
    """

    words: str
    keys: tuple[Hashable, ...]
    first: bool = False


def moved(before: Sequence[Label], after: Sequence[Label], title: str, words: tuple[str, str]) -> Canvas:
    """Draw axes above and below, and a line from each to where it goes.

    Args:
        before: the axes as they go in.
        after: the axes as they come out.
        title: what is drawn.
        words: what the two rows are called.
    """
    canvas = Canvas()
    keys = dict.fromkeys(key for label in before for key in label.keys)
    fills = {key: SERIES[number % len(SERIES)] for number, key in enumerate(keys)}
    canvas.text(0, 12, title, "bold")
    rows = Canvas()
    upper = _row(rows, before, 0, fills)
    lower = _row(rows, after, _HIGH + _APART, fills)
    for label, start in zip(before, upper, strict=True):
        for other, end in zip(after, lower, strict=True):
            if set(label.keys) & set(other.keys):
                rows.curve((start, _HIGH), (end, _HIGH + _APART))
    canvas.text(0, 24 + 17, words[0], "quiet")
    canvas.text(0, 24 + _HIGH + _APART + 17, words[1], "quiet")
    canvas.paste(rows, max(map(text_width, words)) + 16, 24)
    return canvas


def _row(canvas: Canvas, labels: Sequence[Label], y: float, fills: Mapping[Hashable, str]) -> list[float]:
    """Draw labels side by side, and return the middle of each."""
    x, middles = 0.0, []
    for number, label in enumerate(labels):
        x += _BETWEEN if label.first and number else 0
        wide = text_width(label.words) + 2 * _PAD
        parts = label.keys or ("",)
        for part, key in enumerate(parts):  # a flattened axis has the colors of all that are in it
            canvas.box(x + part * wide / len(parts), y, wide / len(parts), _HIGH, fills.get(key, "plain"))
        canvas.text(x + wide / 2, y + 17, label.words, anchor="middle")
        middles.append(x + wide / 2)
        x += wide + _SPACE
    return middles


def _words(name: str | None, length: Dim) -> str:
    if not name or name in {"1", str(length)}:
        return str(length)
    return f"{name} {length}" if isinstance(length, int) else f"{name} = {length}"


def weight_order(weight: WeightFact) -> Canvas | None:
    """Draw how a stored weight's axes go into the common order.

    Args:
        weight: the weight; none is drawn where its layout is not proven, or the common one.
    """
    if weight.common is None or weight.transform is None:
        return None
    rows = [
        [Label(_words(name, length), tuple(_LETTER.findall(name or ""))) for name, length in axes]
        for axes in ([(axis.name, axis.length) for axis in weight.axes], weight.common)
    ]
    return moved(rows[0], rows[1], f"{weight.name}: {weight.transform}", ("stored", "common"))


def axes_through(layer: LayerExplanation, call: CallFact) -> Canvas | None:
    """Draw which axes of the inputs the axes of the output are made of, as the formulas of the lengths say.

    Args:
        layer: the layer.
        call: the call to draw.
    """
    inputs = [tensor.axes for tensor in call.inputs if tensor.axes][:_MOST_INPUTS]
    if not inputs or not call.outputs or not call.outputs[0].axes:
        return None
    before = [
        Label(_words(axis.name, axis.length), ((number, place),), place == 0)
        for number, axes in enumerate(inputs)
        for place, axis in enumerate(axes)
    ]
    after = [
        Label(_words(axis.name, axis.length), tuple(dict.fromkeys(_origins(axis, place, layer.kind, inputs))))
        for place, axis in enumerate(call.outputs[0].axes)
    ]
    return moved(before, after, f"{layer.path}: {layer.summary}", ("goes in", "comes out"))


def _origins(
    axis: AxisFact, place: int, kind: str, inputs: Sequence[Sequence[AxisFact]]
) -> Iterator[tuple[int, int]]:
    """Yield the input and the number of each axis that an output's length is computed from."""
    first = inputs[0]
    if axis.formula is None:
        yield from (
            (0, number) for number, other in enumerate(first) if axis.name and other.name == axis.name
        )
        return
    for order, (name, value) in enumerate(axis.formula.values):
        numbered = _NUMBERED.fullmatch(name)
        if numbered is not None:
            source, number = _INPUT[numbered[1]], int(numbered[2])
            if source < len(inputs) and number < len(inputs[source]):
                yield source, number
        elif kind == "concat" and order < len(inputs) and place < len(inputs[order]):
            yield order, place
        elif name in ("n", "C"):
            letter = axis.name if name == "n" else name
            same = [number for number, other in enumerate(first) if letter and other.name == letter]
            same = same or [number for number, other in enumerate(first) if other.length == value]
            yield from ((0, number) for number in same if len(same) == 1)
