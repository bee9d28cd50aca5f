"""Hypothesis against the hand-written parsers: ``pytest -m slow tests/safety/test_fuzz.py``.

SHAPEINSPECT_EXAMPLES says how many examples each gets.
"""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shapeinspect import UnreadableFileError, UsageError, inspect

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("SHAPEINSPECT_EXAMPLES", "500"))
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

numbers = st.one_of(st.integers(-2, 300), st.integers(0, 2**64 - 1), st.sampled_from([2**31, 2**63, 10**30]))
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=20,
)


def look(path: Path, content: bytes) -> None:
    """Read a file: a report, or one of two errors."""
    path.write_bytes(content)
    try:
        report = inspect(path)
        text = report.to_text()
        json.dumps(report.to_dict(), allow_nan=False)
    except (UnreadableFileError, UsageError) as error:
        text = str(error)
    assert text.replace("\n", "").isprintable()


# Pickles: any sequence of opcodes, each with an argument of its own form.

_ARGUMENTS: dict[str, st.SearchStrategy[bytes]] = {
    "uint1": st.binary(min_size=1, max_size=1),
    "uint2": st.binary(min_size=2, max_size=2),
    "int4": numbers.map(lambda n: (n % 2**32).to_bytes(4, "little")),
    "uint4": numbers.map(lambda n: (n % 2**32).to_bytes(4, "little")),
    "uint8": numbers.map(lambda n: (n % 2**64).to_bytes(8, "little")),
    "float8": st.binary(min_size=8, max_size=8),
    "string1": st.binary(max_size=9).map(lambda b: bytes([len(b)]) + b),
    "bytes1": st.binary(max_size=9).map(lambda b: bytes([len(b)]) + b),
    "unicodestring1": st.text(max_size=9).map(lambda t: ((b := t.encode()) and bytes([len(b)]) + b) or b"\0"),
    "long1": st.binary(max_size=9).map(lambda b: bytes([len(b)]) + b),
}
_FOUR = st.binary(max_size=9).map(lambda b: struct.pack("<I", len(b)) + b)
_EIGHT = st.binary(max_size=9).map(lambda b: struct.pack("<Q", len(b)) + b)
_LINE = st.sampled_from([b"0\n", b"1\n", b"01\n", b"-7\n", b"1.5\n", b"'x'\n", b"torch\n", b"9" * 50 + b"\n"])
_PAIR = st.sampled_from(
    [b"torch._utils\n_rebuild_tensor_v2\n", b"collections\nOrderedDict\n", b"os\nsystem\n"]
)


def _argument(opcode: Any) -> st.SearchStrategy[bytes]:
    if opcode.arg is None:
        return st.just(b"")
    name = opcode.arg.name
    if name in _ARGUMENTS:
        return _ARGUMENTS[name]
    if name.endswith("4"):
        return _FOUR
    if name.endswith("8"):
        return _EIGHT
    return _PAIR if name == "stringnl_noescape_pair" else _LINE


opcodes = st.one_of(
    [_argument(opcode).map(opcode.code.encode("latin-1").__add__) for opcode in pickletools.opcodes]
)
programs = st.lists(opcodes, max_size=60).map(b"".join)


def _legacy(program: bytes) -> bytes:
    head = b"".join(
        pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    )
    return head + b"\x80\x02" + program + b"." + pickle.dumps([], 2)


@many
@given(programs)
def test_pickles(tmp_path: Path, program: bytes) -> None:
    look(tmp_path / "m.pt", _legacy(program))


# Headers in JSON.

entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "F4", "BOOL", "X"]) | plain,
        "shape": st.lists(numbers, max_size=4) | plain,
        "data_offsets": st.tuples(numbers, numbers) | plain,
    }
)
headers = st.dictionaries(st.text(max_size=12) | st.just("__metadata__"), entries | plain, max_size=4) | plain


@many
@given(headers, st.binary(max_size=80))
def test_safetensors(tmp_path: Path, header: object, rest: bytes) -> None:
    raw = json.dumps(header).encode()
    look(tmp_path / "m.safetensors", struct.pack("<Q", len(raw)) + raw + rest)


@many
@given(plain | st.fixed_dictionaries({"weight_map": plain, "metadata": plain}))
def test_an_index(tmp_path: Path, index: object) -> None:
    look(tmp_path / "model.safetensors.index.json", json.dumps(index).encode())


@many
@given(
    st.dictionaries(st.sampled_from(["descr", "shape", "fortran_order", "x"]), plain), st.binary(max_size=64)
)
def test_npy(tmp_path: Path, header: dict[str, object], rest: bytes) -> None:
    raw = repr(header).encode() + b"\n"
    look(tmp_path / "m.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw) % 2**16) + raw + rest)


# The protobuf wire: fields of any number and form, one inside another.


def _varint(number: int) -> bytes:
    number %= 2**64
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def _fields(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    number = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 20, 25, 42])
    field = st.one_of(
        st.tuples(number, numbers).map(lambda p: _varint(p[0] << 3) + _varint(p[1])),
        st.tuples(number, inner).map(lambda p: _varint(p[0] << 3 | 2) + _varint(len(p[1])) + p[1]),
        st.tuples(number, st.binary(min_size=4, max_size=4)).map(lambda p: _varint(p[0] << 3 | 5) + p[1]),
        st.tuples(number, st.binary(min_size=8, max_size=8)).map(lambda p: _varint(p[0] << 3 | 1) + p[1]),
    )
    return st.lists(field, max_size=5).map(b"".join)


messages = st.recursive(st.binary(max_size=12) | st.text(max_size=9).map(str.encode), _fields, max_leaves=25)


@many
@given(_fields(messages))
def test_onnx(tmp_path: Path, message: bytes) -> None:
    look(tmp_path / "m.onnx", b"\x08\x08\x12\x01x" + message)


@many
@given(_fields(messages))
def test_frozen_graph(tmp_path: Path, message: bytes) -> None:
    look(tmp_path / "m.pb", message)


@many
@given(_fields(messages))
def test_saved_model(tmp_path: Path, message: bytes) -> None:
    look(tmp_path / "saved_model.pb", b"\x08\x01" + message)


# Binary forms that are told by their first bytes.


@many
@given(st.lists(numbers, max_size=8), st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 4))
def test_gguf(tmp_path: Path, lengths: list[int], texts: list[bytes], version: int) -> None:
    words = [struct.pack("<Q", number % 2**64) for number in lengths]
    parts = [struct.pack("<Q", len(text)) + text for text in texts]
    mixed = b"".join(piece for pair in zip(words, parts, strict=False) for piece in pair) + b"".join(words)
    look(tmp_path / "m.gguf", b"GGUF" + struct.pack("<I", version) + mixed)


@many
@given(plain)
def test_msgpack(tmp_path: Path, tree: object) -> None:
    import msgpack

    try:
        content = msgpack.packb({"params": {"kernel": msgpack.ExtType(1, msgpack.packb(tree)), "x": tree}})
    except (OverflowError, ValueError):
        return
    look(tmp_path / "m.msgpack", content)


# Any bytes behind the first ones of a format, and any change of a valid file.

HEADS = {
    "m.pt": b"PK\x03\x04", "m.tflite": b"\x1c\x00\x00\x00TFL3", "m.h5": b"\x89HDF\r\n\x1a\n",
    "m.keras": b"PK\x03\x04", "m.npz": b"PK\x03\x04", "m.gguf": b"GGUF\x03\x00\x00\x00",
    "m.npy": b"\x93NUMPY", "m.onnx": b"\x08\x08", "m.pb": b"\x0a", "m.msgpack": b"\x81",
    "m.ckpt": b"\x80\x02", "m.index": b"",
}  # fmt: skip


@many
@given(st.sampled_from(sorted(HEADS)), st.binary(max_size=300))
def test_any_bytes(tmp_path: Path, name: str, rest: bytes) -> None:
    look(tmp_path / name, HEADS[name] + rest)
