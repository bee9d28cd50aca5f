"""A reader of flatbuffers that checks every offset and length before it is used.

The generated accessors for Python verify nothing: an offset may lead anywhere, a vector may claim
any length, and the errors are those of ``struct``, ``numpy`` and recursion. Tables, vectors and
scalars are all that is needed here, and with the check in one place they are less code than a
wrapper around every accessor; nothing but the pages that hold them is read.

Source: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct

from shapeinspect_tensorflow.window import Window
from shapeinspect_tensorflow.wire import Budget

_MAX_ENTRIES = 5_000_000
_MAX_TEXT = 1 << 16
_SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}


class Buffer:
    """A file of flatbuffers.

    Args:
        window: the file.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.entries = Budget(window, "entries in its lists", _MAX_ENTRIES)
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
        return int(struct.unpack(f"<{kind}", self.window.span(at, at + _SIZES[kind]))[0])

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
            places = struct.unpack(f"<{size // 2}H", self.window.span(at, at + size))
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
        self._buffer.entries.spend(count)
        data = self._buffer.window.span(start, start + count * _SIZES[kind])
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
        found = self.vector(slot, 4)
        if found is None:
            return []
        start, count = found
        offsets = self.integers(slot, "I")
        return [Table(self._buffer, start + 4 * place + offsets[place]) for place in range(count)]

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
        if count > _MAX_TEXT:
            raise self._buffer.window.fail(f"a name of {count:,} bytes", start)
        self._buffer.entries.spend(count)
        return self._buffer.window.span(start, start + count).decode("utf-8", "replace")
