"""Unfolding a feature map into columns of windows, and folding such columns back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeinspect.dims import Shape, product
from shapeinspect.rules.attributes import DATA_FORMAT, DILATION, KERNEL_SIZE, OUTPUT_SIZE, PADDING, STRIDE
from shapeinspect.rules.fields import REGROUPED
from shapeinspect.rules.formula_text import Lines, Text, literal, numbered, product_text, quotient_text
from shapeinspect.rules.kind import NO_WORK, Kind, no_weights
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, show, unlike
from shapeinspect.rules.sliding import window_lines, window_needs, window_space
from shapeinspect.rules.spatial import names, per_axis, space_axes, space_fits, take_apart


def _window(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def _unfold(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    kernel = _window(attributes["kernel_size"])
    if shape is None:
        return (None,)
    parts = take_apart(shape, len(kernel))
    out = window_space(parts.space, kernel, attributes)
    space_fits(out, parts, window_needs(kernel, attributes, len(out)))
    return ((*parts.batch, parts.channels * product(kernel), product(out)),)


def _fold(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    kernel = _window(attributes["kernel_size"])
    size: Shape = per_axis(attributes["output_size"], len(kernel))
    if shape is None:
        return (None,)
    if len(shape) not in (2, 3):
        raise mismatch("3 axes: N (C kh kw) L", f"{len(shape)} axes: {show(shape)}")
    taps, (columns, length) = product(kernel), shape[-2:]
    if isinstance(columns, int) and columns % taps:
        raise mismatch(f"(C kh kw) divisible by {taps}", f"(C kh kw) = {columns}")
    positions = product(window_space(size, kernel, attributes))
    if unlike(positions, length):
        raise mismatch(f"L = {positions}", f"L = {length}", where=f"output_size {show(size)} and the kernel")
    return ((*shape[:-2], columns // taps, *size),)


def _columns(shape: Shape | None) -> tuple[str, ...] | None:
    if shape is None or len(shape) not in (2, 3):
        return None
    return ("N", "(C kh kw)", "L")[3 - len(shape) :]


def _map(shape: Shape | None) -> tuple[str, ...] | None:
    return names(2, batch=len(shape) == 4) if shape is not None and len(shape) in (3, 4) else None


def _unfold_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    return Naming((_map(first(inputs)),), (_columns(first(outputs)),), _batch(inputs, 4))


def _fold_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    return Naming((_columns(first(inputs)),), (_map(first(outputs)),), _batch(inputs, 3))


def _batch(inputs: Shapes, rank: int) -> tuple[tuple[int, int, int, int], ...]:
    shape = first(inputs)
    return ((0, 0, 0, 0),) if shape is not None and len(shape) == rank else ()


def _taps(kernel: Shape) -> Text:
    return product_text(*(literal(f"k{index}", taps) for index, taps in enumerate(kernel, 1)))


def _unfold_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, kernel = first(inputs) or (), _window(attributes["kernel_size"])
    positions = window_lines({**attributes, "kernel_size": kernel, "data_format": None}, shape).values()
    rank = len(first(outputs) or ())
    channels = literal("C", take_apart(shape, len(kernel)).channels)
    return {
        (0, rank - 2): product_text(channels, _taps(kernel)),
        (0, rank - 1): product_text(*(numbered(text, str(index)) for index, text in enumerate(positions, 1))),
    }


def _fold_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, kernel = first(inputs) or (), _window(attributes["kernel_size"])
    rank = len(first(outputs) or ())
    axes = space_axes(rank, len(kernel), last=False)
    sizes = zip(axes, per_axis(attributes["output_size"], len(kernel)), strict=True)
    columns = quotient_text(literal(f"n{len(shape) - 2}", shape[-2]), _taps(kernel))
    return {(0, axis): literal("output_size", size) for axis, size in sizes} | {(0, axes[0] - 1): columns}


_WINDOW = (KERNEL_SIZE, STRIDE, PADDING, DILATION, DATA_FORMAT)

KINDS = (
    Kind(
        "unfold",
        "each window of the space becomes a column",
        "--input 1,3,9,11 --kernel 2,3",
        _WINDOW,
        _unfold,
        _unfold_axes,
        _unfold_lines,
        NO_WORK,
        no_weights,
        REGROUPED,
    ),
    Kind(
        "fold",
        "adds columns of windows up to a map",
        "--input 1,12,48 --kernel 2,2 --output-size 7,9",
        (*_WINDOW, replace(OUTPUT_SIZE, form="tuple, one entry a spatial axis")),
        _fold,
        _fold_axes,
        _fold_lines,
        NO_WORK,
        no_weights,
        REGROUPED,
    ),
)
