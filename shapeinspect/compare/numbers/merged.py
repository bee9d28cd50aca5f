"""A low-rank adapter that was merged: two weights whose difference has a low rank."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The largest rank that is looked for, and how many times as wide a matrix has to be.
_MOST_RANK, _WIDER = 64, 4
#: How much of a difference may be left, as a part of the larger weight: the sum was rounded to float32.
_LEFT = 1e-5


def merged_rank(left: Array, right: Array) -> int:
    """Return the rank of the difference of two matrices, if it is low and touches most of them; else 0.

    Args:
        left: a weight; the axes behind the first one count as one.
        right: another one of the same lengths.

    Example:
        >>> import numpy as np
        >>> down, up = np.arange(24.0).reshape(1, 24) + 1, np.arange(16.0).reshape(16, 1) + 2
        >>> merged_rank(np.zeros((16, 24)), up @ down)
        1
    """
    import numpy as np

    if left.shape != right.shape or left.ndim < 2 or left.dtype.kind != "f" or right.dtype.kind != "f":
        return 0
    rows = left.reshape(left.shape[0], -1)
    most = min(_MOST_RANK, min(rows.shape) // _WIDER)
    if most < 1:
        return 0
    gap = right.reshape(rows.shape).astype(np.float64) - rows
    if not np.all(np.isfinite(gap)) or _untouched(gap):
        return 0
    drawn = np.random.default_rng(0).standard_normal((gap.shape[1], most + 1))
    basis, sizes, _ = np.linalg.svd(gap @ drawn, full_matrices=False)
    scale = _LEFT * float(np.linalg.norm(rows) + np.linalg.norm(gap))
    rank = int(np.sum(sizes > _LEFT * sizes[0]))
    if rank > most:
        return 0
    kept = basis[:, :rank]
    return rank if float(np.linalg.norm(gap - kept @ (kept.T @ gap))) <= scale else 0


def _untouched(gap: Array) -> bool:
    """Tell whether most rows or columns are as they were: single ones were changed, and nothing merged."""
    import numpy as np

    changed: Iterable[Any] = (np.any(gap != 0, axis=axis) for axis in (0, 1))
    return any(float(np.mean(axis)) < 0.5 for axis in changed)
