"""msgpack files that lie, are cut off or damaged: one kind of error, and little read."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgpack
import numpy as np
import pytest

from shapeinspect.binary import child_limits
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model
from shapeinspect.sources.source import from_path
from shapeinspect_flax import ocdbt
from shapeinspect_flax.adapter import ADAPTER

Read = Callable[[bytes], Model]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read bytes as a file."""
    path = tmp_path / "m.msgpack"

    def read(data: bytes) -> Model:
        path.write_bytes(data)
        return ADAPTER.read(from_path(path))

    return read


def _array(
    shape: object = (2, 3), dtype: object = "float32", data: object = bytes(24), code: int = 1
) -> msgpack.ExtType:
    return msgpack.ExtType(code, msgpack.packb((shape, dtype, data)))


def _file(value: object) -> bytes:
    packed: bytes = msgpack.packb({"a": value})
    return packed


def test_the_arrays_by_hand_are_sound(read: Read) -> None:
    for code in (1, 3):
        assert read(_file(_array(code=code))).layers[0].weights[0].shape == (2, 3)


@pytest.mark.parametrize(
    "value",
    [
        _array((2, 4)),
        _array((2, -3)),
        _array((2.0, 3)),
        _array(("2", 3)),
        _array("ab"),
        _array(None),
        _array((2**63, 2**63)),
        _array([1] * 65),
        _array(dtype=3),
        _array(dtype="f" * 65),
        _array(dtype=None),
        _array(data="text, twenty-four letters"),
        _array(data=[1, 2]),
        _array(data=bytes(23)),
        _array(data=bytes(25)),
        msgpack.ExtType(1, b""),
        msgpack.ExtType(1, b"\x93"),
        msgpack.ExtType(1, msgpack.packb(((2, 3), "float32"))),
        msgpack.ExtType(1, msgpack.packb(((2, 3), "float32", bytes(24), 1))),
        msgpack.ExtType(1, msgpack.packb(((2, 3), "float32", bytes(24))) + b"\x00"),
    ],
)
def test_arrays_are_of_one_form(read: Read, value: object) -> None:
    with pytest.raises(UnreadableFileError):
        read(_file(value))


@pytest.mark.parametrize(
    "change",
    [
        {"shape": {"0": 2, "1": 4}},
        {"shape": {"1": 2, "0": 3}},
        {"shape": [2, 3]},
        {"shape": {"0": -2, "1": 3}},
        {"shape": {"0": 2**63, "1": 2**63}},
        {"chunks": {}},
        {"chunks": []},
        {"chunks": {"0": 1}},
        {"chunks": {"1": _array((6,))}},
        {"chunks": {"0": _array((3,), data=bytes(12)), "1": _array((3,), "int32", bytes(12))}},
        {"chunks": {"0": msgpack.ExtType(2, bytes(24))}},
        {"__msgpack_chunked_array__": 1},
        {"more": 1},
    ],
)
def test_chunks_are_of_one_form(read: Read, change: dict[str, object]) -> None:
    sound = {"__msgpack_chunked_array__": True, "shape": {"0": 2, "1": 3}, "chunks": {"0": _array((6,))}}
    assert read(_file(sound)).layers[0].weights[0].shape == (2, 3)
    with pytest.raises(UnreadableFileError):
        read(_file({**sound, **change}))


@pytest.mark.parametrize(
    "mark",
    [
        *(
            b"\xc4\xff",
            b"\xc5\xff\xff",
            b"\xc6\xff\xff\xff\xff",
            b"\xd9\xff",
            b"\xda\xff\xff",
            b"\xdb\xff\xff\xff\xff",
        ),
        *(b"\xdc\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xde\xff\xff", b"\xdf\xff\xff\xff\xff"),
        *(
            b"\xc7\xff\x01",
            b"\xc8\xff\xff\x01",
            b"\xc9\xff\xff\xff\xff\x01",
            b"\xc9\xff\xff\xff\xff\x05",
            b"\xc1",
        ),
    ],
)
def test_no_length_is_believed(read: Read, mark: bytes) -> None:
    with pytest.raises(UnreadableFileError):
        read(b"\x81\xa1a" + mark + bytes(100))
    with pytest.raises(UnreadableFileError):
        read(b"\x81" + mark + bytes(100))
    with pytest.raises(UnreadableFileError):
        read(mark + bytes(100))


def test_keys_are_texts_that_stand_once(read: Read) -> None:
    for key in (b"\xc0", b"\x91\x01", b"\x81\x01\x01", b"\xcb" + bytes(8), b"\xa2\xff\xfe", b"\xe0"):
        with pytest.raises(UnreadableFileError, match="key"):
            read(b"\x81" + key + b"\x01")
    with pytest.raises(UnreadableFileError, match="twice"):
        read(b"\x82\xa1a\x01\xa1a\x02")
    assert read(b"\x81\x07\x01").layers == ()


def _whole() -> bytes:
    tree = {
        "params": {"fc": {"kernel": _array((3, 2)), "bias": _array((6,))}, "n": {"scale": _array((6,))}},
        "batch_stats": {"n": {"mean": _array((6,)), "var": _array((6,))}},
        "big": {
            "__msgpack_chunked_array__": True,
            "shape": {"0": 2, "1": 6},
            "chunks": {"0": _array(), "1": _array()},
        },
        "list": [1, "text", None, True, 1.5, b"bytes", 2**40, -5],
    }
    packed: bytes = msgpack.packb(tree)
    return packed


def test_every_cut_is_refused(read: Read) -> None:
    whole = _whole()
    assert len(read(whole).layers) == 2
    for length in range(len(whole)):
        with pytest.raises(UnreadableFileError):
            read(whole[:length])


def test_a_gigabyte_costs_what_a_megabyte_costs(tmp_path: Path, counted: Callable[[], int]) -> None:
    taken = []
    for exponent in (20, 30):
        triple = msgpack.packb(((2**10, 2 ** (exponent - 12)), "float32", b""))[:-2]
        triple += b"\xc6" + struct.pack(">L", 2**exponent)
        head = b"\x82\xa1w\xc9" + struct.pack(">L", len(triple) + 2**exponent) + b"\x01" + triple
        path = tmp_path / "m.msgpack"
        with path.open("wb") as file:
            file.write(head)
            file.seek(len(head) + 2**exponent)
            file.write(b"\xa1v" + msgpack.packb(_array()))
        counted()
        weights = ADAPTER.read(from_path(path)).layers[0].weights
        assert [weight.nbytes for weight in weights] == [2**exponent, 24]
        taken.append(counted())
    assert taken[0] == taken[1] < 40_000


def test_only_trees_with_arrays_are_recognized(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    for content, sure in (
        (_file(_array()), 2),
        (_file(1), 0),
        (b"\x81 some text", 0),
        (np.zeros(9).tobytes(), 0),
    ):
        path.write_bytes(content)
        assert ADAPTER.match(from_path(path)) == sure


#: A library that stands for tensorstore: what it does when a store is opened.
FAKE = """
import os, runpy
class Fake:
    KvStore = property(lambda self: self)
    def open(self, spec):
        {act}
child = runpy.run_path({child!r})
print(child["respond"](Fake(), ["store", {limits!r}, str(os.getppid())], ["key"]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux bounds a process so")
@pytest.mark.parametrize(
    ("act", "code", "says"),
    [
        ("while True: pass", -signal.SIGPROF, ""),
        ("bytearray(600 << 20)", 1, "MemoryError"),
        ("raise ValueError(len(bytearray(400 << 20)))", 1, "ValueError: 419430400"),
    ],
)
def test_the_child_that_reads_a_store_has_limits(act: str, code: int, says: str) -> None:
    child = Path(ocdbt.__file__).with_name("ocdbt_child.py")
    text = FAKE.format(act=act, child=str(child), limits=child_limits.__file__)
    done = subprocess.run([sys.executable, "-I", "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert says in done.stderr
