"""Distributed checkpoints: equal to what torch's own reader says; chunks, files, and hostile metadata."""

from __future__ import annotations

import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.filesystem import FileSystemReader, _StorageInfo
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model, Weight
from shapeinspect.registry import choose
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.distributed import ADAPTER

pytestmark = pytest.mark.filterwarnings("ignore")


def state() -> dict[str, Any]:
    torch.manual_seed(3)
    return {
        "model": {
            "conv.weight": torch.randn(6, 3, 2, 5),
            "conv.bias": torch.randn(6).half(),
            "emb": {"weight": torch.randn(4, 7).bfloat16()},
            "count": torch.tensor(3),
        },
        "optimizer": {"state": {"0": {"exp_avg": torch.zeros(6, 3, 2, 5)}}, "param_groups": [{"lr": 0.1}]},
        "step": 7,
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dcp") / "step-7"
    dcp.save(state(), checkpoint_id=folder, no_dist=True)
    return folder


def read(path: Path) -> Model:
    source = from_path(path)
    assert choose(source) is ADAPTER
    return ADAPTER.read(source)


def weights(model: Model) -> dict[str, Weight]:
    return {weight.name: weight for layer in model.layers for weight in layer.weights}


def texts(model: Model) -> list[str]:
    return [note.text for note in model.notes]


def test_equals_torch_s_reader(saved: Path) -> None:
    metadata = FileSystemReader(saved).read_metadata()
    expected = {
        name.removeprefix("model."): held
        for name, held in metadata.state_dict_metadata.items()
        if name.startswith("model.")
    }
    model = read(saved)
    found = weights(model)
    assert set(found) == set(expected)
    for name, held in expected.items():
        assert found[name].shape == tuple(held.size)
        assert found[name].dtype == str(held.properties.dtype).removeprefix("torch.")
    files = {index.fqn: info.relative_path for index, info in metadata.storage_data.items()}
    assert {f"model.{name}": weight.where for name, weight in found.items()} == {
        name: file for name, file in files.items() if name.startswith("model.")
    }
    assert read(saved / ".metadata").layers == model.layers


def test_values(saved: Path) -> None:
    found = weights(read(saved))
    for name, tensor in state()["model"].items():
        if name != "emb":
            np.testing.assert_array_equal(found[name].values(), tensor.numpy())
    inner = state()["model"]["emb"]["weight"]
    np.testing.assert_array_equal(found["emb.weight"].values().astype("float32"), inner.float().numpy())


def test_the_rest_is_named(saved: Path) -> None:
    said = texts(read(saved))
    assert 'shown is "model"; the file also holds "optimizer" (180 values in 1 tensor)' in said
    assert 'without tensors, and not shown: "step"' in said
    assert "the set has 1 file" in said
    assert not any("globals" in text for text in said)


def describe(
    folder: Path,
    chunks: dict[str, list[tuple[tuple, tuple, str, int, int]]],
    sizes: dict[str, tuple],
    more: Any = None,
) -> Path:
    """Write the metadata of tensors cut into chunks: offsets, lengths, file, first byte, bytes."""
    folder.mkdir(exist_ok=True)
    tensors: dict[str, Any] = {
        name: TensorStorageMetadata(
            TensorProperties(torch.float32),
            torch.Size(size),
            [ChunkStorageMetadata(torch.Size(at), torch.Size(of)) for at, of, *_ in chunks[name]],
        )
        for name, size in sizes.items()
    }
    places = {
        MetadataIndex(name, at): _StorageInfo(file, start, length)
        for name, held in chunks.items()
        for at, _, file, start, length in held
    }
    tensors["extra"] = BytesStorageMetadata()
    whole = Metadata(tensors, planner_data=more, storage_data=places)
    (folder / ".metadata").write_bytes(pickle.dumps(whole))
    (folder / "__0_0.distcp").touch()
    return folder


def test_chunks_of_several_files(tmp_path: Path) -> None:
    """Two ranks, each with some rows of one matrix."""
    whole = torch.arange(35.0).reshape(7, 5)
    held = []
    for rank, rows in enumerate((slice(0, 4), slice(4, 7))):
        file = tmp_path / f"__{rank}_0.distcp"
        with file.open("wb") as out:
            out.write(b"x" * rank)
            torch.save(whole[rows].clone(), out)
        part = whole[rows].shape
        held.append(((rows.start, 0), tuple(part), file.name, rank, file.stat().st_size - rank))
    model = read(describe(tmp_path, {"fc.weight": held}, {"fc.weight": (7, 5)}))
    weight = weights(model)["fc.weight"]
    assert (weight.shape, weight.where) == ((7, 5), "__0_0.distcp, __1_0.distcp")
    np.testing.assert_array_equal(weight.values(), whole.numpy())
    assert "the set has 2 files" in texts(model)
    (tmp_path / "__1_0.distcp").unlink()
    assert "missing from the directory: __1_0.distcp" in texts(read(tmp_path))
    (tmp_path / "__1_0.distcp").write_bytes(b"short")
    assert "cut off before the end of their contents: __1_0.distcp" in texts(read(tmp_path))


def test_parts_that_are_nowhere(tmp_path: Path) -> None:
    chunk = ((0, 0), (4, 5), "__0_0.distcp", 0, 0)
    model = read(describe(tmp_path, {"fc.weight": [chunk]}, {"fc.weight": (7, 5)}))
    assert "parts of these weights are missing or stored twice: fc.weight" in texts(model)
    assert weights(model)["fc.weight"].values is None


@pytest.mark.parametrize("name", [
    "../x", "/etc/passwd", "a\\b", "a//b", "", "x\0y", "C:x", "a/../../b",
])  # fmt: skip
def test_a_file_outside_is_refused(tmp_path: Path, name: str) -> None:
    chunk = ((0,), (7,), name, 0, 28)
    with pytest.raises(UnreadableFileError, match="outside"):
        read(describe(tmp_path, {"b": [chunk]}, {"b": (7,)}))


@pytest.mark.parametrize("chunk", [((5,), (3,)), ((0, 0), (7, 1)), ((), ())])
def test_a_chunk_beyond_its_tensor_is_refused(tmp_path: Path, chunk: tuple) -> None:
    with pytest.raises(UnreadableFileError, match="reaches beyond"):
        read(describe(tmp_path, {"b": [(*chunk, "__0_0.distcp", 0, 4)]}, {"b": (7,)}))


class Evil:
    def __reduce__(self):
        return (print, ("never",))


def test_what_it_names_beyond_tensors_is_said(tmp_path: Path, capsys) -> None:
    held = {"b": [((0,), (7,), "__0_0.distcp", 0, 0)]}
    model = read(describe(tmp_path, held, {"b": (7,)}, more={"b": Evil()}))
    assert "not executed; globals referenced: builtins.print" in texts(model)
    assert capsys.readouterr().out == ""


def test_no_module_is_plain_as_such(tmp_path: Path) -> None:
    """A class of pathlib is ordinary, and what pathlib itself imports is not."""
    folder = describe(tmp_path, {"b": [((0,), (7,), "__0_0.distcp", 0, 0)]}, {"b": (7,)})
    written = (folder / ".metadata").read_bytes()
    begin = 11 if written[2:3] == b"\x95" else 2  # behind the protocol and the first frame
    named = b"\x8c\x07pathlib\x8c\x09os.system\x930"
    (folder / ".metadata").write_bytes(written[:2] + named + written[begin:])
    assert "not executed; globals referenced: pathlib.os.system" in texts(read(folder))


def test_chunks_that_many_tensors_share_are_counted_for_each(tmp_path: Path) -> None:
    folder = describe(tmp_path, {"b": [((0,), (7,), "__0_0.distcp", 0, 0)]}, {"b": (7,)})
    one = ChunkStorageMetadata(torch.Size((0,)), torch.Size((7,)))
    shared = TensorStorageMetadata(TensorProperties(torch.float32), torch.Size((7,)), [one] * 5000)
    whole = Metadata({f"t{number}": shared for number in range(5000)}, storage_data={})
    (folder / ".metadata").write_bytes(pickle.dumps(whole))
    with pytest.raises(UnreadableFileError, match="refer to each other too many times"):
        read(folder)


def test_paths_without_end_are_not_followed(tmp_path: Path) -> None:
    held = {name: [((0,), (7,), "__0_0.distcp", 0, 0)] for name in ("a", "c")}
    model = read(describe(tmp_path, held, dict.fromkeys(held, (7,)), more={"a": ("x",) * 100_000}))
    assert set(weights(model)) == {"a", "c"}


def test_paths_that_collide_stay_apart(tmp_path: Path) -> None:
    held = {name: [((0,), (7,), "__0_0.distcp", 0, 0)] for name in ("a", "a.b", "c")}
    paths = {"a": ("a",), "a.b": ("a", "b"), "c": ("c",)}
    model = read(describe(tmp_path, held, dict.fromkeys(held, (7,)), more=paths))
    assert set(weights(model)) == {"a", "a.b", "c"}


def test_cut_off_and_changed(saved: Path, tmp_path: Path) -> None:
    """Every truncation, and changes of one to three bytes: read or refused, with one class of errors."""
    folder = tmp_path / "a"
    shutil.copytree(saved, folder)
    whole = (saved / ".metadata").read_bytes()
    rng = random.Random(5)
    variants = [whole[:end] for end in range(1, len(whole), 7)]
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        variants.append(bytes(data))
    refused = 0
    for data in variants:
        (folder / ".metadata").write_bytes(data)
        try:
            ADAPTER.read(from_path(folder))
        except UnreadableFileError:
            refused += 1
    assert refused > len(variants) // 2
