"""What arithmetic alone says of other input sizes: it costs almost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Call, Frozen
from shapeinspect.mismatch.graph.rerun import Walked
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
        False only where arithmetic shows that twice the length, one more and one less leave all as it is.
    """
    attempt, names = predicted(failure), failure.model.inputs
    given = [failure.model.values.get(name) for name in failure.inputs]
    before = [None if value is None else value.shape for value in given]
    if attempt is None or any(shape is None for shape in before):
        return True
    for index, axis in places:
        shape = shapes[int(index)]
        for length in (2 * shape[axis], shape[axis] + 1, max(shape[axis] - 1, 1)):
            other = (*shape[:axis], length, *shape[axis + 1 :])
            ended = attempt((OnInput(names[int(index)], (("resize", other),)),))
            if ended is None or ended.layer.path != failure.layer.path:
                return True
            after = [ended.model.values.get(name) for name in ended.inputs]
            if [None if value is None else value.shape for value in after] != before:
                return True
    return False
