"""TFLite's loops that are recurrent layers: one layer with the numbers, gates and shapes of Keras's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect.layout import canonical

LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}),
    "lstm_sequences": ("LSTM", {"return_sequences": True, "use_bias": False}),
    "gru": ("GRU", {"return_sequences": True}),
    "gru_last": ("GRU", {"use_bias": False}),
    "gru_before": ("GRU", {"reset_after": False, "return_sequences": True}),
    "gru_bare_before": ("GRU", {"reset_after": False, "use_bias": False, "go_backwards": True}),
    "rnn": ("SimpleRNN", {"return_sequences": True}),
    "rnn_relu": ("SimpleRNN", {"activation": "relu"}),
}
#: The converter writes each step, or the products of each gate.
STEPS_AND_GATES: dict[str, tuple[str, dict[str, Any]]] = {
    "unrolled": ("GRU", {"unroll": True}),
    "unrolled_gates": ("LSTM", {"unroll": True, "dropout": 0.2, "return_sequences": True}),
    "gates": ("GRU", {"dropout": 0.2}),
    "gates_before": ("GRU", {"dropout": 0.2, "reset_after": False}),
}
KINDS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}


def _convert(network: Any, folder: Path, batch: int = 2) -> Path:
    import tensorflow as tf

    for seed, weight in enumerate(network.weights):  # a converter shares the buffers of equal constants
        weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    signature = [tf.TensorSpec((batch, *one.shape[1:]), one.dtype) for one in network.inputs]
    network.export(str(folder / "export"), verbose=False, input_signature=signature)
    path = folder / "network.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "export")).convert())
    return path


def _gates(name: str, matrix: Any) -> list[Any]:
    """Return the gates of a Keras matrix or bias in the common order: ``i f g o``, or ``r z n``."""
    import numpy as np

    parts = np.split(matrix, {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[name], -1)
    return [parts[1], parts[0], parts[2]] if name == "GRU" else parts


@pytest.mark.parametrize(
    ("name", "batch"),
    [*((name, batch) for name in LAYERS for batch in (1, 2)), *((name, 2) for name in STEPS_AND_GATES)],
)
def test_a_loop_is_the_layer_that_keras_exported(name: str, batch: int, tmp_path: Path) -> None:
    import keras
    import numpy as np

    kind, options = {**LAYERS, **STEPS_AND_GATES}[name]
    layer = getattr(keras.layers, kind)(7, **options)
    network = keras.Sequential([keras.Input((9, 5)), layer])
    report = inspect(str(_convert(network, tmp_path, batch)))
    (ours,) = [one for one in report.model.layers if one.kind in KINDS.values()]
    assert ours.kind == KINDS[kind]
    assert not [one for one in report.model.layers if one.type == "WHILE" or "while" in one.path]
    assert ours.attributes["cell_function"] == layer.activation.__name__
    assert (ours.attributes["input_size"], ours.attributes["hidden_size"]) == (5, 7)
    output = report.model.values[report.model.outputs[0]]
    assert output.shape == (batch, *layer.output.shape[1:])
    assert report.totals.params == network.count_params()
    kernel, recurrent, *bias = layer.get_weights()
    wanted = {"weight_ih.l0": _gates(kind, kernel), "weight_hh.l0": _gates(kind, recurrent)}
    if bias and kind == "GRU" and ours.attributes["reset_after"]:
        wanted |= {"bias_ih.l0": _gates(kind, bias[0][0]), "bias_hh.l0": _gates(kind, bias[0][1])}
    elif bias:
        wanted["bias_ih.l0+bias_hh.l0"] = _gates(kind, bias[0])
    assert all(weight.layout is not None for weight in ours.weights)
    found = {slot: read() for slot, read in canonical.read(ours.weights).items()}
    assert set(found) == set(wanted)
    for slot, gates in wanted.items():
        theirs = np.stack([gate.T for gate in gates]) if len(gates) > 1 else gates[0].T
        np.testing.assert_array_equal(found[slot].reshape(theirs.shape), theirs, err_msg=slot)


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_weights_of_16_bits_are_those_of_layers(kind: str, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    network = keras.Sequential([keras.Input((9, 5)), getattr(keras.layers, kind)(7, activation="selu")])
    _convert(network, tmp_path)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    path = tmp_path / "half.tflite"
    path.write_bytes(converter.convert())
    (layer,) = inspect(str(path)).model.layers
    assert (layer.kind, layer.attributes["cell_function"]) == (KINDS[kind], "selu")
    assert sum(weight.size or 0 for weight in layer.weights) == network.count_params()
    assert {weight.dtype for weight in layer.weights} == {"float16"}


def test_both_directions_are_two_layers(tmp_path: Path) -> None:
    import keras
    from keras import layers as k

    both = k.Bidirectional(k.LSTM(7, return_sequences=True))
    network = keras.Sequential([keras.Input((9, 5)), both, k.Dense(3)])
    report = inspect(str(_convert(network, tmp_path)))
    layers = [one for one in report.model.layers if one.kind == "lstm"]
    assert sorted(one.attributes.get("direction", "forward") for one in layers) == ["forward", "reverse"]
    assert report.totals.params == network.count_params()
    assert report.model.values[report.model.outputs[0]].shape == (2, 9, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_above_one_another_are_layers_with_the_batch_first(kind: str, tmp_path: Path) -> None:
    """Between two loops the converter leaves out the swaps of batch and time, which cancel out."""
    import keras

    one = getattr(keras.layers, kind)
    above = [one(units, return_sequences=True) for units in (7, 6, 4)]
    network = keras.Sequential([keras.Input((9, 5)), *above])
    model = inspect(str(_convert(network, tmp_path))).model
    assert [layer.kind for layer in model.layers] == [KINDS[kind]] * 3
    assert [layer.attributes["hidden_size"] for layer in model.layers] == [7, 6, 4]
    assert [model.values[call.outputs[0]].shape for call in model.calls] == [
        (2, *layer.output.shape[1:]) for layer in above
    ]


def test_every_step_that_two_read_and_a_single_step_are_those_of_the_layers(tmp_path: Path) -> None:
    import keras
    from keras import layers as k

    x = keras.Input((9, 5))
    y = k.LSTM(7, return_sequences=True)(x)
    network = keras.Model(x, [y, k.GRU(6, return_sequences=True)(y)])
    model = inspect(str(_convert(network, tmp_path / "two"))).model
    assert [layer.kind for layer in model.layers] == ["lstm", "gru"]
    assert sorted(model.values[name].shape or () for name in model.outputs) == [(2, 9, 6), (2, 9, 7)]
    single = keras.Sequential([keras.Input((1, 5)), k.LSTM(7, return_sequences=True)])
    model = inspect(str(_convert(single, tmp_path / "single"))).model
    assert [layer.kind for layer in model.layers] == ["lstm"]
    assert model.values[model.outputs[0]].shape == (2, 1, 7)


def test_terms_that_double_with_every_step_stay_small() -> None:
    """A graph may read each of its values twice: the term of the last one would have 2**80 operations."""
    from shapeinspect_tensorflow.graph.flow import Ref, Step
    from shapeinspect_tensorflow.graph.nodes import Node
    from shapeinspect_tensorflow.graph.recurrence.terms import Terms

    def step(ref: Ref) -> Step:
        before = Ref(str(int(ref.path) - 1))
        return Step(ref.path, Node("", "Mul", (), {}), (before, before))

    terms = Terms(step, frozenset({Ref("0")}))
    assert len(repr(terms.of(Ref("80")))) < 1_000_000
