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
#: The bytes from which on the tables of pairs are worth their making.
_LONG = 1 << 12


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
def _of_pairs() -> tuple[list[int], list[int]]:
    """Return what the two lower and the two upper bytes of a word of four come to."""
    table = _table()
    one = [table[pair & 0xFF] ^ pair >> 8 for pair in range(1 << 16)]
    high = [table[crc & 0xFF] ^ crc >> 8 for crc in one]
    one = [table[crc & 0xFF] ^ crc >> 8 for crc in high]  # two bytes of zeros follow
    return [table[crc & 0xFF] ^ crc >> 8 for crc in one], high


def crc32c(data: bytes) -> int:
    """Return the checksum of some bytes.

    Args:
        data: the bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    table, crc, done = _table(), 0xFFFFFFFF, 0
    if len(data) >= _LONG:
        low, high = _of_pairs()
        done = len(data) & ~3
        for (word,) in _WORD.iter_unpack(memoryview(data)[:done]):
            crc ^= word
            crc = low[crc & 0xFFFF] ^ high[crc >> 16]
    for byte in memoryview(data)[done:]:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
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
