"""A file seen through a small moving window, so that what is skipped is never read."""

from __future__ import annotations

from typing import BinaryIO

from shapeinspect.errors import UnreadableFileError

_SMALL = 4096
_LARGE = 1 << 18
#: A key and a length are at most this long; the window always shows as much, or the file's end.
_MARGIN = 20


class Window:
    """Reads varints and spans at given offsets, a few kilobytes at a time.

    Args:
        file: an open file.
        size: its length in bytes.
        label: how errors name it.
    """

    def __init__(self, file: BinaryIO, size: int, label: str) -> None:
        self.size = size
        self.label = label
        self._file = file
        self._bytes = b""
        self._base = 0
        self._chunk = _SMALL

    def fail(self, reason: str, offset: int) -> UnreadableFileError:
        """Return the error that names this file and an offset.

        Args:
            reason: what is wrong.
            offset: where that was found.
        """
        return UnreadableFileError(self.label, reason, offset=offset)

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """Read one unsigned integer of at most ten bytes.

        Args:
            at: its first byte.
            end: the first byte that no longer belongs to the message around it.

        Returns:
            the integer, and the offset behind it.

        Raises:
            UnreadableFileError: if it is cut off or too long.
        """
        index = at - self._base
        if index < 0 or index + _MARGIN > len(self._bytes):
            index = self._slide(at)
        data, value, shift = self._bytes, 0, 0
        stop = min(len(data), end - self._base)
        for position in range(index, min(index + 10, stop)):
            byte = data[position]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, position + 1 + self._base
            shift += 7
        raise self.fail("a number is cut off" if stop < index + 10 else "a number is over ten bytes long", at)

    def span(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``.

        Args:
            start: the first byte.
            end: the one behind the last.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        low, high = start - self._base, end - self._base
        if low >= 0 and high <= len(self._bytes):
            return self._bytes[low:high]
        self._file.seek(start)
        data = self._file.read(end - start)
        if len(data) != end - start:
            raise self.fail("the file became shorter while it was read", start + len(data))
        return data

    def _slide(self, at: int) -> int:
        shown = self._base + len(self._bytes)
        if at >= self._base and shown == self.size:
            return at - self._base
        # Read on in growing steps, and start small again after a jump.
        self._chunk = min(self._chunk * 2, _LARGE) if self._base <= at <= shown else _SMALL
        self._file.seek(at)
        self._bytes = self._file.read(min(self._chunk, self.size - at))
        self._base = at
        return 0
