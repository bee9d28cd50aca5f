"""LevelDB tables made by hand: what the format allows, and what it does not."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import from_path
from shapeinspect_tensorflow.adapters.checkpoint import ADAPTER
from shapeinspect_tensorflow.tables import bundle, snappy
from shapeinspect_tensorflow.tables.crc32c import masked

Entry = tuple[bytes, bytes]
HEADER = (b"", b"\x08\x01")


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def block(entries: Sequence[Entry]) -> bytes:
    body, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(last), len(key)) and last[shared] == key[shared]:
            shared += 1
        body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return body + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def sealed(data: bytes, compression: int = 0) -> bytes:
    stored = data + bytes([compression])
    return stored + masked(stored).to_bytes(4, "little")


def table(blocks: Sequence[tuple[bytes, int]], handles: Sequence[tuple[int, int]] | None = None) -> bytes:
    """Lay out blocks, the index block with their handles, an empty metaindex, and the footer."""
    out, found = b"", []
    for data, compression in blocks:
        found.append((len(out), len(data)))
        out += sealed(data, compression)
    names = [(bytes([index + 1]) * 3, varint(a) + varint(b)) for index, (a, b) in enumerate(handles or found)]
    meta = (len(out), len(block([])))
    out += sealed(block([]))
    index = (len(out), len(block(names)))
    out += sealed(block(names))
    footer = b"".join(varint(number) for number in (*meta, *index))
    return out + footer.ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")


def entry(dims: Sequence[int], nbytes: int, shard: int = 0, offset: int = 0, dtype: int = 1) -> bytes:
    shape = b"".join(
        b"\x12" + varint(len(one)) + one for one in (b"\x08" + varint(dim % 2**64) for dim in dims)
    )
    place = b"\x18" + varint(shard) + b"\x20" + varint(offset % 2**64) + b"\x28" + varint(nbytes)
    return b"\x08" + varint(dtype) + b"\x12" + varint(len(shape)) + shape + place


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(path: Path, data: bytes) -> bundle.Bundle:
    return bundle.read(from_path(written(path, data)))


def test_reads_what_it_made(tmp_path: Path) -> None:
    rows = [HEADER, (b"layer/bias", entry((5,), 20)), (b"layer/kernel", entry((3, 5), 60, offset=20))]
    found = read(tmp_path / "a.index", table([(block(rows[:2]), 0), (block(rows[2:]), 0)]))
    assert [(one.key, one.shape, one.offset) for one in found.entries] == [
        ("layer/bias", (5,), 0), ("layer/kernel", (3, 5), 20),
    ]  # fmt: skip


def test_reads_compressed_blocks(tmp_path: Path) -> None:
    data = block([HEADER, *((b"kernel%d" % number, entry((5,), 20)) for number in range(9))])
    literal = varint(len(data)) + b"".join(
        bytes([(len(piece) - 1) << 2]) + piece
        for piece in (data[at : at + 60] for at in range(0, len(data), 60))
    )
    assert len(read(tmp_path / "a.index", table([(literal, 1)])).entries) == 9


def test_snappy_copies() -> None:
    # abcd; copy 4 from 4 back with one byte of offset; 8 from 2 back, which overlaps itself; then
    # 3 from 16 back with two bytes, and 5 from 1 back with four.
    packed = b"\x18\x0cabcd\x01\x04\x11\x02\x0a\x10\x00\x13\x01\x00\x00\x00"
    assert snappy.decode(packed) == b"abcdabcd" + b"cd" * 4 + b"abc" + b"ccccc"


@pytest.mark.parametrize(
    "packed",
    [b"", b"\x80", b"\xff\xff\xff\xff\x7f", b"\x04\x0cabc", b"\x04\x01\x04", b"\x08\x0cabcd", b"\x02\x0cabcd",
     b"\x08\x0cabcd\x01\x05", b"\x08\x0cabcd\x01\x00", b"\x04\xf0", b"\x04\xfc\xff\xff\xff\xff"],
)  # fmt: skip
def test_refuses_malformed_snappy(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"^its? "):
        snappy.decode(packed)


GOOD = (b"w", entry((3, 5), 60))
LIES = {
    "a shape of negative length": [HEADER, (b"w", entry((3, -5), 60))],
    "an unknown length": [HEADER, (b"w", entry((-1, 5), 60))],
    "a size that is not that of the shape": [HEADER, (b"w", entry((3, 5), 64))],
    "a shard that is not there": [HEADER, (b"w", entry((3, 5), 60, shard=1))],
    "a negative offset": [HEADER, (b"w", entry((3, 5), 60, offset=-8))],
    "two million lengths": [HEADER, (b"w", entry((1,) * 300, 4))],
    "no header": [GOOD],
    "no data files": [(b"", b"\x08\x00"), GOOD],
    "too many data files": [(b"", b"\x08" + varint(10**9)), GOOD],
    "names out of order": [HEADER, GOOD, (b"a", entry((3, 5), 60))],
    "a name twice": [HEADER, GOOD, GOOD],
}


@pytest.mark.parametrize("rows", LIES.values(), ids=LIES)
def test_refuses_lies(tmp_path: Path, rows: list[Entry]) -> None:
    with pytest.raises(UnreadableFileError):
        read(tmp_path / "a.index", table([(block(rows), 0)]))


def test_refuses_blocks_that_lie(tmp_path: Path) -> None:
    data = block([HEADER, GOOD])
    broken = [
        table([(data, 7)]),  # an unknown compression
        table([(data, 0)], [(0, len(data)), (0, len(data))]),  # one block listed twice
        table([(data, 0)], [(0, 10**9)]),
        table([(data[:-4] + b"\xff\xff\xff\x0f", 0)]),  # more restarts than bytes
        table([(b"\x05\x01\x01aa" + data, 0)]),  # a shared prefix of nothing
        table([(varint(2**40) + data, 0)]),
        table([(data, 0)]).replace(b"w", b"v"),  # a wrong checksum
        table([(data, 0)])[:-1] + b"\0",
    ]
    for number, content in enumerate(broken):
        with pytest.raises(UnreadableFileError):
            read(tmp_path / f"{number}.index", content)


def test_mutations_behind_a_right_checksum(tmp_path: Path) -> None:
    rng = random.Random(20)
    data = block([HEADER, *((b"layer%d/kernel" % number, entry((3, 5), 60)) for number in range(4))])
    read_well = 0
    for number in range(300):
        mutated = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            mutated[rng.randrange(len(data))] = rng.randrange(256)
        path = written(tmp_path / f"{number}.index", table([(bytes(mutated), 0)]))
        with contextlib.suppress(UnreadableFileError):
            ADAPTER.read(from_path(path))
            read_well += 1
    assert 0 < read_well < 300


def test_a_variable_of_a_gigabyte_is_not_read(tmp_path: Path, counted: Callable[[], int]) -> None:
    rows = [HEADER, (b"layer/kernel", entry((1 << 14, 1 << 14), 1 << 30))]
    path = written(tmp_path / "big.index", table([(block(rows), 0)]))
    data = tmp_path / "big.data-00000-of-00001"
    with data.open("wb") as file:
        file.truncate(1 << 30)
    model = ADAPTER.read(from_path(path))
    assert [weight.nbytes for layer in model.layers for weight in layer.weights] == [1 << 30]
    assert model.notes == ()
    assert counted() < 10_000
    with data.open("r+b") as file:
        file.truncate((1 << 30) - 7)
    assert [note.text for note in ADAPTER.read(from_path(path)).notes] == [
        'the data file "big.data-00000-of-00001" is 7 bytes too short for its last variable'
    ]
