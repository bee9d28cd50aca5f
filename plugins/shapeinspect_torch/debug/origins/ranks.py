"""Says which expression of the script gave an operand of a failed call another number of axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, zip_longest

from shapeinspect.plugin_api.evidence.rank_changes import RankChange, rank_change
from shapeinspect.plugin_api.programs.places import operands, places_of
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect_torch.debug.origins.following import Found
from shapeinspect_torch.debug.origins.lengths import ALIGNED

_RECURRENT = frozenset({"RNN", "LSTM", "GRU"})
_JOINED = frozenset({"cat", "concat", "concatenate"})


def changed_ranks(trace: Trace, found: Found) -> Iterator[str]:
    """Yield where an operand of a failed call got a number of axes that does not fit the others.

    Args:
        trace: the script, as it failed.
        found: the failed call.
    """
    steps = places_of(trace)
    read = [*operands(trace, steps[0].node)] if steps else []
    shapes = [trace.shape(one) or () for one in read]
    for one, shape in zip(read, shapes, strict=True):
        others = [other for other in shapes if len(other) != len(shape)]
        changed = rank_change(trace, one) if others else None
        if changed is not None and _explains(found, changed, others[0]):
            yield changed.sentence


def _explains(found: Found, changed: RankChange, other: tuple[int, ...]) -> bool:
    """Tell whether the operand would fit another one if it had kept its number of axes."""
    if not found.function:
        return found.layer in _RECURRENT and len(changed.made) > len(other)
    if found.function == "stack":
        return changed.source == other or len(changed.source) > len(changed.made) > len(other)
    if found.function in _JOINED:
        return len(changed.source) == len(other)
    if found.function not in ALIGNED | {"expand_as"}:
        return False
    if len(changed.source) < len(changed.made):
        return len(changed.made) > len(other) and _broadcasts(changed.source, other)
    return len(changed.made) < len(other) and any(
        _broadcasts(kept, other) for kept in _with_ones(changed.made, len(changed.source))
    )


def _with_ones(shape: tuple[int, ...], rank: int) -> Iterator[tuple[int, ...]]:
    """Yield a shape with axes of length one put in, until it has so many axes.

    Example:
        >>> [*_with_ones((12,), 2)]
        [(12, 1), (1, 12)]
    """
    for places in combinations(range(rank), len(shape)):
        kept = [1] * rank
        for place, length in zip(places, shape, strict=True):
            kept[place] = length
        yield tuple(kept)


def _broadcasts(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    pairs = zip_longest(reversed(first), reversed(second), fillvalue=1)
    return all(a == b or 1 in (a, b) for a, b in pairs)
