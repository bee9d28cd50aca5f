"""Looks for an input size that makes the whole model pass, by running it at other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shapeinspect.ir import Layer
from shapeinspect.mismatch.demand import Problem, demand_of, space_rank
from shapeinspect.mismatch.fixes import Fix, entry
from shapeinspect.rerun import Change, Failure, OnInput, Rerun

#: No search goes beyond this length.
_LARGEST = 4096

Attempt = Callable[[tuple[Change, ...]], Failure | None]


@dataclass(frozen=True, slots=True)
class _Picture:
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
        attempt: runs the call again; raises StopIteration when no more may be spent.

    Returns:
        The fix, tried, or None.
    """
    for picture in _pictures(rerun.failure):
        for found in _searches(rerun.failure, problem, picture, attempt):
            if found is not None:
                return found
    return None


def _pictures(failure: Failure) -> Iterator[_Picture]:
    for name in failure.model.inputs:
        value, layer = failure.model.values.get(name), entry(failure, name)
        if value is None or value.shape is None or layer is None:
            continue
        shape = tuple(length for length in value.shape if isinstance(length, int))
        space = _space(layer)
        if space is None or len(shape) != len(value.shape) or len(shape) != space + 2:
            continue
        first = 1 if layer.attributes.get("data_format") == "channels_last" else 2
        yield _Picture(name, shape, tuple(range(first, first + space)))


def _space(layer: Layer) -> int | None:
    return space_rank(layer.attributes)


def _searches(
    failure: Failure, problem: Problem, picture: _Picture, attempt: Attempt
) -> Iterator[Fix | None]:
    layer = failure.layer
    if _too_small(failure, picture):
        yield _grown(picture, attempt)
    elif layer.kind in ("elementwise", "concat", "stack", "attention"):
        yield _rounded(picture, attempt)
        if layer.kind == "elementwise":
            yield _matched(failure, picture, attempt)
    elif problem.demand is not None or layer.kind == "reshape":
        yield _matched(failure, picture, attempt)


def _too_small(failure: Failure, picture: _Picture) -> bool:
    layer = failure.layer
    if space_rank(layer.attributes) is None and "pool" not in layer.kind:
        return False
    if not failure.inputs or demand_of(layer, _operands(failure)) is not None:
        return False
    shape = failure.model.values[failure.inputs[0]].shape
    return shape is not None and len(shape) == len(picture.shape)


def _operands(failure: Failure) -> tuple[tuple[int, ...] | None, ...]:
    found = []
    for name in failure.inputs:
        value = failure.model.values.get(name)
        shape = value.shape if value is not None else None
        found.append(
            None if shape is None else tuple(length if isinstance(length, int) else -1 for length in shape)
        )
    return tuple(found)


def _grown(picture: _Picture, attempt: Attempt) -> Fix | None:
    """Find the smallest length, from the present one up, at which all windows fit."""
    present = tuple(picture.shape[axis] for axis in picture.axes)

    def fits(factor: int) -> bool:
        return attempt(picture.resized(_to(present, factor))) is None

    low = high = max(present)
    while not fits(high):
        low, high = high, high * 2
        if high > _LARGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    lengths = _to(present, high)
    return Fix("too-small", picture.resized(lengths), 30, f"feed {_by(lengths)} or larger")


def _to(present: tuple[int, ...], length: int) -> tuple[int, ...]:
    """Return lengths in which none is below ``length`` and none shrinks."""
    return tuple(max(one, length) for one in present)


def _rounded(picture: _Picture, attempt: Attempt) -> Fix | None:
    """Round the lengths to a multiple of a power of two, up first and then down."""
    present = tuple(picture.shape[axis] for axis in picture.axes)
    for factor in (2, 4, 8, 16, 32, 64, 128):
        for up in (True, False):
            lengths = tuple((-(-n // factor) if up else n // factor) * factor for n in present)
            if lengths == present or 0 in lengths:
                continue
            if attempt(picture.resized(lengths)) is None:
                text = f"feed {_by(lengths)} (multiples of {factor} fit)"
                return Fix("rounding", picture.resized(lengths), 30, text)
    return None


def _matched(failure: Failure, picture: _Picture, attempt: Attempt) -> Fix | None:
    """Find the lengths at which the refused axis has the length that the layer's settings fix."""
    wanted = _wanted(failure)
    if wanted is None:
        return None
    before = {call.layer for call in failure.model.calls}
    present = tuple(picture.shape[axis] for axis in picture.axes)

    def excess(lengths: tuple[int, ...]) -> int | None:
        """Compare: below 0 too few, above 0 too many, 0 all fits, None something else is wrong."""
        ended = attempt(picture.resized(lengths))
        if ended is None:
            return 0
        if ended.layer.path != failure.layer.path:
            return -1 if ended.layer.path in before else None
        had = _had(ended)
        return None if had is None or had == wanted else had - wanted

    for vary in _ways(present):
        found = _bisected(excess, vary)
        if found is None:
            continue
        low, high = found
        lengths = vary(low) if not low <= max(present) <= high else present
        more = f" ({low} to {high} fit)" if high > low else ""
        return Fix("input-size", picture.resized(lengths), 30, f"feed {_by(lengths)}{more}")
    return None


def _ways(present: tuple[int, ...]) -> Iterator[Callable[[int], tuple[int, ...]]]:
    yield lambda length: (length,) * len(present)
    if len(set(present)) > 1:
        for axis in range(len(present)):
            yield lambda length, axis=axis: (*present[:axis], length, *present[axis + 1 :])  # type: ignore[misc]  # the default binds the loop's axis


def _bisected(
    excess: Callable[[tuple[int, ...]], int | None], vary: Callable[[int], tuple[int, ...]]
) -> tuple[int, int] | None:
    """Return the smallest and the largest length with an excess of 0, which grows with the length."""
    low, high = 0, 8
    while (over := excess(vary(high))) is not None and over < 0:
        low, high = high, high * 2
        if high > _LARGEST:
            return None
    if over is None:
        return None
    top = high
    while high - low > 1:
        middle = (low + high) // 2
        over = excess(vary(middle))
        if over is None:
            return None
        low, high = (middle, high) if over < 0 else (low, middle)
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


def _wanted(failure: Failure) -> int | None:
    demand = demand_of(failure.layer, _operands(failure))
    if demand is not None:
        return demand.wanted
    target = failure.layer.attributes.get("shape")
    if failure.layer.kind == "reshape" and isinstance(target, tuple):
        total = 1
        for length in target:
            if not isinstance(length, int):
                return None
            total *= abs(length) if length != -1 else _batch(failure)
        return total
    return None


def _batch(failure: Failure) -> int:
    shape = _operands(failure)[0]
    return shape[0] if shape else 1


def _had(failure: Failure) -> int | None:
    demand = demand_of(failure.layer, _operands(failure))
    if demand is not None:
        return demand.had
    shape = _operands(failure)[0] if failure.inputs else None
    if failure.layer.kind == "reshape" and shape is not None:
        total = 1
        for length in shape:
            total *= length
        return total
    return None


def _by(lengths: tuple[int, ...]) -> str:
    return "×".join(map(str, lengths)) if len(lengths) > 1 else f"a length of {lengths[0]}"
