"""What the arithmetic says fits is done once more by the framework itself."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from shapeinspect.ir import Frozen
from shapeinspect.rerun import OnInput, OnLayer
from shapeinspect_keras._confirm import Confirm
from shapeinspect_keras._refusal import _refuses


@pytest.fixture
def table() -> Confirm:
    model = keras.Sequential(
        [keras.Input((9, 6), name="words"), layers.LSTM(8, name="lstm"), layers.Dense(5, name="out")]
    )
    return Confirm(model, {"words": (4, 9, 7)}, list(model.layers), _refuses)


def test_keras_takes_an_input_of_the_right_width(table: Confirm) -> None:
    assert table((OnInput("words", (("crop", (4, 9, 6)),)),)) is True
    assert table((OnInput("words", (("crop", (4, 9, 5)),)),)) is False


def test_keras_builds_a_model_anew_with_other_settings(table: Confirm) -> None:
    cut = OnInput("words", (("crop", (4, 9, 6)),))
    assert table((cut, OnLayer("out", Frozen(out_features=3)))) is True
    assert table((OnLayer("out", Frozen(out_features=3)),)) is False
    assert table((OnLayer("out", Frozen(in_features=3)),)) is None
    assert [layer.units for layer in table.model.layers] == [8, 5]


def test_onnxruntime_runs_a_feed_of_another_shape() -> None:
    import onnxruntime

    from shapeinspect_onnx.debugger import _runs

    session = onnxruntime.InferenceSession("tests/data/lenet.onnx")
    feed = {"image": np.zeros((2, 1, 28, 28), "float32")}
    assert _runs(session, feed, (OnInput("image", (("resize", (2, 1, 32, 32)),)),)) is True
    assert _runs(session, feed, (OnInput("image", (("resize", (2, 1, 30, 30)),)),)) is False
    assert _runs(session, feed, (OnInput("image", (("resize", (2, 1, 4000, 4000)),)),)) is None
