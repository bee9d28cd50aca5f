"""Orbax directories, with tensorstore and without, against what JAX says of the same trees."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.dims import UNKNOWN
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model, Weight
from shapeinspect.sources.source import from_path
from shapeinspect_flax import ocdbt
from shapeinspect_flax.adapter import ADAPTER

FORMS = ["ocdbt", "zarr3", "files", "files3"]


def _read(path: Path) -> Model:
    assert ADAPTER.match(from_path(path)) == 2
    return ADAPTER.read(from_path(path))


def _weights(model: Model) -> dict[str, Weight]:
    return {weight.name: weight for layer in model.layers for weight in layer.weights}


def _listed(model: Model) -> list[list[object]]:
    return sorted([name, list(w.shape), w.dtype] for name, w in _weights(model).items())


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if tensorstore were not installed."""
    monkeypatch.setattr(ocdbt, "find_spec", lambda _: None)


def _arrays(facts: dict[str, Any]) -> list[list[object]]:
    return sorted(row for row in facts["orbax"] if row[0] != "step")


@pytest.mark.parametrize("form", FORMS)
def test_every_array_is_listed_as_jax_lists_it(data: Path, facts: dict[str, Any], form: str) -> None:
    model = _read(data / form)
    assert _listed(model) == _arrays(facts)
    assert [layer.kind for layer in model.layers] == ["linear", "embedding", "linear"]
    assert [note.text for note in model.notes] == ["plain values were left out: step"]


def test_the_last_of_several_steps_is_read(data: Path, facts: dict[str, Any]) -> None:
    steps = from_path(data / "steps")
    assert ADAPTER.match(steps) == 1
    model = ADAPTER.read(steps)
    assert _listed(model) == _arrays(facts)
    texts = [note.text for note in model.notes]
    assert texts[0] == "of 2 steps, the last one, 12, was read"
    assert texts[1] == "items without a tree of arrays were left out: config"
    assert _listed(_read(data / "steps" / "5")) == _arrays(facts)
    assert _listed(_read(data / "steps" / "5" / "state")) == _arrays(facts)


@pytest.mark.usefixtures("without")
@pytest.mark.parametrize("form", ["ocdbt", "zarr3"])
def test_without_tensorstore_it_is_partial(data: Path, form: str) -> None:
    model = _read(data / form)
    weights = _weights(model)
    # One device wrote these whole; four devices wrote a quarter each, (2, 7) of (8, 7).
    assert weights["params/fc/kernel"].shape == (3, 5)
    assert weights["params/fc/bias"].shape == (5,)
    assert weights["params/wide/kernel"].shape == (UNKNOWN, UNKNOWN)
    # Of an array of numpy not even the rank is told.
    assert "params/table/embedding" not in weights
    assert [layer.path for layer in model.layers] == ["fc", "table", "wide"]
    assert model.notes[0].text == (
        "partial: element types and all but 2 of 4 shapes are only inside the store; "
        "pip install 'shapeinspect[orbax]' reads them all"
    )


@pytest.mark.usefixtures("without")
def test_arrays_in_files_need_no_tensorstore(data: Path, facts: dict[str, Any]) -> None:
    assert _listed(_read(data / "files")) == _arrays(facts)
    assert _listed(_read(data / "files3")) == _arrays(facts)


def _change(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("key", ["..", "/etc", "a\\b", "a\0b", "C:", "../../x"])
def test_keys_lead_nowhere_else(data: Path, key: str) -> None:
    def change(content: dict[str, Any]) -> None:
        content["tree_metadata"]["x"] = {
            "key_metadata": [{"key": f"{key}/x", "key_type": 2}],
            "value_metadata": {"value_type": "jax.Array"},
        }

    _change(data / "files" / "_METADATA", change)
    with pytest.raises(UnreadableFileError, match="outside its own directory"):
        _read(data / "files")


@pytest.mark.parametrize(
    "shape", [None, "5", [-1], [True], [1.5], [2**63], [2**40, 2**40], [1] * 65, {"0": 1}]
)
def test_shapes_are_shapes(data: Path, shape: object) -> None:
    header = data / "files" / "params.fc.bias" / ".zarray"
    _change(header, lambda content: content.update(shape=shape))
    with pytest.raises(UnreadableFileError, match="shape"):
        _read(data / "files")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "{", "[" * 100_000, '{"tree_metadata": 1}', '{"tree_metadata": {"a": 1}}', "9" * 5000],
)
def test_metadata_is_what_it_says(data: Path, text: str) -> None:
    (data / "files" / "_METADATA").write_text(text)
    with pytest.raises(UnreadableFileError):
        _read(data / "files")


def test_headers_are_json_objects(data: Path) -> None:
    for text in ("[]", "null", "{", "\xff"):
        (data / "files" / "params.fc.bias" / ".zarray").write_text(text)
        with pytest.raises(UnreadableFileError):
            _read(data / "files")


@pytest.mark.usefixtures("without")
def test_shardings_are_named_in_base64(data: Path) -> None:
    _change(
        data / "ocdbt" / "_sharding", lambda content: content.update({"é": '{"a": "SingleDeviceSharding"}'})
    )
    with pytest.raises(UnreadableFileError, match="_sharding"):
        _read(data / "ocdbt")


@pytest.mark.usefixtures("without")
def test_a_checkpoint_without_shardings_tells_less(data: Path) -> None:
    (data / "ocdbt" / "_sharding").unlink()
    assert _weights(_read(data / "ocdbt"))["params/fc/kernel"].shape == (UNKNOWN, UNKNOWN)
    names = json.loads((data / "zarr3" / "_sharding").read_text())
    assert base64.b64encode(b"params.fc.kernel").decode() in names


def test_a_damaged_store_is_refused_by_name(data: Path) -> None:
    manifest = data / "ocdbt" / "manifest.ocdbt"
    for content in (b"", b"\0" * 100, manifest.read_bytes()[:-5]):
        manifest.write_bytes(content)
        with pytest.raises(UnreadableFileError, match="tensorstore"):
            _read(data / "ocdbt")


def test_a_directory_of_steps_holds_checkpoints(tmp_path: Path) -> None:
    for step in ("1", "22"):
        (tmp_path / step).mkdir()
    with pytest.raises(UnreadableFileError, match="_METADATA"):
        ADAPTER.read(from_path(tmp_path))
    (tmp_path / "22" / "_CHECKPOINT_METADATA").write_text("{}")
    with pytest.raises(UnreadableFileError, match="_METADATA"):
        ADAPTER.read(from_path(tmp_path))


def test_several_items_keep_their_names(data: Path) -> None:
    step = data / "steps" / "5"
    (step / "state").rename(step / "generator")
    (data / "files").rename(step / "critic")
    assert [layer.path for layer in _read(step).layers] == [
        *("critic/fc", "critic/table", "critic/wide"),
        *("generator/fc", "generator/table", "generator/wide"),
    ]
