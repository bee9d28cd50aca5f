"""Files that are no model: each is told by its first bytes, and the error says what to do."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.registry import choose
from shapeinspect.sources.not_a_model import foreign
from shapeinspect.sources.source import from_path

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 123\n"


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("notes.txt", "text")


def tarred(path: Path) -> None:
    (path.parent / "notes.txt").write_text("text")
    with tarfile.open(path, "w") as file:
        file.add(path.parent / "notes.txt", "notes.txt")


def holding(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data) and None


@pytest.mark.parametrize(("make", "what", "todo"), [
    (holding(LFS), "Git LFS pointer", "git lfs pull"),
    (holding(b"\n<!DOCTYPE html>\n<title>404 Not\nFound</title>"), 'model: "404 Not Found"', "download"),
    (holding(b'<?xml version="1.0"?><Error><Code>NoAccess</Code>'), 'error response: "NoAccess"', "download"),
    (holding(b'{"error":"Entry not found"}'), 'response, not a model: "Entry not found"', "download"),
    (holding(gzip.compress(b"weights", mtime=0)), "packed with gzip", "gzip -dc"),
    (holding(bz2.compress(b"weights")), "packed with bzip2", "bzip2 -dc"),
    (holding(lzma.compress(b"weights")), "packed with xz", "xz -dc"),
    (tarred, "tar archive with no model", "tar xf"),
    (holding(b'{"model_type": "bert"}'), "JSON, which may describe a model", "directory"),
    (holding(bytes(100)), "begins with zeros", "again"),
    (holding(b"to do:\n- train"), "a text file that begins with 'to do:'", "weights"),
    (holding(b"[model]\nlayers = 3"), "a text file that begins with '[model]'", "weights"),
    (holding(b""), "empty", "again"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["model.dat", "model.bin"])
def test_what_is_no_model(
    tmp_path: Path, make: Callable[[Path], None], what: str, todo: str, name: str
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(path))
    assert what in caught.value.reason
    assert todo in str(caught.value.hint)


@pytest.mark.parametrize(
    "name", ["m.safetensors", "m.gguf", "m.h5", "m.onnx", "m.keras", "m.tflite", "m.npz"]
)
@pytest.mark.parametrize("data", [LFS, b"<html>", gzip.compress(b"weights", mtime=0), b'{"error": "no"}'])
def test_no_ending_makes_it_a_model(tmp_path: Path, name: str, data: bytes) -> None:
    """What is no model of any format is refused before a name is believed."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(path))
    assert caught.value.reason == foreign(from_path(path)).reason


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    zipped(tmp_path / "model.zip")
    with pytest.raises(UnreadableFileError, match="zip archive with no model") as caught:
        choose(from_path(tmp_path / "model.zip"))
    assert "unzip" in str(caught.value.hint)


def test_a_header_length_that_begins_as_gzip_does(tmp_path: Path) -> None:
    """The eight bytes of a safetensors header of this length are those of a gzip file."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}}).encode()
    length = int.from_bytes(b"\x1f\x8b\x08\0\0\0\0\0", "little")
    path = tmp_path / "m.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + b"abc")
    assert gzip.compress(b"", mtime=0)[:8] == path.read_bytes()[:8]
    assert choose(from_path(path)).name == "safetensors"


def test_a_title_cannot_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(b"<html><title>\x1b[31mred\x9b</title>")
    with pytest.raises(UnreadableFileError) as caught:
        choose(from_path(path))
    assert "\x1b" not in str(caught.value)
    assert "\x9b" not in str(caught.value)


def test_a_directory_of_models_names_them(tmp_path: Path) -> None:
    for place in ("unet", "runs/one/checkpoints"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "model_index.json").write_text("{}")
    (tmp_path / "unet" / "model.safetensors").write_bytes(bytes(8))
    (tmp_path / "runs" / "one" / "checkpoints" / "last.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UnreadableFileError, match="itself is not a model") as caught:
        choose(from_path(tmp_path))
    assert str(tmp_path / "unet") in str(caught.value.hint)
    with pytest.raises(UnreadableFileError, match="itself is not a model") as caught:
        choose(from_path(tmp_path / "runs"))
    assert str(tmp_path / "runs" / "one" / "checkpoints" / "last.npz") in str(caught.value.hint)


def test_a_directory_without_models(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="the directory is empty"):
        choose(from_path(tmp_path))
    (tmp_path / "notes.txt").write_text("text")
    # A cache whose files are numbers looks like a directory of checkpoints, one for each step.
    (tmp_path / ".cache" / "17").mkdir(parents=True)
    (tmp_path / ".cache" / "17" / "20").touch()
    with pytest.raises(UnreadableFileError, match="no model of a known format") as caught:
        choose(from_path(tmp_path))
    assert "a live" not in str(caught.value.hint)
