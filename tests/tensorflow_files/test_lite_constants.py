"""What a TFLite file stores besides weights: masks and tables of indices are no parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shapeinspect import inspect


def test_a_mask_and_a_table_of_indices_are_no_parameters(tmp_path: Path) -> None:
    import numpy as np
    import tensorflow as tf

    kernel = tf.constant(np.random.default_rng(3).random((7, 11)), tf.float32)
    mask = tf.constant(np.random.default_rng(4).random((5, 11)) > 0.5)
    table = tf.constant(np.random.default_rng(5).integers(0, 9, (60, 5, 11)), tf.int32)

    @tf.function(input_signature=[tf.TensorSpec((None, 5, 7))])  # type: ignore[misc]  # tensorflow has no types
    def call(x: Any) -> Any:
        y = tf.where(mask, tf.matmul(x, kernel), 0.0)
        return tf.cast(tf.reduce_sum(table + 1, 0), tf.float32) + y, table * tf.shape(x)[0]

    module = tf.Module()
    module.call = call
    converter = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()], module)
    path = tmp_path / "network.tflite"
    path.write_bytes(converter.convert())
    report = inspect(str(path))
    assert not [w for layer in report.model.layers for w in layer.weights if w.dtype != "float32"]
    shapes = {w.shape for layer in report.model.layers for w in layer.weights}
    assert (11, 7) in shapes
