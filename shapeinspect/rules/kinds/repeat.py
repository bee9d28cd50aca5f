"""Copies: repeating entries, tiling, expanding, and constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.rules.attributes import AXIS, REQUIRED
from shapeinspect.rules.fields import COPIES, NOTHING, SAME_POSITION, Field
from shapeinspect.rules.formula_text import Lines, carried, literal, product_text
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_names, no_weights
from shapeinspect.rules.kinds.elementwise import broadcast, broadcast_axes, keep_names
from shapeinspect.rules.rule import (
    Attributes,
    Naming,
    Shapes,
    first,
    keep_axes,
    mismatch,
    normalize_axis,
    show,
)


def tile_shape(shape: Shape, repeats: Shape) -> Shape:
    """Return the shape of a tensor tiled along its axes, aligned from the last axis.

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
        index = normalize_axis(axis, len(shape) + 1)
        return ((*shape[:index], count, *shape[index:]),)
    index = normalize_axis(axis, len(shape))
    return ((*shape[:index], shape[index] * count, *shape[index + 1 :]),)


def _repeat_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or not attributes.get("new_axis"):
        return keep_names(attributes, inputs, outputs)
    new = normalize_axis(attributes["axis"], len(out))
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
    shape, count = first(inputs) or (), literal("count", attributes["count"])
    if attributes.get("new_axis"):
        return {(0, normalize_axis(attributes["axis"], len(shape) + 1)): count}
    axis = normalize_axis(attributes["axis"], len(shape))
    return {(0, axis): product_text(literal("n", shape[axis]), count)}


def _tile_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, repeats = first(inputs) or (), tuple(attributes["repeats"])
    rank, lines = len(first(outputs) or ()), {}
    for axis in range(rank):
        own, count = axis - rank + len(shape), axis - rank + len(repeats)
        parts = [carried(0, own, shape)] if own >= 0 else []
        parts += [literal(f"r{count}", repeats[count])] if count >= 0 else []
        lines[0, axis] = product_text(*parts)
    return lines


def _expand_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, target = first(inputs) or (), tuple(attributes["shape"])
    lead = len(target) - len(shape)
    return {
        (0, axis): literal(f"s{axis}", length)
        for axis, length in enumerate(target)
        if length not in (-1, 1) and (axis < lead or shape[axis - lead] != length)
    }


def _constant_lines(attributes: Attributes, _inputs: Shapes, _outputs: Shapes) -> Lines:
    return {(0, axis): literal(f"s{axis}", length) for axis, length in enumerate(attributes["shape"])}


def _shape_of_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    start, end, _ = slice(attributes.get("start"), attributes.get("end")).indices(len(shape))
    if start == 0:
        return {(0, 0): literal("axes", max(end, 0))}
    text = "end - start" if end >= start else "max(end - start, 0)"
    return {(0, 0): (text, (("end", end), ("start", start)))}


def _kind(
    name: str,
    summary: str,
    example: str,
    attributes: tuple[Attribute, ...],
    outputs: Callable[[Attributes, Shapes], Shapes],
    naming: Callable[[Attributes, Shapes, Shapes], Naming],
    lines: Callable[[Attributes, Shapes, Shapes], Lines],
    sees: Field,
) -> Kind:
    return Kind(name, summary, example, attributes, outputs, naming, lines, NO_WORK, no_weights, sees)


KINDS = (
    _kind(
        "repeat",
        "each entry of an axis several times",
        "--input 2,3 --axis 1 --set count=4",
        (
            replace(AXIS, meaning="the axis that is repeated"),
            Attribute("count", "int", REQUIRED, "how often each entry is repeated"),
            Attribute("new_axis", "bool", "false", "the axis is created by the repetition"),
        ),
        _repeat,
        _repeat_axes,
        _repeat_lines,
        COPIES,
    ),
    _kind(
        "tile",
        "the whole input several times along its axes",
        "--input 2,3 --set repeats=4,1,2",
        (
            Attribute(
                "repeats", "tuple, one entry an axis", "from the second input", "how often along each axis"
            ),
        ),
        _tile,
        _tile_axes,
        _tile_lines,
        Field("the position it copies: not traced along axes that grow"),
    ),
    _kind(
        "expand",
        "stretches axes of length 1",
        "--input 2,1,5 --shape 2,3,5",
        (Attribute("shape", "tuple; −1 as the input", "from the second input", "the requested lengths"),),
        _expand,
        lambda attributes, inputs, outputs: broadcast_axes(attributes, inputs[:1], outputs),
        _expand_lines,
        SAME_POSITION,
    ),
    _kind(
        "constant",
        "a value made from nothing",
        "--input 1 --shape 2,3",
        (
            Attribute("shape", "tuple", "from the first input", "its lengths"),
            Attribute("fill", "int", "unknown", "the whole number that it is filled with"),
            Attribute(
                "op",
                "str",
                "none",
                "`range`: from the first input up to the second in steps of the third",
            ),
            Attribute("start", "int", "unknown", "the first of numbers that are counted up (torch's arange)"),
            Attribute("step", "int", "unknown", "the step of such numbers"),
        ),
        _constant,
        no_names,
        _constant_lines,
        NOTHING,
    ),
    _kind(
        "shape_of",
        "the lengths of its input, as numbers",
        "--input 2,3,5",
        (
            Attribute("start", "int", "0", "the first axis whose length is given"),
            Attribute("end", "int", "all", "the axis before which it stops"),
        ),
        _shape_of,
        no_names,
        _shape_of_lines,
        NOTHING,
    ),
)
