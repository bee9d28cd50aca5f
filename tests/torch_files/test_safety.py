"""Reading a file costs what the metadata costs, and imports nothing of weight. tests/hostile has the rest."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn


def test_not_even_numpy_is_imported_until_values_are_read(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.pt", "b.pt", "c.pt", "d.safetensors", "e.pt")]
    net = nn.Sequential(nn.Conv2d(3, 5, 2), nn.BatchNorm2d(5))
    torch.save(net.state_dict(), files[0])
    torch.save(net, files[1])
    torch.save(net, files[2], _use_new_zipfile_serialization=False)
    save_file(net.state_dict(), files[3])
    torch.jit.script(net).save(files[4])
    code = """
        import sys
        from shapeinspect.registry import choose, installed
        from shapeinspect.sources.source import from_path
        rows = installed()
        for path in sys.argv[1:]:
            choose(from_path(path), rows).read(from_path(path))
        print([name for name in ("torch", "tensorflow", "keras", "jax", "numpy") if name in sys.modules])
    """
    words = [sys.executable, "-c", textwrap.dedent(code), *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


LIMITED = """
    import builtins, io, resource, sys
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))
    read = 0
    class Counting(io.FileIO):
        def readinto(self, buffer):
            global read
            count = super().readinto(buffer)
            read += count
            return count
        def read(self, size=-1):
            global read
            data = super().read(size)
            read += len(data)
            return data
        def readall(self):
            raise AssertionError("a whole file is read")
    import shapeinspect.sources.source
    io.FileIO = Counting
    from shapeinspect.registry import choose
    from shapeinspect.sources.source import from_path
    model = choose(from_path(sys.argv[1])).read(from_path(sys.argv[1]))
    print(read, sum(weight.nbytes for layer in model.layers for weight in layer.weights))
"""


class Storage:
    """Stands for a storage while a pickle is written by hand."""


class Tensor:
    """Pickles as a tensor of `count` elements of storage "0"."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, (Storage(), 0, (self.count,), (1,), False, {})


def pickled(count: int, *more: object) -> bytes:
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            pid = ("storage", torch.FloatStorage, "0", "cpu", count, *more)
            return pid if isinstance(obj, Storage) else None

    out = io.BytesIO()
    Pickler(out, 2).dump({"a.weight": Tensor(count)})
    return out.getvalue()


def sparse_zip(path: Path, size: int) -> None:
    """A checkpoint whose storage is a hole of `size` bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickled(size // 4))
        info = zipfile.ZipInfo("a/data/0")
        info.file_size, info.compress_size, info.CRC = size, size, 0
        info.header_offset = archive.fp.tell()
        archive.fp.write(info.FileHeader(zip64=False))
        archive.fp.seek(size, 1)
        archive.start_dir = archive.fp.tell()
        archive.filelist.append(info)


def sparse_legacy(path: Path, size: int) -> None:
    parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    data = b"".join(pickle.dumps(part, 2) for part in parts)
    data += pickled(size // 4, None) + pickle.dumps(["0"], 2) + (size // 4).to_bytes(8, "little")
    with path.open("wb") as file:
        file.write(data)
        file.truncate(len(data) + size)


def sparse_safetensors(path: Path, size: int) -> None:
    header = json.dumps({"a.weight": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)


@pytest.mark.parametrize("make", [sparse_zip, sparse_legacy, sparse_safetensors])
def test_cost_does_not_grow_with_the_weights(tmp_path: Path, make) -> None:
    """1 GB of weights in a process of 300 MB, and no more bytes read than for 4 MB."""
    read = {}
    for size in (1 << 22, 1 << 30):
        path = tmp_path / ("a.safetensors" if make is sparse_safetensors else "a.pt")
        make(path, size)
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(LIMITED), str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        read[size], total = map(int, done.stdout.split())
        assert total == size
    assert read[1 << 30] <= read[1 << 22] + 64
    assert read[1 << 30] < 1 << 20
