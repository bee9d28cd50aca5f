"""Damaged files, children that break down, shards: one error class. tests/hostile has the tricks."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources import source
from shapeinspect_keras.adapters.files import ADAPTER
from shapeinspect_keras.containers import hdf5, hdf5_process

CONFIG = {
    "class_name": "Sequential",
    "config": {
        "name": "s",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 3]}},
            {"class_name": "Dense", "config": {"name": "fc", "units": 5}},
        ],
    },
}


def weights() -> bytes:
    raw = io.BytesIO()
    with h5py.File(raw, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.attrs["name"] = "fc"
        group["0"], group["1"] = np.arange(15, dtype="float32").reshape(3, 5), np.zeros(5, "float32")
    return raw.getvalue()


def pack(path: Path, members: dict[str, bytes | str], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def whole(**changes: bytes | str) -> dict[str, bytes | str]:
    members = {"metadata.json": "{}", "config.json": json.dumps(CONFIG), "model.weights.h5": weights()}
    return {**members, **{name.replace("__", "."): value for name, value in changes.items()}}


def legacy(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(CONFIG)
        file.attrs["keras_version"] = "3.15.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"fc"]
        below = group.create_group("fc")
        below.attrs["weight_names"] = [b"fc/kernel", b"fc/bias"]
        below["fc/kernel"], below["fc/bias"] = np.zeros((3, 5), "float32"), np.zeros(5, "float32")
    return path


def read(path: Path):
    return ADAPTER.read(source.from_path(path))


def refused(path: Path) -> UnreadableFileError:
    with pytest.raises(UnreadableFileError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    return caught.value


def test_the_whole_files_are_read(tmp_path):
    for path in (pack(tmp_path / "m.keras", whole()), legacy(tmp_path / "m.h5")):
        model = read(path)
        assert [layer.path for layer in model.layers] == ["in", "fc"]
        assert [w.shape for w in model.layers[1].weights] == [(3, 5), (5,)]


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_file_cut_off_anywhere(ending, tmp_path):
    path = tmp_path / f"m.{ending}"
    content = (pack(path, whole()) if ending == "keras" else legacy(path)).read_bytes()
    for part in range(40):
        path.write_bytes(content[: len(content) * part // 40])
        error = refused(path)
    assert error.offset == len(path.read_bytes()) or ending == "keras"


def test_weights_cut_off_inside_a_whole_archive(tmp_path):
    content = weights()
    error = refused(pack(tmp_path / "m.keras", {**whole(), "model.weights.h5": content[: len(content) // 2]}))
    assert f"{len(content) // 2:,} of {len(content):,} bytes" in str(error)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    "content", [b"", b"just a text\n", b"\0" * 5000, b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + b"\xff" * 99]
)
def test_a_file_of_something_else(ending, content, tmp_path):
    path = tmp_path / f"m.{ending}"
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "[" * 100_000,
        '{"class_name": "Sequential", "config": ' + '{"a":' * 300 + "1" + "}" * 300 + "}",
        "[]",
        '{"class_name": 3, "config": {}}',
        '{"class_name": "Dense", "config": {"units": ' + "9" * 5000 + "}}",
        '{"class_name": "Dense", "config": {"units": ' + "9" * 40 + "}}",
        "\xff\xfe",
        json.dumps({"class_name": "Functional", "config": {"layers": [], "input_layers": [["x", 0, 0]]}})[
            :-1
        ],
    ],
)
def test_a_configuration_that_is_none(config, tmp_path):
    refused(pack(tmp_path / "m.keras", whole(config__json=config)))


def test_numbers_that_are_none_do_no_harm(tmp_path):
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1]["config"].update(units=float("nan"), scale=float("inf"))
    config["config"]["layers"][0]["config"]["batch_shape"] = [True, -4]
    model = read(pack(tmp_path / "m.keras", whole(config__json=json.dumps(config))))
    assert model.values[model.inputs[0]].shape is None


def test_settings_of_an_unexpected_form_become_a_note(tmp_path):
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1] = {
        "class_name": "Conv2D",
        "config": {"name": "fc", "filters": [[]], "kernel_size": {"a": 1}, "padding": 7},
    }
    model = read(pack(tmp_path / "m.keras", whole(config__json=json.dumps(config))))
    layer = model.layers[1]
    assert layer.kind == "unknown"
    assert any(note.about == "fc" for note in model.notes)


def test_a_bomb_is_bounded_by_what_it_inflates_to(tmp_path, monkeypatch):
    from shapeinspect.binary import json_text

    path = pack(tmp_path / "m.keras", whole(config__json=" " * 5_000_000), zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(json_text, "MAX_BYTES", 1_000_000)
    assert "more than 1,000,000" in str(refused(path))


@pytest.mark.parametrize(
    "program", ["import os; os.abort()", "raise SystemExit(3)", "print('no JSON')", "print('[]')"]
)
def test_a_child_that_breaks_down_is_an_unreadable_file(program, tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    child.write_text(program)
    monkeypatch.setattr(hdf5_process, "_CHILD", child)
    refused(legacy(tmp_path / "m.h5"))


def test_a_child_that_hangs_is_ended(tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    child.write_text("while True: pass")
    monkeypatch.setattr(hdf5_process, "_CHILD", child)
    monkeypatch.setattr(hdf5_process, "CLOCK", 0.3)
    assert "took over" in str(refused(legacy(tmp_path / "m.h5")))


def test_a_child_that_says_too_much_is_not_listened_to(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_process, "ANSWER", 20)
    assert "too long" in str(refused(legacy(tmp_path / "m.h5")))


def test_too_little_memory_for_the_child_is_an_unreadable_file(tmp_path, monkeypatch):
    limits = tmp_path / "limits.py"
    text = Path(hdf5.child_limits.__file__).read_text()
    limits.write_text(text.replace("MEMORY = 512 << 20", "MEMORY = 1"))
    monkeypatch.setattr(hdf5.child_limits, "__file__", str(limits))
    refused(legacy(tmp_path / "m.h5"))


def test_reading_imports_no_framework(tmp_path):
    files = [pack(tmp_path / "m.keras", whole()), legacy(tmp_path / "m.h5")]
    program = """
import sys
from shapeinspect.sources import source
from shapeinspect_keras.adapters.files import ADAPTER
heavy = {"torch", "tensorflow", "keras", "jax", "h5py", "numpy", "onnx"}
requests = [source.from_path(path) for path in sys.argv[1:]]
assert [ADAPTER.match(request) for request in requests] == [2, 2]
assert not heavy & set(sys.modules), "match"
ours = {name for name in sys.modules if name.startswith("shapeinspect_keras.")}
assert ours == {"shapeinspect_keras.adapters", "shapeinspect_keras.adapters.files"}, ours
models = [ADAPTER.read(request) for request in requests]
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert models[0].layers[1].weights[0].values().tolist()[1] == [5.0, 6.0, 7.0, 8.0, 9.0]
"""
    command = [sys.executable, "-c", program, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_match_looks_at_bytes_and_endings(tmp_path):
    def score(name: str, content: bytes) -> int:
        (tmp_path / name).write_bytes(content)
        return ADAPTER.match(source.from_path(tmp_path / name))

    archive = pack(tmp_path / "a.zip", whole()).read_bytes()
    other = pack(tmp_path / "b.zip", {"data.pkl": "x"}).read_bytes()
    signature = b"\x89HDF\r\n\x1a\n"
    assert [score(name, archive) for name in ("m.keras", "m.zip", "m")] == [2, 2, 2]
    assert [score(name, other) for name in ("m.keras", "m.pt")] == [2, 0]
    assert [score(name, signature) for name in ("m.h5", "m.hdf5", "m.keras", "m.nc")] == [2, 2, 2, 1]
    assert [score(name, b"text") for name in ("m.h5", "m.onnx")] == [1, 0]
    assert ADAPTER.match(source.from_object(3)) == 0
    assert ADAPTER.match(source.from_path(tmp_path)) == 0


def test_shards_are_put_together(tmp_path):
    parts = {}
    for number in (0, 1):
        raw = io.BytesIO()
        with h5py.File(raw, "w") as file:
            group = file.create_group("layers/dense/vars")
            group.attrs["name"] = "fc"
            group[str(number)] = np.full((3, 5) if number == 0 else (5,), number + 1, "float32")
        parts[f"model_{number:05}.weights.h5"] = raw.getvalue()
    index = {"metadata": {}, "weight_map": {"/layers/dense/vars": list(parts)}}
    members = {"config.json": json.dumps(CONFIG), "model.weights.json": json.dumps(index), **parts}
    model = read(pack(tmp_path / "m.keras", members))
    assert [(w.role, w.shape) for w in model.layers[1].weights] == [("kernel", (3, 5)), ("bias", (5,))]
    assert model.layers[1].weights[1].values().tolist() == [2.0] * 5
    del members["model_00001.weights.h5"]
    assert "model_00001" in str(refused(pack(tmp_path / "m.keras", members)))


def test_keras_shards_are_put_together(keras, tmp_path):
    live = keras.Sequential(
        [keras.Input((40,)), keras.layers.Dense(30, name="one"), keras.layers.Dense(20, name="two")]
    )
    live.save_weights(tmp_path / "s.weights.json", max_shard_size=5e-6)  # gigabytes: 5 kB a shard
    members = {"config.json": json.dumps(keras.saving.serialize_keras_object(live))}
    listed = json.loads((tmp_path / "s.weights.json").read_text())
    members["model.weights.json"] = json.dumps(listed)
    shards = sorted(tmp_path.glob("*.h5"))
    assert len(shards) > 1
    members |= {shard.name: shard.read_bytes() for shard in shards}
    model = read(pack(tmp_path / "m.keras", members))
    assert sum(w.size for layer in model.layers for w in layer.weights) == live.count_params()
