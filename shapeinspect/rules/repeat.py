"""Copies: repeating entries, tiling, expanding, and constants."""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.rules.elementwise import broadcast, broadcast_axes, keep_names
from shapeinspect.rules.formula_text import Lines, carried, just, times
from shapeinspect.rules.rule import Attributes, Naming, Rule, Shapes, at, first, keep_axes, mismatch, show


def tile_shape(shape: Shape, repeats: Shape) -> Shape:
    """Return the shape of a tensor laid out several times along its axes, aligned at the last.

    Args:
        shape: the lengths.
        repeats: how often, for each axis; the shorter one is filled with 1 in front.

    Source: ``numpy.tile``; ``torch.Tensor.repeat`` and ONNX Tile for as many repeats as axes.

    Example:
        >>> tile_shape((2, 3), (4, 1, 2))
        (4, 2, 6)
    """
    rank = max(len(shape), len(repeats))
    left = (1,) * (rank - len(shape)) + tuple(shape)
    right = (1,) * (rank - len(repeats)) + tuple(repeats)
    return tuple(n * count for n, count in zip(left, right, strict=True))


def _repeat(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, axis, count = first(inputs), attributes["axis"], attributes["count"]
    if shape is None:
        return (None,)
    if attributes.get("new_axis"):
        place = at(axis, len(shape) + 1)
        return ((*shape[:place], count, *shape[place:]),)
    place = at(axis, len(shape))
    return ((*shape[:place], shape[place] * count, *shape[place + 1 :]),)


def _repeat_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or not attributes.get("new_axis"):
        return keep_names(attributes, inputs, outputs)
    new = at(attributes["axis"], len(out))
    return Naming(links=tuple((0, axis, 0, axis + (axis >= new)) for axis in range(len(shape))))


def _tile(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    repeats: Any = attributes.get("repeats")
    if shape is None or repeats is None:
        return (None,)
    return (tile_shape(shape, tuple(repeats)),)


def _tile_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    return Naming() if shape is None or out is None else keep_axes(len(shape), len(out))


def _expand(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, target = first(inputs), tuple(attributes["shape"])
    if shape is None:
        return (None,)
    if len(target) < len(shape) and -1 in target:
        raise mismatch(f"a target of at least {len(shape)} axes", show(target))
    if any(n == -1 for n in target[: len(target) - len(shape)]):
        raise mismatch("-1 only where the input has an axis", show(target))
    return (broadcast(shape, tuple(1 if n == -1 else n for n in target)),)


def _constant(attributes: Attributes, _inputs: Shapes) -> Shapes:
    shape = attributes.get("shape")
    return (None if shape is None else tuple(shape),)


def _shape_of(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return ((UNKNOWN,),)
    return ((len(shape[slice(attributes.get("start"), attributes.get("end"))]),),)


def _repeat_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, count = first(inputs) or (), just("count", attributes["count"])
    if attributes.get("new_axis"):
        return {(0, at(attributes["axis"], len(shape) + 1)): count}
    axis = at(attributes["axis"], len(shape))
    return {(0, axis): times(just("n", shape[axis]), count)}


def _tile_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, repeats = first(inputs) or (), tuple(attributes["repeats"])
    rank, lines = len(first(outputs) or ()), {}
    for axis in range(rank):
        own, count = axis - rank + len(shape), axis - rank + len(repeats)
        parts = [carried(0, own, shape)] if own >= 0 else []
        parts += [just(f"r{count}", repeats[count])] if count >= 0 else []
        lines[0, axis] = times(*parts)
    return lines


def _expand_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, target = first(inputs) or (), tuple(attributes["shape"])
    lead = len(target) - len(shape)
    return {
        (0, axis): just(f"s{axis}", length)
        for axis, length in enumerate(target)
        if length not in (-1, 1) and (axis < lead or shape[axis - lead] != length)
    }


def _constant_lines(attributes: Attributes, _inputs: Shapes, _outputs: Shapes) -> Lines:
    return {(0, axis): just(f"s{axis}", length) for axis, length in enumerate(attributes["shape"])}


def _shape_of_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    start, end, _ = slice(attributes.get("start"), attributes.get("end")).indices(len(shape))
    if start == 0:
        return {(0, 0): just("axes", max(end, 0))}
    text = "end - start" if end >= start else "max(end - start, 0)"
    return {(0, 0): (text, (("end", end), ("start", start)))}


RULES = {
    "repeat": Rule(_repeat, axes=_repeat_axes, lines=_repeat_lines),
    "tile": Rule(_tile, axes=_tile_axes, lines=_tile_lines),
    "expand": Rule(
        _expand,
        axes=lambda attributes, inputs, outputs: broadcast_axes(attributes, inputs[:1], outputs),
        lines=_expand_lines,
    ),
    "constant": Rule(_constant, lines=_constant_lines),
    "shape_of": Rule(_shape_of, lines=_shape_of_lines),
}
