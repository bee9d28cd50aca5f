"""A set of sizes in words: "any", "≥ 32 and divisible by 32", "32 to 35"."""

from __future__ import annotations

from typing import Any

import numpy as np

#: So many ranges may lie within a period.
_MOST_PERIODS = 512
_MOST_RUNS = 6
#: The most single ranges before the periodic ones.
_MOST_ALONE = 3
#: The most ranges of one period that are listed.
_MOST_GROUPS = 16


def describe(accepted: np.ndarray[Any, Any]) -> str:
    """Describe the sizes that a mask accepts.

    Args:
        accepted: one truth value a size, from size 1 on.

    Example:
        >>> sizes = np.arange(1, 200)
        >>> describe(sizes > 0), describe(sizes >= 7), describe((sizes >= 32) & (sizes <= 35))
        ('any', '≥ 7', '32 to 35')
        >>> describe((sizes % 32 == 0)), describe((sizes >= 64) & (sizes % 32 == 0)), describe(sizes < 0)
        ('divisible by 32', '≥ 64 and divisible by 32', 'none')
        >>> describe((sizes >= 5) & (sizes % 4 == 1)), describe((sizes >= 8) & (sizes % 4 < 2))
        ('≥ 5 and 1 more than a multiple of 4', '≥ 8 and 0 or 1 more than a multiple of 4')
        >>> describe((sizes < 3) | (sizes > 6) & (sizes % 8 > 4))
        '1 to 2, ≥ 7 and 5 to 7 more than a multiple of 8'
        >>> describe(np.isin(sizes % 16, (0, 1, 2, 5, 7, 11)))
        '≥ 1, 6 of every 16 sizes: 0 to 2, 5, 7, 11 more than a multiple'
    """
    ranges = runs(accepted)
    if not ranges:
        return "none"
    limit = len(accepted)
    if ranges == [(1, limit)]:
        return "any"
    if ranges[-1] == (ranges[0][0], limit):
        return f"≥ {ranges[0][0]}"
    for alone, (first, last) in enumerate(ranges[:_MOST_ALONE]):
        period = _period(accepted, first) if last < limit else None
        if period is not None:
            texts = [_run(low, high, limit) for low, high in ranges[:alone]]
            return ", ".join([*texts, _periodic(accepted, first, period, always=not texts)])
    texts = [_run(low, high, limit) for low, high in ranges[:_MOST_RUNS]]
    if len(ranges) <= _MOST_RUNS:
        return ", ".join(texts)
    return ", ".join(texts) + f" and {len(ranges) - _MOST_RUNS} more ranges"


def runs(accepted: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """Return the ranges of accepted sizes, both ends included.

    Args:
        accepted: one truth value a size, from size 1 on.

    Example:
        >>> runs(np.array([False, True, True, False, True]))
        [(2, 3), (5, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([0], accepted.astype(np.int8), [0]))))
    return [(int(low) + 1, int(high)) for low, high in zip(edges[::2], edges[1::2], strict=True)]


def progressions(accepted: np.ndarray[Any, Any]) -> tuple[tuple[int, int, int], ...]:
    """Return the accepted sizes as arithmetic progressions: first, last and step.

    Args:
        accepted: one truth value a size, from size 1 on.

    Example:
        >>> sizes = np.arange(1, 200)
        >>> progressions((sizes >= 32) & (sizes <= 35)), progressions(sizes % 32 == 0)
        (((32, 35, 1),), ((32, 192, 32),))
    """
    results = runs(accepted)
    for alone, (first, _) in enumerate(results[: min(_MOST_ALONE, len(results) - 1)]):
        period = _period(accepted, first)
        if period is None:
            continue
        good = np.flatnonzero(accepted[first - 1 :]) + first
        phases = [good[good % period == rest] for rest in sorted(set((good % period).tolist()))]
        rows = [(int(phase[0]), int(phase[-1]), period) for phase in phases]
        if len(rows) < len(results) - alone:
            return (*((low, high, 1) for low, high in results[:alone]), *sorted(rows))
    return tuple((low, high, 1) for low, high in results)


def _run(low: int, high: int, limit: int) -> str:
    if high == limit:
        return f"≥ {low}"
    return str(low) if low == high else f"{low} to {high}"


def _period(accepted: np.ndarray[Any, Any], first: int) -> int | None:
    tail = accepted[first - 1 :]
    starts = [low for low, _ in runs(tail)[:_MOST_PERIODS]]
    # the first range may be cut off: the second one counts, too
    lengths = sorted({later - start for start in starts[:2] for later in starts if later > start})
    for period in lengths:
        if 2 <= period <= len(tail) // 3 and bool(np.array_equal(tail[period:], tail[:-period])):
            return period
    return None


def _periodic(accepted: np.ndarray[Any, Any], first: int, period: int, *, always: bool) -> str:
    rests = sorted({int(n) % period for n in np.flatnonzero(accepted[first - 1 :]) + first})
    least = min(n for n in range(1, period + 1) if n % period in rests)
    if rests == [0]:
        text = f"divisible by {period}"
    elif len(rests) <= 4 or (len(rests) <= period // 2 and rests[-1] - rests[0] == len(rests) - 1):
        text = f"{_listed(rests)} more than a multiple of {period}"
    else:
        outs = sorted(set(range(period)) - set(rests))
        if len(outs) > 4:
            return f"≥ {first}, {len(rests)} of every {period} sizes: {_grouped(rests)} more than a multiple"
        text = f"not {_listed(outs)} more than a multiple of {period}".replace("not 0 more than", "not")
        text = text.replace("not a multiple of", "not divisible by")
    return text if always and first == least else f"≥ {first} and {text}"


def _grouped(rests: list[int]) -> str:
    """List numbers, those that follow one another as a range."""
    groups = runs(np.isin(np.arange(1, rests[-1] + 2), [rest + 1 for rest in rests]))
    texts = [str(low - 1) if low == high else f"{low - 1} to {high - 1}" for low, high in groups]
    return ", ".join(texts if len(texts) <= _MOST_GROUPS else [*texts[:_MOST_GROUPS], "…"])


def _listed(rests: list[int]) -> str:
    if len(rests) > 2 and rests[-1] - rests[0] == len(rests) - 1:
        return f"{rests[0]} to {rests[-1]}"
    return " or ".join(filter(None, (", ".join(map(str, rests[:-1])), str(rests[-1]))))
