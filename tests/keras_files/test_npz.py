"""Archives whose weights are a pickled ``.npz``: listed as Keras lists them, and never unpickled."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources import source
from shapeinspect_keras.adapters.files import ADAPTER

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


def pictures(keras):
    layers = keras.layers
    inner_in = keras.Input((18, 22, 6), name="inner_in")
    inner = keras.Model(inner_in, layers.BatchNormalization(name="norm")(inner_in), name="inner")
    stack = [
        keras.Input((20, 24, 3)),
        layers.Conv2D(6, 3, name="stem"),
        inner,
        layers.SeparableConv2D(10, (3, 2), name="separable"),
        layers.Flatten(name="flat"),
        layers.Dense(7, name="low", dtype="bfloat16"),
        layers.Dense(5, name="last"),
    ]
    return keras.Sequential(stack)


def sequences(keras):
    layers = keras.layers
    words = keras.Input((11,), name="words")
    x = layers.Embedding(50, 8, name="table")(words)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both_ways")(x)
    x = layers.MultiHeadAttention(2, 3, value_dim=5, dropout=0.25, name="heads")(x, x)
    return keras.Model(words, layers.GRU(6, name="gru")(layers.LayerNormalization(name="norm")(x)))


@pytest.mark.parametrize("build", [pictures, sequences])
def test_every_weight_is_the_one_that_keras_has(keras, build, read, check, tmp_path: Path) -> None:
    from keras.src.saving import saving_lib

    live = build(keras)
    live.compile("adam", "mse")
    saving_lib.save_model(live, tmp_path / "m.keras", weights_format="npz")
    model = read(tmp_path / "m.keras")
    check(model, live)
    # Keras can no longer load such a file; the HDF5 that it writes of the same model holds the same.
    live.save(tmp_path / "h5.keras")

    def listed(found):
        return {
            (layer.path, w.role): (
                w.shape,
                w.common_shape,
                w.dtype,
                w.nbytes,
                w.trainable,
                w.values().tobytes(),
            )
            for layer in found.layers
            for w in layer.weights
        }

    assert listed(model) == listed(read(tmp_path / "h5.keras"))
    assert any("pickled" in note.text for note in model.notes)
    assert any("globals referenced" in note.text and "ResourceVariable" in note.text for note in model.notes)


def pack(path: Path, **layers: object) -> Path:
    raw = io.BytesIO()
    np.savez(raw, **{name.replace("__", "/"): value for name, value in layers.items()})
    return wrap(path, raw.getvalue())


def wrap(path: Path, weights: bytes, **how: int) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.npz", weights, **how)
    return path


def opened(path: Path):
    model = ADAPTER.read(source.from_path(path))
    return model, {layer.path: [(w.role, w.shape) for w in layer.weights] for layer in model.layers}


def refused(path: Path, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        ADAPTER.read(source.from_path(path))


def test_plain_arrays(tmp_path: Path) -> None:
    kernel = np.arange(15, dtype=">f8").reshape(3, 5)
    path = pack(tmp_path / "m.keras", layers__dense={"0": kernel, "1": np.ones(5, "float16")})
    model, layers = opened(path)
    assert layers["fc"] == [("kernel", (3, 5)), ("bias", (5,))]
    weights = model.layers[1].weights
    assert [w.dtype for w in weights] == ["float64", "float16"]
    np.testing.assert_array_equal(weights[0].values(), kernel)
    # An array in Fortran's order is listed, and its numbers are not offered as they stand.
    path = pack(tmp_path / "f.keras", layers__dense={"0": np.asfortranarray(kernel), "1": np.ones(5)})
    assert opened(path)[0].layers[1].weights[0].values is None


class Runs:
    def __init__(self, made: Path) -> None:
        self.made = str(made)

    def __reduce__(self):
        return open, (self.made, "w")


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_nothing_in_a_pickle_is_run(protocol: int, tmp_path: Path, monkeypatch) -> None:
    made = tmp_path / "made"
    dump = pickle.dump
    monkeypatch.setattr(pickle, "dump", lambda value, file, **_: dump(value, file, protocol))
    content = {"0": np.zeros((3, 5), "float32"), "1": Runs(made), "x": {(1, 2): [Runs(made)], "y": {1.5}}}
    path = pack(tmp_path / "m.keras", layers__dense=content)
    monkeypatch.undo()
    model, layers = opened(path)
    assert not made.exists()
    assert layers["fc"] == [("0", (3, 5))]
    notes = " ".join(note.text for note in model.notes)
    assert "open" in notes.partition("globals referenced")[2]
    assert "layers/dense/vars/1" in notes
    with (
        zipfile.ZipFile(path) as archive,
        np.load(io.BytesIO(archive.read("model.weights.npz")), allow_pickle=True) as loaded,
    ):
        loaded["layers/dense"]  # numpy would have run it
    assert made.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", "cut off"),
        (b"\x80\x04\x8d" + b"\x00\x00\x00\x40\x00\x00\x00\x00.", "cut off"),
        (b"\x80\x02\x8a\xff" + b"\x01" * 255 + b".", "integer in it has 255 bytes"),
        (b"\x80\x02r\xff\xff\xff\x1f.", "more than the stack holds"),
        (b"\x80\x02Q.", "cut off"),
        (b"\x80\x02" + b"(" * 2000 + b".", "nested deeper than 1,000"),
        (b"\x80\x02]" + b"2" * 10 + b".", "not an array of one object"),
        (b"\x80\x02h\x07.", "never stored"),
        (b"\x80\x02R.", "cut off"),
        (b"\x80\x02NN\x93.", "not text"),
        (b"\x80\x02}", "cut off"),
    ],
)
def test_hostile_pickles(content: bytes, reason: str, tmp_path: Path) -> None:
    raw = io.BytesIO()
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    with zipfile.ZipFile(raw, "w") as archive:
        whole = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content
        archive.writestr("layers/dense.npy", whole)
    refused(wrap(tmp_path / "m.keras", raw.getvalue()), reason)


def test_what_is_no_such_npz(tmp_path: Path) -> None:
    refused(pack(tmp_path / "a.keras", layers__dense=np.zeros((3, 5))), "stores a dict")
    refused(wrap(tmp_path / "b.keras", b"no zip at all"), "not a zip")
    raw = io.BytesIO()
    np.savez(raw, **{"layers/dense": {"0": np.zeros((3, 5))}})
    refused(wrap(tmp_path / "c.keras", raw.getvalue(), compress_type=zipfile.ZIP_DEFLATED), "compressed")
    shape = np.zeros((3, 5))
    model, layers = opened(pack(tmp_path / "d.keras", layers__dense={"0": "text", "1": shape, "2": None}))
    assert [shape for _, shape in layers["fc"]] == [(3, 5)]
    assert "layers/dense/vars/0" in " ".join(note.text for note in model.notes)
