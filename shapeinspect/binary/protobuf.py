"""Walks over a protobuf message: reads keys and lengths and leaves long contents alone.

It does not recurse: each reader of a message descends into the fields that it knows, so the depth is
that of the readers. A reader of recursive messages stops at :data:`MAX_DEPTH`.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
#: The maximum depth to which a reader follows nested messages.
MAX_DEPTH = 100
_FIXED = {FIXED64: 8, FIXED32: 4}
_CHUNK = 4096
#: The longest key and length together, in bytes.
_MARGIN = 20
#: The longest name, type or other text, in bytes.
_TEXT = 1 << 16

_CUT_OFF = "the file is cut off: copy or download it again"


class Field(NamedTuple):
    """One field of a message.

    Args:
        number: its number.
        wire: its wire type.
        value: a varint's value; else 0.
        start: the first byte of its contents.
        end: the byte after them.
        key: the first byte of the field itself.
    """

    number: int
    wire: int
    value: int
    start: int
    end: int
    key: int


def fields(window: Window, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of one message in the order of the file.

    Args:
        window: the file.
        start: the message's first byte.
        end: the byte after it.

    Raises:
        UnreadableFileError: for a key or a length that is cut off, too long or out of bounds.
    """
    data, base, position = b"", start, start
    while position < end:
        index = position - base
        if index + _MARGIN > len(data) and (base + len(data) < end or index >= len(data)):
            data, base, index = window.span(position, min(position + _CHUNK, end)), position, 0
        key = data[index]
        if key < 0x80:  # the common case, without a call
            index += 1
        else:
            key, index = _varint(window, data, index, base)
        number, wire, value = key >> 3, key & 7, 0
        if number == 0 or number >= 1 << 29:
            raise window.fail(f"{number} is not a valid field number", position)
        if wire == VARINT:
            value, next_index = _varint(window, data, index, base)
            length = next_index - index
        elif wire == BYTES:
            length = data[index] if index < len(data) else 0x80
            if length < 0x80:
                index += 1
            else:
                length, index = _varint(window, data, index, base)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise window.fail(f"wire type {wire} does not exist", position)
        content = base + index
        if length > end - content:
            hint = _CUT_OFF if end == window.size else None
            raise window.fail(
                f"a field of {length:,} bytes has only {end - content:,} left", position, hint=hint
            )
        yield Field(number, wire, value, content, content + length, position)
        position = content + length


def _varint(window: Window, data: bytes, index: int, base: int) -> tuple[int, int]:
    value, shift, start = 0, 0, base + index
    for byte in data[index : index + 10]:
        value |= (byte & 0x7F) << shift
        index += 1
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, index
        shift += 7
    raise window.fail("a number is cut off" if shift < 70 else "a number is over ten bytes long", start)


def varint(data: bytes, start: int, longest: int = 10) -> tuple[int, int]:
    r"""Read one unsigned integer from bytes in memory.

    Args:
        data: the bytes.
        start: the index of the integer's first byte.
        longest: the most bytes that it may take.

    Returns:
        The integer, and the index after it, which is -1 where the integer is cut off.

    Example:
        >>> varint(b"\x96\x01", 0), varint(b"\x96", 0)
        ((150, 2), (0, -1))
    """
    value = 0
    for index, byte in enumerate(data[start : start + longest]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, start + index + 1
    return 0, -1


def spelled(value: int) -> bytes:
    r"""Return the bytes of an unsigned integer.

    Args:
        value: 0 to 2⁶⁴ - 1.

    Example:
        >>> spelled(150)
        b'\x96\x01'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> int:
    """Convert a varint to the int64 that it encodes.

    Args:
        value: 0 to 2⁶⁴ - 1.

    Example:
        >>> signed(2**64 - 1)
        -1
    """
    return value - (1 << 64) if value >> 63 else value


def text(window: Window, field: Field) -> str:
    """Read a field's text.

    Args:
        window: the file.
        field: a field of bytes.

    Raises:
        UnreadableFileError: if it is not a field of bytes, or longer than any name.
    """
    need(window, field)
    if field.end - field.start > _TEXT:
        raise window.fail(f"a name has {field.end - field.start:,} bytes", field.start)
    return window.span(field.start, field.end).decode("utf-8", "replace")


def need(window: Window, field: Field, wire: int = BYTES) -> None:
    """Refuse a field whose wire type is not the one in its message's definition.

    Args:
        window: the file.
        field: the field.
        wire: the wire type that it must have.

    Raises:
        UnreadableFileError: if it has a different one.
    """
    if field.wire != wire:
        raise window.fail(f"field {field.number} has wire type {field.wire} instead of {wire}", field.start)


def integers(window: Window, field: Field, limit: int = 1 << 16) -> tuple[int, ...]:
    """Read a repeated int64, packed or not.

    Args:
        window: the file.
        field: one field of it.
        limit: the most bytes that it may take.

    Raises:
        UnreadableFileError: if it is longer, or cut off.
    """
    if field.wire == VARINT:
        return (signed(field.value),)
    need(window, field)
    if field.end - field.start > limit:
        raise window.fail(f"a short list of numbers takes {field.end - field.start:,} bytes", field.start)
    data, index, values = window.span(field.start, field.end), 0, []
    while index < len(data):
        value, index = _varint(window, data, index, field.start)
        values.append(signed(value))
    return tuple(values)


class Budget:
    """Counts what is kept of a file, and refuses more than any model has.

    Args:
        window: the file.
        what: what is counted, for the error.
        limit: the maximum count.
    """

    def __init__(self, window: Window, what: str, limit: int) -> None:
        self._window, self._what, self._limit, self._count = window, what, limit, 0

    def spend(self, count: int = 1) -> None:
        """Add to the count.

        Args:
            count: how many are added.

        Raises:
            UnreadableFileError: if the limit is exceeded.
        """
        self._count += count
        if self._count > self._limit:
            raise UnreadableFileError(self._window.label, f"it holds more than {self._limit:,} {self._what}")
