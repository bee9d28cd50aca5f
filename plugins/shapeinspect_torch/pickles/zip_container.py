"""A zip archive read by its central directory alone, with members found by offset.

Unlike ``zipfile`` it never chooses between two answers: an archive that different readers would
read differently (duplicate members, a local header of another name) is refused.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
4.3.14 to 4.3.16 (end records), 4.5.3 (zip64 extra field).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from struct import Struct
from typing import BinaryIO, NamedTuple, NoReturn

from shapeinspect.errors import UnreadableFileError

_END = Struct("<4s4H2LH")
_END64 = Struct("<4sQ2H2L4Q")
_LOCATOR64 = Struct("<4sLQL")
_CENTRAL = Struct("<4s6H3L5H2L")
_LOCAL = Struct("<4s5H3L2H")
_TAG = Struct("<2H")
#: Parts of some length without a backslash, a colon or a NUL, and at most one slash at the end.
_INSIDE = re.compile(rb"[^/\\:\0]+(?:/[^/\\:\0]+)*/?")
_MAX_NAME = 4096
_MAX_COMMENT = 65_535
_MAX_DIRECTORY = 256 << 20
_WIDE = 0xFFFFFFFF
_ENCRYPTED = 0x2041  # bit 0: encrypted, bit 6: strong encryption, bit 13: masked headers
_STORED, _DEFLATED = 0, 8


class Member(NamedTuple):
    """One entry of the central directory.

    Args:
        name: its full name.
        header: where its local header begins.
        stored: bytes it takes in the archive.
        size: bytes it has when taken out.
        method: 0 stored, 8 deflated.
    """

    name: str
    header: int
    stored: int
    size: int
    method: int


def payload(file: BinaryIO, size: int, label: str, member: Member) -> int:
    """Return where a member's bytes begin, by its own local header.

    Args:
        file: the archive, open for reading.
        size: its length in bytes.
        label: how errors name it.
        member: the member.

    Raises:
        UnreadableFileError: if the local header is missing or says otherwise.
    """
    file.seek(member.header)
    head = file.read(_LOCAL.size + _MAX_NAME)
    if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise UnreadableFileError(
            label, f"there is no local header of member {member.name!r}", offset=member.header
        )
    fields = _LOCAL.unpack_from(head)
    flags, method, name_length, extra_length = fields[2], fields[3], *fields[9:]
    name = head[_LOCAL.size : _LOCAL.size + name_length]
    if (
        flags & _ENCRYPTED
        or method != member.method
        or name != member.name.encode("utf-8", "surrogateescape")
    ):
        raise UnreadableFileError(
            label, f"the local header of member {member.name!r} says otherwise", offset=member.header
        )
    start: int = member.header + _LOCAL.size + name_length + extra_length
    if start + member.stored > size:
        raise UnreadableFileError(
            label, f"member {member.name!r} reaches beyond the end of the file", offset=start
        )
    return start


class ZipContainer:
    """The members of an open archive.

    Args:
        file: the archive, open for reading.
        size: its length in bytes.
        label: how errors name it.

    Raises:
        UnreadableFileError: if it is cut off, encrypted, split, ambiguous or malformed.
    """

    def __init__(self, file: BinaryIO, size: int, label: str) -> None:
        self._file = file
        self._size = size
        self._label = label
        self.members: Mapping[str, Member] = self._directory(*self._end())

    def read(self, name: str, limit: int) -> bytes:
        """Take a member out.

        Args:
            name: its full name.
            limit: the most bytes it may have.

        Raises:
            UnreadableFileError: if there is no such member, it is larger, or it is damaged.
        """
        member = self.members.get(name)
        if member is None:
            self._fail(f"the archive has no member {name!r}")
        if member.size > limit:
            self._fail(f"member {name!r} has {member.size:,} bytes, more than {limit:,}", member.header)
        start = self.payload(name)
        raw = self._at(start, member.stored)
        if member.method == _STORED:
            return raw
        try:
            # One byte more than promised is enough to see that the promise is broken.
            data = zlib.decompressobj(-15).decompress(raw, member.size + 1)
        except zlib.error as error:
            self._fail(f"member {name!r} cannot be inflated: {error}", start)
        if len(data) != member.size:
            self._fail(f"member {name!r} does not inflate to the {member.size:,} bytes promised", start)
        return data

    def payload(self, name: str) -> int:
        """Return where a member's bytes begin, by its own local header.

        Args:
            name: its full name.

        Raises:
            UnreadableFileError: if the local header is missing or says otherwise.
        """
        return payload(self._file, self._size, self._label, self.members[name])

    def _fail(self, reason: str, offset: int | None = None) -> NoReturn:
        raise UnreadableFileError(self._label, reason, offset=offset)

    def _at(self, offset: int, size: int) -> bytes:
        if size > self._size - offset:
            self._fail("the archive is cut off", offset)
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            self._fail("the archive is cut off", offset)
        return data

    def _end(self) -> tuple[int, int, int]:
        """Return the count, offset and length of the central directory."""
        tail_at = max(0, self._size - _MAX_COMMENT - _END.size)
        tail = self._at(tail_at, self._size - tail_at)
        found = tail.rfind(b"PK\x05\x06")
        if found < 0 or found + _END.size > len(tail):
            raise UnreadableFileError(
                self._label,
                "the archive has no end record; it is cut off or no zip",
                offset=self._size,
                hint="copy or download it again",
            )
        at = tail_at + found
        _, *fields, comment = _END.unpack_from(tail, found)
        if at + _END.size + comment != self._size:
            self._fail("bytes follow the end of the archive", at)
        wide = self._end64(at)
        if wide is None:
            values, end = tuple(fields), at
        else:
            # torch's writer always adds the zip64 records; both must say the same.
            values, end = wide
            for small, large in zip(fields, values, strict=True):
                if small not in (large, 0xFFFF, _WIDE):
                    self._fail("the two end records of the archive contradict each other", at)
        disk, first_disk, here, count, length, offset = values
        if disk or first_disk or here != count:
            self._fail("the archive is split into several files", at)
        if offset + length != end:
            self._fail("the central directory does not end where the archive says", at)
        return count, offset, length

    def _end64(self, at: int) -> tuple[tuple[int, ...], int] | None:
        """Return the fields of the zip64 end record and where it begins, if there is one."""
        if at < _LOCATOR64.size + _END64.size:
            return None
        signature, _, where, _ = _LOCATOR64.unpack(self._at(at - _LOCATOR64.size, _LOCATOR64.size))
        if signature != b"PK\x06\x07":
            return None
        if where != at - _LOCATOR64.size - _END64.size:
            self._fail("the zip64 end record is not where the archive says", at)
        fields = _END64.unpack(self._at(where, _END64.size))
        if fields[0] != b"PK\x06\x06":
            self._fail("the archive has no zip64 end record", where)
        return fields[4:], where

    def _directory(self, count: int, offset: int, length: int) -> dict[str, Member]:
        if length > _MAX_DIRECTORY or count * _CENTRAL.size > length:
            self._fail(f"the central directory cannot hold {count:,} members in {length:,} bytes", offset)
        data = self._at(offset, length)
        members: dict[str, Member] = {}
        at = 0
        for _ in range(count):
            if at + _CENTRAL.size > length:
                self._fail("the central directory is cut off", offset + at)
            fields = _CENTRAL.unpack_from(data, at)
            names, extras, comments = fields[10:13]
            start = at + _CENTRAL.size
            at = start + names + extras + comments
            if fields[0] != b"PK\x01\x02" or at > length:
                self._fail("the central directory is damaged", offset + start)
            member = self._member(fields, data[start : start + names], data[start + names : at - comments])
            if member.name in members:
                self._fail(f"member {member.name!r} is there twice", offset + start)
            members[member.name] = member
        if at != length:
            self._fail("the central directory is longer than its members", offset + at)
        return members

    def _member(self, fields: tuple[int, ...], raw: bytes, extra: bytes) -> Member:
        flags, method, stored, size, header = fields[3], fields[4], fields[8], fields[9], fields[16]
        if _WIDE in (stored, size, header):
            size, stored, header = self._widen(size, stored, header, extra)
        # Names are bytes to torch; whatever the flag says, most are ASCII and all of ours UTF-8.
        name = raw.decode("utf-8", "surrogateescape")
        if flags & _ENCRYPTED:
            self._fail(f"member {name!r} is encrypted", header)
        if method not in (_STORED, _DEFLATED) or (method == _STORED and stored != size):
            self._fail(f"member {name!r} is compressed in a way that is not known (method {method})", header)
        if len(raw) > _MAX_NAME:
            self._fail(f"member {name[:40]!r}… has a name of {len(raw):,} bytes", header)
        if not _INSIDE.fullmatch(raw) or (b".." in raw and b".." in raw.split(b"/")):
            self._fail(f"member {name!r} names a path outside the archive", header)
        if header + _LOCAL.size + stored > self._size:
            self._fail(f"member {name!r} reaches beyond the end of the file", header)
        return Member(name, header, stored, size, method)

    def _widen(self, size: int, stored: int, header: int, extra: bytes) -> tuple[int, int, int]:
        # The zip64 extra field (id 1) holds those of the three that do not fit, in this order.
        at = 0
        while at + 4 <= len(extra):
            tag, length = _TAG.unpack_from(extra, at)
            if tag == 1:
                body = extra[at + 4 : at + 4 + length]
                wide = iter([int.from_bytes(body[i : i + 8], "little") for i in range(0, len(body) - 7, 8)])
                values = [next(wide, value) if value == _WIDE else value for value in (size, stored, header)]
                return values[0], values[1], values[2]
            at += 4 + length
        return size, stored, header
