"""Sets of msgpack files, as transformers splits a large Flax model, and directories of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shapeinspect.api.report import inspect
from shapeinspect.errors import UnreadableFileError, UsageError

Pack = Callable[[object], Path]
FIRST, SECOND = (f"flax_model-0000{at}-of-00002.msgpack" for at in (1, 2))
KERNEL = np.arange(15, dtype=np.float32).reshape(3, 5)


@pytest.fixture
def folder(tmp_path: Path, pack: Pack) -> Path:
    """A model in two files, one layer split between them, with the index that transformers writes."""
    made = tmp_path / "net"
    made.mkdir()
    dense, head = {"kernel": KERNEL}, {"kernel": np.zeros((5, 7), np.float32)}
    pack({"encoder": {"dense": dense}}).rename(made / FIRST)
    pack({"encoder": {"dense": {"bias": np.ones(5, np.float32)}}, "head": head}).rename(made / SECOND)
    homes = {"encoder/dense/kernel": FIRST, "encoder/dense/bias": SECOND, "head/kernel": SECOND}
    index = {"metadata": {"total_size": 4 * (15 + 5 + 35)}, "weight_map": homes}
    (made / "flax_model.msgpack.index.json").write_text(json.dumps(index))
    return made


def change(folder: Path, **more: object) -> None:
    path = folder / "flax_model.msgpack.index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


@pytest.mark.parametrize("name", ["flax_model.msgpack.index.json", ""])
def test_all_files_are_one_model(folder: Path, name: str) -> None:
    report = inspect(folder / name)
    assert report.model.format == "flax-msgpack"
    dense = report["encoder/dense"]
    assert dense.kind == "linear"
    assert {weight.role: (weight.shape, weight.where) for weight in dense.weights} == {
        "kernel": ((3, 5), FIRST),
        "bias": ((5,), SECOND),
    }
    read = {weight.role: weight.values() for weight in dense.weights}
    assert np.array_equal(read["kernel"], KERNEL)
    assert np.array_equal(read["bias"], np.ones(5))
    assert report.totals.params == 15 + 5 + 35
    assert "the set has 2 files" in [note.text for note in report.notes]


def test_one_file_alone_is_its_own_tree(folder: Path) -> None:
    assert [layer.path for layer in inspect(folder / FIRST)] == ["encoder/dense"]


def test_a_directory_with_one_file(folder: Path) -> None:
    (folder / "flax_model.msgpack.index.json").unlink()
    with pytest.raises(UsageError, match="several models"):
        inspect(folder)
    (folder / FIRST).unlink()
    report = inspect(folder)
    assert [layer.path for layer in report] == ["encoder/dense", "head"]
    assert f"read from {SECOND} in the directory" in [note.text for note in report.notes]


def test_a_missing_file(folder: Path) -> None:
    (folder / SECOND).unlink()
    report = inspect(folder)
    assert [layer.path for layer in report] == ["encoder/dense"]
    assert f"missing: {SECOND}, and with that 2 arrays" in [note.text for note in report.notes]
    (folder / FIRST).unlink()
    with pytest.raises(UnreadableFileError, match="all files that it names"):
        inspect(folder)


def test_an_index_that_contradicts_its_files(folder: Path) -> None:
    homes = {"encoder/dense/kernel": FIRST, "encoder/dense/bias": FIRST, "lost/kernel": SECOND}
    change(folder, weight_map=homes)
    notes = " ".join(note.text for note in inspect(folder).notes)
    assert "do not hold: encoder/dense/bias, lost/kernel" in notes
    assert "does not name: head/kernel" in notes


def test_an_array_in_two_files(folder: Path, pack: Pack) -> None:
    pack({"encoder": {"dense": {"kernel": KERNEL}}}).rename(folder / SECOND)
    with pytest.raises(UnreadableFileError, match="is in both"):
        inspect(folder)


@pytest.mark.parametrize(
    ("homes", "reason"),
    [
        ({"a": "../secret.msgpack"}, "outside"),
        ({"a": "/etc/passwd"}, "outside"),
        ({"a": 3}, "weight_map"),
        ({}, "0 files"),
        ([], "weight_map"),
    ],
)
def test_an_index_that_is_refused(folder: Path, homes: object, reason: str) -> None:
    change(folder, weight_map=homes)
    with pytest.raises(UnreadableFileError, match=reason):
        inspect(folder)


@pytest.mark.parametrize(
    "text", ['{"weight_map": {"a": "b"}, "weight_map": {}}', '{"weight_map": ', "[" * 100_000]
)
def test_an_index_that_is_no_json(folder: Path, text: str) -> None:
    (folder / "flax_model.msgpack.index.json").write_text(text)
    with pytest.raises(UnreadableFileError, match="index"):
        inspect(folder)
