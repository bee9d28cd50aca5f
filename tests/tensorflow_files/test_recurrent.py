"""Loops that are recurrent layers are one layer with the weights, settings and shapes that Keras gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect.api.debugging import fits
from shapeinspect.dims import symbol

LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "lstm_sequences": ("LSTM", {"return_sequences": True, "use_bias": False}),
    "lstm_backwards": ("LSTM", {"return_sequences": True, "go_backwards": True}),
    "lstm_functions": ("LSTM", {"activation": "relu", "recurrent_activation": "tanh"}),
    "gru": ("GRU", {}),
    "gru_before": ("GRU", {"reset_after": False, "return_sequences": True}),
    "gru_bare": ("GRU", {"use_bias": False, "go_backwards": True}),
    "gru_bare_before": ("GRU", {"use_bias": False, "reset_after": False}),
    "rnn": ("SimpleRNN", {"return_sequences": True}),
    "rnn_linear": ("SimpleRNN", {"activation": "linear", "use_bias": False}),
}
KINDS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}


def _export(network: Any, folder: Path) -> str:
    network.export(str(folder / "export"), verbose=False)
    return str(folder / "export")


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_loop_is_the_layer_that_keras_exported(name: str, masked: bool, tmp_path: Path) -> None:
    import keras
    from keras import layers as k

    kind, options = LAYERS[name]
    layer = getattr(k, kind)(7, **options)
    first = [k.Masking()] if masked else []
    network = keras.Sequential([keras.Input((None, 5)), *first, layer])
    report = inspect(_export(network, tmp_path))
    (ours,) = [one for one in report.model.layers if one.kind in KINDS.values()]
    assert (ours.kind, ours.type) == (KINDS[kind], kind)
    assert not [one for one in report.model.layers if "While" in one.type or "TensorList" in one.type]
    assert [(one.role, one.shape) for one in ours.weights] == [
        (one.path.rpartition("/")[2], tuple(one.shape)) for one in layer.weights
    ]
    assert all(one.layout is not None and one.layout.slot for one in ours.weights)
    settings = ours.attributes
    assert (settings["input_size"], settings["hidden_size"]) == (5, 7)
    assert settings["cell_function"] == layer.activation.__name__
    if kind != "SimpleRNN":
        assert settings["gate_function"] == layer.recurrent_activation.__name__
    assert settings.get("reset_after") == getattr(layer.cell, "reset_after", None)
    assert settings.get("direction", "forward") == ("reverse" if layer.go_backwards else "forward")
    output = report.model.values[report.model.outputs[0]]
    assert [None if not isinstance(dim, int) else dim for dim in output.shape or ()] == list(
        layer.output.shape
    )
    assert str(output.shape[0] if output.shape else "") == "N"
    at_size = inspect(str(tmp_path / "export"), (3, 9, 5)).model
    assert at_size.values[at_size.outputs[0]].shape == layer.compute_output_shape((3, 9, 5))
    assert fits(str(tmp_path / "export"), (3, 9, 5)).diagnosis is None
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind]
    assert at_size.calls[-1].macs == 3 * 9 * gates * 7 * (5 + 7)


def test_both_directions_and_the_states_between_two_layers(tmp_path: Path) -> None:
    import keras
    from keras import layers as k

    x, y = keras.Input((None, 5)), keras.Input((None, 6))
    _, h, c = k.LSTM(7, return_state=True)(x)
    z = k.LSTM(7, return_sequences=True)(y, initial_state=[h, c])
    z = k.Bidirectional(k.GRU(4, return_sequences=True))(z)
    network = keras.Model([x, y], z)
    report = inspect(_export(network, tmp_path))
    layers = [one for one in report.model.layers if one.kind in KINDS.values()]
    assert [one.kind for one in layers] == ["lstm", "lstm", "gru", "gru"]
    assert [one.attributes.get("direction", "forward") for one in layers[2:]] == ["forward", "reverse"]
    calls = {call.layer: call for call in report.model.calls}
    assert set(calls[layers[0].path].outputs[1:]) == set(calls[layers[1].path].inputs[1:])
    names = report.model.inputs
    asked = dict(zip(names, [(3, 9, 5), (3, 8, 6)], strict=True))
    at_size = inspect(str(tmp_path / "export"), asked).model
    assert at_size.values[at_size.outputs[0]].shape == (3, 8, 8)
    assert report.totals.params == network.count_params()


def test_a_layer_whose_steps_and_states_are_outputs(tmp_path: Path) -> None:
    import keras

    x = keras.Input((9, 5))
    network = keras.Model(x, keras.layers.LSTM(7, return_sequences=True, return_state=True)(x))
    report = inspect(_export(network, tmp_path))
    assert [one.kind for one in report.model.layers if one.type] == ["lstm"]
    at_size = inspect(str(tmp_path / "export"), (3, 9, 5)).model
    assert sorted(at_size.values[name].shape or () for name in at_size.outputs) == [(3, 7), (3, 7), (3, 9, 7)]


def test_a_loop_whose_gates_stand_in_another_order_is_not_taken_for_keras(tmp_path: Path) -> None:
    """The order of the gates decides what a weight means: an unknown one is left a loop."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]  # tensorflow has no types
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.ones((5, 28)), name="kernel")
            self.recurrent = tf.Variable(tf.ones((7, 28)), name="recurrent")

        @tf.function(input_signature=[tf.TensorSpec((None, 9, 5), tf.float32)])  # type: ignore[misc]  # the same
        def __call__(self, x: Any) -> Any:
            x = tf.transpose(x, (1, 0, 2))
            states = tf.zeros((tf.shape(x)[1], 7)), tf.zeros((tf.shape(x)[1], 7))
            made = tf.TensorArray(tf.float32, 9)

            def step(t: Any, h: Any, c: Any, made: Any) -> Any:
                z = tf.matmul(x[t], self.kernel) + tf.matmul(h, self.recurrent)
                o, f, i, g = tf.split(z, 4, 1)
                c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
                h = tf.sigmoid(o) * tf.tanh(c)
                return t + 1, h, c, made.write(t, h)

            made = tf.while_loop(lambda t, *_: t < 9, step, (0, *states, made))[-1]
            return tf.transpose(made.stack(), (1, 0, 2))

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.__call__)
    report = inspect(str(tmp_path / "module"))
    assert not [one for one in report.model.layers if one.kind in KINDS.values()]
    assert [one.type for one in report.model.layers].count("While") == 1
    assert report.totals.macs == 9 * (5 + 7) * 28 * symbol("N")
