"""Names the axes of activations: what ops prove, carried along axes that play the same role.

Every axis of every value is a node. Ops link nodes of the same role (an activation, each axis of its
input to the same axis of its output; a convolution, the batch and the space), linked nodes form a
class, and the best proof in a class names it all: forward, backward and across branches in one pass.
A flattened axis is named after the axes it merges, as in ``(C H W)``, and axes put one behind the other
keep a name that all of them have. What nothing proves has no name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from shapeinspect.dims import Expr, Shape
from shapeinspect.infer.axis_classes import GIVEN, PROVEN, Classes
from shapeinspect.infer.facts import CallFacts
from shapeinspect.ir import Axes, Model

# The symbols by which exporters and people call a batch.
_BATCH_SYMBOLS = frozenset({"N", "batch", "batch_size"})


def name_axes(
    model: Model, facts: Iterable[CallFacts], shapes: Mapping[str, Shape | None]
) -> dict[str, Axes | None]:
    """Return the names of the axes of every value; None for an axis without proof.

    Names that the source gave stay as they are.

    Args:
        model: the model.
        facts: the facts of the calls whose kind has arithmetic, in their order.
        shapes: the shape of every value.

    Example:
        >>> name_axes(Model("m", "onnx", "onnx", "onnx"), (), {})
        {}
    """
    classes = Classes(shapes)
    for name, value in model.values.items():
        classes.seed(name, value.axes, GIVEN)
    for name in model.inputs:
        shape = shapes.get(name)
        if shape and isinstance(shape[0], Expr) and str(shape[0]) in _BATCH_SYMBOLS:
            classes.seed(name, ("N",) + (None,) * (len(shape) - 1), PROVEN)
    later: list[Callable[[], None]] = []
    for fact in facts:
        names, outputs, naming = fact.names, fact.call.outputs, fact.naming
        classes.add(naming, names, outputs)
        for source, merged, output, axis in naming.merges:
            parts = [classes.node(_name(names, source), part) for part in merged]
            later.append(partial(classes.merge, parts, classes.node(_name(outputs, output), axis)))
        for source, axis, output, made in naming.splits:
            pieces = [classes.node(_name(outputs, output), part) for part in made]
            later.append(partial(classes.split, classes.node(_name(names, source), axis), pieces))
        for joined, output, axis in naming.joins:
            pieces = [classes.node(_name(names, source), part) for source, part in joined]
            later.append(partial(classes.join, pieces, classes.node(_name(outputs, output), axis)))
    classes.settle()
    for name_result in later:
        name_result()
    return {name: _prefer_given(value.axes, classes.names(name)) for name, value in model.values.items()}


def _prefer_given(given: Axes | None, result: Axes | None) -> Axes | None:
    if given is None or result is None:
        return result if given is None else given
    if len(given) != len(result):
        return result
    return tuple(have or new for have, new in zip(given, result, strict=True))


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else ""
