"""The ``.keras`` container: a zip whose members are read by their offset, never extracted."""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from shapeinspect.binary.json_text import MAX_BYTES
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_MEMBERS = 100_000
#: What zipfile raises besides its own errors on a damaged directory.
_DAMAGE = (ValueError, struct.error, NotImplementedError, OverflowError)


@dataclass(frozen=True, slots=True)
class Member:
    """One stored file of the archive.

    Args:
        name: its name.
        offset: where its data begins in the archive.
        stored: bytes it takes in the archive.
        size: bytes it has when inflated.
        deflated: whether it is compressed.

    Example:
        >>> Member("config.json", 88, 5, 5, False).offset
        88
    """

    name: str
    offset: int
    stored: int
    size: int
    deflated: bool


def members(source: Source, file: BinaryIO, size: int) -> dict[str, Member]:
    """List an archive's members with the offset of each one's data.

    Args:
        source: the request, for errors.
        file: the open archive.
        size: its length.

    Raises:
        UnreadableFileError: if the directory is damaged, names a member twice, or a member's own
            header contradicts it.

    Source: .ZIP File Format Specification 6.3, sections 4.3.7 (local file header) and 4.3.12
        (central directory).
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, *_DAMAGE) as error:
        raise UnreadableFileError(
            source.label, f"it is no whole zip archive: {str(error)[:120]}", hint="was it cut off?"
        ) from None
    if len(entries) > _MEMBERS:
        raise UnreadableFileError(source.label, f"the archive has {len(entries):,} members")
    found: dict[str, Member] = {}
    for entry in entries:
        if entry.filename in found:
            raise UnreadableFileError(source.label, f"the archive names {entry.filename!r} twice")
        found[entry.filename] = _locate(source, file, size, entry)
    return found


def _locate(source: Source, file: BinaryIO, size: int, entry: zipfile.ZipInfo) -> Member:
    if entry.flag_bits & 1:
        raise UnreadableFileError(source.label, f"member {entry.filename!r} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableFileError(
            source.label, f"member {entry.filename!r} uses compression method {entry.compress_type}"
        )
    if not 0 <= entry.header_offset < size:
        raise UnreadableFileError(source.label, f"member {entry.filename!r} lies outside the file")
    file.seek(entry.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
        raise UnreadableFileError(
            source.label, f"member {entry.filename!r} has no header", offset=entry.header_offset
        )
    fields = _LOCAL.unpack(header)
    name, extra = fields[-2:]
    raw = file.read(name)
    encoding = "utf-8" if fields[2] & 0x800 else "cp437"
    if raw.decode(encoding, "replace") != entry.orig_filename:
        raise UnreadableFileError(
            source.label,
            f"member {entry.filename!r} has another name in its header",
            offset=entry.header_offset,
        )
    start = entry.header_offset + _LOCAL.size + name + extra
    deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    if start + entry.compress_size > size:
        raise UnreadableFileError(source.label, f"member {entry.filename!r} leads past the end", offset=start)
    if not deflated and entry.compress_size != entry.file_size:
        raise UnreadableFileError(source.label, f"member {entry.filename!r} has two sizes", offset=start)
    return Member(entry.filename, start, entry.compress_size, entry.file_size, deflated)


def content(source: Source, file: BinaryIO, member: Member, limit: int = MAX_BYTES) -> bytes:
    """Read a small member whole; what is inflated is bounded by bytes really inflated.

    Args:
        source: the request, for errors.
        file: the open archive.
        member: the member to read.
        limit: the most bytes it may have.

    Raises:
        UnreadableFileError: if it is larger, cut off, or not deflated as it says.
    """
    if member.stored > limit or member.size > limit:
        raise UnreadableFileError(source.label, f"{member.name} is larger than {limit:,} bytes")
    file.seek(member.offset)
    raw = file.read(member.stored)
    if member.deflated:
        try:
            raw = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, limit)
        except zlib.error as error:
            raise UnreadableFileError(
                source.label, f"{member.name} cannot be inflated: {error}", offset=member.offset
            ) from None
    if len(raw) != member.size:
        raise UnreadableFileError(
            source.label, f"{member.name} has {len(raw):,} bytes of {member.size:,}", offset=member.offset
        )
    return raw
