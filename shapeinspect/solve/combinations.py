"""A rule that takes no arrays, run once for each different combination of lengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from shapeinspect.dims import Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules import output_shapes
from shapeinspect.solve.budget import Budget
from shapeinspect.solve.outcome import UNKNOWN, Array, Lengths, Outcome

#: The most different combinations of lengths for which a rule is run.
MOST = 1 << 17
#: The most lengths that the outputs of these may have in all.
_MOST_LENGTHS = 1 << 22
#: Lengths that differ by more are numbered before they are multiplied: a product has to be of 64 bits.
_FAR = 1 << 40


def _columns(value: Any) -> Iterator[Array]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _columns(entry)


def for_candidate(value: Any, candidate: int) -> Any:
    """Return a setting or a shape for one candidate.

    Args:
        value: it, with arrays for what differs between candidates.
        candidate: which one.

    Example:
        >>> for_candidate({"kernel_size": (3, np.array([5, 7]))}, 1)
        {'kernel_size': (3, 7)}
    """
    if isinstance(value, np.ndarray):
        return int(value[candidate])
    if isinstance(value, tuple):
        return tuple(for_candidate(entry, candidate) for entry in value)
    if isinstance(value, dict):
        return {name: for_candidate(entry, candidate) for name, entry in value.items()}
    return value


def run_each_combination(
    index: int,
    kind: str,
    attributes: dict[str, Any],
    given: tuple[Any, ...],
    outcome: Outcome,
    budget: Budget | None,
) -> tuple[Lengths, ...] | None:
    """Run a rule once for each different combination of lengths.

    Args:
        index: the call.
        kind: of its layer.
        attributes: the layer's settings, with arrays for those that differ between candidates.
        given: the shapes of its inputs, in the same way.
        outcome: of the run; the candidates that the rule refuses are marked, and so is what it cannot tell.
        budget: the time that is left, if it is limited.

    Returns:
        The shapes of its outputs, none where all candidates are refused; None if they are unknown.

    Example:
        >>> outcome = Outcome(np.array([-1, -1]))
        >>> (shape,) = run_each_combination(0, "flatten", {}, ((1, 4, np.array([6, 8])),), outcome, None)
        >>> shape[1].tolist()
        [24, 32]
    """
    columns = _different(_columns((given, tuple(attributes.values()))))
    alive = _candidates(outcome, varied=bool(columns))
    rows = np.stack([column[alive] for column in columns], axis=1) if columns else np.zeros((1, 0), np.int64)
    firsts, back = _distinct(rows)
    if len(firsts) > MOST:
        outcome.unsolved[index] = "too many different combinations of lengths"
        return None
    results: list[tuple[Shape | None, ...] | None] = []
    made = 0
    for first in firsts:
        if budget is not None:
            budget.check()
        result = _result(kind, attributes, given, int(alive[first]))
        results.append(result)
        made += sum(len(shape or ()) for shape in result or ())
        if made > _MOST_LENGTHS:
            outcome.unsolved[index] = "too many lengths are open at once"
            return None
    results = _with_one_rank(results, outcome, alive, back if columns else None)
    accepted = [result for result in results if result is not None]
    if columns or not accepted:
        marks = np.ones(len(outcome.refused), dtype=bool)
        if columns:
            marks[:] = False
            marks[alive] = np.array([result is None for result in results])[back]
        outcome.refuse(index, marks)
    if not accepted:
        return ()
    if not _are_settled(accepted):
        outcome.unsolved[index] = "its output does not follow from its settings and shapes"
        return None
    return tuple(
        _gathered(results, number, len(shape or ()), back, alive, len(outcome.refused), bool(columns))
        for number, shape in enumerate(accepted[0])
    )


def _different(columns: Iterable[Array]) -> list[Array]:
    """Return each array of lengths once."""
    kept: list[Array] = []
    for column in columns:
        if not any(column is other for other in kept):
            kept.append(column)
    return kept


def _candidates(outcome: Outcome, *, varied: bool) -> Array:
    """Return the candidates that a rule is run for: the accepted ones, or a single one."""
    alive: Array = np.flatnonzero(outcome.accepted)
    if not len(alive):
        return np.arange(1)
    return alive if varied else alive[:1]


def _result(
    kind: str, attributes: dict[str, Any], given: tuple[Any, ...], candidate: int
) -> tuple[Shape | None, ...] | None:
    """Return the output shapes for one candidate, or None if it is refused."""
    try:
        return output_shapes(
            kind,
            for_candidate(attributes, candidate),
            tuple(for_candidate(shape, candidate) for shape in given),
        )
    except ShapeMismatchError:
        return None


def _with_one_rank(
    results: list[tuple[Shape | None, ...] | None], outcome: Outcome, alive: Array, back: Array | None
) -> list[tuple[Shape | None, ...] | None]:
    """Keep the results of the commonest ranks, with known lengths; the sizes of the others are unknown."""
    ranks = [_ranks(result) for result in results if result is not None]
    known = [rank for rank in ranks if rank is not None]
    if back is None or not known:
        return results
    usual = max(known, key=known.count)
    other = np.array([result is not None and _ranks(result) != usual for result in results])
    outcome.refused[alive[other[back]]] = UNKNOWN
    return [None if odd else result for result, odd in zip(results, other, strict=True)]


def _ranks(shapes: tuple[Shape | None, ...]) -> tuple[int, ...] | None:
    """Return how many axes each output has; None where a length is not known."""
    if any(shape is None or not all(isinstance(n, int) for n in shape) for shape in shapes):
        return None
    return tuple(len(shape or ()) for shape in shapes)


def _are_settled(accepted: list[tuple[Shape | None, ...]]) -> bool:
    """Tell whether all results have the same ranks and only integers in them."""
    ranks = {_ranks(shapes) for shapes in accepted}
    return len(ranks) == 1 and None not in ranks


def _distinct(rows: Array) -> tuple[Array, Array]:
    """Return the index of the first occurrence of each distinct row, and for each row its number."""
    if rows.shape[1] == 0:
        return np.zeros(1, dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
    key = rows[:, 0]
    for column in rows.T[1:]:
        low, high = int(column.min()), int(column.max())
        far = high - low >= _FAR
        places = np.unique(column, return_inverse=True)[1].astype(np.int64) if far else column - low
        span = len(column) if far else high - low + 1
        key = np.unique(key, return_inverse=True)[1].astype(np.int64) * span + places
    _, firsts, back = np.unique(key, return_index=True, return_inverse=True)
    return firsts, back


def _gathered(
    results: list[Any], number: int, rank: int, back: Array, alive: Array, count: int, varied: bool
) -> Lengths:
    lengths: list[Any] = []
    for axis in range(rank):
        column = [0 if result is None else int(result[number][axis]) for result in results]
        if (
            not varied
            or len({length for length, result in zip(column, results, strict=True) if result is not None})
            == 1
        ):
            lengths.append(
                next(length for length, result in zip(column, results, strict=True) if result is not None)
            )
            continue
        filled = np.ones(count, dtype=np.int64)
        filled[alive] = np.array(column, dtype=np.int64)[back]
        lengths.append(filled)
    return tuple(lengths)
