"""Reads the header of a GGUF file: the metadata and the list of tensors, never their data.

Source: the GGUF specification (``ggml/docs/gguf.md``) and ``ggml/src/gguf.cpp`` for the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from struct import Struct, calcsize
from typing import TypeAlias, TypeVar

from shapeinspect.binary.cursor import Cursor
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_gguf.blocks import BLOCKS, NARROW, Block

_STRING, _ARRAY = 8, 9
#: The value types of metadata, by their code: how ``struct`` spells them.
_PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

#: Longest name, most tensors, most metadata fields. Experts are stacked in GGUF, so that a model of 61 blocks
#: of 256 of them has about 1,100 tensors; one for each expert would be 45,000.
_MOST_NAME, _MOST_TENSORS, _MOST_FIELDS = 65_535, 200_000, 100_000
#: How much of a value is kept: bytes of a text, numbers of an array. The rest is skipped.
_KEPT_TEXT, _KEPT_ITEMS = 1000, 1024
_MOST_NESTED, _MOST_STRINGS = 4, 5_000_000
_MOST_DIMS = 4
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Text:
    """A text, of which the first part is kept.

    Args:
        start: its first characters.
        nbytes: the length of the whole text in bytes.
    """

    start: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class Array:
    """An array; the items of short numeric arrays are kept.

    Args:
        item: the type of its items: ``number``, ``string`` or ``array``.
        count: the number of items.
        items: the numbers, or None if they are not kept.
    """

    item: str
    count: int
    items: tuple[int | float, ...] | None


@dataclass(frozen=True, slots=True)
class Single:
    """A 32-bit float; its text is rounded to 32-bit precision.

    Args:
        value: the number.
    """

    value: float


Field: TypeAlias = int | float | Single | Text | Array
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the file.

    Args:
        name: its name.
        shape: its lengths, outermost first (the file stores them in reverse).
        code: its type's number in the file.
        block: its type, or None if the number is unknown.
        offset: the offset of its data in the file.
        nbytes: the size of its data in bytes, or None if its type is unknown.
    """

    name: str
    shape: tuple[int, ...]
    code: int
    block: Block | None
    offset: int
    nbytes: int | None


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a GGUF file.

    Args:
        version: the version of the format.
        order: ``"<"`` or ``">"``: the byte order as :mod:`struct` spells it.
        fields: the metadata.
        tensors: the tensors in the order of the file.
    """

    version: int
    order: str
    fields: dict[str, Field]
    tensors: tuple[Tensor, ...]


def read_header(source: Source) -> Header:
    """Read the metadata and the tensor list of one file.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt, hostile or of version 1.

    Source: ``ggml/docs/gguf.md``, "File structure".
    """
    with source.open() as file:
        cursor = Cursor(file, source.size or 0, source.label, "<")
        if cursor.take(4, "the magic number") != b"GGUF":
            raise UnreadableFileError(source.label, "it does not begin with GGUF", offset=0)
        version = _version(cursor)
        tensors = cursor.number("Q", "the tensor count")
        fields = cursor.number("Q", "the metadata count")
        # The shortest tensor entry: name length, rank, type, offset. The shortest field: key length,
        # type, one byte of value.
        for what, count, least, most in (
            ("metadata fields", fields, 8 + 4 + 1, _MOST_FIELDS),
            ("tensors", tensors, 8 + 4 + 4 + 8, _MOST_TENSORS),
        ):
            if count * least > cursor.remaining or count > most:
                raise cursor.refuse(f"it claims {count:,} {what}, but {cursor.remaining:,} bytes are left")
        metadata = _unique(cursor, fields, "metadata key", _field)
        alignment = _alignment(cursor, metadata)
        entries = _unique(cursor, tensors, "tensor name", _entry)
        start = cursor.position + -cursor.position % alignment
        starts = sorted({entry.offset for entry in entries.values()} | {cursor.end - start})
        rooms = dict(pairwise(starts))
        located = tuple(
            _locate(entry, start, alignment, cursor, rooms.get(entry.offset, entry.offset))
            for entry in entries.values()
        )
        _check_apart(located, source)
        return Header(version, cursor.order, metadata, located)


def _version(cursor: Cursor) -> int:
    version = int(cursor.number("I", "the version"))
    if not version & 0xFFFF and version:
        cursor.order = ">"
        version = int.from_bytes(version.to_bytes(4, "little"), "big")
    if version == 1:
        raise cursor.refuse("llama.cpp dropped GGUF version 1 in 2023; convert the model again")
    if version not in (2, 3):
        raise cursor.refuse(f"GGUF version {version} is unknown (2 and 3 are supported)")
    return version


def _unique(cursor: Cursor, count: int, what: str, read: Callable[[Cursor, str], _T]) -> dict[str, _T]:
    result: dict[str, _T] = {}
    for _ in range(count):
        name = _name(cursor, what)
        if name in result:
            raise cursor.refuse(f"the {what} {name!r} occurs twice")
        result[name] = read(cursor, name)
    return result


def _name(cursor: Cursor, what: str) -> str:
    length = cursor.number("Q", f"the length of a {what}")
    if not 0 < length <= _MOST_NAME:
        raise cursor.refuse(f"a {what} of {length:,} bytes is not allowed")
    try:
        return cursor.take(length, f"a {what}").decode()
    except UnicodeDecodeError:
        raise cursor.refuse(f"a {what} is not UTF-8") from None


def _field(cursor: Cursor, name: str) -> Field:
    what = f"the value of {name!r}"
    code = cursor.number("I", what)
    if code == _STRING:
        return _text(cursor, what)
    if code == _ARRAY:
        return _array(cursor, what, 0)
    form = _PLAIN.get(code)
    if form is None:
        raise cursor.refuse(f"{what} has an unknown type {code}")
    value = cursor.number(form, what)
    return Single(value) if form == "f" else value


def _text(cursor: Cursor, what: str) -> Text:
    length = cursor.number("Q", what)
    if length > cursor.remaining:
        raise cursor.refuse(f"{what} takes {length:,} bytes, but {cursor.remaining:,} are left")
    start = cursor.take(min(length, _KEPT_TEXT), what)
    cursor.skip(length - len(start), what)
    # A truncated text may end inside a character, which is dropped.
    return Text(start.decode(errors="ignore" if length > len(start) else "replace"), length)


def _array(cursor: Cursor, what: str, depth: int) -> Array:
    code, count = cursor.number("I", what), cursor.number("Q", what)
    if code == _STRING:
        _skip_strings(cursor, count, what)
        return Array("string", count, None)
    if code == _ARRAY:
        # The shortest array: a type and a count. ggml itself refuses arrays of arrays.
        if depth == _MOST_NESTED or count * 12 > cursor.remaining or count > _MOST_FIELDS:
            raise cursor.refuse(f"{what} claims {count:,} arrays {depth + 1} deep")
        for _ in range(count):
            _array(cursor, what, depth + 1)
        return Array("array", count, None)
    form = _PLAIN.get(code)
    if form is None:
        raise cursor.refuse(f"{what} is an array of an unknown type {code}")
    if count > _KEPT_ITEMS:
        cursor.skip(count * calcsize("<" + form), what)
        return Array("number", count, None)
    return Array("number", count, cursor.unpack(f"{count}{form}", what))


def _skip_strings(cursor: Cursor, count: int, what: str) -> None:
    """Skip strings, each an 8-byte length and its text, without creating objects for them."""
    if count * 8 > cursor.remaining or count > _MOST_STRINGS:
        raise cursor.refuse(f"{what} claims {count:,} strings, but {cursor.remaining:,} bytes are left")
    length = Struct(cursor.order + "Q").unpack_from
    while count:
        buffer = cursor.ahead(8, what)
        position, last = 0, len(buffer) - 8
        while count and position <= last:
            position += 8 + length(buffer, position)[0]
            count -= 1
        if position > cursor.remaining:
            raise cursor.refuse(f"{what} holds a string that is longer than the file")
        cursor.skip(position, what)


def _alignment(cursor: Cursor, fields: dict[str, Field]) -> int:
    alignment = fields.get("general.alignment", 32)
    if type(alignment) is not int or alignment <= 0 or alignment & (alignment - 1):
        raise cursor.refuse(f"the alignment {alignment!r} is not a power of two")
    return alignment


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    shape: tuple[int, ...]
    code: int
    offset: int


def _entry(cursor: Cursor, name: str) -> _Entry:
    what = f"tensor {name!r}"
    rank = cursor.number("I", what)
    if rank > _MOST_DIMS:
        raise cursor.refuse(f"{what} has {rank:,} axes, more than {_MOST_DIMS}")
    *dims, code, offset = cursor.unpack("Q" * rank + "IQ", what)
    shape = tuple(reversed(dims))
    total = 1
    for length in shape:
        total *= length
    if total > _LARGEST or max(shape, default=0) > _LARGEST:
        raise cursor.refuse(f"{what} claims more values than 64 bits count: {shape}")
    return _Entry(name, shape, code, offset)


def _locate(entry: _Entry, start: int, alignment: int, cursor: Cursor, end: int) -> Tensor:
    what = f"tensor {entry.name!r}"
    block = BLOCKS.get(entry.code)
    nbytes = None
    if block is not None:
        row = entry.shape[-1] if entry.shape else 1
        if row % block.values:
            raise cursor.refuse(
                f"{what} has rows of {row:,} values, not a multiple of its block of {block.values}"
            )
        count = prod((*entry.shape[:-1], row // block.values))
        if entry.code in NARROW and count * block.nbytes > end - entry.offset:
            block = NARROW[entry.code]
        nbytes = count * block.nbytes
    if entry.offset % alignment:
        raise cursor.refuse(f"{what} begins at {entry.offset:,}, not a multiple of {alignment}")
    if start + entry.offset + (nbytes or 0) > cursor.end:
        raise cursor.refuse(
            f"{what} of {nbytes or 0:,} bytes at {start + entry.offset:,} reaches beyond the end of the file"
        )
    return Tensor(entry.name, entry.shape, entry.code, block, start + entry.offset, nbytes)


def _check_apart(tensors: tuple[Tensor, ...], source: Source) -> None:
    end, before = 0, ""
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.nbytes or 0)):
        if tensor.offset < end:
            raise UnreadableFileError(
                source.label, f"tensors {before!r} and {tensor.name!r} overlap", offset=tensor.offset
            )
        end, before = tensor.offset + (tensor.nbytes or 0), tensor.name
