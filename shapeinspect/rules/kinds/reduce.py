"""Reductions over axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shapeinspect.dims import UNKNOWN, Shape, Unknown
from shapeinspect.rules.attributes import AXIS, KEEPDIMS, REQUIRED
from shapeinspect.rules.fields import REDUCED_AXES, Field
from shapeinspect.rules.formula_text import Lines, carried, number
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_names, no_weights
from shapeinspect.rules.kinds.elementwise import broadcast, broadcast_lines
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, normalize_axis


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
    gone = _reduced(axes, len(shape))
    if keepdims:
        return tuple(1 if axis in gone else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in gone)


def _reduced(axes: tuple[int, ...] | None, rank: int) -> frozenset[int]:
    return frozenset(range(rank) if axes is None else (normalize_axis(axis, rank) for axis in axes))


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
        gone = _reduced(axes, len(shape))
    kept = [axis for axis in range(len(shape)) if axis not in gone]
    if len(kept) != len(out):
        return Naming()
    return Naming(links=tuple((0, axis, 0, index) for index, axis in enumerate(kept)))


def _distance(attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    axis = attributes.get("axis")
    both = broadcast(inputs[0], inputs[1])
    return (reduce_shape(both, (1 if axis is None else axis,), bool(attributes.get("keepdims"))),)


def _loss(attributes: Attributes, inputs: Shapes) -> Shapes:
    # Unreduced losses keep different shapes: only a setting tells which.
    kept = inputs[1] if attributes.get("a_target") and len(inputs) > 1 else None
    loss = () if attributes["reduction"] in ("mean", "sum", "batchmean") else kept
    return (loss, first(inputs)) if attributes.get("log_probabilities") else (loss,)


def _reduce_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, out, axes = first(inputs) or (), first(outputs) or (), _axes(attributes)
    if isinstance(axes, Unknown) or len(out) != len(shape):
        return {}
    return {(0, axis): number(1) for axis in _reduced(axes, len(shape))}


def _distance_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    both = broadcast(inputs[0] or (), inputs[1] or ())
    axis = attributes.get("axis")
    gone = normalize_axis(1 if axis is None else axis, len(both))
    lines = broadcast_lines({}, inputs[:2], (both,))
    if attributes.get("keepdims"):
        return {**lines, (0, gone): number(1)}
    return {(0, item - (item > gone)): text for (_, item), text in lines.items() if item != gone}


def _loss_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, target = first(inputs) or (), (inputs[1] if len(inputs) > 1 else None) or ()
    lines = {(0, axis): carried(1, axis, target) for axis in range(len(first(outputs) or ()))}
    return lines | {(1, axis): carried(0, axis, shape) for axis in range(len(shape))}


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


_AXES = Attribute(
    "axes", "int or tuple; None for all; `UNKNOWN` where the graph computes them", "all", "the reduced axes"
)

_LOSS = (
    Attribute("function", "str", "unknown", "the function of a distance of the user's own"),
    Attribute("ignore_index", "int", "none", "the class that is not counted"),
    Attribute("label_smoothing", "float", "0", "the share that is spread over all classes"),
    Attribute("margin", "float", "unknown", "the difference that is asked for"),
    Attribute("p", "float", "unknown", "the exponent, or the p of the distance"),
    Attribute("delta", "float", "unknown", "where the square becomes a line"),
    Attribute("beta", "float", "unknown", "where the square becomes a line"),
    Attribute("eps", "float", "unknown", "the least variance, or what is added before a logarithm"),
    Attribute("blank", "int", "unknown", "the class that stands for no label"),
    Attribute("zero_infinity", "bool", "false", "infinite losses are 0"),
    Attribute("full", "bool", "false", "the constant term is added"),
    Attribute("log_input", "bool", "unknown", "the prediction is a logarithm"),
    Attribute("log_target", "bool", "false", "the target is a logarithm"),
    Attribute("swap", "bool", "false", "the distance swap"),
)

KINDS = (
    _kind(
        "reduce",
        "combines all numbers along the reduced axes into one",
        "--input 2,3,5,7 --axes 2,3 --set op=mean",
        (
            Attribute("op", "str", "unknown", "the operation: `mean`, `sum` …"),
            Attribute("p", "float", "2", "the p of a `norm`"),
            Attribute("correction", "int", "1", "subtracted in the divisor of `std` and `var`"),
            _AXES,
            replace(AXIS, default="by axes", meaning="the only reduced axis"),
            KEEPDIMS,
        ),
        _reduce,
        _reduce_axes,
        _reduce_lines,
        REDUCED_AXES,
    ),
    _kind(
        "argmax",
        "the index of the largest along one axis",
        "--input 1,21,5,7 --axis 1",
        (replace(AXIS, default="all", meaning="the axis that is searched"), _AXES, KEEPDIMS),
        _reduce,
        _reduce_axes,
        _reduce_lines,
        REDUCED_AXES,
    ),
    _kind(
        "distance",
        "one number for each pair of vectors along one axis",
        "--input 2,3,5 --input 2,1,5 --axis 2",
        (
            Attribute("function", "str", "unknown", "the distance: `cosine`, `p`"),
            Attribute("p", "float", "2", "the p of the distance"),
            Attribute("eps", "float", "unknown", "added to the difference, or the least product of lengths"),
            replace(AXIS, default="1", meaning="the axis of the vectors"),
            KEEPDIMS,
        ),
        _distance,
        no_names,
        _distance_lines,
        Field("its own row: all of `axis`"),
    ),
    _kind(
        "loss",
        "compares a prediction with a target",
        "--input 2,5 --input 2 --set reduction=none --set a_target=true",
        (
            Attribute(
                "reduction", '`"mean"`, `"sum"`, `"none"`', REQUIRED, "whether all are reduced to one number"
            ),
            Attribute("a_target", "bool", "false", "unreduced it has the shape of the second input"),
            *_LOSS,
            Attribute("log_probabilities", "bool", "false", "a second output like the first input"),
        ),
        _loss,
        no_names,
        _loss_lines,
        Field("all of its inputs"),
    ),
)
