"""Reading a file opens nothing else, imports no framework, and costs what the metadata costs."""

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

PROBE = """
    import json, os, sys
    paths = [os.path.abspath(path) for path in sys.argv[1:]]
    from shapeinspect.registry import choose, installed
    from shapeinspect.source import from_path
    rows = installed()
    for path in paths:  # what is imported on the way is imported before the watch begins
        choose(from_path(path), rows).read(from_path(path))
    seen = []
    watched = ("open", "exec", "compile", "import", "os.system", "subprocess.Popen", "socket.connect")
    sys.addaudithook(lambda event, args: seen.append((event, str(args[0]))) if event in watched else None)
    for path in paths:
        choose(from_path(path), rows).read(from_path(path))
    seen = [pair for pair in seen if pair[0] != "open" or os.path.abspath(pair[1]) not in paths]
    frameworks = [name for name in ("torch", "tensorflow", "keras", "jax", "numpy") if name in sys.modules]
    print(json.dumps([seen, frameworks]))
"""


class Hostile:
    """Asks the unpickler to write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def test_nothing_else_is_opened_imported_or_run(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 2), nn.BatchNorm2d(5))
    marker = tmp_path / "was_here"
    files = [tmp_path / name for name in ("a.pt", "b.pt", "c.pt", "d.pt", "e.safetensors", "f.pt")]
    torch.save(net.state_dict(), files[0])
    torch.save(net, files[1])
    torch.save(net, files[2], _use_new_zipfile_serialization=False)
    torch.save({"model": net.state_dict(), "trap": Hostile(marker)}, files[3])
    save_file(net.state_dict(), files[4])
    torch.jit.script(net).save(files[5])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROBE), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen, frameworks = json.loads(done.stdout)
    assert seen == []
    assert frameworks == [], "not even numpy, until values are read"
    assert not marker.exists()
    torch.load(files[3], weights_only=False)
    assert marker.exists(), "the trap does work in a real unpickler"


def test_globals_of_a_hostile_pickle_are_named(tmp_path: Path, read) -> None:
    path = tmp_path / "a.pt"
    torch.save({"model": nn.Linear(2, 3).state_dict(), "trap": Hostile(tmp_path / "x")}, path)
    model = read(path)
    assert model.metadata["globals"] == "__builtin__.exec"
    assert any(note.text == "not executed; globals referenced: __builtin__.exec" for note in model.notes)


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
    import shapeinspect.source
    io.FileIO = Counting
    from shapeinspect.registry import choose
    from shapeinspect.source import from_path
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


def test_a_small_pickle_does_not_become_many_rows(tmp_path: Path, read) -> None:
    """Shared nodes are listed for each path, up to a limit that the file's own size sets."""
    from shapeinspect.errors import UnreadableFileError

    leaf = {"w": torch.zeros(1)}
    tree = leaf
    for _ in range(40):
        tree = {"a": tree, "b": tree}
    path = tmp_path / "a.pt"
    torch.save(tree, path)
    with pytest.raises(UnreadableFileError, match="refer to each other too many times"):
        read(path)
    module = nn.Linear(1, 1)
    for _ in range(40):
        module = nn.Sequential(module, module)
    torch.save(module, path)
    with pytest.raises(UnreadableFileError, match="refer to each other too many times"):
        read(path)


def test_cycles(tmp_path: Path, read) -> None:
    from shapeinspect.errors import UnreadableFileError

    loop: dict = {"w": torch.zeros(2), "v": torch.zeros(3)}
    loop["again"] = loop
    path = tmp_path / "a.pt"
    torch.save(loop, path)
    with pytest.raises(UnreadableFileError, match=r"nested deeper|too many times|characters"):
        read(path)
    module = nn.Sequential(nn.Linear(1, 2))
    module._modules["again"] = module
    torch.save(module, path)
    with pytest.raises(UnreadableFileError, match="nested deeper"):
        read(path)
