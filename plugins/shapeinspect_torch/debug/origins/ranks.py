"""Says which expression of the script gave an operand of a failed call another number of axes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations, zip_longest

from shapeinspect.plugin_api.evidence.rank_changes import RankChange, birth, rank_change
from shapeinspect.plugin_api.evidence.varying import varying
from shapeinspect.plugin_api.programs.places import operands, places_of
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of
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
    if found.function == "stack" and len({len(one.shape) for one in found.operands}) > 1 and _loads(trace):
        yield from varying(trace)
        return
    read = _operands(trace)
    shapes = [trace.shape(one) or () for one in read]
    for one, shape in zip(read, shapes, strict=True):
        others = [other for other in shapes if len(other) != len(shape)]
        changed = rank_change(trace, one) if others else None
        if changed is not None and _explains(found, changed, others[0]):
            yield changed.sentence


def births(trace: Trace) -> Iterator[str]:
    """Yield where the arrays that a failed expression reads got their lengths, of arrays of others.

    Args:
        trace: the script, as it failed.
    """
    read = _operands(trace)
    if len({trace.shape(one) for one in read}) > 1:
        yield from filter(None, (birth(trace, one, read) for one in read))


def _operands(trace: Trace) -> list[ast.expr]:
    steps = places_of(trace)
    return [*operands(trace, steps[0].node)] if steps else []


def _loads(trace: Trace) -> bool:
    """Tell whether a loader was making a batch, which it does where a loop asks it for the next one."""
    file, line = (trace.ended.places or (("", 0),))[-1]
    nodes = ast.walk(trace.tree(file)) if file in trace.texts else ()
    return any(
        (isinstance(one, ast.For) or (isinstance(one, ast.Call) and callee_of(one) == "next"))
        and one.lineno == line
        for one in nodes
    )


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
