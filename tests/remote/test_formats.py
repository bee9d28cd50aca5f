"""What each format costs over the network, and directories through fsspec."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import pytest

from shapeinspect.api.report import inspect
from shapeinspect.errors import MissingDependencyError, UnreadableFileError, UsageError
from shapeinspect.sources.remote import from_url

MEGABYTE = 1 << 20


def same(near: dict, far: dict) -> bool:
    """Compare two reports but for where they come from."""
    return {**near, "source": ""} == {**far, "source": ""}


def test_onnx(server) -> None:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    weights = [numpy_helper.from_array(np.zeros((64, 3, 512, 512), np.float32), "w")]
    node = helper.make_node("Conv", ["x", "w"], ["y"], "conv")
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 600, 512])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "g", ends, out, weights)
    path = server.root / "m.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    assert path.stat().st_size > 190 * MEGABYTE
    far = inspect(f"{server.url}/m.onnx")
    assert far["conv"].output_shape == (1, 64, 89, 1)
    assert same(inspect(path).to_dict(), far.to_dict())
    assert server.bytes < MEGABYTE


def test_torch_zip(server) -> None:
    import torch

    state = {f"layers.{index}.weight": torch.zeros(512, 2048) for index in range(16)}
    path = server.root / "m.pt"
    torch.save(state, path)
    assert path.stat().st_size > 60 * MEGABYTE
    near, far = inspect(path), inspect(f"{server.url}/m.pt")
    assert same(near.to_dict(), far.to_dict())
    assert len(far) == 16
    assert server.bytes < MEGABYTE
    assert server.requests <= 5


def test_gguf(server) -> None:
    import numpy as np
    from gguf import GGUFWriter

    path = server.root / "m.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((2048, 4096), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert path.stat().st_size > 30 * MEGABYTE
    assert same(inspect(path).to_dict(), inspect(f"{server.url}/m.gguf").to_dict())
    assert server.bytes < MEGABYTE
    assert server.requests <= 5


def test_npz(server) -> None:
    import numpy as np

    path = server.root / "m.npz"
    np.savez(path, **{"dense/kernel": np.zeros((1024, 4096)), "dense/bias": np.zeros(4096)})
    assert same(inspect(path).to_dict(), inspect(f"{server.url}/m.npz").to_dict())
    assert server.bytes < MEGABYTE


def test_values_are_read_when_they_are_asked_for(server) -> None:
    raw = json.dumps({"fc.weight": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}}).encode()
    numbers = struct.pack("<6f", 1, 2, 3, 4, 5, 6)
    (server.root / "m.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + numbers)
    report = inspect(f"{server.url}/m.safetensors")
    assert report["fc"].weights[0].values().tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.fixture
def memory():
    import fsspec

    system = fsspec.filesystem("memory")
    yield system
    for path in system.find("/"):
        system.rm(path)


def _put(system, path: str, **shapes: tuple[int, ...]) -> None:
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + 4 * shape[0] * shape[1]
        header[name.replace("__", ".")] = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}
        at = end
    raw = json.dumps(header).encode()
    system.pipe_file(path, struct.pack("<Q", len(raw)) + raw + bytes(at))


def test_a_file_through_fsspec(memory) -> None:
    _put(memory, "/bucket/m.safetensors", fc__weight=(3, 5))
    report = inspect("memory://bucket/m.safetensors")
    assert report.model.source == "memory://bucket/m.safetensors"
    assert report["fc"].weights[0].shape == (3, 5)


def test_a_directory_through_fsspec(memory) -> None:
    _put(memory, "/bucket/a.safetensors", one__weight=(3, 5))
    _put(memory, "/bucket/b.safetensors", two__weight=(7, 2))
    index = {"weight_map": {"one.weight": "a.safetensors", "two.weight": "b.safetensors"}}
    memory.pipe_file("/bucket/model.safetensors.index.json", json.dumps(index).encode())
    assert [layer.path for layer in inspect("memory://bucket")] == ["one", "two"]
    memory.rm("/bucket/b.safetensors")
    notes = " ".join(note.text for note in inspect("memory://bucket").notes)
    assert "b.safetensors is missing" in notes


def test_a_name_that_leads_outside(memory) -> None:
    _put(memory, "/secret.safetensors", one__weight=(3, 5))
    index = {"weight_map": {"one.weight": "../secret.safetensors"}}
    memory.pipe_file("/bucket/model.safetensors.index.json", json.dumps(index).encode())
    with pytest.raises(UnreadableFileError, match="outside"):
        inspect("memory://bucket")


def test_nothing_there_through_fsspec(memory) -> None:
    with pytest.raises(UsageError, match="no such file"):
        inspect("memory://bucket/none.onnx")


def test_a_file_system_that_fails(memory, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(memory, "/bucket/m.safetensors", fc__weight=(3, 5))

    def fail(*args: object, **more: object) -> None:
        raise RuntimeError("\x1b[31mthe bucket is on fire")

    monkeypatch.setattr(type(memory), "open", fail)
    with pytest.raises(UnreadableFileError, match="on fire") as failed:
        inspect("memory://bucket/m.safetensors")
    assert "\x1b" not in str(failed.value)


@pytest.mark.parametrize("url", ["nothing://b/m.pt", "simplecache::memory://b/m.pt", "memory://a::zip://b"])
def test_no_such_protocol(url: str) -> None:
    with pytest.raises((UsageError, UnreadableFileError)):
        inspect(url)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependencyError) as missing:
        from_url("s3://bucket/m.pt")
    assert missing.value.package == "s3fs"
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingDependencyError, match="fsspec"):
        from_url("gs://bucket/m.pt")


def test_a_file_url(tmp_path: Path) -> None:
    raw = json.dumps({"fc.weight": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(24))
    assert "fc" in inspect(f"file://{tmp_path}/m.safetensors")
