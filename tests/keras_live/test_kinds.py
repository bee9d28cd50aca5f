"""Every layer of keras.layers has a kind, and every weight its role and its layout."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as K
from keras.src.applications.convnext import LayerScale

from shapeinspect import layout
from shapeinspect.sources.source import from_object
from shapeinspect_keras.adapters.live import ADAPTER
from shapeinspect_keras.vocabulary.kinds import UNKNOWN_ON_PURPOSE, complete, describe
from shapeinspect_keras.vocabulary.layouts import NON_TRAINABLE, weight_roles
from shapeinspect_keras.vocabulary.parts import bind, part_roles, parts

Close = Callable[[Any, Any], None]

CLASSES = sorted({
    value.__name__ for name in dir(K)
    if inspect.isclass(value := getattr(K, name)) and issubclass(value, K.Layer)
})  # fmt: skip
DENSE = {"layer": {"class_name": "Dense", "config": {"units": 3}}}
CONFIGS: dict[str, dict[str, Any]] = {
    "Bidirectional": {"layer": {"class_name": "LSTM", "config": {"units": 3}}},
    "SpectralNormalization": DENSE,
    "RNN": {"cell": {"class_name": "GRUCell", "config": {"units": 3}}},
    "Activation": {"activation": "relu"},
}


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_has_a_kind(name: str) -> None:
    kind, _ = describe(name, CONFIGS.get(name, {}), "keras.layers")
    assert (kind == "unknown") == (name in UNKNOWN_ON_PURPOSE)


def built(layer: Any, *shapes: tuple[int, ...]) -> Any:
    layer(*(keras.KerasTensor(shape) for shape in shapes))
    return layer


def merged(layer: Any, *shapes: tuple[int, ...]) -> Any:
    layer([keras.KerasTensor(shape) for shape in shapes])
    return layer


WEIGHTED = {
    "dense": lambda: built(K.Dense(5), (2, 7)),
    "dense without bias": lambda: built(K.Dense(5, use_bias=False), (2, 7)),
    "einsum": lambda: built(K.EinsumDense("abc,cde->abde", (3, 5, 6), bias_axes="de"), (2, 3, 7)),
    "conv1d": lambda: built(K.Conv1D(6, 3), (2, 9, 4)),
    "conv2d groups": lambda: built(K.Conv2D(6, (3, 5), groups=2), (2, 9, 11, 4)),
    "conv3d": lambda: built(K.Conv3D(6, (1, 2, 3)), (2, 9, 11, 12, 4)),
    "depthwise1d": lambda: built(K.DepthwiseConv1D(3, depth_multiplier=2), (2, 9, 4)),
    "depthwise2d": lambda: built(K.DepthwiseConv2D((3, 2), depth_multiplier=2), (2, 9, 8, 4)),
    "separable1d": lambda: built(K.SeparableConv1D(7, 3), (2, 9, 4)),
    "separable2d": lambda: built(K.SeparableConv2D(7, (3, 2), depth_multiplier=2), (2, 9, 8, 4)),
    "transpose1d": lambda: built(K.Conv1DTranspose(6, 3), (2, 9, 4)),
    "transpose2d": lambda: built(K.Conv2DTranspose(6, (3, 5)), (2, 9, 11, 4)),
    "transpose3d": lambda: built(K.Conv3DTranspose(6, (1, 2, 3)), (2, 9, 11, 12, 4)),
    "embedding": lambda: built(K.Embedding(11, 5), (2, 3)),
    "reversible": lambda: built(K.ReversibleEmbedding(11, 5, tie_weights=False), (2, 3)),
    "batch norm": lambda: built(K.BatchNormalization(), (2, 9, 4)),
    "batch norm without scale": lambda: built(K.BatchNormalization(scale=False), (2, 9, 4)),
    "batch renorm": lambda: built(K.BatchNormalization(renorm=True), (2, 9, 4)),
    "layer norm": lambda: built(K.LayerNormalization(), (2, 9, 4)),
    "layer norm of two axes": lambda: built(K.LayerNormalization(axis=[1, 2], center=False), (2, 9, 4)),
    "group norm": lambda: built(K.GroupNormalization(2), (2, 9, 4)),
    "rms norm": lambda: built(K.RMSNormalization(), (2, 9, 4)),
    "spectral conv": lambda: built(K.SpectralNormalization(K.Conv2D(6, 3)), (2, 9, 8, 4)),
    "spectral embedding": lambda: built(K.SpectralNormalization(K.Embedding(6, 5)), (2, 4)),
    "layer scale": lambda: built(LayerScale(1e-6, 4), (2, 9, 4)),
    "prelu": lambda: built(K.PReLU(shared_axes=[1]), (2, 9, 4)),
    "rnn": lambda: built(K.SimpleRNN(5), (2, 9, 4)),
    "lstm": lambda: built(K.LSTM(5), (2, 9, 4)),
    "gru": lambda: built(K.GRU(5), (2, 9, 4)),
    "gru reset before": lambda: built(K.GRU(5, reset_after=False), (2, 9, 4)),
    "bidirectional": lambda: built(K.Bidirectional(K.LSTM(5)), (2, 9, 4)),
    "rnn of a cell": lambda: built(K.RNN(K.LSTMCell(5)), (2, 9, 4)),
    "rnn of cells": lambda: built(K.RNN([K.GRUCell(5), K.GRUCell(5)]), (2, 9, 4)),
    "conv lstm 1d": lambda: built(K.ConvLSTM1D(5, 3), (2, 3, 9, 4)),
    "conv lstm 2d": lambda: built(K.ConvLSTM2D(5, (3, 2)), (2, 3, 9, 8, 4)),
    "conv lstm 3d": lambda: built(K.ConvLSTM3D(5, (3, 2, 1)), (2, 3, 9, 8, 7, 4)),
    "normalization": lambda: built(K.Normalization(), (2, 4)),
    "distributed dense": lambda: built(K.TimeDistributed(K.Dense(5)), (2, 9, 4)),
    "attention": lambda: merged(K.Attention(use_scale=True, score_mode="concat"), (2, 3, 4), (2, 5, 4)),
    "additive attention": lambda: merged(K.AdditiveAttention(), (2, 3, 4), (2, 5, 4)),
    "multi-head": lambda: built(K.MultiHeadAttention(2, 3), (2, 5, 7), (2, 4, 11)),
    "multi-head with a gate": lambda: built(
        K.MultiHeadAttention(2, 3, use_gate=True, value_dim=4, output_shape=13), (2, 5, 7), (2, 4, 11)
    ),
    "grouped query": lambda: built(K.GroupQueryAttention(3, 4, 2), (2, 5, 7), (2, 4, 7)),
    "spectrogram": lambda: built(
        K.STFTSpectrogram(frame_length=8, frame_step=3, fft_length=8, window=None), (2, 50, 1)
    ),
}  # fmt: skip


def holder(layer: Any, stored: str) -> Any:
    """Find what Keras saves under a name: an attribute, or one of a list by its number."""
    for name in filter(None, stored.split("/")):
        if isinstance(layer, list | tuple):
            number = name.rpartition("_")[2]
            layer = layer[int(number) if number.isdecimal() else 0]
        else:
            layer = getattr(layer, name)
    return layer


@pytest.mark.parametrize("case", WEIGHTED)
def test_roles_are_the_names_in_the_order_of_saving(case: str) -> None:
    layer = WEIGHTED[case]()
    name, config = type(layer).__name__, layer.get_config()
    found: dict[str, Any] = {}
    for part in parts(name, config):
        store: dict[str, Any] = {}
        holder(layer, part.stored).save_own_variables(store)
        roles = part_roles(part, len(store))
        assert roles is not None
        variables = {id(one): one for one in layer.weights}
        for role, stored in zip(roles, store.values(), strict=True):
            if id(stored) in variables:
                assert stored.name in (role.rpartition("/")[2], "variable")  # a LayerScale names it not
                assert stored.trainable == (stored.name not in NON_TRAINABLE)
            found[role] = stored
    assert sum(int(np.prod(one.shape)) for one in found.values()) == layer.count_params()
    for role, stored in found.items():
        row = bind(name, config, role, tuple(stored.shape))
        assert row is not None, role
        common = layout.common_shape(row, tuple(stored.shape))
        assert np.prod(common) == np.prod(stored.shape)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("Convolution2D", {"nb_filter": 8, "nb_row": 3, "nb_col": 5, "border_mode": "same",
                            "subsample": [2, 1], "dim_ordering": "th"}),
         ("Conv2D", {"filters": 8, "kernel_size": (3, 5), "padding": "same", "strides": (2, 1),
                     "data_format": "channels_first"})),
        (("Convolution1D", {"nb_filter": 8, "filter_length": 3, "subsample_length": 2}),
         ("Conv1D", {"filters": 8, "kernel_size": 3, "strides": 2})),
        (("AtrousConvolution2D", {"nb_filter": 8, "nb_row": 3, "nb_col": 5, "atrous_rate": [2, 2]}),
         ("Conv2D", {"filters": 8, "kernel_size": (3, 5), "dilation_rate": (2, 2)})),
        (("MaxPooling1D", {"pool_length": 3, "stride": 2, "border_mode": "same"}),
         ("MaxPooling1D", {"pool_size": 3, "strides": 2, "padding": "same"})),
        (("LSTM", {"output_dim": 7, "return_sequences": True}),
         ("LSTM", {"units": 7, "return_sequences": True})),
        (("Dense", {"output_dim": 7}), ("Dense", {"units": 7})),
        (("Merge", {"mode": "concat", "concat_axis": 1}), ("Concatenate", {"axis": 1})),
        (("Merge", {"mode": "sum"}), ("Add", {})),
    ],
)  # fmt: skip
def test_keras_1_spellings(old: tuple[str, dict[str, Any]], new: tuple[str, dict[str, Any]]) -> None:
    assert describe(*old) == describe(*new)


def test_operation_and_layer_of_one_name() -> None:
    assert describe("Reshape", {"newshape": [-1, 3]}, "keras.src.ops.numpy") == (
        "reshape",
        {"shape": (-1, 3)},
    )
    kind, attributes = describe("Reshape", {"target_shape": [-1, 3]}, "keras.layers")
    assert (kind, attributes) == ("reshape", {"shape": (-1, 3), "batch_kept": True})


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_quantized_dense_is_named(mode: str) -> None:
    layer = built(K.Dense(5), (2, 7))
    layer.quantize(mode)
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    variables = {id(one): one.name for one in layer.weights}
    roles = weight_roles("Dense", layer.get_config(), len(store))
    assert roles is not None
    known = {
        role: variables[id(one)]
        for role, one in zip(roles, store.values(), strict=True)
        if id(one) in variables
    }
    assert all(role == name for role, name in known.items())
    assert len(known) > 1
    found = {weight.role: weight for weight in ADAPTER.read(from_object(layer)).layers[0].weights}
    assert set(found) == set(variables.values())
    assert found["kernel"].layout is not None
    assert found["kernel"].shape == (7, 5)
    assert found["kernel"].stored_shape == ((7, 3) if mode == "int4" else (7, 5))


def test_lora_has_layouts() -> None:
    layer = built(K.Dense(5), (2, 7))
    layer.enable_lora(3)
    shapes = {one.name: tuple(one.shape) for one in layer.weights}
    assert shapes["lora_kernel_a"] == (7, 3)
    row = bind("Dense", layer.get_config(), "lora_kernel_a", (7, 3))
    assert row is not None
    assert layout.common_shape(row, (7, 3)) == (3, 7)


def test_complete_finds_what_weights_tell() -> None:
    found = complete("conv", {"depth_multiplier": 2}, {"kernel": (3, 2, 5, 2)})
    assert (found["in_channels"], found["groups"], found["out_channels"]) == (5, 5, 10)
    assert complete("lstm", {}, {"forward/kernel": (4, 20)})["input_size"] == 4


def test_lstm_rows_hold_in_numbers(close: Close) -> None:
    """One step of an LSTM, written out by hand on the common layout, gives what Keras gives."""
    layer = built(K.LSTM(5), (2, 3, 4))
    x = np.random.default_rng(0).normal(size=(2, 1, 4)).astype("float32")
    kernel, recurrent, bias = (np.asarray(one) for one in layer.weights)
    import einops

    def common(role: str, value: np.ndarray) -> np.ndarray:
        row = bind("LSTM", layer.get_config(), role, value.shape)
        return einops.rearrange(value, layout.transform(row), **row.sizes)

    w, b = common("kernel", kernel), common("bias", bias)
    assert common("recurrent_kernel", recurrent).shape == (4, 5, 5)
    i, f, g, o = (x[:, 0] @ w[gate].T + b[gate] for gate in range(4))

    def sigmoid(value: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-value))

    state = sigmoid(i) * np.tanh(g)  # the state before is zero
    close(layer(x), sigmoid(o) * np.tanh(state))
    assert not np.allclose(sigmoid(f), sigmoid(i))


def test_gru_gates_are_stored_z_r_n(close: Close) -> None:
    """With the update gate forced open the new state is the old one: that gate is Keras's first."""
    layer = built(K.GRU(2, reset_after=False), (1, 1, 3))
    bias = np.zeros(6, "float32")
    bias[:2] = 100.0
    layer.set_weights([*layer.get_weights()[:2], bias])
    start = np.array([[0.25, -0.5]], "float32")
    out = layer(np.ones((1, 1, 3), "float32"), initial_state=start)
    close(out, start)
    row = bind("GRU", layer.get_config(), "bias", (6,))
    assert row is not None
    assert row.orders == (("gate", "z r n", "r z n"),)
