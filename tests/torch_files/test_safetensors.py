"""safetensors: as strict as the reference, equal to it on what is valid; sets of shards; directories."""

from __future__ import annotations

import json
import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.safetensors import ADAPTER
from shapeinspect_torch.checkpoints.safetensors_file import DTYPES


def state() -> dict[str, torch.Tensor]:
    net = nn.Sequential(nn.Conv2d(3, 5, 2), nn.BatchNorm2d(5), nn.Linear(7, 4))
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def raw(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(shape: list, start: int, end: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_equals_the_reference(tmp_path: Path, read, weights) -> None:
    path = tmp_path / "model.safetensors"
    save_file(state(), path, metadata={"format": "pt", "note": "x"})
    model = read(path)
    found = weights(model)
    oracle = load_file(path)
    assert set(found) == set(oracle)
    for name, tensor in oracle.items():
        assert found[name].shape == tuple(tensor.shape)
        assert found[name].nbytes == tensor.nbytes
        np.testing.assert_array_equal(found[name].values(), tensor.numpy())
    assert dict(model.metadata) == {"format": "pt", "note": "x"}
    assert [(layer.path, layer.kind) for layer in model.layers] == [
        ("0", "conv"),
        ("1", "batch_norm"),
        ("2", "linear"),
    ]


@pytest.mark.parametrize("name", DTYPES)
def test_dtype(tmp_path: Path, weights, name: str) -> None:
    spelled, bits = DTYPES[name]
    data = bytes(range(12 if bits == 6 else 16))
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw({"a": entry([8 * len(data) // bits], 0, len(data), name)}, data))
    accepted = safetensors.deserialize(path.read_bytes())
    weight = weights(ADAPTER.read(from_path(path)))["a"]
    assert (list(weight.shape), weight.dtype) == (accepted[0][1]["shape"], spelled)
    assert accepted[0][1]["dtype"] == name
    if bits >= 8:
        assert weight.values().tobytes() == bytes(accepted[0][1]["data"])
    else:
        assert weight.values is None


F = entry([2], 0, 8)


def one(shape: bytes, name: bytes = b"a", after: bytes = b"") -> bytes:
    return raw(b'{"%s":{"dtype":"F32","shape":%s,"data_offsets":[0,8]}}%s' % (name, shape, after), bytes(8))


HEADERS: dict[str, tuple[bytes, bool]] = {
    "plain": (raw({"a": F}, bytes(8)), True),
    "empty": (raw({}), True),
    "padded with spaces": (
        one(b"[2]", after=b"    "),
        True,
    ),
    "scalar": (raw({"a": entry([], 0, 4)}, bytes(4)), True),
    "no elements": (raw({"a": entry([0, 3], 0, 0), "b": F}, bytes(8)), True),
    "two of no elements": (raw({"a": entry([0], 0, 0), "b": entry([0], 0, 0)}), True),
    "an unknown field": (raw({"a": {**F, "more": [1, {}]}}, bytes(8)), True),
    "metadata is null": (raw({"__metadata__": None, "a": F}, bytes(8)), True),
    "metadata is empty": (raw({"__metadata__": {}, "a": F}, bytes(8)), True),
    "metadata of a number": (raw({"__metadata__": {"a": 1}}), False),
    "metadata is a list": (raw({"__metadata__": ["a"]}), False),
    "too short": (b"\x00" * 7, False),
    "length beyond the file": (struct.pack("<Q", 100) + b"{}", False),
    "length of 2^63": (struct.pack("<Q", 2**63) + b"{}", False),
    "length of 100,000,001": (struct.pack("<Q", 100_000_001) + b"{}", False),
    "no JSON": (raw(b'{"a":'), False),
    "a list": (raw(b"[]"), False),
    "a number": (raw(b"7"), False),
    "no UTF-8": (raw(b'{"\xff":{}}'), False),
    "an escaped name": (one(b"[2]", name=b"\\u20ac"), True),
    "a lone surrogate": (
        one(b"[2]", name=b"\\ud800"),
        False,
    ),
    "NaN": (one(b"[NaN]"), False),
    "deep": (raw(b'{"a":' + b"[" * 100_000), False),
    "a digit flood": (
        one(b"[" + b"9" * 5000 + b"]"),
        False,
    ),
    "unknown dtype": (raw({"a": entry([2], 0, 8, "F31")}, bytes(8)), False),
    "dtype is a number": (raw({"a": {**F, "dtype": 3}}, bytes(8)), False),
    "no dtype": (raw({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)), False),
    "no shape": (raw({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)), False),
    "no offsets": (raw({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)), False),
    "the entry is a list": (raw({"a": []}), False),
    "a float length": (raw({"a": entry([2.0], 0, 8)}, bytes(8)), False),
    "a boolean length": (raw({"a": entry([True], 0, 4)}, bytes(4)), False),
    "a text length": (raw({"a": entry(["2"], 0, 8)}, bytes(8)), False),
    "a negative length": (raw({"a": entry([-2], 0, 8)}, bytes(8)), False),
    "three offsets": (raw({"a": {**F, "data_offsets": [0, 4, 8]}}, bytes(8)), False),
    "offsets backwards": (raw({"a": {**F, "data_offsets": [8, 0]}}, bytes(8)), False),
    "fewer bytes than the shape": (raw({"a": entry([3], 0, 8)}, bytes(8)), False),
    "more bytes than the shape": (raw({"a": entry([1], 0, 8)}, bytes(8)), False),
    "a hole in front": (raw({"a": entry([1], 4, 8)}, bytes(8)), False),
    "a hole between": (raw({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)), False),
    "an overlap": (raw({"a": F, "b": entry([2], 4, 12)}, bytes(12)), False),
    "the same bytes twice": (raw({"a": F, "b": F}, bytes(8)), False),
    "bytes left over": (raw({"a": F}, bytes(9)), False),
    "bytes missing": (raw({"a": F}, bytes(7)), False),
    "overflow to zero": (raw({"a": entry([2**32, 2**32], 0, 0)}), False),
    "overflow of a product": (raw({"a": entry([2**63, 2**63, 2**63], 0, 0)}), False),
    "half a byte": (raw({"a": entry([3], 0, 2, "F4")}, bytes(2)), False),
    "a length of 2^64": (raw({"a": entry([2**64], 0, 8)}, bytes(8)), False),
}


@pytest.mark.parametrize("name", HEADERS)
def test_accepts_what_the_reference_accepts(tmp_path: Path, name: str) -> None:
    data, valid = HEADERS[name]
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    try:
        accepted = {key: tuple(value["shape"]) for key, value in safetensors.deserialize(data)}
    except safetensors.SafetensorError:
        accepted = None
    assert (accepted is not None) == valid, "the test's own expectation"
    source = from_path(path)
    assert ADAPTER.match(source) > 0
    if accepted is None:
        with pytest.raises(UnreadableFileError):
            ADAPTER.read(source)
    else:
        model = ADAPTER.read(source)
        assert {w.name: w.shape for layer in model.layers for w in layer.weights} == accepted


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        b'{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}}',
        b'{"__metadata__":{"x":"1","x":"2"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
    ],
)
def test_duplicate_keys_are_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw(text, bytes(8)))
    with pytest.raises(UnreadableFileError, match="twice"):
        ADAPTER.read(from_path(path))


def test_cuts_and_changes(tmp_path: Path) -> None:
    """A changed file is read exactly if the reference reads it."""
    path = tmp_path / "a.safetensors"
    save_file(state(), path)
    whole = path.read_bytes()
    random_ = random.Random(11)

    def agree(data: bytes) -> None:
        path.write_bytes(data)
        try:
            accepted = {key: tuple(value["shape"]) for key, value in safetensors.deserialize(data)}
        except safetensors.SafetensorError:
            accepted = None
        try:
            model = ADAPTER.read(from_path(path))
        except UnreadableFileError:
            found = None
        else:
            found = {w.name: w.shape for layer in model.layers for w in layer.weights}
        assert found == accepted or (found is None and b"twice" not in data)
        if accepted is not None and len(set(accepted)) == len(accepted):
            assert found == accepted

    for cut in range(1, len(whole), 53):
        agree(whole[:cut])
    header = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(500):
        data = bytearray(whole)
        data[random_.randrange(8, header)] = random_.randrange(32, 127)
        agree(bytes(data))


def test_of_another_framework(tmp_path: Path, read) -> None:
    path = tmp_path / "a.safetensors"
    save_file(
        {"dense.kernel": torch.zeros(3, 5), "x.weight": torch.zeros(2, 2)}, path, metadata={"format": "flax"}
    )
    model = read(path)
    assert model.framework == "flax"
    assert {layer.kind for layer in model.layers} == {"unknown"}
    assert any('"flax"' in note.text for note in model.notes)
    save_file({"x.weight": torch.zeros(2, 2)}, path)
    assert any("names no framework" in note.text for note in read(path).notes)


def test_numbered_layers_come_in_order(tmp_path: Path, read) -> None:
    path = tmp_path / "a.safetensors"
    save_file({f"h.{at}.fc.weight": torch.zeros(3, 5) for at in (10, 9, 2, 1, 100)}, path)
    assert [layer.path for layer in read(path).layers] == [f"h.{at}.fc" for at in (1, 2, 9, 10, 100)]


def sharded(folder: Path, total: int | None = None) -> Path:
    tensors = state()
    names = sorted(tensors)
    weight_map = {}
    for at in range(2):
        file = f"model-0000{at + 1}-of-00002.safetensors"
        part = names[at::2]
        save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(part, file))
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = folder / "model.safetensors.index.json"
    index.write_text(
        json.dumps({"metadata": {"total_size": size if total is None else total}, "weight_map": weight_map})
    )
    return index


def test_a_set_of_shards(tmp_path: Path, read, weights) -> None:
    index = sharded(tmp_path)
    for path in (index, tmp_path):
        model = read(path)
        found = weights(model)
        assert {name: w.shape for name, w in found.items()} == {n: tuple(t.shape) for n, t in state().items()}
        assert found["0.bias"].where == "model-00001-of-00002.safetensors"
        assert found["0.weight"].where == "model-00002-of-00002.safetensors"
        assert found["1.running_mean"].values().shape == (5,)
        assert not any("index says" in note.text for note in model.notes)
    assert any("model.safetensors.index.json" in note.text for note in read(tmp_path).notes)


def test_findings_in_a_set(tmp_path: Path, read, weights) -> None:
    index = sharded(tmp_path, total=17)
    assert any("index says the set has 17 bytes" in note.text for note in read(index).notes)
    told = json.loads(index.read_text())
    told["weight_map"]["9.weight"] = told["weight_map"].pop("0.bias")
    index.write_text(json.dumps(told))
    notes = [note.text for note in read(index).notes]
    assert any("do not hold: 9.weight" in text for text in notes)
    assert any("does not name: 0.bias" in text for text in notes)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    model = read(index)
    assert any("model-00002-of-00002.safetensors is missing" in note.text for note in model.notes)
    assert "0.weight" not in weights(model)
    (tmp_path / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(UnreadableFileError, match="all files that it names"):
        read(index)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a\\b", "C:x", "a/../../b", "", "a\0b"])
def test_names_in_an_index_stay_inside(tmp_path: Path, name: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(UnreadableFileError, match="outside"):
        ADAPTER.read(from_path(index))


INDEXES = {
    "no JSON": b"{",
    "no map": b'{"metadata": {}}',
    "a list": b'["weight_map"]',
    "a map to numbers": b'{"weight_map": {"a": 1}}',
    "an empty map": b'{"weight_map": {}}',
    "deep": b'{"weight_map": ' + b"[" * 100_000,
    "a key twice": b'{"weight_map": {"a": "b", "a": "c"}}',
}


@pytest.mark.parametrize("name", INDEXES)
def test_malformed_index(tmp_path: Path, name: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_bytes(INDEXES[name])
    with pytest.raises(UnreadableFileError):
        ADAPTER.read(from_path(index))


def test_links(tmp_path: Path, read, weights) -> None:
    """A model cache's links into its blobs are ordinary; other links out of the directory are not."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    sharded(blobs)
    for at, file in enumerate(sorted(os.listdir(blobs))):
        (blobs / file).rename(blobs / f"{at:064x}")
        (snapshot / file).symlink_to(f"../../blobs/{at:064x}")
    assert len(weights(read(snapshot))) == len(state())
    other = tmp_path / "other"
    other.mkdir()
    sharded(other)
    shard = other / "model-00001-of-00002.safetensors"
    for target in ("../x.safetensors", str(tmp_path / "x.safetensors")):
        shard.rename(tmp_path / "x.safetensors")
        shard.symlink_to(target)
        with pytest.raises(UnreadableFileError, match="link that leads outside"):
            read(other)
        shard.unlink()
        (tmp_path / "x.safetensors").rename(shard)


def test_directories(tmp_path: Path, read) -> None:
    save_file({"a.weight": torch.zeros(2, 3)}, tmp_path / "one.safetensors")
    assert any("read from one.safetensors" in note.text for note in read(tmp_path).notes)
    save_file({"b.weight": torch.zeros(2, 3)}, tmp_path / "two.safetensors")
    with pytest.raises(UsageError, match="several models") as caught:
        read(tmp_path)
    assert "one.safetensors" in str(caught.value)
    save_file({"c.weight": torch.zeros(2, 3)}, tmp_path / "model.safetensors")
    assert [layer.path for layer in read(tmp_path).layers] == ["c"]


def test_shards_of_pickles(tmp_path: Path, read, weights) -> None:
    tied = torch.rand(3, 5)
    files = {"a.bin": {"x.weight": tied, "y.weight": tied}, "b.bin": {"z.weight": torch.rand(2, 2)}}
    for name, tensors in files.items():
        torch.save(tensors, tmp_path / name)
    weight_map = {name: file for file, tensors in files.items() for name in tensors}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    for path in (tmp_path, tmp_path / "pytorch_model.bin.index.json"):
        found = weights(read(path))
        assert {name: (w.shape, w.where) for name, w in found.items()} == {
            "x.weight": ((3, 5), "a.bin"),
            "y.weight": ((3, 5), "a.bin"),
            "z.weight": ((2, 2), "b.bin"),
        }
        assert found["x.weight"].storage == found["y.weight"].storage
        assert found["z.weight"].storage is None
