"""Reads a file front to back through a small window; every length is checked before it is used.

The plug-ins for formats that are one stream of values share it. What they step over is not read: the
window is as large as the stretch that was read last without a step, so that numbers between names cost
nothing, and names that follow each other cost few reads.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, BinaryIO

from shapeinspect.errors import UnreadableFileError

#: Bytes fetched at a time, at least and at most, and in all: names and shapes, never the numbers.
_LEAST, _MOST, _IN_ALL = 1 << 10, 1 << 16, 1 << 28


class Cursor:
    """A place in a file.

    Args:
        file: where to read.
        size: the file's length.
        label: how errors name the file.
        order: the order of the bytes of its numbers as :mod:`struct` spells it, ``"<"`` or ``">"``.

    Example:
        >>> import io
        >>> cursor = Cursor(io.BytesIO(bytes([1, 0, 7])), 3, "x", ">")
        >>> cursor.number("H", "a count"), cursor.byte(), cursor.left
        (256, 7, 0)
    """

    def __init__(self, file: BinaryIO, size: int, label: str, order: str) -> None:
        self.order = order
        # The window is the only buffer: another one below it would read what is stepped over.
        self._file: Any = getattr(file, "raw", file)
        self._size, self._label = size, label
        self._buffer, self._base, self._at = b"", 0, 0
        self._window, self._fetched = _LEAST, 0

    @property
    def position(self) -> int:
        """The offset of the next byte."""
        return self._base + self._at

    @property
    def end(self) -> int:
        """The length of the file."""
        return self._size

    @property
    def left(self) -> int:
        """How many bytes follow."""
        return self._size - self._base - self._at

    def refuse(self, reason: str) -> UnreadableFileError:
        """Return the error that names this place.

        Args:
            reason: what is wrong.
        """
        return UnreadableFileError(self._label, reason, offset=self.position)

    def take(self, count: int, what: str = "a value") -> bytes:
        """Return the next bytes; ``count`` is bounded by the caller.

        Args:
            count: how many.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        start = self._at
        stop = start + count
        if stop > len(self._buffer):
            self._fill(count, what)
            start, stop = 0, count
        self._at = stop
        return self._buffer[start:stop]

    def byte(self) -> int:
        """Return the next byte."""
        at = self._at
        if at < len(self._buffer):
            self._at = at + 1
            return self._buffer[at]
        return self.take(1)[0]

    def unpack(self, form: str, what: str = "a value") -> tuple[Any, ...]:
        """Return the next numbers.

        Args:
            form: how :mod:`struct` spells them, such as ``"QIQ"``.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        known = _form(self.order + form)
        stop = self._at + known.size
        if stop > len(self._buffer):
            self._fill(known.size, what)
            stop = known.size
        found = known.unpack_from(self._buffer, stop - known.size)
        self._at = stop
        return found

    def number(self, form: str, what: str = "a value") -> Any:
        """Return the next number.

        Args:
            form: how :mod:`struct` spells it, such as ``"Q"``.
            what: what it is, for the error.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        return self.unpack(form, what)[0]

    def ahead(self, least: int, what: str = "a value") -> bytes:
        """Return the bytes that follow, as many as are at hand, without going on.

        Args:
            least: how many it has to be.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        if self._at + least > len(self._buffer):
            self._fill(least, what)
        return self._buffer[self._at :]

    def skip(self, count: int, what: str = "a value") -> None:
        """Step over bytes without reading them.

        Args:
            count: how many.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        if count > self.left:
            raise self.refuse(f"{what} claims {count:,} bytes and {self.left:,} are left")
        self._at += count

    def _fill(self, count: int, what: str) -> None:
        """Make the next bytes stand at the beginning of the buffer."""
        start = self.position
        if count > self._size - start:
            raise self.refuse(f"the file ends inside {what}")
        # Whoever goes straight on is read ahead of; a step beyond the buffer begins anew.
        self._window = min(2 * self._window, _MOST) if self._at <= len(self._buffer) else _LEAST
        kept = self._buffer[self._at :]
        wanted = min(max(count, self._window), self._size - start) - len(kept)
        if wanted > 0:
            self._fetched += wanted
            if self._fetched > _IN_ALL:
                raise self.refuse(f"its names and shapes take more than {_IN_ALL:,} bytes")
            self._file.seek(start + len(kept))
            while wanted > 0 and (piece := self._file.read(wanted)):
                kept += piece
                wanted -= len(piece)
        self._buffer, self._base, self._at = kept, start, 0
        if len(kept) < count:
            raise self.refuse(f"the file ends inside {what}")


@cache
def _form(text: str) -> struct.Struct:
    return struct.Struct(text)
