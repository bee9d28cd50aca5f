"""CRC-32C, with the mask of LevelDB's tables.

Source: polynomial 0x1EDC6F41, bits reversed, of RFC 3720 appendix B.4; the mask is ``crc32c::Mask``
of tensorflow/core/lib/hash/crc32c.h.
"""

from __future__ import annotations

from functools import lru_cache

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        rows.append(crc)
    return tuple(rows)


def crc32c(data: bytes) -> int:
    """Return the checksum of some bytes.

    Args:
        data: the bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
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
