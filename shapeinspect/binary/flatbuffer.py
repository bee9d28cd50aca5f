"""A reader of flatbuffers that checks every offset and length before it is used.

The plug-ins for formats that are flatbuffers share it. The generated accessors for Python verify
nothing: an offset may lead anywhere, a vector may claim any length, and the errors are those of
``struct``, ``numpy`` and recursion. Only tables, vectors and scalars are needed here, and with all checks
in one module they take less code than a wrapper around every accessor.

Source: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
from typing import Protocol

from shapeinspect.errors import UnreadableFileError

#: The most list entries, characters and tables that are read.
MAX_ENTRIES = 5_000_000
#: The most tables in lists, and the bytes of the file that each takes at least: several entries may name one
#: table, so that a small file could expand to very many. Models for phones have some
#: thousand operators and tensors.
MAX_TABLES, _BYTES_A_TABLE = 400_000, 16
#: The longest name in bytes.
MAX_TEXT = 1 << 16
_SIZES = {"b": 1, "B": 1, "?": 1, "h": 2, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8, "d": 8}


class Bytes(Protocol):
    """The bytes of a file, as a plug-in provides them."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    def span(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``, which are inside the file.

        Args:
            start: the first byte.
            end: the byte after the last one.
        """

    def fail(self, reason: str, offset: int) -> UnreadableFileError:
        """Return an error that names the file and an offset.

        Args:
            reason: what is wrong.
            offset: the offset of the error.
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
        self._entries = self._tables = 0
        self._vtables: dict[int, tuple[int, ...]] = {}

    def root(self) -> Table:
        """Return the root table, which holds all others.

        Raises:
            UnreadableFileError: if the file is cut off or the table is outside it.
        """
        return Table(self, self.number("I", 0))

    def number(self, kind: str, offset: int) -> int:
        """Read one whole number.

        Args:
            kind: its type, as ``struct`` spells it.
            offset: its first byte.

        Raises:
            UnreadableFileError: if it is outside the file.
        """
        return int(struct.unpack(f"<{kind}", self.span(offset, offset + _SIZES[kind]))[0])

    def real(self, offset: int) -> float:
        """Read one 32-bit float.

        Args:
            offset: its first byte.

        Raises:
            UnreadableFileError: if it is outside the file.
        """
        return float(struct.unpack("<f", self.span(offset, offset + 4))[0])

    def span(self, start: int, end: int) -> bytes:
        """Read the bytes from ``start`` up to ``end``.

        Args:
            start: the first byte.
            end: the byte after the last one.

        Raises:
            UnreadableFileError: if the file has no such bytes.
        """
        window = self.window
        if not 0 <= start <= end <= window.size:
            reason = f"bytes {start:,} to {end:,} were requested, but it has {window.size:,}"
            raise window.fail(reason, max(min(start, window.size), 0))
        return window.span(start, end)

    def spend(self, count: int, offset: int) -> None:
        """Count the entries read, and refuse more than any model has.

        Args:
            count: how many entries are added.
            offset: their offset, for the error.

        Raises:
            UnreadableFileError: if the limit is exceeded.
        """
        self._entries += count
        if self._entries > MAX_ENTRIES:
            raise self.window.fail(f"it holds more than {MAX_ENTRIES:,} entries in its lists", offset)

    def spend_tables(self, count: int, offset: int) -> None:
        """Count the tables of lists, and refuse more than any model has.

        Args:
            count: how many tables are added.
            offset: the offset of their list, for the error.

        Raises:
            UnreadableFileError: if the file cannot hold as many.
        """
        self._tables += count
        most = min(self.window.size // _BYTES_A_TABLE, MAX_TABLES)
        if self._tables > most:
            raise self.window.fail(f"it lists more than {most:,} tables", offset)

    def text(self, start: int, count: int) -> str:
        """Read one text.

        Args:
            start: its first byte.
            count: its length in bytes.

        Raises:
            UnreadableFileError: if it is longer than any name.
        """
        if count > MAX_TEXT:
            raise self.window.fail(f"a name has {count:,} bytes", start)
        self.spend(count, start)
        return self.span(start, start + count).decode("utf-8", "replace")

    def vtable(self, offset: int) -> tuple[int, ...]:
        """Return a table's size and the offsets of its fields, counted from the table's beginning.

        Args:
            offset: the first byte of the vtable.

        Raises:
            UnreadableFileError: if it is outside the file.
        """
        fields = self._vtables.get(offset)
        if fields is None:
            size = self.number("H", offset)
            if size < 4 or size % 2:
                raise self.window.fail(f"a table's list of fields takes {size} bytes", offset)
            entries = struct.unpack(f"<{size // 2}H", self.span(offset, offset + size))
            fields = self._vtables[offset] = entries[1:]
        return fields


class Table:
    """One table.

    Args:
        buffer: the file.
        at: its first byte.

    Raises:
        UnreadableFileError: if it is outside the file.
    """

    __slots__ = ("_buffer", "_fields", "_offset", "_size")

    def __init__(self, buffer: Buffer, offset: int) -> None:
        self._buffer, self._offset = buffer, offset
        entries = buffer.vtable(offset - buffer.number("i", offset))
        self._size, self._fields = entries[0], entries[1:]

    @property
    def offset(self) -> int:
        """Its first byte."""
        return self._offset

    def _field_offset(self, slot: int, size: int) -> int | None:
        """Return the offset of a field; None where it is left out."""
        offset = self._fields[slot] if slot < len(self._fields) else 0
        if not offset:
            return None
        if offset + size > self._size:
            raise self._buffer.window.fail(
                f"a field is outside its table of {self._size} bytes", self._offset
            )
        return self._offset + offset

    def number(self, slot: int, kind: str, default: int = 0) -> int:
        """Return a whole number or boolean.

        Args:
            slot: the field's index in the table's definition.
            kind: its type, as ``struct`` spells it.
            default: its value where it is left out.
        """
        offset = self._field_offset(slot, _SIZES[kind])
        return default if offset is None else self._buffer.number(kind, offset)

    def real(self, slot: int) -> float:
        """Return a 32-bit float; 0 where it is left out.

        Args:
            slot: the field's index in the table's definition.
        """
        offset = self._field_offset(slot, 4)
        return 0.0 if offset is None else self._buffer.real(offset)

    def _target(self, slot: int) -> int | None:
        offset = self._field_offset(slot, 4)
        return None if offset is None else offset + self._buffer.number("I", offset)

    def table(self, slot: int) -> Table | None:
        """Return a table, or None where it is left out.

        Args:
            slot: the field's index in the table's definition.
        """
        offset = self._target(slot)
        return None if offset is None else Table(self._buffer, offset)

    def vector(self, slot: int, size: int) -> tuple[int, int] | None:
        """Return the offset of a list's first entry, and the number of entries.

        Args:
            slot: the field's index in the table's definition.
            size: the bytes of one entry.

        Raises:
            UnreadableFileError: if the list reaches beyond the file.
        """
        offset = self._target(slot)
        if offset is None:
            return None
        window, count = self._buffer.window, self._buffer.number("I", offset)
        if count * size > window.size - offset - 4:
            raise window.fail(
                f"a list of {count:,} entries has only {window.size - offset - 4:,} bytes left", offset
            )
        return offset + 4, count

    def numbers(self, slot: int, kind: str) -> tuple[int | float, ...]:
        """Return a list of numbers; an empty one where it is left out.

        Args:
            slot: the field's index in the table's definition.
            kind: the type of each, as ``struct`` spells it.
        """
        span = self.vector(slot, _SIZES[kind])
        if span is None:
            return ()
        start, count = span
        self._buffer.spend(count, start)
        data = self._buffer.span(start, start + count * _SIZES[kind])
        numbers: tuple[int | float, ...] = struct.unpack(f"<{count}{kind}", data)
        return numbers

    def integers(self, slot: int, kind: str = "i") -> tuple[int, ...]:
        """Return a list of whole numbers.

        Args:
            slot: the field's index in the table's definition.
            kind: the type of each, as ``struct`` spells it.
        """
        return tuple(int(number) for number in self.numbers(slot, kind))

    def tables(self, slot: int) -> list[Table]:
        """Return a list of tables.

        Args:
            slot: the field's index in the table's definition.
        """
        targets = self._targets(slot)
        self._buffer.spend_tables(len(targets), self._offset)
        return [Table(self._buffer, offset) for offset in targets]

    def _targets(self, slot: int) -> list[int]:
        """Return the offset of each table or text in a list."""
        span = self.vector(slot, 4)
        if span is None:
            return []
        return [span[0] + 4 * index + distance for index, distance in enumerate(self.integers(slot, "I"))]

    def text(self, slot: int) -> str:
        """Return a text; an empty one where it is left out.

        Args:
            slot: the field's index in the table's definition.

        Raises:
            UnreadableFileError: if it is longer than any name.
        """
        span = self.vector(slot, 1)
        if span is None:
            return ""
        start, count = span
        return self._buffer.text(start, count)

    def texts(self, slot: int) -> list[str]:
        """Return a list of texts.

        Args:
            slot: the field's index in the table's definition.

        Raises:
            UnreadableFileError: if one is longer than any name.
        """
        buffer, result = self._buffer, []
        for offset in self._targets(slot):
            count = buffer.number("I", offset)
            result.append(buffer.text(offset + 4, count))
        return result
