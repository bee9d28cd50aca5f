"""Quantized TFLite weights: the numbers before the conversion, and the interpreter's scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect.ir import Weight

KINDS = ("half", "dynamic", "int8", "int16")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network as plain floats and in the four ways in which the converter quantizes."""
    import keras
    import numpy as np
    import tensorflow as tf
    from keras import layers as k

    keras.utils.set_random_seed(11)
    network = keras.Sequential(
        [
            keras.Input((11, 13, 3)),
            k.Conv2D(40, (3, 2), activation="relu", bias_initializer="uniform", name="c1"),
            k.DepthwiseConv2D((2, 3), depth_multiplier=2, name="dw"),
            k.Conv2D(17, 1, name="c2"),
            k.GlobalAveragePooling2D(),
            k.Dense(70, activation="relu", name="d1"),
            k.Dense(19, name="d2"),
        ]
    )
    folder = tmp_path_factory.mktemp("quantized")
    network.export(str(folder / "export"), verbose=False)

    def samples() -> Any:
        for seed in range(3):
            yield [np.random.default_rng(seed).random((1, 11, 13, 3), np.float32)]

    whole = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    for kind in ("float", *KINDS):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "export"))
        if kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "half":
            converter.target_spec.supported_types = [tf.float16]
        if kind in ("int8", "int16"):
            converter.representative_dataset = samples
            converter.target_spec.supported_ops = [whole if kind == "int8" else wide]
        (folder / f"{kind}.tflite").write_bytes(converter.convert())
    return folder


def _weights(path: Path) -> list[Weight]:
    return [weight for layer in inspect(str(path)).model.layers for weight in layer.weights]


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("kind", KINDS)
def test_dequantized_numbers_are_those_before_the_conversion(written: Path, kind: str) -> None:
    import numpy as np
    import tensorflow as tf

    before, after = _weights(written / "float.tflite"), _weights(written / f"{kind}.tflite")
    rows = {
        row["name"]: row for row in tf.lite.Interpreter(str(written / f"{kind}.tflite")).get_tensor_details()
    }
    assert [(one.role, one.shape, one.size) for one in before] == [
        (one.role, one.shape, one.size) for one in after
    ]
    for left, right in zip(before, after, strict=True):
        assert left.values is not None
        assert right.values is not None
        scales = rows[right.name]["quantization_parameters"]["scales"]
        if not len(scales):
            assert right.quantization is None
            np.testing.assert_allclose(right.values(), left.values(), rtol=1e-3, atol=1e-6)
            continue
        how = right.quantization
        assert how is not None
        assert (how.scheme, how.element) == ("tflite", right.dtype)
        assert right.dtype == np.dtype(rows[right.name]["dtype"]).name
        axis = rows[right.name]["quantization_parameters"]["quantized_dimension"]
        spans = tuple(1 if len(scales) > 1 and place == axis else None for place in range(len(right.shape)))
        assert how.block == spans
        bound = np.reshape(scales, [-1 if span else 1 for span in spans]) / 2 + 1e-6
        assert right.values().dtype == np.float32
        assert (np.abs(right.values() - left.values()) <= bound).all(), right.name


def test_sixteen_bit_floats_are_plain_weights(written: Path) -> None:
    assert {one.dtype for one in _weights(written / "half.tflite")} == {"float16"}
    assert all(one.quantization is None for one in _weights(written / "half.tflite"))


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("outputs", [6, 7])
def test_four_bits_are_what_the_interpreter_multiplies_with(
    written: Path, tmp_path: Path, outputs: int
) -> None:
    """A matrix of 4 bits, packed by hand, gives the interpreter's product; rows may end within a byte."""
    import flatbuffers
    import numpy as np
    import tensorflow as tf
    from tensorflow.lite.python import schema_py_generated as schema

    inputs = 5
    rng = np.random.default_rng(5)
    matrix = rng.integers(-7, 8, (outputs, inputs))
    flat = np.append(matrix.reshape(-1), [0] * (matrix.size % 2)).astype(np.uint8) & 15
    made = tf.keras.Sequential([tf.keras.Input((inputs,), batch_size=1), tf.keras.layers.Dense(outputs)])
    made.export(str(tmp_path / "dense"), verbose=False)
    plain = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "dense")).convert()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(plain, 0))
    graph = model.subgraphs[0]
    (place,) = (one.inputs[1] for one in graph.operators if len(one.inputs) >= 2)
    tensor = graph.tensors[place]
    tensor.type = schema.TensorType.INT4
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [0.25], [0]
    model.buffers[tensor.buffer].data = (flat[::2] | flat[1::2] << 4).tolist()
    for code in model.operatorCodes:
        code.version = max(code.version, 10)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "four.tflite"
    path.write_bytes(bytes(builder.Output()))
    weight = next(one for one in _weights(path) if one.dtype == "int4")
    assert weight.values is not None
    np.testing.assert_allclose(weight.values(), matrix * 0.25)
    assert (weight.size, weight.nbytes) == (matrix.size, -(-matrix.size // 2))
    runner = tf.lite.Interpreter(str(path))
    runner.allocate_tensors()
    eye = np.eye(inputs, dtype=np.float32)
    columns = []
    for row in eye:
        runner.set_tensor(runner.get_input_details()[0]["index"], row[None])
        runner.invoke()
        columns.append(runner.get_tensor(runner.get_output_details()[0]["index"])[0])
    np.testing.assert_allclose(np.array(columns).T, weight.values(), atol=0.02)
