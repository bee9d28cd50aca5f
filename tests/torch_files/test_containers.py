"""The containers: zips that lie, legacy files cut off, tars as torch 0.1 wrote them."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER


def net() -> dict[str, torch.Tensor]:
    return nn.Sequential(nn.Conv2d(3, 5, 2), nn.BatchNorm2d(5), nn.Linear(7, 4)).state_dict()


@pytest.fixture
def members(tmp_path: Path) -> dict[str, bytes]:
    """The members of an ordinary archive, in its order."""
    path = tmp_path / "plain.pt"
    torch.save(net(), path)
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def write(path: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return path


def refused(path: Path, match: str = ".") -> UnreadableFileError:
    source = from_path(path)
    assert ADAPTER.match(source) > 0
    with pytest.raises(UnreadableFileError, match=match) as caught:
        ADAPTER.read(source)
    return caught.value


def test_values_check_the_local_header_too(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = write(tmp_path / "a.pt", list(members.items()))
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"plain/data/0", b"plain/data/Z", 1))
    weight = ADAPTER.read(from_path(path)).layers[0].weights[0]
    with pytest.raises(UnreadableFileError, match="contradicts the directory"):
        weight.values()


def test_other_zips_are_named(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.pt", [("x/models/model.json", b"{}")]), "torch.export")
    refused(write(tmp_path / "b.pt", [("x/readme", b"{}")]), "no data.pkl")


def test_a_real_export_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    torch.export.save(torch.export.export(nn.Linear(3, 5), (torch.zeros(1, 3),)), path)
    with pytest.raises(UnreadableFileError, match=r"torch\.export"):
        ADAPTER.read(from_path(path))


def test_tensors_beyond_their_storage(tmp_path: Path, members: dict[str, bytes]) -> None:
    def tensor(offset: object, size: object, stride: object) -> bytes:
        class Record:
            def __reduce__(self):
                return torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, {})

        class Storage:
            pass

        class Pickler(pickle.Pickler):
            def persistent_id(self, obj):
                return ("storage", torch.FloatStorage, "0", "cpu", 10) if isinstance(obj, Storage) else None

        out = io.BytesIO()
        Pickler(out, 2).dump({"a": Record()})
        return out.getvalue()

    def checkpoint(pickled: bytes) -> Path:
        return write(tmp_path / "a.pt", [("a/data.pkl", pickled), ("a/data/0", bytes(40))])

    assert ADAPTER.read(from_path(checkpoint(tensor(0, (2, 5), (5, 1))))).layers
    for offset, size, stride in (
        (1, (2, 5), (5, 1)),
        (0, (2, 5), (6, 1)),
        (0, (2**40, 2**40), (0, 0)),
        (-1, (2,), (1,)),
        (0, (-2,), (1,)),
        (0, (2,), (1, 1)),
        (0, ("2",), (1,)),
        (0, (True,), (1,)),
        (0, 7, (1,)),
        (0, (1,) * 65, (1,) * 65),
    ):
        refused(checkpoint(tensor(offset, size, stride)))


def test_legacy_counts_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a": torch.arange(7.0)}, path, _use_new_zipfile_serialization=False)
    raw = path.read_bytes()
    assert raw[-36:-28] == struct.pack("<Q", 7)
    path.write_bytes(raw[:-36] + struct.pack("<Q", 2**60) + raw[-28:])
    refused(path, "elements")
    path.write_bytes(raw[:-1])
    refused(path, "beyond the end")


def test_legacy_pickles_longer_than_the_first_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    many = {f"some.rather.long.name.of.a.layer.{at}.weight": torch.zeros(2, 3) for at in range(4000)}
    torch.save(many, path, _use_new_zipfile_serialization=False)
    model = ADAPTER.read(from_path(path))
    assert [w.name for layer in model.layers for w in layer.weights] == list(many)


def test_a_polyglot_is_what_its_first_bytes_say(tmp_path: Path) -> None:
    legacy, zipped, both = tmp_path / "a.pt", tmp_path / "b.pt", tmp_path / "c.pt"
    torch.save({"legacy": torch.zeros(2)}, legacy, _use_new_zipfile_serialization=False)
    torch.save({"zipped": torch.zeros(3)}, zipped)
    both.write_bytes(legacy.read_bytes() + zipped.read_bytes())
    model = ADAPTER.read(from_path(both))
    assert model.format == "torch-legacy"
    assert list(torch.load(both)) == ["legacy"] == [w.name for layer in model.layers for w in layer.weights]


def tar_of_2016(path: Path) -> dict[str, torch.Tensor]:
    """Write what torch 0.1.9's `save` wrote: pickles and raw data in three members."""
    base = torch.arange(12.0)
    tensors = {"w": base.reshape(3, 4), "part": base[4:8].reshape(2, 2), "ids": torch.arange(5)}

    storages = io.BytesIO()
    pickle.dump(2, storages, 2)
    for key, kind, data in ((11, torch.FloatStorage, base), (12, torch.LongStorage, tensors["ids"])):
        pickle.dump((key, "cpu", kind), storages, 2)
        storages.write(struct.pack("<Q", data.numel()) + data.numpy().tobytes())
    pickle.dump([(13, 11, 4, 4)], storages, 2)

    listing = io.BytesIO()
    pickle.dump(3, listing, 2)
    for key, storage, tensor in ((1, 11, tensors["w"]), (2, 13, tensors["part"]), (3, 12, tensors["ids"])):
        pickle.dump((key, storage, torch.FloatTensor), listing, 2)
        rank = tensor.dim()
        listing.write(struct.pack(f"<ii{rank}q{rank}qq", rank, 0, *tensor.shape, *tensor.stride(), 0))

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            found = [str(at + 1) for at, name in enumerate(tensors) if obj is tensors[name]]
            return found[0] if found else None

    pickled = io.BytesIO()
    Pickler(pickled, 2).dump(tensors)
    with tarfile.open(path, "w") as tar:
        for name, data in (("storages", storages), ("tensors", listing), ("pickle", pickled)):
            info = tarfile.TarInfo(name)
            info.size = len(data.getvalue())
            tar.addfile(info, io.BytesIO(data.getvalue()))
    return tensors


def test_legacy_tar(tmp_path: Path, read, weights) -> None:
    path = tmp_path / "a.pt"
    tensors = tar_of_2016(path)
    model = read(path)
    assert model.format == "torch-tar"
    found = weights(model)
    oracle = torch.load(path, weights_only=False)
    assert list(found) == list(oracle) == list(tensors)
    for name, tensor in oracle.items():
        assert found[name].shape == tuple(tensor.shape)
        np.testing.assert_array_equal(found[name].values(), tensor.numpy())
