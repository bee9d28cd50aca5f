"""Decodes snappy blocks of compressed tables.

Source: https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations

from shapeinspect.binary.protobuf import varint

#: TensorFlow writes blocks of 256 KiB.
MAX_LENGTH = 16 << 20


def decode(data: bytes) -> bytes:
    r"""Decompress a block.

    Args:
        data: the block.

    Raises:
        ValueError: if it is malformed, or claims more than ``MAX_LENGTH`` bytes.

    Example:
        >>> decode(b"\x09\x08abc\x09\x03")
        b'abcabcabc'
    """
    length, position = _length(data)
    out = bytearray()
    while position < len(data):
        tag = data[position]
        position += 1
        if tag & 3 == 0:
            size = tag >> 2
            extra = max(size - 59, 0)
            if extra:
                size = int.from_bytes(_take(data, position, extra), "little")
                position += extra
            out += _take(data, position, size + 1)
            position += size + 1
        else:
            # One byte of offset and a short length, or two or four bytes of offset.
            extra = (0, 1, 2, 4)[tag & 3]
            offset = int.from_bytes(_take(data, position, extra), "little")
            position += extra
            size = tag >> 2
            if tag & 3 == 1:
                offset |= tag >> 5 << 8
                size = (size & 7) + 3
            _copy(out, offset, size + 1)
        if len(out) > length:
            raise ValueError(f"it unpacks to more than the {length:,} bytes it claims")
    if len(out) != length:
        raise ValueError(f"it unpacks to {len(out):,} bytes, but claims {length:,}")
    return bytes(out)


def _length(data: bytes) -> tuple[int, int]:
    value, position = varint(data, 0, longest=5)
    if position < 0:
        raise ValueError("its length is cut off")
    if value > MAX_LENGTH:
        raise ValueError(f"it claims {value:,} bytes")
    return value, position


def _take(data: bytes, start: int, size: int) -> bytes:
    piece = data[start : start + size]
    if len(piece) != size:
        raise ValueError("it is cut off")
    return piece


def _copy(out: bytearray, offset: int, size: int) -> None:
    """Repeat output from ``offset`` bytes back; the source may overlap the copy."""
    if not 0 < offset <= len(out):
        raise ValueError(f"it copies from {offset:,} bytes back, but only {len(out):,} were written")
    start = len(out) - offset
    piece = bytes(out[start : start + size])  # never the whole tail, which may be long
    out += (piece * (size // len(piece) + 1))[:size]
