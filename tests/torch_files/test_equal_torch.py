"""What is read from a file equals what torch itself lists of the same file."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

CONTAINERS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}
#: Types that torch stores in a typed storage, and those that need an untyped one.
DTYPES = [
    "float64", "float32", "float16", "bfloat16", "complex128", "complex64", "int64", "int32", "int16", "int8",
    "uint8", "bool", "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
    "float8_e5m2fnuz", "float8_e8m0fnu", "complex32",
]  # fmt: skip


class Net(nn.Module):
    """One of each that stores its weights in a way of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, (3, 5))
        self.bn = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 6, 3, groups=2)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(7, 9), nn.LayerNorm(9)) for _ in range(2))
        self.lstm = nn.LSTM(6, 7, num_layers=2, bidirectional=True)
        self.emb = nn.Embedding(11, 13)
        self.head = nn.Linear(13, 11, bias=False)
        self.head.weight = self.emb.weight
        self.scale = nn.Parameter(torch.rand(2, 1))


def dtype_of(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def same(found, tensors: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        weight = found[name]
        assert (weight.shape, weight.dtype) == (tuple(tensor.shape), dtype_of(tensor)), name


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_state_dict(tmp_path: Path, read, weights, container: str, protocol: int) -> None:
    net = Net()
    path = tmp_path / "net.pt"
    torch.save(net.state_dict(), path, pickle_protocol=protocol, **CONTAINERS[container])
    found = weights(read(path))
    same(found, torch.load(path, weights_only=False))
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(found[name].values(), tensor.numpy())
        assert found[name].nbytes == tensor.nbytes
    assert found["emb.weight"].storage == found["head.weight"].storage is not None
    assert [name for name, weight in found.items() if weight.storage] == ["emb.weight", "head.weight"]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_dtype(tmp_path: Path, read, weights, container: str, name: str) -> None:
    dtype = getattr(torch, name)
    tensor = torch.arange(15, dtype=torch.float32).reshape(3, 5).to(dtype)
    path = tmp_path / "t.pt"
    torch.save(
        {"a.weight": tensor, "b.weight": tensor[1:, ::2], "c": tensor.t()[2]}, path, **CONTAINERS[container]
    )
    found = weights(read(path))
    same(found, {"a.weight": tensor, "b.weight": tensor[1:, ::2], "c": tensor.t()[2]})
    assert found["a.weight"].nbytes == tensor.nbytes
    if name != "complex32":  # numpy has none
        for key, view in (("a.weight", tensor), ("b.weight", tensor[1:, ::2]), ("c", tensor.t()[2])):
            expected = view.contiguous().view(torch.uint8).numpy().tobytes()
            assert found[key].values().tobytes() == expected


def quantized() -> dict[str, torch.Tensor]:
    data = torch.rand(4, 6)
    return {
        "a": torch.quantize_per_tensor(data, 0.1, 3, torch.quint8),
        "b": torch.quantize_per_tensor(data, 0.1, 0, torch.qint8),
        "c": torch.quantize_per_tensor(data, 0.1, 0, torch.qint32),
        "d": torch.quantize_per_channel(
            data, torch.full((4,), 0.1), torch.zeros(4, dtype=torch.int64), 0, torch.qint8
        ),
        "e": torch.quantize_per_channel(data, torch.full((4,), 0.1), torch.zeros(4), 0, torch.quint4x2),
    }


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.filterwarnings("ignore")
def test_quantized(tmp_path: Path, read, weights, container: str) -> None:
    path = tmp_path / "q.pt"
    tensors = quantized()
    torch.save(tensors, path, **CONTAINERS[container])
    model = read(path)
    found = weights(model)
    same(found, tensors)
    np.testing.assert_array_equal(found["d"].values(), tensors["d"].dequantize().numpy())
    assert found["e"].nbytes == tensors["e"].untyped_storage().nbytes() == 12
    assert any("per_channel_affine" in note.text for note in model.notes)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.filterwarnings("ignore")
def test_sparse(tmp_path: Path, read, weights, container: str) -> None:
    dense = torch.zeros(4, 6)
    dense[1, 2], dense[3, 5] = 1.0, 2.0
    tensors = {
        "coo": dense.to_sparse_coo(),
        "csr": dense.to_sparse_csr(),
        "csc": dense.to_sparse_csc(),
        "bsr": dense.to_sparse_bsr((2, 3)),
        "bsc": dense.to_sparse_bsc((2, 3)),
    }
    path = tmp_path / "s.pt"
    torch.save(tensors, path, **CONTAINERS[container])
    found = weights(read(path))
    same(found, tensors)
    assert found["coo"].nbytes == 2 * 2 * 8 + 2 * 4
    assert found["csr"].nbytes == 5 * 8 + 2 * 8 + 2 * 4
    assert found["coo"].values is None


def test_meta_and_uninitialized(tmp_path: Path, read, weights) -> None:
    path = tmp_path / "m.pt"
    torch.save({"a": torch.empty(3, 5, device="meta", dtype=torch.bfloat16), "b": torch.rand(2)}, path)
    model = read(path)
    found = weights(model)
    assert (found["a"].shape, found["a"].dtype, found["a"].nbytes) == ((3, 5), "bfloat16", 0)
    assert any("meta" in note.text for note in model.notes)
    lazy = tmp_path / "lazy.pt"
    torch.save(nn.LazyLinear(5).state_dict(), lazy)
    model = read(lazy)
    assert weights(model) == {}
    assert any("not initialized" in note.text for note in model.notes)


@pytest.mark.filterwarnings("ignore")
def test_nested(tmp_path: Path, read, weights) -> None:
    path = tmp_path / "n.pt"
    torch.save({"a": torch.nested.nested_tensor([torch.rand(2, 5), torch.rand(3, 5)])}, path)
    model = read(path)
    weight = weights(model)["a"]
    assert [str(dim) for dim in weight.shape] == ["2", "?", "?"]
    assert weight.size == 25
    assert any("nested" in note.text for note in model.notes)


class Tagged(torch.Tensor):
    """A subclass, which torch rebuilds by `_rebuild_from_type_v2`."""


def test_parameters_and_subclasses(tmp_path: Path, read, weights) -> None:
    plain, marked = nn.Parameter(torch.rand(2, 3)), nn.Parameter(torch.rand(4), requires_grad=False)
    marked.note = "kept"
    tagged = torch.rand(5, 2).as_subclass(Tagged)
    path = tmp_path / "p.pt"
    torch.save({"a": plain, "b": marked, "c": tagged, "d": torch.rand(1, requires_grad=True)}, path)
    found = weights(read(path))
    same(found, {"a": plain, "b": marked, "c": tagged, "d": torch.rand(1)})
    assert [found[name].trainable for name in "abcd"] == [True, False, None, True]
    np.testing.assert_array_equal(found["c"].values(), tagged.numpy())


class Wrapper(torch.Tensor):
    """A tensor without a storage of its own: it is made of another one."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, device=inner.device)

    def __init__(self, inner) -> None:
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return func(*(a.inner if isinstance(a, Wrapper) else a for a in args), **(kwargs or {}))


def test_wrapper_subclass(tmp_path: Path, read, weights) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": Wrapper(torch.rand(3, 7))}, path)
    weight = weights(read(path))["a"]
    assert (weight.shape, weight.dtype, weight.nbytes) == ((3, 7), "float32", 84)


@pytest.mark.parametrize("container", CONTAINERS)
def test_views_of_one_storage(tmp_path: Path, read, weights, container: str) -> None:
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "whole": base,
        "again": base,
        "part": base[1:3],
        "turned": base.t(),
        "wide": base[:1].expand(5, 6),
    }
    path = tmp_path / "v.pt"
    torch.save(tensors, path, **CONTAINERS[container])
    model = read(path)
    found = weights(model)
    same(found, tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name].values(), tensor.numpy())
    assert found["whole"].storage == found["again"].storage is not None
    assert [found[name].storage for name in ("part", "turned", "wide")] == [None, None, None]
    assert found["wide"].nbytes == 24, "an expanded axis is stored once"
    assert any("different views" in note.text for note in model.notes)


@pytest.mark.parametrize("container", CONTAINERS)
def test_bare_tensor_and_lists(tmp_path: Path, read, weights, container: str) -> None:
    path = tmp_path / "t.pt"
    torch.save(torch.rand(3, 4), path, **CONTAINERS[container])
    assert {name: w.shape for name, w in weights(read(path)).items()} == {"tensor": (3, 4)}
    torch.save([torch.rand(3), (torch.rand(2, 2), 7)], path, **CONTAINERS[container])
    assert {name: w.shape for name, w in weights(read(path)).items()} == {"0": (3,), "1.0": (2, 2)}


def test_empty_and_scalar(tmp_path: Path, read, weights) -> None:
    path = tmp_path / "t.pt"
    tensors = {"none": torch.zeros(0, 3), "one": torch.tensor(5)}
    torch.save(OrderedDict(tensors), path)
    found = weights(read(path))
    same(found, tensors)
    assert found["none"].values().shape == (0, 3)
    assert found["one"].values() == 5
    assert found["one"].nbytes == 8
    torch.save(nn.ReLU().state_dict(), path)
    model = read(path)
    assert model.layers == ()
    assert any("no tensors" in note.text for note in model.notes)


def test_numpy_arrays(tmp_path: Path, read, weights) -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.asfortranarray(np.ones((2, 5), np.int16)),
    }
    path = tmp_path / "t.pt"
    torch.save(arrays, path)
    found = weights(read(path))
    assert {n: (w.shape, w.dtype, w.nbytes) for n, w in found.items()} == {
        "a": ((2, 3), "float32", 24),
        "b": ((2, 5), "int16", 20),
    }


def test_re_deflated_and_renamed(tmp_path: Path, read, weights) -> None:
    net = Net()
    stored, packed = tmp_path / "a.pt", tmp_path / "b.pt"
    torch.save(net.state_dict(), stored)
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr("another name/" + info.filename.partition("/")[2], old.read(info))
    found = weights(read(packed))
    same(found, torch.load(packed))
    np.testing.assert_array_equal(found["conv.weight"].values(), net.conv.weight.detach().numpy())


def test_without_checksums(tmp_path: Path, read, weights) -> None:
    path = tmp_path / "a.pt"
    net = Net()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(net.state_dict(), path)
    finally:
        torch.serialization.set_crc32_options(True)
    same(weights(read(path)), net.state_dict())


def test_big_endian(tmp_path: Path, read, weights) -> None:
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    little, big = tmp_path / "a.pt", tmp_path / "b.pt"
    torch.save({"a": tensor}, little)
    with zipfile.ZipFile(little) as old, zipfile.ZipFile(big, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("byteorder"):
                data = b"big"
            if info.filename.endswith("data/0"):
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            new.writestr(info.filename, data)
    np.testing.assert_array_equal(torch.load(big)["a"].numpy(), tensor.numpy())
    np.testing.assert_array_equal(weights(read(big))["a"].values(), tensor.numpy())
