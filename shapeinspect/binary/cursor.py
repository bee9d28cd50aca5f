"""Reads a file front to back through a small window; every length is checked before it is used.

The plug-ins for formats that are one stream of values share it. What they skip is not read: the window
grows while reading is sequential and shrinks after a skip, so that numbers between names cost nothing,
and consecutive names cost few reads.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, BinaryIO

from shapeinspect.errors import UnreadableFileError

#: Bytes fetched at a time, at least and at most, and in total: names and shapes, never the numbers.
_LEAST, _MOST, _IN_ALL = 1 << 10, 1 << 16, 1 << 28


class Cursor:
    """A reading position in a file.

    Args:
        file: the open file.
        size: the file's length in bytes.
        label: how errors name the file.
        order: the byte order of its numbers as :mod:`struct` spells it, ``"<"`` or ``">"``.

    Example:
        >>> import io
        >>> cursor = Cursor(io.BytesIO(bytes([1, 0, 7])), 3, "x", ">")
        >>> cursor.number("H", "a count"), cursor.byte(), cursor.remaining
        (256, 7, 0)
    """

    def __init__(self, file: BinaryIO, size: int, label: str, order: str) -> None:
        self.order = order
        # The window is the only buffer: another one below it would read what is skipped.
        self._file: Any = getattr(file, "raw", file)
        self._size, self._label = size, label
        self._buffer, self._base, self._index = b"", 0, 0
        self._window, self._fetched = _LEAST, 0

    @property
    def position(self) -> int:
        """The offset of the next byte."""
        return self._base + self._index

    @property
    def end(self) -> int:
        """The length of the file."""
        return self._size

    @property
    def remaining(self) -> int:
        """The number of bytes from here to the end."""
        return self._size - self._base - self._index

    def refuse(self, reason: str) -> UnreadableFileError:
        """Return an error that names this position.

        Args:
            reason: what is wrong.
        """
        return UnreadableFileError(self._label, reason, offset=self.position)

    def take(self, count: int, what: str = "a value") -> bytes:
        """Return the next bytes; ``count`` is bounded by the caller.

        Args:
            count: the number of bytes.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends too early.
        """
        start = self._index
        stop = start + count
        if stop > len(self._buffer):
            self._fill(count, what)
            start, stop = 0, count
        self._index = stop
        return self._buffer[start:stop]

    def byte(self) -> int:
        """Return the next byte."""
        position = self._index
        if position < len(self._buffer):
            self._index = position + 1
            return self._buffer[position]
        return self.take(1)[0]

    def unpack(self, form: str, what: str = "a value") -> tuple[Any, ...]:
        """Return the next numbers.

        Args:
            form: how :mod:`struct` spells them, such as ``"QIQ"``.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends too early.
        """
        layout = _form(self.order + form)
        stop = self._index + layout.size
        if stop > len(self._buffer):
            self._fill(layout.size, what)
            stop = layout.size
        values = layout.unpack_from(self._buffer, stop - layout.size)
        self._index = stop
        return values

    def number(self, form: str, what: str = "a value") -> Any:
        """Return the next number.

        Args:
            form: how :mod:`struct` spells it, such as ``"Q"``.
            what: what it is, for the error.

        Raises:
            UnreadableFileError: if the file ends too early.
        """
        return self.unpack(form, what)[0]

    def ahead(self, least: int, what: str = "a value") -> bytes:
        """Return the buffered bytes that follow, without advancing.

        Args:
            least: the minimum number of bytes.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends too early.
        """
        if self._index + least > len(self._buffer):
            self._fill(least, what)
        return self._buffer[self._index :]

    def skip(self, count: int, what: str = "a value") -> None:
        """Skip bytes without reading them.

        Args:
            count: the number of bytes.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends too early.
        """
        if count > self.remaining:
            raise self.refuse(f"{what} claims {count:,} bytes, but {self.remaining:,} are left")
        self._index += count

    def _fill(self, count: int, what: str) -> None:
        """Move the next bytes to the beginning of the buffer."""
        start = self.position
        if count > self._size - start:
            raise self.refuse(f"the file ends inside {what}")
        # A sequential reader gets ever larger reads; a skip beyond the buffer starts small again.
        self._window = min(2 * self._window, _MOST) if self._index <= len(self._buffer) else _LEAST
        data = self._buffer[self._index :]
        wanted = min(max(count, self._window), self._size - start) - len(data)
        if wanted > 0:
            self._fetched += wanted
            if self._fetched > _IN_ALL:
                raise self.refuse(f"its names and shapes take more than {_IN_ALL:,} bytes")
            self._file.seek(start + len(data))
            while wanted > 0 and (piece := self._file.read(wanted)):
                data += piece
                wanted -= len(piece)
        self._buffer, self._base, self._index = data, start, 0
        if len(data) < count:
            raise self.refuse(f"the file ends inside {what}")


@cache
def _form(text: str) -> struct.Struct:
    return struct.Struct(text)
