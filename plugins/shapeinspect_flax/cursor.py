"""Reads a file front to back through a small window; every length is checked before it is used."""

from __future__ import annotations

from typing import BinaryIO

from shapeinspect.errors import UnreadableFileError

#: Bytes fetched at a time, and at most in all: names and shapes, never the numbers.
_WINDOW, _MOST = 1 << 14, 1 << 28


class Cursor:
    """A place in a file.

    Args:
        file: where to read.
        size: the file's length.
        label: how errors name the file.

    Example:
        >>> import io
        >>> Cursor(io.BytesIO(bytes([1, 0])), 2, "x").number(2)
        256
    """

    def __init__(self, file: BinaryIO, size: int, label: str) -> None:
        self._file, self._size, self._label = file, size, label
        self._buffer, self._base, self._at, self._fetched = b"", 0, 0, 0

    @property
    def position(self) -> int:
        """The offset of the next byte."""
        return self._base + self._at

    @property
    def left(self) -> int:
        """How many bytes follow."""
        return self._size - self.position

    def refuse(self, reason: str) -> UnreadableFileError:
        """Return the error that names this place.

        Args:
            reason: what is wrong.
        """
        return UnreadableFileError(self._label, reason, offset=self.position)

    def take(self, count: int) -> bytes:
        """Return the next bytes; ``count`` is bounded by the caller.

        Args:
            count: how many.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        if self._at + count > len(self._buffer):
            self._fill(count)
        start = self._at
        self._at += count
        return self._buffer[start : self._at]

    def number(self, width: int) -> int:
        """Return the next unsigned integer, the largest byte first.

        Args:
            width: how many bytes it has.
        """
        return int.from_bytes(self.take(width), "big")

    def byte(self) -> int:
        """Return the next byte."""
        at = self._at
        if at < len(self._buffer):
            self._at = at + 1
            return self._buffer[at]
        return self.take(1)[0]

    def skip(self, count: int) -> None:
        """Step over bytes without reading them.

        Args:
            count: how many.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        if count > self.left:
            raise self.refuse(f"the file claims {count:,} bytes here and {self.left:,} are left")
        self._at += count

    def _fill(self, count: int) -> None:
        start = self.position
        if count > self._size - start:
            raise self.refuse("the file ends here, inside a value")
        kept = self._buffer[self._at :]
        wanted = min(max(count, _WINDOW), self._size - start) - len(kept)
        self._fetched += wanted
        if self._fetched > _MOST:
            raise self.refuse(f"its names and shapes take more than {_MOST:,} bytes")
        self._file.seek(start + len(kept))
        self._buffer, self._base, self._at = kept + self._file.read(wanted), start, 0
        if len(self._buffer) < count:
            raise self.refuse("the file ends here, inside a value")
