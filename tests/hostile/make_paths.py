"""Sets of files whose index, metadata or links lead outside: ``python make_paths.py FOLDER``.

An index of shards, a distributed checkpoint, GGUF in parts, a model cache; ONNX has a script of its own.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

from cases import PATHS, Case, Read, Refused, entry, file, main, outside, packed, safetensors
from make_headers import Gguf, orbax
from make_pickles import beside as checkpoint

W = {"w": (3, 5)}
ONE = safetensors({"w": entry()}, bytes(60))
INDEX = "model.safetensors.index.json"
OUTSIDE = "names a path outside its own directory"
#: A store that orbax has written.
STORE = Path(__file__).parents[1] / "flax" / "data" / "ocdbt"
DATA = "d/0bf5c7c9856ceab06de87547ac97d310"
LINK = "is a link that leads outside its directory"

#: Names that lead elsewhere on some machine.
NAMES = {
    "..": "../given.outside", "an absolute path": "/etc/passwd", "a device": "/dev/zero",
        "a backslash": "..\\x",
    "a drive": "C:x", "a network drive": "\\\\host\\share\\x", "slashes": "//host/share/x",
    "a URL": "file:///etc/passwd", "NUL": "a\0b", "nothing": "", "out and in": "a/../../given/x",
        "two slashes": "a//b", "here and here": "././x",
    "a home": "~root/../x",
}  # fmt: skip


def index(name: str, files: str = INDEX) -> Callable[[Path], None]:
    return file(json.dumps({"metadata": {}, "weight_map": {"w": name}}).encode(), files)


def distributed(name: str) -> Callable[[Path], None]:
    """The metadata of a distributed checkpoint whose one chunk is in this file, as torch pickles it."""

    def write(home: Path) -> None:
        import torch
        from torch.distributed.checkpoint.filesystem import _StorageInfo
        from torch.distributed.checkpoint.metadata import (
            ChunkStorageMetadata,
            Metadata,
            MetadataIndex,
            TensorProperties,
            TensorStorageMetadata,
        )

        size = torch.Size((3, 5))
        chunk = ChunkStorageMetadata(torch.Size((0, 0)), size)
        tensor = TensorStorageMetadata(TensorProperties(torch.float32), size, [chunk])
        place = {MetadataIndex("w", torch.Size((0, 0))): _StorageInfo(name, 0, 60)}
        (home / ".metadata").write_bytes(pickle.dumps(Metadata({"w": tensor}, storage_data=place)))
        (home / "__0_0.distcp").touch()

    return write


def by_name(label: str, name: str) -> dict[str, Case]:
    return {
        f"index: {label}": Case(index(name), "a file outside", Refused(OUTSIDE), INDEX, PATHS),
        f"index in a directory: {label}": Case(index(name), "a file outside", Refused(OUTSIDE), ".", PATHS),
        f"pickles: {label}": Case(
            index(name, "pytorch_model.bin.index.json"), "a file outside", Refused(OUTSIDE), ".", PATHS),
        f"distributed: {label}": Case(distributed(name), "a file outside", Refused(OUTSIDE), ".", PATHS),
    }  # fmt: skip


def linked(target: Callable[[Path], str], hard: bool = False) -> Callable[[Path], None]:
    """A set whose shard is a link."""

    def write(home: Path) -> None:
        index("one.safetensors")(home)
        if hard:
            (home / "one.safetensors").hardlink_to(target(home))
        else:
            (home / "one.safetensors").symlink_to(target(home))

    return write


def cache(home: Path) -> None:
    """A model cache: every file once under its hash, and links to it."""
    blob = home / "blobs" / ("0" * 64)
    blob.parent.mkdir()
    blob.write_bytes(ONE)
    snapshot = home / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    index("one.safetensors")(snapshot)
    (snapshot / "one.safetensors").symlink_to(f"../../blobs/{blob.name}")


def false_cache(home: Path) -> None:
    """A link that only looks like one of a model cache."""
    index("one.safetensors")(home)
    (home / "one.safetensors").symlink_to("../blobs/../given.outside")


def config(home: Path) -> None:
    (home / "model.safetensors").write_bytes(ONE)
    (home / "config.json").symlink_to(outside(home))


def chosen(home: Path) -> None:
    """The directory's only model is a link."""
    (home / "model.safetensors").symlink_to(os.path.relpath(outside(home), home))


def loop(home: Path) -> None:
    index("one.safetensors")(home)
    (home / "one.safetensors").symlink_to("one.safetensors")


def pipe(home: Path) -> None:
    """A shard that is no file: who opens it waits for ever."""
    index("one.safetensors")(home)
    os.mkfifo(home / "one.safetensors")


def folder(home: Path) -> None:
    index("one.safetensors")(home)
    (home / "one.safetensors").mkdir()


def many(home: Path) -> None:
    told = {f"w{number}": f"{number}.safetensors" for number in range(20_000)}
    (home / INDEX).write_text(json.dumps({"weight_map": told}))


def missing(home: Path) -> None:
    """Many weights of many files, of which one is there."""
    told = {"w": "x.safetensors", **{f"w{number}": f"{number % 9990}.bin" for number in range(300_000)}}
    (home / INDEX).write_text(json.dumps({"weight_map": told}))
    (home / "x.safetensors").write_bytes(safetensors({"w": entry()}, bytes(60)))


def patterns(home: Path) -> None:
    """An adapter of many pairs, and as many patterns that name none of them."""
    names = [f"base_model.model.l{number}.q.lora_{side}.weight" for number in range(2000) for side in "AB"]
    header = {name: entry(start=60 * at, end=60 * at + 60) for at, name in enumerate(names)}
    (home / "adapter_model.safetensors").write_bytes(safetensors(header, bytes(60 * len(names))))
    told = {f"zz{number}": 3 for number in range(100_000)}
    config = {"peft_type": "LORA", "r": 3, "lora_alpha": 8, "alpha_pattern": told, "rank_pattern": told}
    (home / "adapter_config.json").write_text(json.dumps(config))


PAIRS = {
    f"base_model.model.l{number}.q.lora_{side}.weight": (3, 5) for number in range(2000) for side in "AB"
}


def parts(home: Path) -> None:
    """Parts of one GGUF model, of which the second is a link."""
    made = Gguf().head(1, 1).text(b"split.count").number("I", 2).number("H", 2)
    (home / "m-00001-of-00002.gguf").write_bytes(made.tensor(b"w", (5, 3)).pad(60))
    (home / "m-00002-of-00002.gguf").symlink_to(outside(home))


def stored(name: str) -> Callable[[Path], None]:
    """A checkpoint whose storage has a path as its key."""
    return file(lambda: checkpoint(b"N", key=name))


def array(home: Path) -> None:
    """An Orbax checkpoint whose array's directory is a link."""
    (home / "_METADATA").write_bytes(orbax([3, 5]))
    (home / "a").symlink_to(outside(home).parent)


def store(part: str, way: str = "link") -> Callable[[Path], None]:
    """An OCDBT store of which one part is a link to a link outside, or a pipe, which waits for a writer."""

    def make(home: Path) -> None:
        shutil.copytree(STORE, home, dirs_exist_ok=True)
        lost = home / part
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
        if way == "pipe":
            os.mkfifo(lost)
            return
        lost.symlink_to("other")
        lost.with_name("other").symlink_to(outside(home).parent if part == "d" else outside(home))

    return make


def shards_of_keras(name: str) -> Callable[[Path], None]:
    told = {"metadata": {}, "weight_map": {"/layers/dense/vars": name}}
    members = {"metadata.json": b"{}",
        "config.json": b'{"class_name": "Sequential", "config": {"layers": []}}',
               "model.weights.json": json.dumps(told).encode()}  # fmt: skip
    return file(packed(members), "m.keras")


def chain(home: Path) -> None:
    """Links inside the directory, of which the last one leads out of it."""
    linked(lambda _: "two")(home)
    (home / "two").symlink_to("three")
    (home / "three").symlink_to(outside(home))


def below(home: Path) -> None:
    """A directory that is a link to one that is a link outside."""
    index("part/one.safetensors")(home)
    (home / "part").symlink_to("other")
    (home / "other").symlink_to(outside(home).parent)


def false_blob(home: Path) -> None:
    """A model cache whose file under a hash is a link in its turn."""
    cache(home)
    blob = home / "blobs" / ("0" * 64)
    blob.unlink()
    blob.symlink_to(outside(home))


def far_blob(home: Path) -> None:
    """A link to something like a file under its hash, in a directory that is not this cache's."""
    (home / "blobs").mkdir()
    (home / "blobs" / ("0" * 64)).write_bytes(ONE)
    snapshot = home / "cache" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    index("one.safetensors")(snapshot)
    (snapshot / "one.safetensors").symlink_to(f"../../../blobs/{'0' * 64}")


def linked_blobs(home: Path) -> None:
    """A model cache whose directory of blobs is a link."""
    cache(home)
    (home / "blobs").rename(home / "elsewhere")
    (home / "blobs").symlink_to("elsewhere")


def inside(home: Path) -> None:
    """Links to a file in a directory below, and back from there."""
    linked(lambda _: "part/two")(home)
    (home / "part").mkdir()
    (home / "part" / "two").symlink_to("../three.safetensors")
    (home / "three.safetensors").write_bytes(ONE)


def row(make: Callable[[Path], None], tries: str, must: Refused | Read, show: str = INDEX) -> Case:
    return Case(make, tries, must, show, PATHS)


CASES: dict[str, Case] = {
    **{label: case for name in NAMES for label, case in by_name(name, NAMES[name]).items()},
    "a long name": row(index("n" * 5000), "a name that no file can have", Refused("no file can have")),
    "half a character": row(index("\ud800"), "a name that no text can hold", Refused("no file can have")),
    "link to an absolute path": row(linked(lambda home: str(outside(home))), "a link outside", Refused(LINK)),
    "link with ..": row(linked(lambda _: "../given.outside"), "a link outside", Refused(LINK)),
    "link to a device": row(linked(lambda _: "/dev/zero"), "bytes without end", Refused(LINK)),
    "link like a cache's": row(false_cache, "a link outside", Refused(LINK)),
    "link in a model cache": row(cache, "nothing: this is ordinary", Read(W), "snapshots/main"),
    "link to a link outside": row(chain, "a link outside", Refused(LINK)),
    "link below a link outside": row(below, "a link outside", Refused(LINK)),
    "link of a model cache to a link": row(false_blob, "a link outside", Refused(LINK), "snapshots/main"),
    "link to blobs of another directory": row(far_blob, "a link outside", Refused(LINK),
        "cache/snapshots/main"),
    "link as the blobs of a cache": row(linked_blobs, "a link outside", Refused(LINK), "snapshots/main"),
    "links inside": row(inside, "nothing: this is ordinary", Read(W)),
    "link to itself": row(loop, "a walk without end", Refused("index")),
    "link as config.json": row(config, "a link outside", Refused(LINK), "."),
    "link as the only model": row(chosen, "a link outside", Refused(LINK), "."),
    "link as a part": row(parts, "a link outside", Refused(LINK), "m-00001-of-00002.gguf"),
    "link as an array": row(array, "a link outside", Refused(LINK), "."),
    "link as the table of a store": row(
        store("manifest.ocdbt"), "a link to a link outside", Refused(LINK), "."),
    "link as the data of a store": row(store(DATA), "a link to a link outside", Refused(LINK), "."),
    "link as a folder of a store": row(store("d"), "a link to a link outside", Refused(LINK), "."),
    "a pipe in a store": row(store(DATA, "pipe"), "to wait for ever", Refused("neither a file"), "."),
    "hard link": row(linked(lambda home: str(outside(home)), hard=True), "a link outside",
        Refused("neither a file")),
    "a pipe": row(pipe, "to wait for ever", Refused("neither a file")),
    "a directory as a shard": row(folder, "another kind of file", Refused("safetensors")),
    "20,000 files": row(many, "as many files to open", Refused("names 20,000 files")),
    "9,990 missing files of 300,000 weights": Case(
        missing, "a search of all files for each weight", Read(W, "are missing"), INDEX, PATHS),
    "100,000 patterns of an adapter": Case(
        patterns, "a search of all patterns for each layer", Read(PAIRS), ".", PATHS),
    "torch: a storage's key": row(stored("../../x"), "a file outside", Refused("no storage"), "m.pt"),
    "keras: a shard outside": row(shards_of_keras("../x.h5"), "a file outside", Refused("../x.h5"),
        "m.keras"),
}  # fmt: skip

if __name__ == "__main__":
    main(CASES)
