"""Reads LevelDB tables, the format of a checkpoint's ``.index``.

Source: tensorflow/core/lib/io/table_format.txt, format.h and block.cc.
"""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.binary.names import MOST
from shapeinspect.binary.protobuf import Budget, varint
from shapeinspect.binary.window import Window
from shapeinspect_tensorflow.tables import snappy
from shapeinspect_tensorflow.tables.crc32c import masked

MAGIC = 0xDB4775248B80FB57
FOOTER = 48
#: A block is followed by one byte for its compression and four of checksum.
_TRAILER = 5
_PLAIN, _SNAPPY = 0, 1
#: TensorFlow writes blocks of 256 KiB.
_MAX_BLOCK = 16 << 20
_MAX_ENTRIES = 2_000_000
#: The most bytes of one key, and of all, also for each byte of the file: they share prefixes, so a small file
#: could expand to very many. TensorFlow's own expand to three times the file.
_MAX_KEY, _KEYS_AT_LEAST, _KEYS_A_BYTE = 4096, 4 << 20, 8
#: The index of 200,000 variables has about 10 MiB.
_MAX_INFLATED = 256 << 20


def is_footer(tail: bytes) -> bool:
    """Tell whether a file ends like a table.

    Args:
        tail: at least its last eight bytes.

    Example:
        >>> is_footer(MAGIC.to_bytes(8, "little"))
        True
    """
    return tail[-8:] == MAGIC.to_bytes(8, "little")


def entries(window: Window) -> Iterator[tuple[bytes, bytes]]:
    """Yield every key and value of a table, in the order of the keys.

    Args:
        window: the file.

    Raises:
        UnreadableFileError: if it is not a table, or is truncated or corrupt.
    """
    if window.size < FOOTER:
        raise window.fail("it is too short for a checkpoint's index", window.size)
    footer_start = window.size - FOOTER
    footer = window.span(footer_start, window.size)
    if not is_footer(footer):
        raise window.fail("it does not end like a checkpoint's index", window.size - 8)
    _, _, position = _handle(window, footer, 0, footer_start)
    offset, size, _ = _handle(window, footer, position, footer_start)
    count = Budget(window, "entries", _MAX_ENTRIES)
    keys = Budget(window, "bytes of names", min(_KEYS_AT_LEAST + _KEYS_A_BYTE * window.size, MOST))
    inflated = Budget(window, "bytes in compressed blocks", _MAX_INFLATED)
    last_end, last = 0, b""
    for _, handle in _block(window, offset, size, keys, inflated):
        start, length, _ = _handle(window, handle, 0, footer_start)
        if start < last_end:  # else one block could be listed a million times
            raise window.fail("its blocks overlap", start)
        last_end = start + length + _TRAILER
        for key, value in _block(window, start, length, keys, inflated):
            count.spend()
            if key <= last and last:
                raise window.fail("its names are not in order", start)
            last = key
            yield key, value


def _handle(window: Window, data: bytes, position: int, end: int) -> tuple[int, int, int]:
    """Read a block's handle: its offset and size, and the byte after the handle itself."""
    offset, position = _varint(window, data, position)
    size, position = _varint(window, data, position)
    if size > _MAX_BLOCK:
        raise window.fail(f"a block of {size:,} bytes is too long", offset)
    if offset + size + _TRAILER > end:
        raise window.fail(f"a block of {size:,} bytes at {offset:,} is outside the file", offset)
    return offset, size, position


def _varint(window: Window, data: bytes, position: int) -> tuple[int, int]:
    value, next_position = varint(data, position)
    if next_position < 0:
        raise window.fail("a number in the index is cut off")
    return value, next_position


def _block(
    window: Window, offset: int, size: int, keys: Budget, inflated: Budget
) -> Iterator[tuple[bytes, bytes]]:
    stored = window.span(offset, offset + size + 1)
    checksum = int.from_bytes(window.span(offset + size + 1, offset + size + _TRAILER), "little")
    if masked(stored) != checksum:
        raise window.fail("a block's checksum is wrong", offset)
    data, compression = stored[:-1], stored[-1]
    if compression == _SNAPPY:
        try:
            data = snappy.decode(data)
        except ValueError as error:
            raise window.fail(f"a compressed block: {error}", offset) from None
        inflated.spend(len(data))
    elif compression != _PLAIN:
        raise window.fail(f"{compression} is not a known compression", offset + size)
    restarts = int.from_bytes(data[-4:], "little")
    end = len(data) - 4 - 4 * restarts
    if end < 0:
        raise window.fail(f"a block of {len(data):,} bytes claims {restarts:,} restarts", offset)
    position, key = 0, b""
    while position < end:
        head = data[position : position + 3]
        if len(head) == 3 and head.isascii():  # three numbers of one byte each, the common case
            shared, fresh, length = head
            position += 3
        else:
            shared, position = _varint(window, data, position)
            fresh, position = _varint(window, data, position)
            length, position = _varint(window, data, position)
        if shared > len(key) or fresh + length > end - position:
            raise window.fail("an entry reaches beyond its block", offset)
        if shared + fresh > _MAX_KEY:
            raise window.fail(f"a name has {shared + fresh:,} bytes", offset)
        key = key[:shared] + data[position : position + fresh]
        position += fresh
        keys.spend(len(key))
        yield key, data[position : position + length]
        position += length
