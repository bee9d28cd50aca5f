"""A FULLY_CONNECTED that flattens its input itself, against the interpreter."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

import shapeinspect

_FULLY_CONNECTED, _RESHAPE = 9, 22


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A convolution whose map, 3×5×4, goes into a dense layer of 6 without a reshape."""
    layers = keras.layers
    inputs = keras.Input((5, 7, 3), batch_size=2)
    model = keras.Model(inputs, layers.Dense(6)(layers.Flatten()(layers.Conv2D(4, 3)(inputs))))
    whole = flatbuffer_utils.convert_bytearray_to_object(
        bytearray(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    )
    graph = whole.subgraphs[0]
    by_code = {whole.operatorCodes[one.opcodeIndex].builtinCode: one for one in graph.operators}
    by_code[_FULLY_CONNECTED].inputs[0] = by_code[_RESHAPE].inputs[0]
    graph.operators.remove(by_code[_RESHAPE])
    path = tmp_path / "flat.tflite"
    path.write_bytes(flatbuffer_utils.convert_object_to_bytearray(whole))
    return path


def test_its_shape_work_and_axes_are_those_of_a_flatten_and_a_dense_layer(path: Path) -> None:
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    report = shapeinspect.inspect(path)
    (output,) = report.model.outputs
    assert report.model.values[output].shape == (2, 6) == tuple(interpreter.get_output_details()[0]["shape"])
    (dense,) = [layer for layer in report.model.layers if layer.kind == "linear"]
    assert sum(call.macs for call in report.model.calls if call.layer == dense.path) == 2 * 3 * 5 * 4 * 6
    weight = next(weight for weight in dense.weights if len(weight.shape) == 2)
    assert weight.layout is not None
    assert (weight.layout.native, weight.layout.common) == ("o (H W C)", "o (C H W)")


def test_numbers_that_make_no_whole_rows_are_refused(path: Path) -> None:
    text = str(
        shapeinspect.explain("linear", input=(2, 3, 5, 4), out_features=6, in_features=60, flatten_input=True)
    )
    assert "(2, 6)" in text
    with pytest.raises(shapeinspect.ShapeInspectError) as caught:
        shapeinspect.explain("linear", input=(2, 3, 5, 4), out_features=6, in_features=16, flatten_input=True)
    assert "a multiple of 16 numbers" in str(caught.value)
