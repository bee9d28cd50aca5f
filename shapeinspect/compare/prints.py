"""What is kept of a weight's numbers, to find them in another order or another place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapeinspect.dims import Shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: What tells numbers apart: their lengths, and two sums. The same numbers in the same order have equal sums.
Key = tuple[Shape, float, float]

#: How many numbers are added up at once: it takes a copy of them.
CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Print:
    """What is kept of a weight's numbers to find them in another place.

    Args:
        shape: their lengths in the common convention, without those of 1.
        added: the sum of their magnitudes, and of their squares.
        read: reads them again.
    """

    shape: Shape
    added: tuple[float, float]
    read: Callable[[], Array]

    @property
    def key(self) -> Key:
        """What equal numbers share."""
        return (self.shape, *self.added)

    @property
    def tells(self) -> bool:
        """Whether the numbers are not all of one magnitude, as those of many new layers are."""
        size = 1
        for length in self.shape:
            size *= length if isinstance(length, int) else 0
        magnitudes, squares = self.added
        return size > 1 and size * squares > magnitudes * magnitudes * (1 + 1e-9)


def printed(array: Array, read: Callable[[], Array]) -> Print:
    """Keep what is needed to find numbers in another place.

    Args:
        array: the numbers, in the common convention.
        read: reads them again.
    """
    return Print(tuple(length for length in array.shape if length != 1), sums(array), read)


def sums(array: Array) -> tuple[float, float]:
    """Add up the magnitudes of numbers, and their squares.

    Args:
        array: the numbers.
    """
    import numpy as np

    flat = array.reshape(-1)
    parts = (np.abs(flat[start : start + CHUNK].astype(np.float64)) for start in range(0, flat.size, CHUNK))
    added = [(float(part.sum()), float((part * part).sum())) for part in parts]
    return sum(total for total, _ in added), sum(square for _, square in added)
