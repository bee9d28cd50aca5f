"""Ops that reorder, drop or add axes: permute, squeeze, unsqueeze."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shapeinspect.dims import UNKNOWN, Expr, Shape, Unknown
from shapeinspect.rules.attributes import AXIS, REQUIRED
from shapeinspect.rules.fields import SAME_POSITION, Field
from shapeinspect.rules.formula_text import (
    Lines,
    number,
)
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_lines, no_weights
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, normalize_axis, show, unlike


def _order(attributes: Attributes, rank: int) -> tuple[int, ...]:
    if "axis0" in attributes or "axis1" in attributes:
        left, right = normalize_axis(attributes["axis0"], rank), normalize_axis(attributes["axis1"], rank)
        swapped = {left: right, right: left}
        return tuple(swapped.get(axis, axis) for axis in range(rank))
    axes = attributes.get("axes")
    if axes is None:
        return tuple(reversed(range(rank)))
    if len(axes) != rank:
        raise mismatch(f"{len(axes)} axes: their order is {show(tuple(axes))}", f"{rank} axes")
    order = tuple(normalize_axis(axis, rank) for axis in axes)
    if sorted(order) != list(range(rank)):
        raise mismatch(f"{len(order)} axes, each once", f"{rank} axes")
    return order


def _permute(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        axes = attributes.get("axes")
        return (None if axes is None else (UNKNOWN,) * len(axes),)
    return (tuple(shape[axis] for axis in _order(attributes, len(shape))),)


def _permute_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or len(shape) != len(out):
        return Naming()
    return Naming(
        links=tuple((0, axis, 0, index) for index, axis in enumerate(_order(attributes, len(shape))))
    )


def _moved(attributes: Attributes, rank: int) -> tuple[int, ...]:
    sources = [normalize_axis(axis, rank) for axis in _tuple(attributes["source"])]
    positions = [normalize_axis(axis, rank) for axis in _tuple(attributes["destination"])]
    order = [axis for axis in range(rank) if axis not in sources]
    for index, axis in sorted(zip(positions, sources, strict=True)):
        order.insert(index, axis)
    return tuple(order)


def _movedim(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    return (None if shape is None else tuple(shape[axis] for axis in _moved(attributes, len(shape))),)


def _movedim_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or len(shape) != len(out):
        return Naming()
    return Naming(
        links=tuple((0, axis, 0, index) for index, axis in enumerate(_moved(attributes, len(shape))))
    )


def _tuple(axes: object) -> tuple[int, ...]:
    return tuple(axes) if isinstance(axes, tuple | list) else (axes,)  # type: ignore[return-value]  # one axis


def _dropped(attributes: Attributes, shape: Shape) -> frozenset[int] | None:
    axes = attributes.get("axes")
    if isinstance(axes, Unknown):
        return None
    if axes is not None:
        return frozenset(normalize_axis(axis, len(shape)) for axis in _tuple(axes))
    if any(isinstance(n, Unknown) for n in shape):
        return None
    return frozenset(axis for axis, n in enumerate(shape) if n == 1)  # a symbol may be 1, and is rarely


def taken_to_stay(attributes: Attributes, inputs: Shapes) -> tuple[Expr, ...]:
    """Return the lengths of a squeeze of all axes whose axes are taken to stay: a symbol may be 1.

    Args:
        attributes: the settings.
        inputs: the shape that is read.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> [str(length) for length in taken_to_stay({}, ((symbol("N"), 1, 3),))]
        ['N']
    """
    shape = first(inputs)
    if shape is None or attributes.get("axes") is not None or _dropped(attributes, shape) is None:
        return ()
    return tuple(dict.fromkeys(n for n in shape if isinstance(n, Expr)))


def _squeeze(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    dropped = _dropped(attributes, shape)
    if dropped is None:
        return (None,)
    for axis in dropped:
        if unlike(shape[axis], 1):
            raise mismatch(f"length 1 on axis {axis}", f"{shape[axis]} of {show(shape)}")
    return (tuple(n for axis, n in enumerate(shape) if axis not in dropped),)


def _squeeze_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    dropped = None if shape is None else _dropped(attributes, shape)
    if shape is None or out is None or dropped is None:
        return Naming()
    kept = [axis for axis in range(len(shape)) if axis not in dropped]
    return Naming(links=tuple((0, axis, 0, index) for index, axis in enumerate(kept)))


def _unsqueeze(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    added = _added(attributes, len(shape))
    old = iter(shape)
    return (tuple(1 if axis in added else next(old) for axis in range(len(shape) + len(added))),)


def _added(attributes: Attributes, rank: int) -> frozenset[int]:
    axes = _tuple(attributes["axes"])
    added = frozenset(normalize_axis(axis, rank + len(axes)) for axis in axes)
    if len(added) != len(axes):
        raise mismatch("new axes at different positions", str(axes))
    return added


def _unsqueeze_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None:
        return Naming()
    added = _added(attributes, len(shape))
    kept = [axis for axis in range(len(out)) if axis not in added]
    return Naming(links=tuple((0, axis, 0, index) for axis, index in enumerate(kept[: len(shape)])))


def _unsqueeze_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    return {(0, axis): number(1) for axis in _added(attributes, len(first(inputs) or ()))}


def _kind(
    name: str,
    summary: str,
    example: str,
    attributes: tuple[Attribute, ...],
    outputs: Callable[[Attributes, Shapes], Shapes],
    naming: Callable[[Attributes, Shapes, Shapes], Naming],
    lines: Callable[[Attributes, Shapes, Shapes], Lines] = no_lines,
    sees: Field = SAME_POSITION,
) -> Kind:
    return Kind(name, summary, example, attributes, outputs, naming, lines, NO_WORK, no_weights, sees)


_REORDERED = "permutes the axes"

KINDS = (
    _kind(
        "permute",
        _REORDERED,
        "--input 2,3,5,7 --axes 0,2,3,1",
        (Attribute("axes", "tuple, every axis once", "reversed", "the new order"),),
        _permute,
        _permute_axes,
    ),
    _kind(
        "transpose2",
        "swaps two axes",
        "--input 2,3,5 --set axis0=1 --set axis1=2",
        (
            replace(AXIS, name="axis0", meaning="one axis"),
            replace(AXIS, name="axis1", meaning="the other axis"),
        ),
        _permute,
        _permute_axes,
    ),
    _kind(
        "movedim",
        _REORDERED,
        "--input 2,3,5,7 --set source=1 --set destination=-1",
        (
            Attribute("source", "int or tuple", REQUIRED, "the axes that move"),
            Attribute("destination", "int or tuple", REQUIRED, "their new positions"),
        ),
        _movedim,
        _movedim_axes,
    ),
    _kind(
        "squeeze",
        "removes axes of length 1",
        "--input 2,1,5 --axes 1",
        (
            Attribute(
                "axes",
                "int or tuple; None for all of length 1; `UNKNOWN` where the graph computes them",
                "all of length 1",
                "the removed axes",
            ),
        ),
        _squeeze,
        _squeeze_axes,
    ),
    _kind(
        "unsqueeze",
        "inserts axes of length 1",
        "--input 2,5 --axes 1",
        (Attribute("axes", "int or tuple", REQUIRED, "positions of the new axes in the output"),),
        _unsqueeze,
        _unsqueeze_axes,
        _unsqueeze_lines,
    ),
)
