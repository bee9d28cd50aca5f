"""Keras files over the network: libhdf5 stays in its child, which asks for ranges and opens nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from shapeinspect.api.report import Report, inspect
from shapeinspect.errors import UnreadableFileError

MEGABYTE = 1 << 20
ENDINGS = (".keras", ".h5", ".weights.h5", ".weights.json", ".npz.keras")


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model of 80 MB in every form that Keras saves."""
    import keras
    from keras.src.saving import saving_lib

    folder = tmp_path_factory.mktemp("large")
    layers = keras.layers
    start = keras.Input((20, 26, 3), name="start")
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(7, (3, 5), name="conv")(start))
    for index, width in enumerate((2500, 3000, 4000)):
        x = layers.Dense(width, name=f"wide{index}")(x)
    live = keras.Model(start, layers.GlobalAveragePooling2D(name="pool")(x))
    live.compile("adam", "mse")
    for ending in ENDINGS[:2]:
        live.save(folder / f"m{ending}")
    live.save_weights(folder / "m.weights.h5")
    live.save_weights(folder / "m.weights.json", max_shard_size=0.05)
    saving_lib.save_model(live, folder / "m.npz.keras", weights_format="npz")
    assert len(list(folder.glob("m_0*.weights.h5"))) == 2
    return folder


def facts(report: Report) -> dict:
    return {**report.to_dict(), "source": ""}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_as_from_disk_at_the_price_of_the_metadata(server, saved: Path, ending: str) -> None:
    shutil.copytree(saved, server.root, dirs_exist_ok=True)
    near, far = inspect(saved / f"m{ending}"), inspect(f"{server.url}/m{ending}")
    assert facts(near) == facts(far)
    # norm holds 4 values a channel, and each dense layer as many columns as the next one has rows
    sizes = {"conv": 3 * 5 * 3 * 7 + 7, "norm": 4 * 7, "wide0": 7 * 2500 + 2500,
             "wide1": 2500 * 3000 + 3000, "wide2": 3000 * 4000 + 4000}  # fmt: skip
    counted = {layer.path.rpartition("/")[2]: sum(w.size or 0 for w in layer.weights) for layer in far}
    assert {name: count for name, count in counted.items() if count} == sizes
    assert 4 * sum(sizes.values()) > 70 * MEGABYTE
    assert server.bytes < 2 * MEGABYTE
    assert server.requests <= 20


def test_values_are_read_when_they_are_asked_for(server, tmp_path: Path) -> None:
    import keras

    start = keras.Input((6,))
    live = keras.Sequential(
        [start, keras.layers.Dense(5, name="fc"), keras.layers.Dense(4, dtype="bfloat16")]
    )
    live.save(server.root / "m.keras")
    layers = [layer for layer in inspect(f"{server.url}/m.keras") if layer.weights]
    for layer, mine in zip(layers, live.layers, strict=True):
        expected = np.asarray(keras.ops.cast(mine.kernel, "float32"))
        np.testing.assert_array_equal(layer.weights[0].values(), expected)


def test_through_fsspec(saved: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/m.keras", (saved / "m.keras").read_bytes())
    try:
        assert facts(inspect("memory://bucket/m.keras")) == facts(inspect(saved / "m.keras"))
    finally:
        memory.rm("/bucket/m.keras")


def small(path: Path) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for number in range(40):
            file.create_dataset(f"layers/dense_{number}/vars/0", data=np.zeros((70, 90)))
    return path


def test_a_server_that_fails_in_the_middle(server) -> None:
    small(server.root / "m.weights.h5")

    def odd(handler) -> None:
        if handler.server.state.requests > 3:
            handler.reply(500, b"no")
        else:
            handler.serve()

    server.odd["/m.weights.h5"] = odd
    with pytest.raises(UnreadableFileError, match="500"):
        inspect(f"{server.url}/m.weights.h5")


def test_a_file_that_is_cut_off(server) -> None:
    path = small(server.root / "m.weights.h5")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UnreadableFileError, match="cut off"):
        inspect(f"{server.url}/m.weights.h5")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("out.write(b'?' + struct.pack('<QQ', 0, 2**40))", "past the end"),
        ("out.write(b'?' + struct.pack('<QQ', 2**63, 8))", "past the end"),
        ("out.write(b'?' + struct.pack('<QQ', 2**64 - 8, 16))", "past the end"),
        ("out.write(b'?123')", "not JSON"),
        ("out.write(b'?' + struct.pack('<QQ', 0, 8)); out.flush(); sys.stdin.close(); os.abort()", "signal"),
    ],
)
def test_a_child_that_a_file_has_taken_over(server, tmp_path: Path, monkeypatch, program, reason) -> None:
    from shapeinspect_keras.containers import hdf5_process

    small(server.root / "m.weights.h5")
    child = tmp_path / "child.py"
    child.write_text(f"import os, struct, sys\nout = sys.stdout.buffer\n{program}\nout.flush()\n")
    monkeypatch.setattr(hdf5_process, "_CHILD", child)
    with pytest.raises(UnreadableFileError, match=reason):
        inspect(f"{server.url}/m.weights.h5")


def test_a_child_that_never_ends(server, tmp_path: Path, monkeypatch) -> None:
    from shapeinspect_keras.containers import hdf5_process

    small(server.root / "m.weights.h5")
    child = tmp_path / "child.py"
    child.write_text(
        "import struct, sys\n"
        "while True:\n"
        "    sys.stdout.buffer.write(b'?' + struct.pack('<QQ', 0, 8))\n"
        "    sys.stdout.buffer.flush()\n"
        "    sys.stdin.buffer.read(8)\n"
    )
    monkeypatch.setattr(hdf5_process, "_CHILD", child)
    monkeypatch.setattr(hdf5_process, "CLOCK_REMOTE", 0.3)
    with pytest.raises(UnreadableFileError, match="took over"):
        inspect(f"{server.url}/m.weights.h5")


def test_a_shard_that_is_missing_or_elsewhere(server) -> None:
    import json

    def write(name: str) -> None:
        (server.root / "m.weights.json").write_text(json.dumps({"weight_map": {"/layers/dense/vars": name}}))

    write("m_00000.weights.h5")
    with pytest.raises(UnreadableFileError, match="not beside it"):
        inspect(f"{server.url}/m.weights.json")
    write("../m_00000.weights.h5")
    with pytest.raises(UnreadableFileError, match="outside"):
        inspect(f"{server.url}/m.weights.json")
    (server.root / "m.weights.json").write_text("{}")
    with pytest.raises(UnreadableFileError, match="names no files"):
        inspect(server.root / "m.weights.json")
