"""A layer norm in TFLite is one layer, with Keras's weights and the interpreter's shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect import inspect

CASES: dict[str, dict[str, Any]] = {
    "last axis": {},
    "no offset": {"center": False, "epsilon": 1e-2},
    "no scale": {"scale": False},
    "two axes": {"axis": (1, 2)},
}


@pytest.mark.parametrize("case", CASES)
def test_a_layer_norm_is_one_layer(case: str, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    layer = keras.layers.LayerNormalization(**CASES[case])
    network = keras.Sequential([keras.Input((9, 6)), layer])
    for seed, weight in enumerate(network.weights):
        weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    network.export(str(tmp_path / "export"), verbose=False)
    path = tmp_path / "network.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export")).convert())
    report = inspect(str(path), (5, 9, 6))
    (ours,) = report.model.layers
    assert ours.kind == "layer_norm"
    assert ours.attributes["eps"] == pytest.approx(layer.epsilon)
    assert {axis % 3 for axis in ours.attributes["axis"]} == ({1, 2} if "axis" in CASES[case] else {2})
    assert report.totals.params == network.count_params()
    for weight, theirs in zip(ours.weights, layer.get_weights(), strict=True):
        assert weight.values is not None
        assert weight.shape == theirs.shape
        np.testing.assert_array_equal(np.asarray(weight.values()).reshape(theirs.shape), theirs)
    interpreter = tf.lite.Interpreter(model_path=str(path))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (5, 9, 6))
    interpreter.allocate_tensors()
    output = report.model.values[report.model.outputs[0]].shape
    assert output == tuple(interpreter.get_output_details()[0]["shape"])


def test_a_group_norm_and_a_norm_that_is_read_inside_stay_operators(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    x = keras.Input((9, 6))
    mean = keras.ops.mean(x, -1, keepdims=True)
    variance = keras.ops.mean(keras.ops.square(x - mean), -1, keepdims=True)
    y = (x - mean) * keras.ops.rsqrt(variance + 1e-3)
    network = keras.Model(x, [keras.layers.GroupNormalization(3)(y), mean])
    network.export(str(tmp_path / "export"), verbose=False)
    path = tmp_path / "network.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export")).convert())
    layers = inspect(str(path)).model.layers
    assert [one.type for one in layers].count("RSQRT") == 2
    assert "layer_norm" not in {one.kind for one in layers}
