"""Convolutions that TFLite has as several operators: one row with Keras's settings, weights and shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect import inspect
from shapeinspect.api.debugging import fits
from shapeinspect.layout import canonical

#: The class, its options, and whether TFLite has it as two convolutions.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "same": ("Conv2D", {"kernel_size": (3, 2), "padding": "same", "dilation_rate": (2, 3)}),
    "valid": ("Conv2D", {"kernel_size": 3, "dilation_rate": 2, "activation": "relu"}),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": 3, "dilation_rate": 2, "depth_multiplier": 2}),
    "causal": ("Conv1D", {"kernel_size": 3, "padding": "causal", "dilation_rate": 4}),
    "one axis": ("Conv1D", {"kernel_size": 3, "padding": "same", "dilation_rate": 2, "use_bias": False}),
    "not dilated": ("Conv1D", {"kernel_size": 4, "strides": 3}),
    "depthwise, one axis": ("DepthwiseConv1D", {"kernel_size": 3, "strides": 2}),
}


def _network(case: str, *, fixed: bool) -> Any:
    import keras
    import tensorflow as tf

    kind, options = CASES[case]
    options = options if "Depthwise" in kind else {**options, "filters": 5}
    sizes = (17, 19) if fixed else (None, None)
    shape = (*sizes[: 1 if kind.endswith("1D") else 2], 3)
    network = keras.Sequential([keras.Input(shape), getattr(keras.layers, kind)(**options)])
    for seed, weight in enumerate(network.weights):
        weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    return network


def _converted(network: Any, folder: Path, *, quantized: bool = False) -> Path:
    import tensorflow as tf

    network.export(str(folder / "export"), verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "export"))
    if quantized:
        fed = np.linspace(-1, 1, 3 * 24, dtype=np.float32).reshape(1, 24, 3)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter([[fed]])
    path = folder / "network.tflite"
    path.write_bytes(converter.convert())
    return path


def _made(path: Path, size: tuple[int, ...]) -> tuple[int, ...]:
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(path))
    (given,), (made,) = runner.get_input_details(), runner.get_output_details()
    runner.resize_tensor_input(given["index"], size)
    runner.allocate_tensors()
    runner.set_tensor(given["index"], np.zeros(size, np.float32))
    runner.invoke()
    return tuple(int(length) for length in runner.get_tensor(made["index"]).shape)


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_convolution_is_one_row(case: str, fixed: bool, tmp_path: Path) -> None:
    network = _network(case, fixed=fixed)
    (layer,) = network.layers
    path = _converted(network, tmp_path)
    report = inspect(str(path))
    (ours,) = [one for one in report.model.layers if one.kind == "conv"]
    assert {one.kind for one in report.model.layers} <= {"conv", "activation", "elementwise", "pad"}
    settings = ours.attributes
    for name, native in (("kernel_size", "kernel_size"), ("dilation", "dilation_rate")):
        assert settings[name] == getattr(layer, native)
    assert (settings["in_channels"], settings["out_channels"]) == (3, layer.output.shape[-1])
    found = {slot: read() for slot, read in canonical.read(ours.weights).items()}
    kernel = layer.get_weights()[0]  # `*k i o`, or `*k c m` of a depthwise one
    kernel = kernel.reshape(*kernel.shape[:-2], 1, -1) if settings["groups"] > 1 else kernel
    np.testing.assert_array_equal(found["weight"], np.moveaxis(kernel, (-1, -2), (0, 1)))
    for size in ((2, 17, 19, 3), (3, 17, 19, 3), *(() if fixed else ((2, 20, 31, 3), (1, 18, 23, 3)))):
        fed = (*size[: len(network.inputs[0].shape) - 1], 3)
        at_size = inspect(str(path), fed).model
        real = _made(path, fed)
        assert at_size.values[at_size.outputs[0]].shape == real
        assert fits(str(path), fed).diagnosis is None
        taps = int(np.prod(settings["kernel_size"])) * 3 // settings["groups"]
        (work,) = [call.macs for call in at_size.calls if call.layer == ours.path]
        assert work == np.prod(real) * taps


@pytest.mark.parametrize("case", ["depthwise, one axis", "not dilated"])
def test_scales_follow_the_axis_that_they_belong_to(case: str, tmp_path: Path) -> None:
    network = _network(case, fixed=False)
    report = inspect(str(_converted(network, tmp_path, quantized=True)))
    (ours,) = [one for one in report.model.layers if one.kind == "conv"]
    (weight,) = [one for one in ours.weights if one.role == "filter"]
    kernel = network.layers[0].get_weights()[0]
    kernel = kernel.reshape(*kernel.shape[:-2], 1, -1) if ours.attributes["groups"] > 1 else kernel
    read = canonical.read([weight])["weight"]()
    assert weight.dtype == "int8"
    np.testing.assert_allclose(read, np.moveaxis(kernel, (-1, -2), (0, 1)), atol=1 / 128)


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
def test_blocks_around_another_convolution_stay_operators(padding: str, tmp_path: Path) -> None:
    """What pads each block by itself, or does not undo the blocks, is no convolution with a dilation."""
    import tensorflow as tf

    kernel = tf.random.stateless_uniform((3, 3, 4, 5), (2, 3))
    again = 2 if padding == "SAME" else 1

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 4), tf.float32)])  # type: ignore[misc]  # no types
    def call(x: Any) -> Any:
        x = tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]])
        x = tf.nn.conv2d(x, kernel, 1, padding)
        return tf.raw_ops.BatchToSpaceND(input=x, block_shape=[2, again], crops=[[0, 0], [0, 0]])

    module = tf.Module()
    module.call = call
    made = tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()], module)
    path = tmp_path / "network.tflite"
    path.write_bytes(made.convert())
    kinds = [one.type for one in inspect(str(path)).model.layers]
    assert kinds == ["SPACE_TO_BATCH_ND", "CONV_2D", "BATCH_TO_SPACE_ND"]
    at_size = inspect(str(path), (2, 12, 16, 4)).model
    assert at_size.values[at_size.outputs[0]].shape == _made(path, (2, 12, 16, 4))


BIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "separable": ("SeparableConv2D", {"filters": 4, "kernel_size": 3}),
    "separable, one axis": ("SeparableConv1D", {"filters": 4, "kernel_size": 3}),
    "dilated": ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}),
    "bare": ("Conv2D", {"filters": 4, "kernel_size": 3, "use_bias": False}),
    "plain": ("Conv2D", {"filters": 4, "kernel_size": 3}),
    "in a row": ("SeparableConv2D", {"filters": 4, "kernel_size": 3, "activation": "relu6"}),
}


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("name", BIASES)
def test_zeros_that_the_converter_adds_as_a_bias_are_no_parameters(
    name: str, zeros: bool, tmp_path: Path
) -> None:
    import keras
    import tensorflow as tf

    kind, options = BIASES[name]
    shape = (11, 3) if "one axis" in name else (9, 11, 3)
    layers = [getattr(keras.layers, kind)(**options)]
    if name == "in a row":  # the converter then names the zeros after nothing
        layers += [keras.layers.Conv2D(5, 3, dilation_rate=2, padding="same"), keras.layers.Conv2D(2, 1)]
    network = keras.Sequential([keras.Input(shape), *layers])
    for seed, weight in enumerate(network.weights):  # a converter shares the buffers of equal constants
        if not zeros or len(weight.shape) > 1:
            weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    network.export(str(tmp_path / "export"), verbose=False)
    path = tmp_path / "network.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export")).convert())
    assert inspect(str(path)).totals.params == network.count_params()
