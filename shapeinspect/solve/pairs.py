"""Two axes that depend on one another: which lengths of the one fit beside which of the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.solve.regions import FITS, OPEN
from shapeinspect.solve.sizes import describe, progressions
from shapeinspect.solve.solution import Answer

Array: TypeAlias = "np.ndarray[Any, Any]"

#: Pairs are tried up to this length, or up to twice the given ones.
_EDGE, _LARGEST_EDGE = 256, 512
_MOST_GROUPS = 8


def pairs(names: tuple[str, ...], base: Mapping[str, int], limit: int) -> tuple[Array, Array]:
    """Return the lengths of two axes in all pairs that are tried.

    Args:
        names: the two axes.
        base: the lengths that were given.
        limit: the largest length.

    Example:
        >>> pairs(("H", "W"), {"H": 8, "W": 9}, 3)[0].tolist()
        [[1, 1, 1], [2, 2, 2], [3, 3, 3]]
    """
    largest = max(base[name] for name in names)
    edge = min(limit, max(_EDGE, min(2 * largest, _LARGEST_EDGE)))
    lengths = np.arange(1, edge + 1)
    a, b = np.meshgrid(lengths, lengths, indexing="ij")
    return a, b


class Pair:
    """The verdicts on all pairs of lengths.

    Args:
        names: the two axes.
        judge: gives the verdicts.
        base: the lengths that were given, of these axes and all others.
        limit: the largest length.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        judge: Callable[[Mapping[str, Any]], Array],
        base: Mapping[str, int],
        limit: int,
    ) -> None:
        a, b = pairs(names, base, limit)
        edge = len(a)
        verdict = judge({**base, names[0]: a.ravel(), names[1]: b.ravel()}).reshape(edge, edge)
        self._names, self._edge, self._base, self._judge, self._limit = names, edge, base, judge, limit
        self._fits, self._open = verdict == FITS, verdict == OPEN
        self.notes = [f"{names[0]} and {names[1]} depend on one another; pairs were tried up to {edge}"]
        self.answers = self._answers()
        self.open = self._unclear()

    def _answers(self) -> list[Answer]:
        groups: dict[tuple[str, bytes], list[int]] = {}
        for row in range(self._edge):
            if self._fits[row].any():
                groups.setdefault(self._key(row), []).append(row)
        # What was given comes first, then what holds for most lengths.
        given = self._base[self._names[0]] - 1
        ordered = sorted(
            groups.items(), key=lambda group: (given not in group[1], -len(group[1]), group[1][0])
        )
        kept = ordered[:_MOST_GROUPS]
        if len(ordered) > len(kept):
            self.notes.append(
                f"{len(ordered) - len(kept)} further groups of lengths of {self._names[0]} fit, too"
            )
        return [self._answer(text, rows) for (text, _), rows in sorted(kept, key=lambda group: group[1][0])]

    def _key(self, row: int) -> tuple[str, bytes]:
        """Return what fits beside a length: in words where it is the same length, else as it is."""
        beside = np.flatnonzero(self._fits[row])
        if len(beside) == 1 and beside[0] == row:
            return "equal to it", b""
        if len(beside) == 2 and beside[0] == 0 and beside[1] == row:
            return "1 or equal to it", b""
        return "", self._fits[row].tobytes()

    def _answer(self, text: str, rows: list[int]) -> Answer:
        first, second = self._names
        mask = np.zeros(self._edge, dtype=bool)
        mask[rows] = True
        lengths = np.arange(1, self._limit + 1)
        if text and len(rows) > 1:
            beside, wide = text, self._fit({first: lengths, second: lengths})
        else:
            row = self._fit({first: rows[0] + 1, second: lengths})
            few = np.flatnonzero(row) + 1
            beside = describe(row)
            wide = np.logical_and.reduce(
                [self._fit({first: lengths, second: int(n)}) for n in {few[0], few[len(few) // 2], few[-1]}]
            )
        shown = describe(mask)
        if mask[-1]:  # what fits beyond the pairs that were tried?
            whole = np.concatenate([mask, wide[self._edge :]])
            shown = describe(whole) if whole[self._edge :].all() else describe(np.append(mask, False))
        return Answer((first,), f"{shown} with {second} {beside}", progressions(mask))

    def _fit(self, lengths: Mapping[str, Any]) -> Array:
        fits: Array = self._judge({**self._base, **lengths}) == FITS
        return fits

    def _unclear(self) -> list[Answer]:
        count = int(self._open.sum())
        if not count:
            return []
        rows = self._open.any(axis=1)
        pairs_left = f"{count} of the {self._edge**2} pairs up to {self._edge}"
        text = f"{describe(rows)} beside some {self._names[1]}: {pairs_left}"
        return [Answer((self._names[0],), text, progressions(rows))]
