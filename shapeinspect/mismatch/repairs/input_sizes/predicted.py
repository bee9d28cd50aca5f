"""What arithmetic alone says of other input sizes: it costs almost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.errors import ShapeInspectError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call
from shapeinspect.mismatch.graph.rerun import Walked
from shapeinspect.mismatch.sizes.clash import clashes
from shapeinspect.mismatch.sizes.requirements import problem_of
from shapeinspect.plugin_api.changes import Change, OnInput
from shapeinspect.plugin_api.regions import Place
from shapeinspect.plugin_api.rerun import Failure, Recorded

Attempt = Callable[[tuple[Change, ...]], Failure | None]


def predicted(failure: Failure) -> Attempt | None:
    """Return a run by arithmetic alone, which costs almost nothing; None if it does not fail the same way.

    Args:
        failure: the failed call.
    """
    layer, model = failure.layer, failure.model
    layers = (*(other for other in model.layers if other.path != layer.path), layer)
    calls = (*model.calls, Call(layer.path, failure.inputs, ("",)))
    recorded = Recorded(replace(model, layers=layers, calls=calls), Frozen(), "", None, lambda *_: "")
    try:
        walked = Walked(recorded)
        if not walked.reproduce() or walked.failure.layer.path != layer.path:
            return None
    except (ShapeInspectError, ValueError, TypeError, KeyError, IndexError, ArithmeticError):
        return None
    return walked.attempt


def may_change(failure: Failure, shapes: Sequence[tuple[int, ...]], places: Sequence[Place]) -> bool:
    """Tell whether other lengths of the inputs may change what the failed layer is given.

    Args:
        failure: the failed call.
        shapes: the shape of every input, in the order of the model's.
        places: the lengths that may be others.

    Returns:
        False only where arithmetic shows that twice the length, one more and one less leave all as it is: the
        length that the layer's settings fix and the one that it gets, else the shapes of its inputs.
    """
    attempt, names, before = predicted(failure), failure.model.inputs, _given(failure)
    if attempt is None or None in before:
        return True
    for index, axis in places:
        shape = shapes[int(index)]
        for length in (2 * shape[axis], shape[axis] + 1, max(shape[axis] - 1, 1)):
            other = (*shape[:axis], length, *shape[axis + 1 :])
            ended = attempt((OnInput(names[int(index)], (("resize", other),)),))
            if ended is None or ended.layer.path != failure.layer.path:
                return True
            if _given(ended) != before:
                return True
    return False


def _given(failure: Failure) -> list[Any]:
    """Return the lengths that do not fit and what is wanted of them, or the shapes of all inputs."""
    problem = problem_of(failure)
    shapes = problem.shapes
    places = sorted(clashes(problem, failure.layer))
    if places and all(shapes[number] is not None for number, _ in places):
        wanted = problem.demand.wanted if problem.demand is not None else 0
        return [wanted, *((number, axis, (shapes[number] or ())[axis]) for number, axis in places)]
    normalized = failure.layer.attributes.get("normalized_shape")
    if isinstance(normalized, tuple) and shapes and shapes[0] is not None:
        return [shapes[0][-len(normalized) :]]
    return [*shapes]
