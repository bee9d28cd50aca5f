"""Seeded damage to the bytes of a file: the same seed gives the same file on every machine."""

from __future__ import annotations

from random import Random

_BYTES = (0x00, 0xFF, 0x7F, 0x80, 0x01, 0x20, 0x22, 0x2D, 0x39)
_DIGITS = (b"", b"0", b"9", b"-", b".5", b"e9", b"99999999999999999999", b"x")
_NUMBERS = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1)
_TEXTS = (
    b"\x1b[31m", b"\xc2\x9b", b"\xe2\x80\xae", b"\r", b"\x00", b"../../etc/passwd", b"/etc/passwd", b"[/x]",
    b"9" * 5000, b"-1", b"1e999", b"NaN", b"true", b"null", b"[[[[", b'"', b"\xff\xfe", b"=cmd()", b"\\u0000",
)  # fmt: skip


def mutated(content: bytes, seed: int) -> bytes:
    """Change a file in one to four places.

    Args:
        content: the file.
        seed: which change.
    """
    random = Random(seed)
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        _STEPS[random.randrange(len(_STEPS))](data, random)
    return bytes(data)


def _place(data: bytearray, random: Random) -> int:
    # Headers stand at the beginning, directories at the end: both are hit more often than the middle.
    size = len(data)
    where = random.random()
    if where < 0.3:
        return random.randrange(min(size, 256)) if size else 0
    if where < 0.45:
        return size - 1 - random.randrange(min(size, 512)) if size else 0
    return random.randrange(size) if size else 0


def _flip(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    data[at : at + 1] = bytes(byte ^ (1 << random.randrange(8)) for byte in data[at : at + 1])


def _set(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    data[at : at + 1] = bytes([random.choice(_BYTES)]) if data else b""


def _number(data: bytearray, random: Random) -> None:
    at, width = _place(data, random), random.choice((2, 4, 4, 8, 8))
    number = (random.choice(_NUMBERS) + random.choice((-1, 0, 0, 1))) % (1 << 8 * width)
    data[at : at + width] = number.to_bytes(width, random.choice(("little", "little", "big")))


def _noise(data: bytearray, random: Random) -> None:
    at, count = _place(data, random), random.randrange(1, 16)
    data[at : at + count] = random.randbytes(count)


def _insert(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    data[at:at] = random.choice(_TEXTS)


def _overwrite(data: bytearray, random: Random) -> None:
    at, text = _place(data, random), random.choice(_TEXTS)
    data[at : at + len(text)] = text


def _remove(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    del data[at : at + random.choice((1, 1, 4, 8, 32))]


def _repeat(data: bytearray, random: Random) -> None:
    at, count = _place(data, random), random.choice((1, 4, 16, 64))
    data[at:at] = data[at : at + count] * random.choice((1, 1, 2, 20))


def _move(data: bytearray, random: Random) -> None:
    here, there, count = _place(data, random), _place(data, random), random.choice((1, 4, 16, 64))
    data[there : there + count] = data[here : here + count]


def _digit(data: bytearray, random: Random) -> None:
    # A number in a text, as JSON headers have them.
    digits = [at for at in range(min(len(data), 20_000)) if 0x30 <= data[at] <= 0x39]
    if digits:
        at = random.choice(digits)
        data[at : at + 1] = random.choice(
            (b"", b"0", b"9", b"-", b".5", b"e9", b"99999999999999999999", b"x")
        )


_STEPS = (_flip, _flip, _set, _number, _number, _noise, _insert, _overwrite, _remove, _repeat, _move, _digit)
