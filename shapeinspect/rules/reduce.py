"""Reductions over axes."""

from __future__ import annotations

from shapeinspect.dims import UNKNOWN, Shape, Unknown
from shapeinspect.rules.elementwise import broadcast
from shapeinspect.rules.rule import Attributes, Naming, Rule, Shapes, at, first


def reduce_shape(shape: Shape, axes: tuple[int, ...] | None, keepdims: bool) -> Shape:
    """Return the shape after reducing over some axes.

    Args:
        shape: the lengths.
        axes: the axes that are reduced; None for all.
        keepdims: whether they stay, with length 1.

    Raises:
        ShapeMismatchError: if there is no such axis.

    Source: ``numpy.sum``; ONNX ReduceSum.

    Example:
        >>> reduce_shape((2, 3, 5), (1,), keepdims=False)
        (2, 5)
    """
    gone = _gone(axes, len(shape))
    if keepdims:
        return tuple(1 if axis in gone else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in gone)


def _gone(axes: tuple[int, ...] | None, rank: int) -> frozenset[int]:
    return frozenset(range(rank) if axes is None else (at(axis, rank) for axis in axes))


def _axes(attributes: Attributes) -> tuple[int, ...] | Unknown | None:
    axes = attributes.get("axes", attributes.get("axis"))
    if isinstance(axes, Unknown):
        return axes
    return (axes,) if isinstance(axes, int) else None if axes is None else tuple(axes)


def _reduce(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, axes, keepdims = first(inputs), _axes(attributes), bool(attributes.get("keepdims"))
    if shape is None:
        return (() if axes is None and not keepdims else None,)
    if isinstance(axes, Unknown):  # each axis stays or becomes 1
        return (tuple([1 if n == 1 else UNKNOWN for n in shape]) if keepdims else None,)
    return (reduce_shape(shape, axes, keepdims),)


def _reduce_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None:
        return Naming()
    axes = _axes(attributes)
    if len(out) == len(shape):
        gone: frozenset[int] = frozenset()
    elif isinstance(axes, Unknown):
        return Naming()
    else:
        gone = _gone(axes, len(shape))
    kept = [axis for axis in range(len(shape)) if axis not in gone]
    if len(kept) != len(out):
        return Naming()
    return Naming(links=tuple((0, axis, 0, place) for place, axis in enumerate(kept)))


def _distance(attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    axis = attributes.get("axis")
    both = broadcast(inputs[0], inputs[1])
    return (reduce_shape(both, (1 if axis is None else axis,), bool(attributes.get("keepdims"))),)


def _loss(attributes: Attributes, inputs: Shapes) -> Shapes:
    # Unreduced losses differ in what they keep: only a setting tells.
    kept = inputs[1] if attributes.get("a_target") and len(inputs) > 1 else None
    loss = () if attributes["reduction"] in ("mean", "sum", "batchmean") else kept
    return (loss, first(inputs)) if attributes.get("log_probabilities") else (loss,)


_REDUCE = Rule(_reduce, axes=_reduce_axes)

RULES = {"reduce": _REDUCE, "argmax": _REDUCE, "distance": Rule(_distance), "loss": Rule(_loss)}
