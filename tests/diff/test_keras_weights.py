"""A Keras model is compared with its ``.weights.h5``, which has groups of variables instead of layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import shapeinspect


def networks():
    from keras import layers

    inner = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)])
    yield (
        "sequence",
        (11, 7),
        [
            layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="both"),
            layers.GRU(6, return_sequences=True, name="gru_2"),
            layers.GRU(8, return_sequences=True, reset_after=False),
            layers.SimpleRNN(9, use_bias=False, return_sequences=True),
            layers.TimeDistributed(layers.Dense(10)),
            inner,
        ],
    )
    yield (
        "pictures",
        (17, 7, 11, 3),
        [
            layers.ConvLSTM2D(5, 3, return_sequences=True),
            layers.Bidirectional(layers.ConvLSTM2D(4, 3), merge_mode="sum"),
            layers.BatchNormalization(),
            layers.Conv2D(6, 2),
        ],
    )


@pytest.mark.parametrize("index", [0, 1])
def test_a_model_is_the_same_as_its_weights(index: int, tmp_path: Path):
    import keras

    keras.utils.clear_session()  # names without a number of an earlier test
    keras.utils.set_random_seed(3)
    _, shape, steps = list(networks())[index]
    model = keras.Sequential([keras.Input(shape), *steps])
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    difference = shapeinspect.diff(tmp_path / "model.keras", tmp_path / "model.weights.h5", values=True)
    assert difference.verdict == f"all {len(steps)} layers are the same, and so are their values"
    assert shapeinspect.diff(model, tmp_path / "model.weights.h5").same
    report = shapeinspect.inspect(tmp_path / "model.weights.h5")
    assert {row.kind for row in report if row.type in {"LSTM", "GRU", "Bidirectional", "RNN"}} <= {
        *("lstm", "gru", "stacked_rnn", "conv_lstm"),
    }


def test_an_attention_is_known_by_its_projections(tmp_path: Path):
    import keras

    x = keras.Input((11, 12))
    y = keras.layers.MultiHeadAttention(3, 5, value_dim=7, name="m")(x, x)
    z = keras.layers.GroupQueryAttention(5, 6, 3, name="g")(y, y)
    model = keras.Model(x, z)
    model.save_weights(tmp_path / "m.weights.h5")
    report = shapeinspect.inspect(tmp_path / "m.weights.h5")
    assert (report["m"].kind, report["g"].kind) == ("attention", "attention")
    assert shapeinspect.diff(model, tmp_path / "m.weights.h5", values=True).same
    assert sum(row.params or 0 for row in report) == model.count_params()


def test_a_custom_layer_of_other_shapes_proves_nothing(tmp_path: Path):
    """A group called ``cell`` whose arrays are not those of a cell stays unknown."""
    import h5py

    with h5py.File(tmp_path / "own.weights.h5", "w") as file:
        group = file.create_group("layers/own/cell/vars")
        for index, shape in enumerate([(7, 19), (5, 20), (20,)]):
            group.create_dataset(str(index), data=np.zeros(shape, "float32"))
    report = shapeinspect.inspect(tmp_path / "own.weights.h5")
    assert [row.kind for row in report if row.params] == ["unknown"]
