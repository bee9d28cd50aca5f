"""Reads a zip archive by its central directory alone; members are located by offset, never extracted.

Unlike ``zipfile`` it never resolves ambiguity: an archive that different readers would read differently
(duplicate or overlapping members, a local header that contradicts the directory) is refused.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory),
4.3.14 to 4.3.16 (end records), 4.5.3 (zip64 extra field).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from struct import Struct
from typing import NamedTuple

from shapeinspect.binary.window import Window

#: The first bytes of an archive whose first member is at offset 0.
MAGIC = b"PK\x03\x04"
#: The most bytes that one deflated member is inflated to.
MAX_INFLATED = 4 << 30
_END = Struct("<4s4H2LH")
_END64 = Struct("<4sQ2H2L4Q")
_LOCATOR64 = Struct("<4sLQL")
_CENTRAL = Struct("<4s6H3L5H2L")
_LOCAL = Struct("<4s5H3L2H")
_TAG = Struct("<2H")
#: Nonempty parts without a backslash, a colon or a NUL, and at most one slash at the end.
_INSIDE = re.compile(rb"[^/\\:\0]+(?:/[^/\\:\0]+)*/?")
#: A member that is read as a whole may inflate to so many bytes, or to so many times what is stored. Text of
#: thousands of equal layers is stored in a seventieth of its length, a bomb in a thousandth.
_INFLATED_FREELY, _RATIO = 4 << 20, 100
_MAX_NAME = 4096
#: Shorter reads go through the window's pages, which already hold the local header.
_SMALL = 4096
_MAX_COMMENT = 65_535
_MAX_DIRECTORY = 64 << 20
#: As many arrays as a checkpoint has of tensors. One file with all weights of 60 blocks of 384 experts, their
#: two moments and their steps would have 276,480; such training states are sharded.
_MAX_MEMBERS = 300_000
_WIDE = 0xFFFFFFFF
_ENCRYPTED = 0x2041  # bit 0: encrypted, bit 6: strong encryption, bit 13: masked headers
_SIZES_FOLLOW = 0x0008  # bit 3: the local header leaves the sizes out
_STORED, _DEFLATED = 0, 8


class Member(NamedTuple):
    """One entry of the central directory.

    Args:
        name: its full name.
        raw: the same name as the archive spells it.
        header: the offset of its local header.
        stored: its size in the archive, in bytes.
        size: its uncompressed size, in bytes.
        deflated: whether it is compressed.
    """

    name: str
    raw: bytes
    header: int
    stored: int
    size: int
    deflated: bool


def first_name(head: bytes) -> bytes:
    r"""Return the name of an archive's first member.

    Args:
        head: the first bytes of the file, which begin with :data:`MAGIC`.

    Example:
        >>> first_name(MAGIC + bytes(22) + b"\x05\0\0\0" + b"a.npymore")
        b'a.npy'
    """
    return head[_LOCAL.size : _LOCAL.size + int.from_bytes(head[26:28], "little")]


class Archive:
    """The members of an archive.

    Args:
        window: the archive, which stays open as long as members are read.
        keys: whether names are the keys of a mapping, as in an ``.npz``, where any text is valid; otherwise
            a name that would lead outside a directory is refused.

    Raises:
        UnreadableFileError: if it is cut off, encrypted, split, ambiguous or malformed.
    """

    def __init__(self, window: Window, *, keys: bool = False) -> None:
        self.window = window
        self._keys = keys
        size = window.size
        # The end of the file holds the end records and, except in large archives, the directory.
        self._tail_at = max(0, size - _MAX_COMMENT - _END.size)
        self._tail = window.span(self._tail_at, size)
        self.members: Mapping[str, Member] = self._directory(*self._end())
        self._tail = b""

    def root(self) -> str:
        """Return the directory that contains all members.

        Raises:
            UnreadableFileError: if there are several, or none.
        """
        roots = {name.partition("/")[0] for name in self.members}
        if len(roots) != 1:
            shown = ", ".join(repr(name) for name in sorted(roots)[:3])
            raise self.window.fail(f"the archive has {len(roots)} root directories ({shown}), not one")
        return roots.pop()

    def read(self, name: str, limit: int) -> bytes:
        """Return the contents of a member.

        Args:
            name: its full name.
            limit: the most bytes it may have.

        Raises:
            UnreadableFileError: if there is no such member, it is larger, is a bomb, or is damaged.
        """
        member = self.members.get(name)
        if member is None:
            raise self.window.fail(f"the archive has no member {name!r}")
        if member.size > limit:
            reason = f"member {name!r} has {member.size:,} bytes, more than {limit:,}"
            raise self.window.fail(reason, member.header)
        start = payload(self.window, member)
        raw = self.window.span(start, start + member.stored)
        if not member.deflated:
            return raw
        if member.size > max(_INFLATED_FREELY, _RATIO * member.stored):
            reason = f"member {name!r} inflates from {member.stored:,} to {member.size:,} bytes"
            raise self.window.fail(reason, member.header)
        # One byte more than stated is enough to see that the stated size is wrong.
        data = _inflate(self.window, member, raw, member.size + 1)
        if len(data) != member.size:
            reason = f"member {name!r} does not inflate to its stated {member.size:,} bytes"
            raise self.window.fail(reason, start)
        return data

    def begin(self, member: Member, count: int) -> bytes:
        """Return the first bytes of a member, or all of a shorter one.

        Args:
            member: the member.
            count: the number of bytes.

        Raises:
            UnreadableFileError: if it is damaged.
        """
        return contents(self.window, member, 0, min(count, member.size))

    def _bytes(self, offset: int, size: int) -> bytes:
        if size > self.window.size - offset:
            raise self.window.fail("the archive is cut off", offset)
        if offset >= self._tail_at:
            return self._tail[offset - self._tail_at : offset - self._tail_at + size]
        return self.window.span(offset, offset + size)

    def _end(self) -> tuple[int, int, int]:
        """Return the count, offset and length of the central directory."""
        size, fail, tail = self.window.size, self.window.fail, self._tail
        index = tail.rfind(b"PK\x05\x06")
        if index < 0 or index + _END.size > len(tail):
            reason = "the archive has no end record; it is cut off or not a zip file"
            raise fail(reason, size, hint="copy or download it again")
        position = self._tail_at + index
        _, *fields, comment = _END.unpack_from(tail, index)
        if position + _END.size + comment != size:
            raise fail("bytes follow the end of the archive", position)
        wide = self._end64(position)
        if wide is None:
            values, end = tuple(fields), position
        else:
            # torch's writer always adds the zip64 records; both must agree.
            values, end = wide
            for small, large in zip(fields, values, strict=True):
                if small not in (large, 0xFFFF, _WIDE):
                    raise fail("the two end records of the archive contradict each other", position)
        disk, first_disk, disk_count, count, length, offset = values
        if disk or first_disk or disk_count != count:
            raise fail("the archive is split into several files", position)
        if offset + length != end:
            raise fail("the central directory does not end where the archive says", position)
        return count, offset, length

    def _end64(self, end: int) -> tuple[tuple[int, ...], int] | None:
        """Return the fields and the offset of the zip64 end record, if there is one."""
        if end < _LOCATOR64.size + _END64.size:
            return None
        signature, _, start, _ = _LOCATOR64.unpack(self._bytes(end - _LOCATOR64.size, _LOCATOR64.size))
        if signature != b"PK\x06\x07":
            return None
        if start != end - _LOCATOR64.size - _END64.size:
            raise self.window.fail("the zip64 end record is not where the archive says", end)
        fields = _END64.unpack(self._bytes(start, _END64.size))
        if fields[0] != b"PK\x06\x06":
            raise self.window.fail("the archive has no zip64 end record", start)
        return fields[4:], start

    def _directory(self, count: int, offset: int, length: int) -> dict[str, Member]:
        fail = self.window.fail
        if count > _MAX_MEMBERS:
            raise fail(f"the archive has {count:,} members, more than {_MAX_MEMBERS:,}", offset)
        if length > _MAX_DIRECTORY or count * _CENTRAL.size > length:
            raise fail(f"the central directory cannot hold {count:,} members in {length:,} bytes", offset)
        data = self._bytes(offset, length)
        members: dict[str, Member] = {}
        position = 0
        for _ in range(count):
            if position + _CENTRAL.size > length:
                raise fail("the central directory is cut off", offset + position)
            fields = _CENTRAL.unpack_from(data, position)
            names, extras, comments = fields[10:13]
            start = position + _CENTRAL.size
            position = start + names + extras + comments
            if fields[0] != b"PK\x01\x02" or position > length:
                raise fail("the central directory is damaged", offset + start)
            member = self._member(
                fields, data[start : start + names], data[start + names : position - comments]
            )
            if member.name in members:
                raise fail(f"member {member.name!r} occurs twice", offset + start)
            members[member.name] = member
        if position != length:
            raise fail("the central directory is longer than its members", offset + position)
        self._check_apart(members.values(), offset)
        return members

    def _check_apart(self, members: Iterable[Member], end: int) -> None:
        """Refuse members that share bytes, as in a zip bomb without nesting."""
        for member in sorted(members, key=lambda member: member.header, reverse=True):
            if member.header + _LOCAL.size + len(member.raw) + member.stored > end:
                raise self.window.fail(f"member {member.name!r} overlaps what follows it", member.header)
            end = member.header

    def _member(self, fields: tuple[int, ...], raw: bytes, extra: bytes) -> Member:
        fail = self.window.fail
        flags, method, stored, size, header = fields[3], fields[4], fields[8], fields[9], fields[16]
        if _WIDE in (stored, size, header):
            size, stored, header = _widen(size, stored, header, extra)
        # torch writes UTF-8 without the flag; what is not UTF-8 is in the zip format's own code page.
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            name = raw.decode("cp437")
        if flags & _ENCRYPTED:
            raise fail(f"member {name!r} is encrypted", header)
        if method not in (_STORED, _DEFLATED) or (method == _STORED and stored != size):
            reason = f"member {name!r} uses an unknown compression method ({method})"
            raise fail(reason, header)
        if len(raw) > _MAX_NAME:
            raise fail(f"member {name[:40]!r}… has a name of {len(raw):,} bytes", header)
        if not self._keys and (not _INSIDE.fullmatch(raw) or (b".." in raw and b".." in raw.split(b"/"))):
            raise fail(f"member {name!r} names a path outside the archive", header)
        if header + _LOCAL.size + stored > self.window.size:
            raise fail(f"member {name!r} reaches beyond the end of the file", header)
        return Member(name, raw, header, stored, size, method == _DEFLATED)


def payload(window: Window, member: Member) -> int:
    """Return the offset of a member's bytes, according to its local header.

    Args:
        window: the archive.
        member: the member.

    Raises:
        UnreadableFileError: if the local header is missing or contradicts the central directory.
    """
    offset, names = member.header, len(member.raw)
    head = window.span(offset, min(offset + _LOCAL.size + names, window.size))
    if len(head) < _LOCAL.size or not head.startswith(MAGIC):
        raise window.fail(f"member {member.name!r} has no local header", offset)
    _, _, flags, method, _, _, _, stored, size, length, extra = _LOCAL.unpack_from(head)
    sizes = (stored, size)
    sizes_agree = flags & _SIZES_FOLLOW or _WIDE in sizes or sizes == (member.stored, member.size)
    if (
        flags & _ENCRYPTED
        or method != (_DEFLATED if member.deflated else _STORED)
        or length != names
        or head[_LOCAL.size :] != member.raw
        or not sizes_agree
    ):
        raise window.fail(f"the local header of member {member.name!r} contradicts the directory", offset)
    start: int = offset + _LOCAL.size + names + extra
    if start + member.stored > window.size:
        raise window.fail(f"member {member.name!r} reaches beyond the end of the file", start)
    return start


def contents(window: Window, member: Member, first: int, count: int) -> bytes:
    """Return a range of a member's bytes, such as one tensor; of a stored member, only these are read.

    Args:
        window: the archive.
        member: the member.
        first: the first byte.
        count: the number of bytes.

    Raises:
        UnreadableFileError: if it has no such bytes, or is damaged.
    """
    start = payload(window, member)
    if first + count > member.size:
        reason = f"bytes {first:,} to {first + count:,} of member {member.name!r} were requested, but it has"
        raise window.fail(f"{reason} {member.size:,}", start)
    if not member.deflated:
        read = window.span if count < _SMALL else window.whole
        return read(start + first, start + first + count)
    if first + count > MAX_INFLATED:
        raise window.fail(f"member {member.name!r} is too large to inflate", start)
    # Deflate adds at most about a thousandth to data that it cannot compress.
    packed = min(member.stored, first + count + (first + count) // 1000 + 1024)
    data = _inflate(window, member, window.whole(start, start + packed), first + count)[first:]
    if len(data) != count:
        raise window.fail(
            f"member {member.name!r} does not inflate to its stated {member.size:,} bytes", start
        )
    return data


def _inflate(window: Window, member: Member, data: bytes, most: int) -> bytes:
    """Inflate at most ``most`` bytes from the beginning of a member."""
    import zlib

    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max(most, 1))
    except zlib.error as error:
        reason = f"member {member.name!r} cannot be inflated: {error}"
        raise window.fail(reason, member.header) from None


def _widen(size: int, stored: int, header: int, extra: bytes) -> tuple[int, int, int]:
    # The zip64 extra field (id 1) holds, in this order, those of the three that do not fit.
    position = 0
    while position + 4 <= len(extra):
        tag, length = _TAG.unpack_from(extra, position)
        if tag == 1:
            body = extra[position + 4 : position + 4 + length]
            wide = iter([int.from_bytes(body[i : i + 8], "little") for i in range(0, len(body) - 7, 8)])
            values = [next(wide, value) if value == _WIDE else value for value in (size, stored, header)]
            return values[0], values[1], values[2]
        position += 4 + length
    return size, stored, header
