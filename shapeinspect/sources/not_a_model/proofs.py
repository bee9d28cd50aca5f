"""What the first bytes alone do not show: checksums, fields, what is packed, what is beside a file."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import PurePath
from struct import unpack_from

from shapeinspect.errors import ShapeInspectError
from shapeinspect.sources.source import Source

#: Castagnoli's polynomial, reflected.
_CRC32C = 0x82F63B78
#: Source: TensorFlow, ``tsl/lib/hash/crc32c.h``.
_MASK = 0xA282EAD8
_PICKLED = 4096
#: A checkpoint's first pickle, a number by itself.
_CHECKPOINT = b"\x80\x02\x8a\x0a"


def is_record(source: Source) -> bool:
    """Tell whether a file begins with a record whose length has the right checksum.

    Args:
        source: the file.

    Source: TensorFlow, ``tensorflow/core/lib/io/record_writer.h``: length, masked checksum, data.
    """
    if len(source.head) < 12:
        return False
    length, wanted = unpack_from("<QL", source.head)
    crc = 0xFFFFFFFF
    for byte in source.head[:8]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC32C if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF
    return bool(masked == wanted and length + 16 <= (source.size or 0))


#: The wire types of the fields of a tensor message. Source: ONNX, ``onnx.proto3``, TensorProto.
_TENSOR = {
    1: (0, 2), 2: (0,), 3: (2,), 4: (2, 5), 5: (0, 2), 6: (2,), 7: (0, 2), 8: (2,), 9: (2,), 10: (1, 2),
    11: (0, 2), 12: (2,), 13: (2,), 14: (0,),
}  # fmt: skip
_DATA = {4, 5, 6, 7, 9, 10, 11, 13}


def is_tensor(source: Source) -> bool:
    """Tell whether a file is one tensor message: a type, lengths, data, and nothing else.

    Args:
        source: the file.
    """
    head, at, seen = source.head, 0, set()
    while at < len(head):
        tag, at = _varint(head, at)
        number, wire = tag >> 3, tag & 7
        if wire not in _TENSOR.get(number, ()):
            return False
        seen.add(number)
        if wire == 0:
            _, at = _varint(head, at)
        elif wire == 2:
            length, at = _varint(head, at)
            at += length
        else:
            at += 4 if wire == 5 else 8
    return 2 in seen and bool(seen & _DATA) and (at == len(head) or at <= (source.size or 0))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    return value, len(data) + 1


def is_flatbuffer(source: Source) -> bool:
    """Tell whether a file begins as a FlatBuffer does: with the place of a table that has a vtable.

    Args:
        source: the file.
    """
    head = source.head
    if len(head) < 32:
        return False
    root = int(unpack_from("<L", head)[0])
    if not 4 <= root <= len(head) - 4 or root % 4:
        return False
    vtable = root - int(unpack_from("<l", head, root)[0])
    if not 4 <= vtable <= len(head) - 4 or vtable % 2:
        return False
    size, table = unpack_from("<HH", head, vtable)
    return bool(4 <= size <= 256 and 4 <= table <= 1024 and size % 2 == 0)


def pickles(words: bytes) -> Callable[[Source], bool]:
    """Return a proof that a pickle, also one packed with zlib, begins with classes of some packages.

    Args:
        words: a pattern of the packages' names.
    """
    named = re.compile(rb"(?:c|\x8c.|X.\x00{3})(?:" + words + rb")[.\n\x94A-Za-z_]", re.DOTALL)

    def proof(source: Source) -> bool:
        data = source.head
        if data[:1] == b"x":
            try:
                data = zlib.decompressobj().decompress(data, _PICKLED)
            except zlib.error:
                return False
        return (
            data[:1] == b"\x80"
            and not data.startswith(_CHECKPOINT)
            and named.search(data[:_PICKLED]) is not None
        )

    return proof


def beside(ending: str, begins: bytes) -> Callable[[Source], bool]:
    """Return a proof that a file of the same name with another ending begins in some way.

    Args:
        ending: that ending.
        begins: a pattern of its first bytes.
    """
    pattern = re.compile(begins, re.DOTALL)

    def proof(source: Source) -> bool:
        if source.path is None:  # a remote file: no more requests for an error
            return False
        try:
            other = source.sibling(f"{PurePath(source.name).stem}{ending}")
        except ShapeInspectError:
            return False
        return pattern.match(other.head) is not None

    return proof


def named(ending: str, proof: Callable[[Source], bool] | None = None) -> Callable[[Source], bool]:
    """Return a proof that a file's name ends in some way, for formats whose first bytes say little.

    Args:
        ending: the ending.
        proof: what else must hold.
    """
    return lambda source: source.suffix == ending and (proof is None or proof(source))
