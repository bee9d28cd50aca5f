"""Reads the directory of a zip archive; nothing is inflated here and every offset is checked.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to
4.3.16 (end records) and 4.5.3 (sizes over 4 GB).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from shapeinspect.errors import UnreadableFileError

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")

#: The longest comment an archive may end with, and the longest directory that is read.
_COMMENT, _MOST = 65_535, 1 << 26
#: How much is fetched where a member begins: its local header, its name and what follows.
_FETCH = 4096
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive.

    Args:
        name: its name.
        deflated: whether its data is compressed.
        start: where its data begins in the archive.
        packed: how many bytes its data takes there.
        size: how many bytes it has, as the directory says.
        head: the first bytes of its data as they stand in the archive.
    """

    name: str
    deflated: bool
    start: int
    packed: int
    size: int
    head: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    utf8: bool
    method: int
    packed: int
    size: int
    offset: int


def members(file: BinaryIO, size: int, label: str) -> tuple[Member, ...]:
    """List the files of an archive with the first bytes of each.

    Args:
        file: the archive.
        size: its length.
        label: how errors name it.

    Raises:
        UnreadableFileError: if it is cut off, encrypted, contradicts itself or names a file twice.
    """
    try:
        return _members(file, size, label)
    except struct.error:
        raise UnreadableFileError(label, "a record of the archive is cut off") from None


def inflate(member: Member, data: bytes, most: int, label: str) -> bytes:
    """Return the first bytes of a member.

    Args:
        member: which one.
        data: its packed data, or the first part of it.
        most: how many bytes are wanted at most.
        label: how errors name the archive.

    Raises:
        UnreadableFileError: if the compressed data is corrupt.
    """
    if not member.deflated:
        return data[:most]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)
    except zlib.error as error:
        reason = f"the compressed data of {member.name!r} is corrupt ({error})"
        raise UnreadableFileError(label, reason, offset=member.start) from None


def _members(file: BinaryIO, size: int, label: str) -> tuple[Member, ...]:
    start, length, count = _locate(file, size, label)
    if length > _MOST or count * _ENTRY.size > length:
        raise UnreadableFileError(
            label, f"the archive claims {count:,} files in {length:,} bytes of directory"
        )
    file.seek(start)
    directory = file.read(length)
    found: dict[str, Member] = {}
    at = 0
    for _ in range(count):
        entry, at = _entry(directory, at, label)
        member = _member(file, entry, start, label)
        if member.name in found:
            raise UnreadableFileError(label, f"the archive holds {member.name!r} twice", offset=entry.offset)
        found[member.name] = member
    _check_apart(found, label)
    return tuple(found.values())


def _locate(file: BinaryIO, size: int, label: str) -> tuple[int, int, int]:
    """Find where the directory begins, how long it is and how many files it lists."""
    base = max(size - _COMMENT - _END.size, 0)
    file.seek(base)
    tail = file.read(size - base)
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if len(tail) - at >= _END.size:
            _, disk, first, here, count, length, start, comment = _END.unpack_from(tail, at)
            if at + _END.size + comment == len(tail):
                break
        at = tail.rfind(b"PK\x05\x06", 0, at)
    if at < 0:
        raise UnreadableFileError(label, "the archive has no end record; the file is cut off", offset=size)
    end = base + at
    if 0xFFFF in (count, here) or 0xFFFFFFFF in (length, start):
        file.seek(max(end - _LOCATOR.size, 0))
        mark, _, where, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
        if mark == b"PK\x06\x07" and where <= end:
            file.seek(where)
            mark, _, _, _, disk, first, here, count, length, start = _END_64.unpack(file.read(_END_64.size))
            if mark != b"PK\x06\x06":
                raise UnreadableFileError(label, "the archive's large end record is missing", offset=where)
            end = where
    if disk or first or here != count:
        raise UnreadableFileError(label, "the archive is one of several disks", offset=end)
    if start + length > end:
        raise UnreadableFileError(label, "the archive's directory ends after its end record", offset=end)
    return start, length, count


def _entry(directory: bytes, at: int, label: str) -> tuple[_Entry, int]:
    row = _ENTRY.unpack_from(directory, at)
    mark, flags, method, packed, size = row[0], row[3], row[4], row[8], row[9]
    name_length, extra_length, comment_length, offset = row[10], row[11], row[12], row[16]
    at += _ENTRY.size
    name = directory[at : at + name_length]
    extra = directory[at + name_length : at + name_length + extra_length]
    at += name_length + extra_length + comment_length
    if mark != b"PK\x01\x02" or at > len(directory):
        raise UnreadableFileError(label, "the archive's directory is corrupt")
    if flags & 1:
        raise UnreadableFileError(label, f"{name!r} is encrypted")
    if method not in (_STORED, _DEFLATED):
        raise UnreadableFileError(label, f"{name!r} is compressed by method {method}, which is not known")
    size, packed, offset = _large(extra, (size, packed, offset))
    return _Entry(name, bool(flags & 0x800), method, packed, size, offset), at


def _large(extra: bytes, plain: tuple[int, int, int]) -> tuple[int, int, int]:
    """Put in the sizes and the offset that are too large for the entry itself."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            size, packed, offset = (next(numbers, n) if n == 0xFFFFFFFF else n for n in plain)
            return size, packed, offset
        at += 4 + length
    return plain


def _member(file: BinaryIO, entry: _Entry, limit: int, label: str) -> Member:
    file.seek(entry.offset)
    begin = file.read(_LOCAL.size + len(entry.name) + _FETCH)
    row = _LOCAL.unpack_from(begin)
    start = _LOCAL.size + row[9] + row[10]
    name = entry.name.decode("utf-8" if entry.utf8 else "cp437", "backslashreplace")
    if row[0] != b"PK\x03\x04" or begin[_LOCAL.size : _LOCAL.size + row[9]] != entry.name:
        raise UnreadableFileError(label, f"{name!r} is not where the directory says", offset=entry.offset)
    if row[3] != entry.method:
        raise UnreadableFileError(label, f"{name!r} is stored in two ways at once", offset=entry.offset)
    if entry.offset + start + entry.packed > limit:
        raise UnreadableFileError(label, f"{name!r} ends after the archive's data", offset=entry.offset)
    if entry.method == _STORED and entry.packed != entry.size:
        raise UnreadableFileError(label, f"{name!r} has two lengths", offset=entry.offset)
    head = begin[start : start + min(entry.packed, _FETCH)]
    where = entry.offset + start
    return Member(name, entry.method == _DEFLATED, where, entry.packed, entry.size, head)


def _check_apart(found: dict[str, Member], label: str) -> None:
    end = 0
    for member in sorted(found.values(), key=lambda member: (member.start, member.packed)):
        if member.start < end:
            raise UnreadableFileError(label, f"{member.name!r} overlaps another file", offset=member.start)
        end = member.start + member.packed
