"""What the arithmetic says fits is done once more by the framework itself."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from shapeinspect.frozen import Frozen
from shapeinspect.plugin_api.changes import OnInput, OnLayer
from shapeinspect_keras.debug.confirm import Confirm
from shapeinspect_keras.debug.refused_call import refuses


@pytest.fixture
def table() -> Confirm:
    model = keras.Sequential(
        [keras.Input((9, 6), name="words"), layers.LSTM(8, name="lstm"), layers.Dense(5, name="out")]
    )
    return Confirm(model, {"words": (4, 9, 7)}, list(model.layers), refuses)


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

    from shapeinspect_onnx.debug.debugger import runs_on_zeros

    session = onnxruntime.InferenceSession("tests/data/lenet.onnx")
    feed = {"image": np.zeros((2, 1, 28, 28), "float32")}
    assert runs_on_zeros(session, feed, (OnInput("image", (("resize", (2, 1, 32, 32)),)),)) is True
    assert runs_on_zeros(session, feed, (OnInput("image", (("resize", (2, 1, 30, 30)),)),)) is False
    assert runs_on_zeros(session, feed, (OnInput("image", (("resize", (2, 1, 4000, 4000)),)),)) is None


def _state(model: keras.Model) -> dict[str, object]:
    import random

    from keras.src.backend.common import global_state

    layers_ = model._flatten_layers()
    return {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),  # the state that others use
        "counters": dict(global_state.get_global_attribute("object_name_uids") or {}),
        "built": [layer.built for layer in layers_],
        "calls": [len(layer._inbound_nodes) for layer in layers_],
        "attributes": [sorted(vars(layer)) for layer in layers_],
        "weights": [(id(weight), weight.numpy().tobytes()) for weight in model.weights],
        "filtering": keras.config.is_traceback_filtering_enabled(),
    }


def _wide() -> tuple[keras.Model, object]:
    model = keras.Sequential([keras.Input((9, 6)), layers.LSTM(8, dropout=0.3), layers.Dense(5)])
    return model, lambda: model.predict(np.zeros((4, 9, 7)), verbose=0)


def _kept() -> tuple[keras.Model, object]:
    model = keras.Sequential([keras.Input((9, 6)), layers.LSTM(8, return_sequences=True), layers.Dense(5)])
    model.compile("sgd", "mse")
    return model, lambda: model.fit(np.zeros((4, 9, 6)), np.zeros((4, 5)), verbose=0)


def _built() -> tuple[keras.Model, object]:
    x = keras.Input((20, 3))
    model = keras.Model(x, layers.LSTM(6)(x))
    return model, lambda: layers.LSTM(3)(model.output)


@pytest.mark.parametrize("make", [_wide, _kept, _built])
def test_trying_leaves_the_model_and_keras_as_they_were(make) -> None:
    from shapeinspect.api.debugging import explain_error

    model, call = make()
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)) as caught:
        call()
    before = _state(model)
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes
    assert _state(model) == before


def test_fewer_labels_than_samples() -> None:
    from shapeinspect.api.debugging import explain_error

    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="cardinality") as caught:
        model.fit(np.zeros((10, 4)), np.zeros((9,)), verbose=0)
    found = explain_error(caught.value)
    assert found is not None
    assert (found.layer.path, found.cause) == ("loss", "samples")


def test_a_program_that_fails_otherwise_gets_no_note() -> None:
    import shapeinspect

    class Strict(keras.Model):
        def call(self, x):
            raise ValueError("mode has to be one of two, whatever the shape")

    with pytest.raises(ValueError, match="mode") as caught, shapeinspect.debug():
        Strict()(np.zeros((2, 5)))
    assert not getattr(caught.value, "__notes__", ())


def test_matrices_that_no_transposition_brings_together() -> None:
    from shapeinspect.api.debugging import explain_error

    class Product(layers.Layer):
        def call(self, state):
            return tf.matmul(state, tf.zeros((64, 192)))

    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        Product(name="cell")(tf.zeros((4, 32)))
    found = explain_error(caught.value)
    assert found is not None
    assert (found.layer.path, found.cause, found.fixes) == ("cell/matmul", "inner", ())
