"""Loops whose steps are convolutions: one layer with the kernels, window and shapes of Keras's ConvLSTM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect import inspect
from shapeinspect.layout import canonical

SPACE = {1: (8,), 2: (8, 10), 3: (4, 6, 7)}
CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "one axis": (1, {"return_sequences": True, "strides": 2}),
    "two axes": (2, {"padding": "same"}),
    "two axes, backwards": (2, {"return_sequences": True, "go_backwards": True, "kernel_size": (3, 2)}),
    "no bias": (2, {"use_bias": False}),
    "one axis, dilated": (1, {"dilation_rate": 3, "return_sequences": True}),
    "two axes, dilated": (2, {"dilation_rate": (2, 1), "padding": "same", "kernel_size": (2, 3)}),
    "three axes": (3, {"return_sequences": True}),
}


def _network(case: str) -> tuple[Any, Any]:
    import keras
    import tensorflow as tf

    space, options = CASES[case]
    kind = getattr(keras.layers, f"ConvLSTM{space}D")
    layer = kind(3, **{"kernel_size": 3, **options})
    network = keras.Sequential([keras.Input((5, *SPACE[space], 2)), layer])
    for seed, weight in enumerate(network.weights):
        weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    return network, layer


def _check(path: Path, layer: Any, batch: int) -> None:
    report = inspect(str(path))
    (ours,) = [one for one in report.model.layers if one.kind != "unknown"]
    assert ours.kind == "conv_lstm"
    settings = ours.attributes
    # A dilated convolution pads by what the graph says, half of what the kernel spans besides one entry.
    spans = zip(layer.kernel_size, layer.dilation_rate, strict=True)
    padded = tuple((rate * (size - 1) // 2, rate * (size - 1) // 2) for size, rate in spans)
    dilated = any(rate > 1 for rate in layer.dilation_rate)
    assert (settings["kernel_size"], settings["stride"]) == (layer.kernel_size, layer.strides)
    assert settings["padding"] == (padded if dilated and layer.padding == "same" else layer.padding)
    assert settings.get("dilation", (1,) * len(layer.dilation_rate)) == layer.dilation_rate
    assert (settings["in_channels"], settings["hidden_size"]) == (2, 3)
    assert (settings["cell_function"], settings["gate_function"]) == ("tanh", "sigmoid")
    assert settings.get("direction", "forward") == ("reverse" if layer.go_backwards else "forward")
    output = report.model.values[report.model.outputs[0]].shape or ()
    assert output[1:] == layer.output.shape[1:]
    assert report.totals.params == layer.count_params()
    found = {slot: read() for slot, read in canonical.read(ours.weights).items()}
    names = ("weight_ih.l0", "weight_hh.l0", "bias_ih.l0+bias_hh.l0")
    assert set(found) == set(names[: len(layer.get_weights())])
    for name, whole in zip(names, layer.get_weights(), strict=False):
        gates = np.split(whole, 4, -1)  # `*k i o` as `o i *k`
        theirs = np.stack([np.moveaxis(one, (-1, -2), (0, 1)) if one.ndim > 1 else one for one in gates])
        np.testing.assert_array_equal(found[name], theirs, err_msg=name)
    assert output[0] == batch


@pytest.mark.parametrize("case", CASES)
def test_a_loop_is_the_layer_that_keras_exported(case: str, tmp_path: Path) -> None:
    import tensorflow as tf

    network, layer = _network(case)
    signature = [tf.TensorSpec((7, *network.inputs[0].shape[1:]), tf.float32)]
    network.export(str(tmp_path / "export"), verbose=False, input_signature=signature)
    _check(tmp_path / "export", layer, 7)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export"))
    path = tmp_path / "network.tflite"
    path.write_bytes(converter.convert())
    _check(path, layer, 7)


@pytest.mark.parametrize("space", [1, 2])
def test_states_that_are_given_are_inputs_of_the_layer(space: int, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    layer = getattr(keras.layers, f"ConvLSTM{space}D")(3, 3, padding="same")
    shapes = [(5, *SPACE[space], 2), (*SPACE[space], 3), (*SPACE[space], 3)]
    data, *states = [keras.Input(shape) for shape in shapes]
    network = keras.Model([data, *states], layer(data, initial_state=states))
    for seed, weight in enumerate(network.weights):
        weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    signature = [[tf.TensorSpec((7, *shape), tf.float32) for shape in shapes]]
    network.export(str(tmp_path / "export"), verbose=False, input_signature=signature)
    path = tmp_path / "network.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export")).convert())
    for form in (tmp_path / "export", path):
        report = inspect(str(form))
        (ours,) = [one for one in report.model.layers if one.kind == "conv_lstm"]
        assert ours.attributes["initial_states"] == 2
        assert report.totals.params == network.count_params()
        assert [report.model.values[name].shape for name in report.model.outputs] == [(7, *shapes[1])]


def test_two_layers_above_one_another_in_tflite(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf
    from keras import layers as k

    both = k.Bidirectional(k.ConvLSTM2D(3, 3, return_sequences=True))
    network = keras.Sequential([keras.Input((5, 8, 10, 2)), both, k.ConvLSTM2D(4, 2)])
    for seed, weight in enumerate(network.weights):
        weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    signature = [tf.TensorSpec((7, 5, 8, 10, 2), tf.float32)]
    network.export(str(tmp_path / "export"), verbose=False, input_signature=signature)
    path = tmp_path / "network.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export")).convert())
    report = inspect(str(path))
    layers = [one for one in report.model.layers if one.kind == "conv_lstm"]
    assert [one.attributes["hidden_size"] for one in layers] == [3, 3, 4]
    assert report.model.values[report.model.outputs[0]].shape == (7, 5, 7, 4)
    assert report.totals.params == network.count_params()
