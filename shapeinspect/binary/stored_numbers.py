"""A tensor whose bytes stand in one piece of a file: read as numbers, or compared with another's bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapeinspect.binary.window import Window
from shapeinspect.sources.source import Source

if TYPE_CHECKING:
    import numpy as np

#: How many bytes of both sides are read before they are compared: they stay in the processor's cache.
_PIECE = 1 << 19


@dataclass(frozen=True, slots=True)
class StoredNumbers:
    """Reads a tensor when it is called.

    Args:
        source: the file.
        offset: its first byte there.
        size: the number of its bytes.
        form: what its bytes mean: the element type, the lengths, the order.
        read: returns its numbers.
    """

    source: Source
    offset: int
    size: int
    form: tuple[object, ...]
    read: Callable[[], np.ndarray[Any, Any]]

    def __call__(self) -> np.ndarray[Any, Any]:
        """Return its numbers."""
        return self.read()


def same_bytes(a: object, b: object) -> bool:
    """Tell whether two readers are of the same bytes with the same meaning; else they may still be equal.

    Args:
        a: what reads a tensor.
        b: what reads another one.

    Raises:
        UnreadableFileError: if a file has shrunk.
    """
    if not isinstance(a, StoredNumbers) or not isinstance(b, StoredNumbers):
        return False
    if a.size != b.size or a.form != b.form:
        return False
    with Window.open(a.source) as left, Window.open(b.source) as right:
        for start in range(0, a.size, _PIECE):
            end = min(start + _PIECE, a.size)
            if left.whole(a.offset + start, a.offset + end) != right.whole(b.offset + start, b.offset + end):
                return False
    return True
