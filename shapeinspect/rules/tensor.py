"""A small tensor of lengths that can be permuted, sliced and joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any


@dataclass(frozen=True, slots=True)
class Tensor:
    """Entries of any kind in row-major order.

    Args:
        shape: the lengths of the axes.
        flat: the entries.

    Example:
        >>> Tensor((2, 3), (1, 2, 3, 4, 5, 6)).moved((1, 0)).flat
        (1, 4, 2, 5, 3, 6)
    """

    shape: tuple[int, ...]
    flat: tuple[Any, ...]

    def _gathered(self, shape: Iterable[int], source: Callable[[tuple[int, ...]], Sequence[int]]) -> Tensor:
        """Return a tensor of another shape; ``source`` maps each of its indices to one of this tensor."""
        shape, steps = tuple(shape), [prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        positions = product(*map(range, shape))
        flat = [self.flat[sum(i * step for i, step in zip(source(p), steps, strict=True))] for p in positions]
        return Tensor(shape, tuple(flat))

    def select(self, axis: int, positions: Sequence[int]) -> Tensor:
        """Return the entries at some indices of one axis.

        Args:
            axis: which axis, from 0.
            positions: the indices; negative ones count from the end.

        Raises:
            IndexError: if there is no such axis or index.

        Example:
            >>> Tensor((3,), (4, 5, 6)).select(0, (2, -3)).flat
            (6, 4)
        """
        length = self.shape[axis]
        axis, result = axis % len(self.shape), [range(length)[index] for index in positions]
        shape = (*self.shape[:axis], len(result), *self.shape[axis + 1 :])
        return self._gathered(shape, lambda p: (*p[:axis], result[p[axis]], *p[axis + 1 :]))

    def moved(self, axes: Sequence[int]) -> Tensor:
        """Return it with its axes in another order.

        Args:
            axes: for each new axis, which one it was.

        Example:
            >>> Tensor((1, 2), (7, 8)).moved((1, 0)).shape
            (2, 1)
        """
        return self._gathered(
            [self.shape[axis] for axis in axes], lambda p: [p[axes.index(i)] for i in range(len(p))]
        )

    def spread(self, shape: Sequence[int]) -> Tensor:
        """Return it broadcast to a shape.

        Args:
            shape: the lengths; each axis of the tensor is 1 or as long.

        Example:
            >>> Tensor((2, 1), (7, 8)).spread((2, 2)).flat
            (7, 7, 8, 8)
        """
        lead = len(shape) - len(self.shape)
        return self._gathered(
            shape, lambda p: [0 if n == 1 else i for n, i in zip(self.shape, p[lead:], strict=True)]
        )

    def joined(self, other: Tensor, axis: int) -> Tensor:
        """Return it concatenated with another one.

        Args:
            other: a tensor of the same shape except on the axis.
            axis: along which axis.

        Example:
            >>> Tensor((1, 2), (7, 8)).joined(Tensor((1, 1), (9,)), 1).flat
            (7, 8, 9)
        """
        axis %= len(self.shape)
        length = self.shape[axis]
        shape = (*self.shape[:axis], length + other.shape[axis], *self.shape[axis + 1 :])
        flat = []
        for p in product(*map(range, shape)):
            a, index = (
                (self, p) if p[axis] < length else (other, (*p[:axis], p[axis] - length, *p[axis + 1 :]))
            )
            flat.append(a.flat[sum(i * prod(a.shape[n + 1 :]) for n, i in enumerate(index))])
        return Tensor(shape, tuple(flat))
