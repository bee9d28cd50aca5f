"""A reader of flatbuffers that checks every offset and length before it is used.

The plug-ins for formats that are flatbuffers share it. The generated accessors for Python verify
nothing: an offset may lead anywhere, a vector may claim any length, and the errors are those of
``struct``, ``numpy`` and recursion. Tables, vectors and scalars are all that is needed here, and with
the check in one place they are less code than a wrapper around every accessor.

Source: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from typing import Protocol

from shapeinspect.errors import UnreadableFileError

#: More entries of lists, characters and tables than this are not read.
MAX_ENTRIES = 5_000_000
#: A text of more bytes is no name.
MAX_TEXT = 1 << 16
_SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}


class Bytes(Protocol):
    """A file as a plug-in sees it."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    def span(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``, which lie inside the file.

        Args:
            start: the first byte.
            end: the one behind the last.
        """

    def fail(self, reason: str, offset: int) -> UnreadableFileError:
        """Return the error that names the file and an offset.

        Args:
            reason: what is wrong.
            offset: where that was found.
        """


class Buffer:
    """A file of flatbuffers.

    Args:
        window: the file.

    Example:
        >>> class Text:
        ...     size = 24
        ...     data = bytes([12, 0, 0, 0, 6, 0, 8, 0, 4, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0])
        ...     def span(self, start, end): return self.data[start:end]
        >>> Buffer(Text()).root().number(0, "I")
        4
    """

    def __init__(self, window: Bytes) -> None:
        self.window = window
        self._entries = 0
        self._vtables: dict[int, tuple[int, ...]] = {}

    def root(self) -> Table:
        """Return the table that holds all others.

        Raises:
            UnreadableFileError: if the file is cut off or the table stands outside.
        """
        return Table(self, self.number("I", 0))

    def number(self, kind: str, at: int) -> int:
        """Read one whole number.

        Args:
            kind: its type, as ``struct`` spells it.
            at: its first byte.

        Raises:
            UnreadableFileError: if it stands outside the file.
        """
        return int(struct.unpack(f"<{kind}", self.span(at, at + _SIZES[kind]))[0])

    def real(self, at: int) -> float:
        """Read one 32-bit float.

        Args:
            at: its first byte.

        Raises:
            UnreadableFileError: if it stands outside the file.
        """
        return float(struct.unpack("<f", self.span(at, at + 4))[0])

    def span(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``.

        Args:
            start: the first byte.
            end: the one behind the last.

        Raises:
            UnreadableFileError: if the file has no such bytes.
        """
        window = self.window
        if not 0 <= start <= end <= window.size:
            reason = f"bytes {start:,} to {end:,} are asked for, it has {window.size:,}"
            raise window.fail(reason, max(min(start, window.size), 0))
        return window.span(start, end)

    def spend(self, count: int, at: int) -> None:
        """Count what is read, and refuse more than any model has.

        Args:
            count: how many entries more.
            at: where they stand.

        Raises:
            UnreadableFileError: if they are now too many.
        """
        self._entries += count
        if self._entries > MAX_ENTRIES:
            raise self.window.fail(f"it holds more than {MAX_ENTRIES:,} entries in its lists", at)

    def text(self, start: int, count: int) -> str:
        """Read one text.

        Args:
            start: its first byte.
            count: how many bytes it takes.

        Raises:
            UnreadableFileError: if it is longer than any name.
        """
        if count > MAX_TEXT:
            raise self.window.fail(f"a name of {count:,} bytes", start)
        self.spend(count, start)
        return self.span(start, start + count).decode("utf-8", "replace")

    def vtable(self, at: int) -> tuple[int, ...]:
        """Return the places of a table's fields, counted from the table's beginning.

        Args:
            at: the first byte of the list.

        Raises:
            UnreadableFileError: if it stands outside the file.
        """
        found = self._vtables.get(at)
        if found is None:
            size = self.number("H", at)
            if size < 4 or size % 2:
                raise self.window.fail(f"a table's list of fields takes {size} bytes", at)
            places = struct.unpack(f"<{size // 2}H", self.span(at, at + size))
            found = self._vtables[at] = places[1:]
        return found


class Table:
    """One table.

    Args:
        buffer: the file.
        at: its first byte.

    Raises:
        UnreadableFileError: if it stands outside the file.
    """

    __slots__ = ("_at", "_buffer", "_places", "_size")

    def __init__(self, buffer: Buffer, at: int) -> None:
        self._buffer, self._at = buffer, at
        places = buffer.vtable(at - buffer.number("i", at))
        self._size, self._places = places[0], places[1:]

    @property
    def at(self) -> int:
        """Its first byte."""
        return self._at

    def _place(self, slot: int, size: int) -> int | None:
        """Return where a field stands; None where it is left out."""
        offset = self._places[slot] if slot < len(self._places) else 0
        if not offset:
            return None
        if offset + size > self._size:
            raise self._buffer.window.fail(
                f"a field of a table of {self._size} bytes leads outside", self._at
            )
        return self._at + offset

    def number(self, slot: int, kind: str, default: int = 0) -> int:
        """Return a whole number or boolean.

        Args:
            slot: the field's place in the table's definition.
            kind: its type, as ``struct`` spells it.
            default: what stands for it where it is left out.
        """
        place = self._place(slot, _SIZES[kind])
        return default if place is None else self._buffer.number(kind, place)

    def real(self, slot: int) -> float:
        """Return a 32-bit float; 0 where it is left out.

        Args:
            slot: the field's place in the table's definition.
        """
        place = self._place(slot, 4)
        return 0.0 if place is None else self._buffer.real(place)

    def _behind(self, slot: int) -> int | None:
        place = self._place(slot, 4)
        return None if place is None else place + self._buffer.number("I", place)

    def table(self, slot: int) -> Table | None:
        """Return a table, or None where it is left out.

        Args:
            slot: the field's place in the table's definition.
        """
        at = self._behind(slot)
        return None if at is None else Table(self._buffer, at)

    def vector(self, slot: int, size: int) -> tuple[int, int] | None:
        """Return where a list stands: its first entry's first byte, and its count.

        Args:
            slot: the field's place in the table's definition.
            size: the bytes of one entry.

        Raises:
            UnreadableFileError: if the list leads outside the file.
        """
        at = self._behind(slot)
        if at is None:
            return None
        window, count = self._buffer.window, self._buffer.number("I", at)
        if count * size > window.size - at - 4:
            raise window.fail(f"a list of {count:,} entries has only {window.size - at - 4:,} bytes left", at)
        return at + 4, count

    def numbers(self, slot: int, kind: str) -> tuple[int | float, ...]:
        """Return a list of numbers; an empty one where it is left out.

        Args:
            slot: the field's place in the table's definition.
            kind: the type of each, as ``struct`` spells it.
        """
        found = self.vector(slot, _SIZES[kind])
        if found is None:
            return ()
        start, count = found
        self._buffer.spend(count, start)
        data = self._buffer.span(start, start + count * _SIZES[kind])
        numbers: tuple[int | float, ...] = struct.unpack(f"<{count}{kind}", data)
        return numbers

    def integers(self, slot: int, kind: str = "i") -> tuple[int, ...]:
        """Return a list of whole numbers.

        Args:
            slot: the field's place in the table's definition.
            kind: the type of each, as ``struct`` spells it.
        """
        return tuple(int(number) for number in self.numbers(slot, kind))

    def tables(self, slot: int) -> list[Table]:
        """Return a list of tables.

        Args:
            slot: the field's place in the table's definition.
        """
        return [Table(self._buffer, at) for at in self._each(slot)]

    def _each(self, slot: int) -> list[int]:
        """Return where each entry of a list of tables or texts stands."""
        found = self.vector(slot, 4)
        if found is None:
            return []
        return [found[0] + 4 * place + ahead for place, ahead in enumerate(self.integers(slot, "I"))]

    def text(self, slot: int) -> str:
        """Return a text; an empty one where it is left out.

        Args:
            slot: the field's place in the table's definition.

        Raises:
            UnreadableFileError: if it is longer than any name.
        """
        found = self.vector(slot, 1)
        if found is None:
            return ""
        start, count = found
        return self._buffer.text(start, count)

    def texts(self, slot: int) -> list[str]:
        """Return a list of texts.

        Args:
            slot: the field's place in the table's definition.

        Raises:
            UnreadableFileError: if one is longer than any name.
        """
        buffer, found = self._buffer, []
        for at in self._each(slot):
            count = buffer.number("I", at)
            found.append(buffer.text(at + 4, count))
        return found
