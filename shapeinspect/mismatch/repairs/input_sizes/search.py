"""Searches for an input size at which the whole model passes, by running it at other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.input_sizes.fitting import known_to_fit, no_multiples
from shapeinspect.mismatch.repairs.input_sizes.natural import natural_between, natural_near
from shapeinspect.mismatch.repairs.input_sizes.predicted import Attempt, predicted
from shapeinspect.mismatch.repairs.input_sizes.targets import operands, target_of
from shapeinspect.mismatch.repairs.proposals import entry
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import Problem, demand_of, space_rank
from shapeinspect.plugin_api.changes import Change, OnInput
from shapeinspect.plugin_api.rerun import Failure, Rerun

#: No search goes beyond this length.
_LARGEST = 4096
#: Kinds that another size could suit by accident: where a length equals the batch.
_OF_BATCHES = frozenset({"attention", "matmul", "gemm", "batch_dot", "einsum", "rnn", "lstm", "gru"})
#: A range of at most so many lengths more than one is tried out.
_SPAN = 64


@dataclass(frozen=True, slots=True)
class _Image:
    """Inputs with spatial axes of the same lengths: they belong together.

    Args:
        inputs: the name and the shape of each.
        axes: the spatial axes.
    """

    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    axes: tuple[int, ...]

    @property
    def present(self) -> tuple[int, ...]:
        """The lengths of the spatial axes, as they were fed."""
        return tuple(self.inputs[0][1][axis] for axis in self.axes)

    def resized(self, lengths: tuple[int, ...]) -> tuple[Change, ...]:
        """Return the changes that feed other lengths."""
        changes = []
        for name, fed in self.inputs:
            shape = list(fed)
            for axis, length in zip(self.axes, lengths, strict=True):
                shape[axis] = length
            changes.append(OnInput(name, (("resize", tuple(shape)),)))
        return tuple(changes)


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
    images = [*_images(rerun.failure)]

    def found(searches: Callable[[_Image, Attempt], Iterator[_Size | None]]) -> Fix | None:
        for image in images:
            for run in runs:
                for size in searches(image, run):
                    if size is None:
                        continue
                    fix, also = size
                    if run is attempt or all(attempt(changes) is None for changes in (fix.changes, *also)):
                        return fix
        return None

    failure = rerun.failure
    fix = found(lambda image, run: _searches(failure, problem, image, run))
    if fix is not None or is_loss(failure.layer):
        return fix
    fix = known_to_fit(rerun) if rerun.confirms else None
    if fix is not None or failure.layer.kind in _OF_BATCHES:
        return fix
    return found(lambda image, run: iter((_tried_out(failure, image, run),)))


#: The fix, and further changes that must pass for its text to be true.
_Size = tuple[Fix, tuple[tuple[Change, ...], ...]]


def _images(failure: Failure) -> Iterator[_Image]:
    together: dict[tuple[tuple[int, ...], tuple[int, ...]], list[tuple[str, tuple[int, ...]]]] = {}
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
        axes = tuple(range(first, first + space))
        together.setdefault((axes, tuple(shape[axis] for axis in axes)), []).append((name, shape))
    for (axes, lengths), inputs in together.items():
        yield _Image((*inputs, *_unread(failure, axes, lengths, inputs)), axes)


def _unread(
    failure: Failure,
    axes: tuple[int, ...],
    lengths: tuple[int, ...],
    inputs: list[tuple[str, tuple[int, ...]]],
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the inputs of the same lengths that nothing had read before the failure."""
    read = {name for call in failure.model.calls for name in call.inputs} | set(failure.inputs)
    for name in failure.model.inputs:
        shape = failure.model.values[name].shape if name in failure.model.values else None
        whole = tuple(length for length in shape or () if isinstance(length, int))
        if name in read or name in dict(inputs) or len(whole) != len(inputs[0][1]) or whole != shape:
            continue
        if tuple(whole[axis] for axis in axes) == lengths:
            yield name, whole


def _space(layer: Layer) -> int | None:
    return space_rank(layer.attributes)


def _searches(failure: Failure, problem: Problem, image: _Image, attempt: Attempt) -> Iterator[_Size | None]:
    layer = failure.layer
    if layer.kind == "max_unpool":
        yield _rounded(failure, image, attempt)
    elif _too_small(failure, image):
        yield _grown(failure, image, attempt)
    elif layer.kind in ("elementwise", "concat", "stack", "attention"):
        yield _matched(failure, image, attempt)
        yield _rounded(failure, image, attempt)
    elif problem.demand is not None or layer.kind == "reshape" or is_loss(layer):
        yield _matched(failure, image, attempt)


def _too_small(failure: Failure, image: _Image) -> bool:
    layer = failure.layer
    if space_rank(layer.attributes) is None and "pool" not in layer.kind:
        return False
    if not failure.inputs or demand_of(layer, operands(failure)) is not None:
        return False
    shape = failure.model.values[failure.inputs[0]].shape
    return shape is not None and len(shape) == len(image.inputs[0][1])


def _grown(failure: Failure, image: _Image, attempt: Attempt) -> _Size | None:
    """Find the smallest length, from the present one up, at which all windows fit."""
    present, short = image.present, _short(failure, image)

    def fits(length: int) -> bool:
        return attempt(image.resized(_to(present, length, short))) is None

    low = high = max(present[axis] for axis in short)
    while not fits(high):
        low, high = high, high * 2
        if high > _LARGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    lengths = _to(present, high, short)
    larger = all(fits(length) for length in (high + 1, high + 2, high + 7, 2 * high))
    text = f"feed {_by(lengths)}{' or larger' if larger else ''}"
    return Fix("too-small", image.resized(lengths), Rung.INPUT_SIZE, text), ()


def _short(failure: Failure, image: _Image) -> tuple[int, ...]:
    """Return which spatial axes are shorter than the window that fails; all where that is not known."""
    every = tuple(range(len(image.axes)))
    kernel, shape = failure.layer.attributes.get("kernel_size"), operands(failure)[0]
    if not isinstance(kernel, tuple) or len(kernel) != len(every) or shape is None:
        return every
    space = [shape[axis] for axis in image.axes]
    return tuple(axis for axis in every if space[axis] < kernel[axis]) or every


def _to(present: tuple[int, ...], length: int, short: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths, those of the short axes raised to at least ``length``."""
    return tuple(max(old, length) if axis in short else old for axis, old in enumerate(present))


def _rounded(failure: Failure, image: _Image, attempt: Attempt) -> _Size | None:
    """Round the lengths up to a multiple of a power of two; the multiple below must fit as well."""
    present = image.present
    for factor in (2, 4, 8, 16, 32, 64, 128):
        above = tuple(-(-length // factor) * factor for length in present)
        below = tuple(length - factor for length in above)
        if above == present or attempt(image.resized(above)) is not None:
            continue
        if min(below) > 0 and attempt(image.resized(below)) is not None:
            continue
        more = [tuple(length + times * factor for length in above) for times in (1, 3)]
        every = all(attempt(image.resized(lengths)) is None for lengths in more)
        text = f"feed {_by(above)}{f' (multiples of {factor} fit)' if every else ''}"
        also = (image.resized(below),) if min(below) > 0 else ()
        why = no_multiples(failure, present, factor) if every else ()
        return Fix("rounding", image.resized(above), Rung.INPUT_SIZE, text, why=why), also
    return None


def _matched(failure: Failure, image: _Image, attempt: Attempt) -> _Size | None:
    """Find input lengths for which the refused axis has the length fixed by the layer's settings."""
    target = target_of(failure)
    if target is None:
        return None
    before = {call.layer for call in failure.model.calls}
    present = image.present

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
        chosen = natural_between(low, high)
        if vary(chosen) == present:
            continue
        also = tuple(image.resized(vary(length)) for length in {low, high})
        all_fit = high - low <= _SPAN and all(excess(vary(length)) == 0 for length in range(low, high + 1))
        more = f" ({low} to {high} fit)" if all_fit and high > low else ""
        asked = failure.layer.attributes.get("shape") or ()
        patches = failure.layer.kind == "reshape" and len(asked) > len(operands(failure)[0] or ()) > 2
        cause = "batch-mixed" if is_loss(failure.layer) else "patches" if patches else "input-size"
        lengths = vary(chosen)
        why = (
            f"the network as it is takes {_by(lengths)}{more}: the call runs with that; {_by(present)} is fed"
        )
        text = f"feed {_by(lengths)}{more}"
        return Fix(cause, image.resized(lengths), Rung.INPUT_SIZE, text, why=(why,)), also
    return None


def _tried_out(failure: Failure, image: _Image, attempt: Attempt) -> _Size | None:
    """Try sizes that networks are built for, near the present one: nothing is assumed of those in between."""
    present, asked = image.present, failure.layer.attributes.get("shape")
    stated = [length for length in asked if isinstance(length, int)] if isinstance(asked, tuple) else []
    strides = [layer.attributes.get("stride") for layer in failure.model.layers if layer.kind == "conv"]
    first = next((stride[0] for stride in strides if isinstance(stride, tuple) and stride), 1)
    for vary in _variations(present):
        moved = max(old for old, new in zip(present, vary(-1), strict=True) if new == -1)
        for length in natural_near(moved, first, stated):
            lengths = vary(length)
            if lengths != present and attempt(image.resized(lengths)) is None:
                return Fix("", image.resized(lengths), Rung.INPUT_SIZE, f"feed {_by(lengths)}"), ()
    return None


def _variations(present: tuple[int, ...]) -> Iterator[Callable[[int], tuple[int, ...]]]:
    """Yield ways to move the lengths: equal ones together first, others one at a time first."""
    alone = [
        lambda length, axis=axis: (*present[:axis], length, *present[axis + 1 :])
        for axis in reversed(range(len(present)))
        if len(present) > 1
    ]
    equal = lambda length: (length,) * len(present)  # noqa: E731  # one of several in a list
    yield from (equal, *alone) if len(set(present)) == 1 else (*alone, equal)


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


def _by(lengths: tuple[int, ...]) -> str:
    return "×".join(map(str, lengths)) if len(lengths) > 1 else f"a length of {lengths[0]}"
