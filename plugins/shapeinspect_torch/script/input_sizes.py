"""The shapes that the inputs of TorchScript can have: no file tells them, but the layers that take them.

A convolution says how many axes there are, with and without a batch, and how many channels; a linear layer,
how long the last axis is. The code is followed with symbols for the other lengths, and what its layers refuse
is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from shapeinspect.dims import Shape, symbol
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Note, Value
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect_torch.script.values import Followed

#: Kinds that hand the shape of their only input on.
_PASSING = frozenset({"activation", "dropout", "identity", "elementwise", "cast", "copy"})
_MOST_AXES, _MOST_TRIED = 6, 4
_SPACE = {1: "L", 2: "HW", 3: "DHW"}
_DIGIT = re.compile(r"([123])d")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a layer says of the shape of its input.

    Args:
        ranks: the numbers of axes that it takes, the usual one first.
        lengths: the lengths that it knows, by their axes, counted from the end.
        space: how many axes of space there are.
    """

    ranks: tuple[int, ...]
    lengths: tuple[tuple[int, int], ...] = ()
    space: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """A forward that was followed with shapes.

    Args:
        followed: its calls.
        refused: whether a layer or the code refuses them.
        known: how many outputs of calls have a shape.
    """

    followed: Followed
    refused: bool
    known: int


def with_sizes(
    plain: Followed, walk: Callable[[Sequence[InputSpec]], Walk | None], inputs: Sequence[str]
) -> Followed:
    """Return a forward with the shapes that its inputs can have; as it is where nothing tells them.

    Args:
        plain: the forward, followed without shapes.
        walk: follows it with shapes.
        inputs: the names of the inputs that are tensors.
    """
    told = {name: _taken(plain, name) for name in inputs}
    if not told or not any(told.values()):
        return plain
    choices = [_shapes(name, taken, alone=len(told) == 1) for name, taken in told.items()]
    fitting: list[tuple[dict[str, Shape], Walk]] = []
    for combined in list(product(*choices))[:_MOST_TRIED]:
        asked = {name: shape for name, shape in zip(told, combined, strict=True) if shape is not None}
        found = walk([InputSpec(shape, name) for name, shape in asked.items()])
        if found is not None and not found.refused and found.known:
            fitting.append((asked, found))
    if not fitting:
        return plain
    asked, found = fitting[0]
    values = dict(found.followed.values)
    for name, shape in asked.items():
        values[name] = replace(values.get(name) or Value(name), shape=shape)
    note = Note(_text(asked, fitting, told))
    return replace(found.followed, values=Frozen(values), notes=(*found.followed.notes, note))


def _text(
    asked: dict[str, Shape], fitting: Sequence[tuple[dict[str, Shape], Walk]], told: dict[str, Taken | None]
) -> str:
    shown = ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in asked.items())
    text = f"the file names no shapes; those of its inputs follow from the layers that take them: {shown}"
    others = sorted(
        {len(other[name]) for other, _ in fitting[1:] for name in other} - set(map(len, asked.values()))
    )
    loose = any(taken is not None and len(taken.ranks) > 2 for taken in told.values())
    if loose:
        return f"{text}; other numbers of axes fit, too: name the one with --input"
    if others:
        return f"{text}; {' or '.join(map(str, others))} axes fit, too: name them with --input"
    return text


def _shapes(name: str, taken: Taken | None, *, alone: bool) -> list[Shape | None]:
    """Return the shapes that an input can have, the usual one first."""
    if taken is None:
        return [None]
    shapes: list[Shape | None] = []
    for rank in taken.ranks[:2]:
        names = [f"{name}_dim_{axis}" for axis in range(rank)]
        if alone and taken.space:
            letters = f"NC{_SPACE[taken.space]}"
            names = list(letters[len(letters) - rank :])
        elif alone and rank > 1:
            names[0] = "N"
        dims: list[Any] = [symbol(letter) for letter in names]
        for axis, length in taken.lengths:
            if axis <= rank:
                dims[-axis] = length
        shapes.append(tuple(dims))
    return shapes


def _taken(followed: Followed, name: str) -> Taken | None:
    """Return what the first layers that take an input say of its shape; None where none says anything."""
    layers = {layer.path: layer for layer in followed.layers}
    names, found = {name}, []
    for call in followed.calls:
        if not names.intersection(call.inputs) or call.conditional or call.layer not in layers:
            continue
        layer = layers[call.layer]
        if layer.kind in _PASSING and len(call.inputs) == 1:
            names.update(call.outputs)
        elif call.inputs[0] in names:
            taken = _allowed(layer)
            found += [taken] if taken is not None else []
    if not found:
        return None
    ranks = tuple(rank for rank in found[0].ranks if all(rank in taken.ranks for taken in found))
    lengths = dict(length for taken in found for length in taken.lengths)
    space = next((taken.space for taken in found if taken.space), 0)
    return Taken(ranks, tuple(lengths.items()), space) if ranks else None


def _allowed(layer: Layer) -> Taken | None:
    settings = layer.attributes
    digit = _DIGIT.search(layer.type or "")
    space = int(digit[1]) if digit else 0
    if layer.kind in ("conv", "conv_transpose"):
        kernel = settings.get("kernel_size")
        space = len(kernel) if isinstance(kernel, tuple) else space
        return (
            Taken((space + 2, space + 1), tuple(_length(settings, space + 1, "in_channels")), space)
            if space
            else None
        )
    if layer.kind in ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool") and space:
        return Taken((space + 2, space + 1), (), space)
    if layer.kind == "batch_norm" and space:
        ranks = (2, 3) if space == 1 else (space + 2,)
        # Of one axis of space, the channels are last or last but one.
        lengths = tuple(_length(settings, space + 1, "num_features")) if space > 1 else ()
        return Taken(ranks, lengths, space if space > 1 else 0)
    if layer.kind == "linear":
        return Taken(
            (2, *(rank for rank in range(1, _MOST_AXES) if rank != 2)),
            tuple(_length(settings, 1, "in_features")),
        )
    if layer.kind in ("lstm", "gru", "rnn"):
        return Taken((3, 2), tuple(_length(settings, 1, "input_size")))
    if layer.kind == "embedding":
        return Taken((2, 1, 3))
    return None


def _length(settings: Frozen[Any], axis: int, name: str) -> Iterator[tuple[int, int]]:
    value = settings.get(name)
    if type(value) is int and value > 0:
        yield axis, value
