"""Searches for an input size at which the whole model passes, by running it at other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Call, Frozen, Layer
from shapeinspect.mismatch.graph_rerun import Walked
from shapeinspect.mismatch.loss_shapes import is_loss
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.proposals import entry
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.requirements import Problem, demand_of, space_rank
from shapeinspect.plugin_api.changes import Change, OnInput
from shapeinspect.plugin_api.rerun import Failure, Recorded, Rerun

#: No search goes beyond this length.
_LARGEST = 4096

Attempt = Callable[[tuple[Change, ...]], Failure | None]


@dataclass(frozen=True, slots=True)
class _Image:
    """An input with spatial axes.

    Args:
        name: its value.
        shape: its shape.
        axes: the spatial axes.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    def resized(self, lengths: tuple[int, ...]) -> tuple[Change, ...]:
        shape = list(self.shape)
        for axis, length in zip(self.axes, lengths, strict=True):
            shape[axis] = length
        return (OnInput(self.name, (("resize", tuple(shape)),)),)


def search(rerun: Rerun, problem: Problem, attempt: Attempt) -> Fix | None:
    """Find the input size nearest to the given one at which everything fits.

    Args:
        rerun: the failed call.
        problem: what does not fit.
        attempt: runs the call again; raises when no more may be spent.

    Returns:
        The fix, tried, or None. Arithmetic alone searches first; its result is then run.
    """
    runs = [run for run in (predicted(rerun.failure), attempt) if run is not None]
    for image in _images(rerun.failure):
        for run in runs:
            for size in _searches(rerun.failure, problem, image, run):
                if size is None:
                    continue
                fix, also = size
                if run is attempt or all(attempt(changes) is None for changes in (fix.changes, *also)):
                    return fix
    return None


#: The fix, and further changes that must pass for its text to be true.
_Size = tuple[Fix, tuple[tuple[Change, ...], ...]]


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


def _images(failure: Failure) -> Iterator[_Image]:
    for name in failure.model.inputs:
        value, layer = failure.model.values.get(name), entry(failure, name)
        if value is None or value.shape is None or layer is None:
            continue
        shape = tuple(length for length in value.shape if isinstance(length, int))
        space = _space(layer)
        if space is None and layer.kind == "reshape" and len(value.shape) == 4:
            space = 2  # a network that splits its images into patches itself
        if space is None or len(shape) != len(value.shape) or len(shape) != space + 2:
            continue
        first = 1 if layer.attributes.get("data_format") == "channels_last" else 2
        yield _Image(name, shape, tuple(range(first, first + space)))


def _space(layer: Layer) -> int | None:
    return space_rank(layer.attributes)


def _searches(failure: Failure, problem: Problem, image: _Image, attempt: Attempt) -> Iterator[_Size | None]:
    layer = failure.layer
    if layer.kind == "max_unpool":
        yield _rounded(image, attempt)
    elif _too_small(failure, image):
        yield _grown(image, attempt)
    elif layer.kind in ("elementwise", "concat", "stack", "attention"):
        yield _matched(failure, image, attempt)
        yield _rounded(image, attempt)
    elif problem.demand is not None or layer.kind == "reshape" or is_loss(layer):
        yield _matched(failure, image, attempt)


def _too_small(failure: Failure, image: _Image) -> bool:
    layer = failure.layer
    if space_rank(layer.attributes) is None and "pool" not in layer.kind:
        return False
    if not failure.inputs or demand_of(layer, _operands(failure)) is not None:
        return False
    shape = failure.model.values[failure.inputs[0]].shape
    return shape is not None and len(shape) == len(image.shape)


def _operands(failure: Failure) -> tuple[tuple[int, ...] | None, ...]:
    shapes = [
        None if (value := failure.model.values.get(name)) is None else value.shape for name in failure.inputs
    ]
    return tuple(
        None if shape is None else tuple(length if isinstance(length, int) else -1 for length in shape)
        for shape in shapes
    )


def _grown(image: _Image, attempt: Attempt) -> _Size | None:
    """Find the smallest length, from the present one up, at which all windows fit."""
    present = tuple(image.shape[axis] for axis in image.axes)

    def fits(factor: int) -> bool:
        return attempt(image.resized(_to(present, factor))) is None

    low = high = max(present)
    while not fits(high):
        low, high = high, high * 2
        if high > _LARGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    lengths = _to(present, high)
    return Fix("too-small", image.resized(lengths), Rung.INPUT_SIZE, f"feed {_by(lengths)} or larger"), ()


def _to(present: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Return the lengths, each raised to at least ``length``."""
    return tuple(max(old, length) for old in present)


def _rounded(image: _Image, attempt: Attempt) -> _Size | None:
    """Round the lengths up to a multiple of a power of two; the multiple below must fit as well."""
    present = tuple(image.shape[axis] for axis in image.axes)
    for factor in (2, 4, 8, 16, 32, 64, 128):
        above = tuple(-(-length // factor) * factor for length in present)
        below = tuple(length - factor for length in above)
        if above == present or attempt(image.resized(above)) is not None:
            continue
        if min(below) > 0 and attempt(image.resized(below)) is not None:
            continue
        text = f"feed {_by(above)} (multiples of {factor} fit)"
        also = (image.resized(below),) if min(below) > 0 else ()
        return Fix("rounding", image.resized(above), Rung.INPUT_SIZE, text), also
    return None


def _matched(failure: Failure, image: _Image, attempt: Attempt) -> _Size | None:
    """Find input lengths for which the refused axis has the length fixed by the layer's settings."""
    target = _target(failure)
    if target is None:
        return None
    before = {call.layer for call in failure.model.calls}
    present = tuple(image.shape[axis] for axis in image.axes)

    def excess(lengths: tuple[int, ...]) -> int | None:
        """Return the difference: below 0 too few, above 0 too many, 0 fits; None if something else fails."""
        ended = attempt(image.resized(lengths))
        if ended is None:
            return 0
        if ended.layer.path != failure.layer.path:
            return -1 if ended.layer.path in before else None
        had = target.of(ended)
        return None if had is None or had == target.wanted else had - target.wanted

    for vary in _variations(present):
        span = _bisected(excess, vary, max(present))
        if span is None:
            continue
        low, high = span
        lengths = vary(low) if not low <= max(present) <= high else present
        more = f" ({low} to {high} fit)" if high > low else ""
        also = tuple(image.resized(vary(length)) for length in {low, high})
        asked = failure.layer.attributes.get("shape") or ()
        patches = failure.layer.kind == "reshape" and len(asked) > len(_operands(failure)[0] or ())
        cause = "batch-mixed" if is_loss(failure.layer) else "patches" if patches else "input-size"
        return Fix(cause, image.resized(lengths), Rung.INPUT_SIZE, f"feed {_by(lengths)}{more}"), also
    return None


def _variations(present: tuple[int, ...]) -> Iterator[Callable[[int], tuple[int, ...]]]:
    yield lambda length: (length,) * len(present)
    if len(set(present)) > 1:
        for axis in range(len(present)):
            yield lambda length, axis=axis: (*present[:axis], length, *present[axis + 1 :])  # type: ignore[misc]  # the default binds the loop's axis


def _bisected(
    excess: Callable[[tuple[int, ...]], int | None], vary: Callable[[int], tuple[int, ...]], start: int
) -> tuple[int, int] | None:
    """Return the smallest and the largest length whose excess is 0; the excess grows with the length."""
    # Far below the present length an axis of 1 might broadcast by accident: upwards first.
    low, high = 0, start
    while (surplus := excess(vary(high))) is not None and surplus < 0:
        low, high = high, high * 2
        if high > _LARGEST:
            return None
    if surplus is None:
        return None
    top = high
    while high - low > 1:
        middle = (low + high) // 2
        surplus = excess(vary(middle))
        if surplus is None:
            return None
        low, high = (middle, high) if surplus < 0 else (low, middle)
    smallest = high
    if excess(vary(smallest)) != 0:
        return None
    low = smallest
    while excess(vary(top)) == 0:
        low, top = top, top * 2
        if top > _LARGEST:
            return smallest, low
    while top - low > 1:
        middle = (low + top) // 2
        low, top = (middle, top) if excess(vary(middle)) == 0 else (low, middle)
    return smallest, low


@dataclass(frozen=True, slots=True)
class _Target:
    """A length fixed by a stored tensor.

    Args:
        operand: which input of the failed call has to have it.
        axis: which of its axes; None for all its elements.
        wanted: the length.
    """

    operand: int
    axis: int | None
    wanted: int

    def of(self, ended: Failure) -> int | None:
        """Return the length that another run has there."""
        shapes = _operands(ended)
        shape = shapes[self.operand] if self.operand < len(shapes) else None
        if shape is None:
            return None
        if self.axis is None:
            return prod(shape)
        return shape[self.axis] if -len(shape) <= self.axis < len(shape) else None


def _target(failure: Failure) -> _Target | None:
    shapes = _operands(failure)
    demand = demand_of(failure.layer, shapes)
    if demand is not None:
        return _Target(0, demand.axis - len(shapes[0] or ()), demand.wanted)
    if is_loss(failure.layer):
        outputs, targets = (*shapes, None, None)[:2]
        mixed = outputs and targets and outputs[0] != targets[0]
        return _Target(0, -len(outputs), targets[0]) if outputs and targets and mixed else None
    asked, first = failure.layer.attributes.get("shape"), shapes[0] if shapes else None
    if failure.layer.kind == "reshape" and isinstance(asked, tuple) and first:
        if not all(isinstance(length, int) for length in asked):
            return None
        return _Target(0, None, prod(first[0] if length == -1 else length for length in asked))
    return _beside_a_weight(failure, shapes)


def _beside_a_weight(failure: Failure, shapes: tuple[tuple[int, ...] | None, ...]) -> _Target | None:
    """Find the length of a stored operand (a position table) that differs from the computed one."""
    computed = {name for call in failure.model.calls for name in call.outputs} | set(failure.model.inputs)
    if failure.layer.kind not in ("elementwise", "concat") or len(shapes) != 2:
        return None
    for stored, other in ((0, 1), (1, 0)):
        table, tensor = shapes[stored], shapes[other]
        if failure.inputs[stored] in computed or failure.inputs[other] not in computed:
            continue
        if not table or not tensor:
            continue
        for back in range(1, min(len(table), len(tensor)) + 1):
            if table[-back] != tensor[-back] and 1 not in (table[-back], tensor[-back]):
                return _Target(other, -back, table[-back])
    return None


def _by(lengths: tuple[int, ...]) -> str:
    return "×".join(map(str, lengths)) if len(lengths) > 1 else f"a length of {lengths[0]}"
