"""Reads a file front to back through a small window; every length is checked before it is used."""

from __future__ import annotations

import struct
from typing import BinaryIO

from shapeinspect.errors import UnreadableFileError

#: Bytes fetched at a time.
_WINDOW = 1 << 16
#: Bytes of metadata that one file may make us fetch, and strings it may make us step over.
_MOST_BYTES = 1 << 28
_MOST_STRINGS = 5_000_000


class Cursor:
    """A place in a file.

    Args:
        file: where to read.
        size: the file's length.
        label: how errors name the file.

    Example:
        >>> import io
        >>> Cursor(io.BytesIO(bytes([7, 0, 0, 0])), 4, "x").number("I", "a count")
        7
    """

    def __init__(self, file: BinaryIO, size: int, label: str) -> None:
        self._file, self._size, self._label = file, size, label
        self._buffer, self._base, self._at = b"", 0, 0
        self._fetched = self._strings = 0
        self.order = "<"

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
        return self._size - self.position

    def refuse(self, reason: str) -> UnreadableFileError:
        """Return the error that names this place.

        Args:
            reason: what is wrong.
        """
        return UnreadableFileError(self._label, reason, offset=self.position)

    def take(self, count: int, what: str) -> bytes:
        """Return the next bytes; ``count`` is bounded by the caller.

        Args:
            count: how many.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        if self._at + count > len(self._buffer):
            self._fill(count, what)
        start = self._at
        self._at += count
        return self._buffer[start : self._at]

    def number(self, code: str, what: str) -> int:
        """Return the next integer.

        Args:
            code: its form as :mod:`struct` spells it, such as ``"Q"``.
            what: what it is, for the error.
        """
        return int(self.plain(code, what))

    def plain(self, code: str, what: str) -> int | float:
        """Return the next number or boolean.

        Args:
            code: its form as :mod:`struct` spells it.
            what: what it is, for the error.
        """
        value: int | float = struct.unpack(self.order + code, self.take(struct.calcsize("<" + code), what))[0]
        return value

    def numbers(self, codes: str, what: str) -> tuple[int, ...]:
        """Return several integers in a row.

        Args:
            codes: their forms as :mod:`struct` spells them, such as ``"QIQ"``.
            what: what they are, for the error.
        """
        form = self.order + codes
        return struct.unpack(form, self.take(struct.calcsize(form), what))

    def skip(self, count: int, what: str) -> None:
        """Step over bytes without reading them.

        Args:
            count: how many.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends before.
        """
        if count > self.left:
            raise self.refuse(f"{what} takes {count:,} bytes and {self.left:,} are left")
        self._at += count

    def skip_strings(self, count: int, what: str) -> None:
        """Step over strings, each a length of 8 bytes and its text, without making objects of them.

        Args:
            count: how many.
            what: what they are, for the error.

        Raises:
            UnreadableFileError: if the file ends before, or there are too many.
        """
        self._strings += count
        if count * 8 > self.left or self._strings > _MOST_STRINGS:
            raise self.refuse(f"{what} claims {count:,} strings and {self.left:,} bytes are left")
        length = struct.Struct(self.order + "Q").unpack_from
        while count:
            self._fill(8, what)
            buffer, at, last = self._buffer, 0, len(self._buffer) - 8
            while count and at <= last:
                at += 8 + length(buffer, at)[0]
                count -= 1
            if at > self._size - self._base:
                raise self.refuse(f"{what} holds a string that is longer than the file")
            self._at = at

    def _fill(self, count: int, what: str) -> None:
        start = self.position
        if count > self._size - start:
            raise self.refuse(f"the file ends inside {what}")
        kept = self._buffer[self._at :]
        wanted = min(max(count, _WINDOW), self._size - start) - len(kept)
        if wanted > 0:
            self._fetched += wanted
            if self._fetched > _MOST_BYTES:
                raise self.refuse(f"its metadata takes more than {_MOST_BYTES:,} bytes")
            self._file.seek(start + len(kept))
            kept += self._file.read(wanted)
        self._buffer, self._base, self._at = kept, start, 0
        if len(kept) < count:
            raise self.refuse(f"the file ends inside {what}")
