"""Networks of recurrent layers, as SavedModels with open lengths and in TFLite: layers, counts and shapes.

The long run holds every network of ``recurrent_networks.py`` and ``unrolled_networks.py``; the fast cut those
that are marked there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect import inspect
from shapeinspect.api.debugging import fits

from .recurrent_networks import BATCH, NETWORKS, STEPS
from .unrolled_networks import UNROLLED

KINDS = {"lstm", "gru", "rnn", "conv_lstm"}
#: What TFLite's converter refuses: it moves blocks of two axes of space at most.
REFUSED = {"ConvLSTM3D, dilated"}
EVERY = {**NETWORKS, **UNROLLED}
CASES = [pytest.param(name, marks=[] if one.fast else pytest.mark.slow) for name, one in EVERY.items()]


def _made(name: str, *, fixed: bool) -> tuple[Any, tuple[int, ...]]:
    import tensorflow as tf

    network = EVERY[name].make(fixed)
    for seed, weight in enumerate(network.weights):  # a converter shares the buffers of equal constants
        if "float" in str(weight.dtype):
            weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    shape = network.inputs[0].shape
    batch = BATCH if shape[0] is None else shape[0]
    return network, (batch, *(STEPS if dim is None else dim for dim in shape[1:]))


def _judge(path: Path, network: Any, name: str, size: tuple[int, ...]) -> None:
    report = inspect(str(path))
    assert report.totals.params == network.count_params()
    assert report.totals.trainable in (0, sum(int(np.prod(one.shape)) for one in network.trainable_weights))
    assert fits(str(path), size).diagnosis is None
    at_size = inspect(str(path), size).model
    real = {tuple(one.shape) for one in _flat(network(np.zeros(size, np.float32)))}
    shapes = [at_size.values[one].shape or () for one in at_size.outputs]
    assert {*shapes} == real
    words = ("does not fit", "in doubt", "the source records")
    assert not [note for note in at_size.notes if any(word in note.text for word in words)]
    found = [layer for layer in report.model.layers if layer.kind in KINDS]
    assert len(found) == EVERY[name].layers
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
