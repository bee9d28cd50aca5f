"""CRC-32C, with the mask of LevelDB's tables.

Source: polynomial 0x1EDC6F41, bits reversed, of RFC 3720 appendix B.4; the mask is ``crc32c::Mask``
of tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_WORD = Struct("<I")


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        rows.append(crc)
    return tuple(rows)


@lru_cache(maxsize=1)
def _of_words() -> tuple[tuple[int, ...], ...]:
    """Return what each of the four bytes of a word comes to, the last one first."""
    tables = [_table()]
    for _ in range(3):  # one more byte of zeros follows
        tables.append(tuple([tables[0][crc & 0xFF] ^ crc >> 8 for crc in tables[-1]]))
    return tuple(tables)


def crc32c(data: bytes) -> int:
    """Return the checksum of some bytes.

    Args:
        data: the bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    last, third, second, first = _of_words()
    crc, whole = 0xFFFFFFFF, len(data) & ~3
    view = memoryview(data)
    for (word,) in _WORD.iter_unpack(view[:whole]):
        crc ^= word
        crc = first[crc & 0xFF] ^ second[crc >> 8 & 0xFF] ^ third[crc >> 16 & 0xFF] ^ last[crc >> 24]
    for byte in view[whole:]:
        crc = last[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """Return the checksum as a table stores it.

    Args:
        data: the bytes.

    Example:
        >>> hex(masked(b"123456789"))
        '0xc78ab0e5'
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
