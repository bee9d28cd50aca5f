"""Runs the command line in this process, and writes the models of the questions."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def _text(path: Path) -> None:
    """Convolutions of 4, 3 and 2 words over an embedding, the largest of each filter, two classes."""
    import keras
    from keras import layers

    words = keras.Input((7,), dtype="int32", name="words")
    embedded = layers.Embedding(50, 5, name="embedding_1")(words)
    largest = [
        layers.GlobalMaxPooling1D(name=f"max_{k}")(layers.Conv1D(2, k, name=f"conv_{k}")(embedded))
        for k in (4, 3, 2)
    ]
    joined = layers.Concatenate(name="join")(largest)
    keras.Model(words, layers.Dense(2, activation="softmax", name="classes")(joined)).save(path)


def _dense(path: Path) -> None:
    import keras
    from keras import layers

    keras.Sequential([keras.Input((2000,), name="x"), layers.Dense(4800, name="dense")]).save(path)


def _keras1(path: Path) -> None:
    """A file as Keras 1 wrote it: a Convolution1D of 111 filters of length 5 on 300 channels."""
    import h5py
    import numpy as np

    layer = {
        "name": "convolution1d_1",
        "trainable": True,
        "batch_input_shape": [None, None, 300],
        "input_dtype": "float32",
        "nb_filter": 111,
        "filter_length": 5,
        "border_mode": "valid",
        "subsample_length": 1,
        "activation": "relu",
        "bias": True,
        "input_dim": 300,
        "input_length": None,
    }
    model = {"class_name": "Sequential", "config": [{"class_name": "Convolution1D", "config": layer}]}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps(model).encode()
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"convolution1d_1"]
        group = weights.create_group("convolution1d_1")
        group.attrs["weight_names"] = [b"convolution1d_1_W", b"convolution1d_1_b"]
        random = np.random.default_rng(3)
        group["convolution1d_1_W"] = random.normal(size=(5, 1, 300, 111)).astype("float32")
        group["convolution1d_1_b"] = random.normal(size=111).astype("float32")


def write_models(folder: Path) -> None:
    """Write the models of the questions into a directory."""
    _text(folder / "text.keras")
    _dense(folder / "dense.keras")
    _keras1(folder / "keras1.h5")
    shutil.copy(Path(__file__).with_name("networks.py"), folder)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the models of the questions into one directory."""
    folder = tmp_path_factory.mktemp("questions")
    write_models(folder)
    return folder


@pytest.fixture
def at_models(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the directory of the models, on a screen of 80 columns."""
    monkeypatch.chdir(models)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.syspath_prepend(str(models))
    monkeypatch.delitem(sys.modules, "networks", raising=False)
    return models
