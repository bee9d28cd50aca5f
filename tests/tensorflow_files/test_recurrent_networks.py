"""Networks of recurrent layers, as SavedModels with open lengths and in TFLite: layers, counts and shapes.

The long run holds every network of ``recurrent_networks.py``; the fast cut those that are marked there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect import inspect
from shapeinspect.api.debugging import fits

from . import recurrent_networks as networks

KINDS = {"lstm", "gru", "rnn", "conv_lstm"}
#: What stays operators: Keras wrote the steps one after another, or the gates' products apart.
OPEN = {"GRU, dropout", *(name for name in networks.NETWORKS if "unrolled" in name)}
#: What stays operators in TFLite alone: a split kernel is stored in parts, some functions are taken apart.
OPEN_IN_TFLITE = {
    "LSTM, dropout",
    *(f"{kind}, {name}" for kind in ("LSTM", "GRU", "SimpleRNN") for name in ("selu", "softplus", "mish")),
}
#: Where the converter stores, besides the weights, what the first step makes of a state of zeros.
MORE_STORED = {"GRU, unrolled", "GRU, unrolled sequences"}
#: What TFLite's converter refuses: it moves blocks of two axes of space at most.
REFUSED = {"ConvLSTM3D, dilated"}
CASES = [
    pytest.param(name, marks=[] if one.fast else pytest.mark.slow) for name, one in networks.NETWORKS.items()
]


def _made(name: str, *, fixed: bool) -> tuple[Any, tuple[int, ...]]:
    import tensorflow as tf

    network = networks.NETWORKS[name].make(fixed)
    for seed, weight in enumerate(network.weights):  # a converter shares the buffers of equal constants
        if "float" in str(weight.dtype):
            weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    shape = network.inputs[0].shape
    batch = networks.BATCH if shape[0] is None else shape[0]
    return network, (batch, *(networks.STEPS if dim is None else dim for dim in shape[1:]))


def _judge(path: Path, network: Any, name: str, size: tuple[int, ...]) -> None:
    report, lite = inspect(str(path)), path.suffix == ".tflite"
    if not lite or name not in MORE_STORED:
        assert report.totals.params == network.count_params()
    assert report.totals.trainable in (0, sum(int(np.prod(one.shape)) for one in network.trainable_weights))
    assert fits(str(path), size).diagnosis is None
    at_size = inspect(str(path), size).model
    real = {tuple(one.shape) for one in _flat(network(np.zeros(size, np.float32)))}
    shapes = [at_size.values[one].shape or () for one in at_size.outputs]
    if all(isinstance(dim, int) for shape in shapes for dim in shape):
        assert {*shapes} == real
    else:
        assert name in OPEN
    words = ("does not fit", "in doubt", "the source records")
    assert not [note for note in at_size.notes if any(word in note.text for word in words)]
    found = [layer for layer in report.model.layers if layer.kind in KINDS]
    if name in OPEN or (lite and name in OPEN_IN_TFLITE):
        assert not found
        return
    assert len(found) == networks.NETWORKS[name].layers
    assert not [one.type for one in report.model.layers if one.type == "WHILE" or "TensorList" in one.type]
    layers = [getattr(one, "layer", one) for one in network.layers]
    functions = [one.activation.__name__ for one in layers if hasattr(one, "recurrent_kernel_initializer")]
    if functions:
        assert {layer.attributes["cell_function"] for layer in found} == {*functions}


def _flat(made: Any) -> list[Any]:
    return list(made) if isinstance(made, list | tuple) else [made]


@pytest.mark.parametrize("name", CASES)
def test_a_saved_model_has_the_layers(name: str, tmp_path: Path) -> None:
    network, size = _made(name, fixed=False)
    network.export(str(tmp_path / "export"), verbose=False)
    _judge(tmp_path / "export", network, name, size)


@pytest.mark.parametrize("name", CASES)
def test_a_tflite_file_has_the_layers(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    network, size = _made(name, fixed=True)
    signature = [tf.TensorSpec(size, network.inputs[0].dtype)]
    network.export(str(tmp_path / "export"), verbose=False, input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "export"))
    if name in REFUSED:
        with pytest.raises(Exception, match="Could not translate"):
            converter.convert()
        return
    path = tmp_path / "network.tflite"
    path.write_bytes(converter.convert())
    _judge(path, network, name, size)
