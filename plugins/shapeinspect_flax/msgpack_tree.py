"""Walks a Flax msgpack file: reads names, shapes and element types, and skips the values.

Source: the MessagePack specification, "Formats"; ``flax/serialization.py``: extension 1 is an array
and 3 a numpy scalar, each the packed triple (shape, dtype, bytes); 2 is a complex number; an array
over 1 GiB is a map with the key ``__msgpack_chunked_array__``.
"""

from __future__ import annotations

from math import prod

from shapeinspect.binary.cursor import Cursor
from shapeinspect.sources.source import Source
from shapeinspect_flax.dtypes import SIZES
from shapeinspect_flax.leaves import Leaf, Piece

#: The deepest tree, the most values, the longest key, the most axes: far above what any model has.
_DEEPEST, _MOST, _KEY, _AXES = 64, 600_000, 65_535, 64
_LARGEST = (1 << 63) - 1
#: The longest name of an element type, and the most bytes that an array's shape and type take.
_TYPE = 64
_HEAD = 1 + 3 + 9 * _AXES + 2 + _TYPE + 5
_CHUNKED = "__msgpack_chunked_array__"

#: The first byte of a value whose length follows, and the length's format as ``struct`` spells it.
_TEXTS = {0xD9: "B", 0xDA: "H", 0xDB: "I"}
_BYTES = {0xC4: "B", 0xC5: "H", 0xC6: "I"}
_ARRAYS = {0xDC: "H", 0xDD: "I"}
_MAPS = {0xDE: "H", 0xDF: "I"}
_EXTENSIONS = {0xC7: "B", 0xC8: "H", 0xC9: "I"}
#: The first byte of an unsigned integer, and its format.
_NUMBERS = {0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q"}
_WIDTHS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
#: Values of a fixed length, and their element type.
_FIXED = {
    0xC0: (0, "none"),
    0xC2: (0, "bool"),
    0xC3: (0, "bool"),
    0xCA: (4, "float32"),
    0xCB: (8, "float64"),
    0xCC: (1, "uint8"),
    0xCD: (2, "uint16"),
    0xCE: (4, "uint32"),
    0xCF: (8, "uint64"),
    0xD0: (1, "int8"),
    0xD1: (2, "int16"),
    0xD2: (4, "int32"),
    0xD3: (8, "int64"),
}


def read_leaves(source: Source) -> list[Leaf]:
    """List the values of a file.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    with source.open() as file:
        walk = _Walk(Cursor(file, source.size or 0, source.label, ">"))
        walk.tree()
        return walk.leaves


class _Walk:
    """One pass over a file, from its first byte to its last."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        # Interned: a tree has few distinct keys and shapes.
        self._keys: dict[bytes, str] = {}
        self._shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        self.leaves: list[Leaf] = []

    def tree(self) -> None:
        """Walk the whole file."""
        cursor = self._cursor
        count = self._count(cursor.byte(), 0x80, _MAPS)
        if count is None:
            raise cursor.refuse("the file does not begin with a map of names")
        self._map(count, ())
        if cursor.remaining:
            raise cursor.refuse(f"{cursor.remaining:,} bytes follow the end of the tree")

    def _value(self, parts: tuple[str, ...]) -> None:
        cursor = self._cursor
        if len(parts) > _DEEPEST:
            raise cursor.refuse(f"the tree is over {_DEEPEST} keys deep")
        head = cursor.byte()
        if head < 0x80 or head >= 0xE0:  # most of a file of many values
            self._add(Leaf(parts, (), "int8", None, array=False))
            return
        entries = self._count(head, 0x80, _MAPS)
        if entries is not None:
            self._map(entries, parts)
            return
        items = self._count(head, 0x90, _ARRAYS)
        if items is not None:
            for index in range(self._bounded(items, 1)):
                self._value((*parts, str(index)))
            return
        if head in _EXTENSIONS or 0xD4 <= head <= 0xD8:
            self._extension(head, parts)
            return
        self._add(self._plain(head, parts))

    def _map(self, entries: int, parts: tuple[str, ...]) -> None:
        seen: set[str] = set()
        for index in range(self._bounded(entries, 2)):
            key = self._key()
            if key in seen:
                raise self._cursor.refuse(f"the key {key!r} occurs twice in {'/'.join(parts)!r}")
            seen.add(key)
            if index == 0 and key == _CHUNKED:
                self._chunked(entries, parts)
                return
            self._value((*parts, key))

    def _key(self) -> str:
        cursor = self._cursor
        head = cursor.byte()
        if head < 0x80:
            return str(head)  # a small integer
        length = self._length(head)
        if length is None or length > _KEY:
            raise cursor.refuse("a key of the tree is not text")
        raw = cursor.take(length)
        key = self._keys.get(raw)
        if key is None:
            try:
                key = self._keys[raw] = raw.decode()
            except UnicodeDecodeError:
                raise cursor.refuse("a key of the tree is not UTF-8") from None
        return key

    def _plain(self, head: int, parts: tuple[str, ...]) -> Leaf:
        cursor = self._cursor
        length = self._length(head)
        if length is not None:
            cursor.skip(length)
            return Leaf(parts, (), "text", None, array=False)
        if head in _BYTES:
            cursor.skip(cursor.number(_BYTES[head]))
            return Leaf(parts, (), "bytes", None, array=False)
        if head not in _FIXED:
            raise cursor.refuse(f"no value begins with the byte {head:#x}")
        width, dtype = _FIXED[head]
        cursor.skip(width)
        return Leaf(parts, (), dtype, None, array=False)

    def _extension(self, head: int, parts: tuple[str, ...]) -> None:
        cursor = self._cursor
        length = cursor.number(_EXTENSIONS[head]) if head in _EXTENSIONS else 1 << (head - 0xD4)
        code = cursor.byte()
        if length > cursor.remaining:
            raise cursor.refuse(f"a value claims {length:,} bytes, but {cursor.remaining:,} are left")
        if code in (1, 3):
            self._add(self._array(length, parts))
        else:
            cursor.skip(length)
            self._add(Leaf(parts, (), "complex128" if code == 2 else None, None, array=False))

    def _array(self, length: int, parts: tuple[str, ...]) -> Leaf:
        cursor = self._cursor
        start = cursor.position
        head = cursor.take(min(length, _HEAD))
        try:
            shape, dtype, nbytes, data_start = _triple(head)
        except (ValueError, IndexError) as error:
            reason = str(error) if isinstance(error, ValueError) else "ends inside its shape or type"
            raise cursor.refuse(f"the array {'/'.join(parts)!r} {reason}") from None
        if data_start + nbytes != length:
            raise cursor.refuse(
                f"the array {'/'.join(parts)!r} has {nbytes:,} bytes, but {length - data_start:,} fit"
            )
        self._check(parts, shape, dtype, nbytes)
        shape = self._shapes.setdefault(shape, shape)
        cursor.skip(length - len(head))
        return Leaf(parts, shape, dtype, nbytes, pieces=(Piece(start + data_start, nbytes),))

    def _chunked(self, entries: int, parts: tuple[str, ...]) -> None:
        """Read an array in chunks: a true value, then the maps "shape" and "chunks"."""
        cursor = self._cursor
        name = "/".join(parts)
        marked, keys = cursor.byte(), (self._key(), self._count(cursor.byte(), 0x80, _MAPS))
        if entries != 3 or marked != 0xC3 or keys[0] != "shape" or keys[1] is None or keys[1] > _AXES:
            raise cursor.refuse(f"the chunked array {name!r} does not begin with its shape")
        shape = []
        for index in range(keys[1]):
            if self._key() != str(index):
                raise cursor.refuse(f"the axes of the array {name!r} are not in order")
            shape.append(self._integer())
        key, count = self._key(), self._count(cursor.byte(), 0x80, _MAPS)
        if key != "chunks" or not count:
            raise cursor.refuse(f"the array {name!r} has no chunks")
        chunks: list[Leaf] = []
        for index in range(self._bounded(count, 2)):
            head = cursor.byte() if self._key() == str(index) else -1
            if head not in _EXTENSIONS and not 0xD4 <= head <= 0xD8:
                raise cursor.refuse(f"a chunk of the array {name!r} is malformed")
            self._extension(head, parts)
            chunks.append(self.leaves.pop())
        nbytes = sum(chunk.nbytes or 0 for chunk in chunks)
        dtype = chunks[0].dtype
        if any(chunk.dtype != dtype or not chunk.array for chunk in chunks) or dtype is None:
            raise cursor.refuse(f"the chunks of the array {name!r} differ in type")
        self._check(parts, tuple(shape), dtype, nbytes)
        pieces = tuple(piece for chunk in chunks for piece in chunk.pieces)
        self._add(Leaf(parts, tuple(shape), dtype, nbytes, pieces=pieces))

    def _check(self, parts: tuple[str, ...], shape: tuple[int, ...], dtype: str, nbytes: int) -> None:
        total = prod(shape)
        if total > _LARGEST:
            raise self._cursor.refuse(f"the array {'/'.join(parts)!r} claims more values than 64 bits count")
        size = SIZES.get(dtype)
        if size is not None and total * size != nbytes:
            raise self._cursor.refuse(
                f"the array {'/'.join(parts)!r} {shape} of {dtype} takes {total * size:,} bytes, but has "
                f"{nbytes:,}"
            )

    def _integer(self) -> int:
        """Return a length."""
        head = self._cursor.byte()
        if head < 0x80:
            return head
        if head in _NUMBERS:
            return int(self._cursor.number(_NUMBERS[head]))
        raise self._cursor.refuse("a length in a shape is not an integer")

    def _count(self, head: int, short: int, long: dict[int, str]) -> int | None:
        """Return the number of items of a map or list, or None if the value is neither."""
        if short <= head < short + 16:
            return head - short
        return self._cursor.number(long[head]) if head in long else None

    def _length(self, head: int) -> int | None:
        """Return the length of a text, or None if the value is not a text."""
        if 0xA0 <= head < 0xC0:
            return head - 0xA0
        return self._cursor.number(_TEXTS[head]) if head in _TEXTS else None

    def _bounded(self, count: int, least: int) -> int:
        if count * least > self._cursor.remaining:
            raise self._cursor.refuse(
                f"the file claims {count:,} values, but {self._cursor.remaining:,} bytes are left"
            )
        return count

    def _add(self, leaf: Leaf) -> None:
        self.leaves.append(leaf)
        if len(self.leaves) > _MOST:
            raise self._cursor.refuse(f"the tree has more than {_MOST:,} values")


def _triple(head: bytes) -> tuple[tuple[int, ...], str, int, int]:
    """Parse the beginning of an array.

    Args:
        head: its first bytes: all of it, or more than its shape and type take.

    Returns:
        Its shape, its element type, the size of its values in bytes, and the index of their first byte.

    Raises:
        ValueError: if it is malformed.
        IndexError: if it is cut off.
    """
    if head[0] != 0x93:
        raise ValueError("does not begin with its shape")
    rank, index = head[1] - 0x90, 2
    if head[1] == 0xDC:
        rank, index = int.from_bytes(head[2:4], "big"), 4
    if not 0 <= rank <= _AXES or (rank > 15 and head[1] != 0xDC):
        raise ValueError("does not begin with its shape")
    shape = []
    for _ in range(rank):
        value = head[index]
        index += 1
        if value >= 0x80:
            width = _WIDTHS.get(value)
            if width is None:
                raise ValueError("has a length in its shape that is not an integer")
            value = int.from_bytes(head[index : index + width], "big")
            index += width
        shape.append(value)
    length = head[index] - 0xA0
    index += 1
    if head[index - 1] == 0xD9:
        length = head[index]
        index += 1
    if not 0 <= length <= _TYPE or (length > 31 and head[index - 2] != 0xD9):
        raise ValueError("does not name its element type")
    dtype = head[index : index + length].decode("utf-8", "replace")
    index += length
    width = {0xC4: 1, 0xC5: 2, 0xC6: 4}.get(head[index])
    if width is None:
        raise ValueError("has no bytes")
    end = index + 1 + width
    head[end - 1]  # the number of bytes is there too
    return tuple(shape), dtype, int.from_bytes(head[index + 1 : end], "big"), end
