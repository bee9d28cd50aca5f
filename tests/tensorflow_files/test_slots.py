"""What Keras saves, a checkpoint tracks and a converter writes of one model: the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import diff
from shapeinspect_tensorflow.vocabulary.layouts import TABLE

SAME = "and so are their values"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras
    import tensorflow as tf

    home, layers = tmp_path_factory.mktemp("slots"), keras.layers
    drawn: dict[str, Any] = {"bias_initializer": "uniform"}

    def images() -> Any:
        x = keras.Input((9, 11, 3))
        y = layers.Conv2D(5, (3, 2), **drawn)(x)
        y = layers.DepthwiseConv2D((2, 3), depth_multiplier=2, **drawn)(y)
        y = layers.Conv2DTranspose(4, (2, 3), **drawn)(y)
        return keras.Model(x, layers.Dense(7, **drawn)(layers.Flatten()(y)))

    def lists() -> Any:
        x = keras.Input((5, 3))
        y = layers.LSTM(4, return_sequences=True, **drawn)(x)
        y = layers.GRU(6, return_sequences=True, **drawn)(y)
        y = layers.SimpleRNN(2, return_sequences=True, **drawn)(y)
        return keras.Model(x, layers.BatchNormalization()(y))

    for name, make in (("images", images), ("lists", lists)):
        model = make()
        model.save(home / f"{name}.keras")
        make().save(home / f"other_{name}.keras")
        tf.train.Checkpoint(model=model).write(str(home / name))
        if name == "images":
            (home / "images.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return home


@pytest.mark.parametrize("name", ["images.tflite", "images.index", "lists.index"])
def test_the_numbers_are_those_that_keras_saves(folder: Path, name: str) -> None:
    ours, stem = folder / name, name.partition(".")[0]
    assert SAME in str(diff(folder / f"{stem}.keras", ours, values=True))
    assert SAME not in str(diff(folder / f"other_{stem}.keras", ours, values=True))


#: Parts of TFLite's LSTM that no other framework has.
OWN = {"layer_norm", "projection_bias"}


def test_every_row_has_a_slot_of_the_vocabulary() -> None:
    text = (Path(__file__).parents[2] / "plugins" / "README.md").read_text().partition("## Slots")[2]
    for row in TABLE.rows:
        slot = TABLE.slots.get(row.role, row.role) if row.slot is None else row.slot
        for part in slot.replace("{two}", "bias_ih").split("+"):
            stem = part.partition("[")[0].removesuffix(".l0")
            assert stem in OWN or f"`{stem}" in text, row
