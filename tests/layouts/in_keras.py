"""Builders of Keras layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import layers as K
from layouts_built import Array, Built, random, renamed

from shapeinspect.sources.source import from_object
from shapeinspect_keras.adapters.live import ADAPTER
from shapeinspect_keras.tracing.weights import held


def last(x: Array) -> Array:
    return np.moveaxis(x, 1, -1) if x.ndim > 2 else x


def first(x: Array) -> Array:
    return np.moveaxis(x, -1, 1) if x.ndim > 2 else x


def built(
    parts: Any, shapes: Sequence[tuple[int, ...]], run: Callable[..., Any] | None = None,
    into: Callable[[Array], Array] = lambda x: x, out: Callable[[Array], Array] = lambda x: x,
    change: Sequence[Callable[[str], str]] = (),
) -> Built:  # fmt: skip
    """Build layers that run one after another (or as ``run`` says) on inputs of these native shapes."""
    layers = parts if isinstance(parts, list) else [parts]

    def chain(*inputs: Any) -> Any:
        value = layers[0](*inputs)
        for layer in layers[1:]:
            value = layer(value)
        return value

    call = run or chain
    call(*(keras.ops.zeros(shape) for shape in shapes))
    rng = np.random.default_rng(11)
    variables: dict[str, Any] = {}
    weights = []
    for index, layer in enumerate(layers):
        (shown,) = [one for one in ADAPTER.read(from_object(layer)).layers if one.weights]
        found = {one.role: one.variable for one in held(layer, layer.get_config(), folded=True)}
        for weight in shown.weights:
            variable = found[weight.role]
            variables[f"{index}/{weight.name}"] = variable
            if "float" in str(variable.dtype):
                variable.assign(random(rng, weight.role, tuple(variable.shape)))
            one = replace(weight, name=f"{index}/{weight.name}")
            weights += renamed([one], change[index]) if change else [one]
    return Built(
        tuple(weights),
        lambda name, value: variables[name].assign(value),
        lambda *inputs: out(keras.ops.convert_to_numpy(call(*(into(one) for one in inputs)))),
    )


def _space(s: dict[str, Any]) -> tuple[int, ...]:
    return (s["N"], *s["space"], s["channels"])


def _conv(kinds: Sequence[Any], s: dict[str, Any], **settings: Any) -> Built:
    layer = kinds[len(s["kernel"]) - 1](**settings)
    return built(layer, [_space(s)], into=last, out=first)


def conv(s: dict[str, Any]) -> Built:
    return _conv((K.Conv1D, K.Conv2D, K.Conv3D), s, filters=s["o"], kernel_size=s["kernel"],
                 strides=s["stride"], dilation_rate=s["dilation"], groups=s["groups"])  # fmt: skip


def conv_transpose(s: dict[str, Any]) -> Built:
    return _conv((K.Conv1DTranspose, K.Conv2DTranspose, K.Conv3DTranspose), s, filters=s["o"],
                 kernel_size=s["kernel"], strides=s["stride"])  # fmt: skip


def depthwise(s: dict[str, Any]) -> Built:
    return _conv((K.DepthwiseConv1D, K.DepthwiseConv2D), s, kernel_size=s["kernel"], strides=s["stride"],
                 depth_multiplier=s["m"])  # fmt: skip


def separable(s: dict[str, Any]) -> Built:
    return _conv((K.SeparableConv1D, K.SeparableConv2D), s, filters=s["o"], kernel_size=s["kernel"],
                 strides=s["stride"], depth_multiplier=s["m"])  # fmt: skip


def linear(s: dict[str, Any]) -> Built:
    return built(K.Dense(s["o"], use_bias=s["bias"]), [(s["N"], s["i"])])


def einsum(s: dict[str, Any]) -> Built:
    """A dense layer whose output axis is two: ``(o0 o1)`` of the common convention."""
    o0 = s["o0"]
    layer = K.EinsumDense("bi,ixy->bxy", (o0, s["o"] // o0), bias_axes="xy" if s["bias"] else None)
    return built(layer, [(s["N"], s["i"])], out=lambda y: y.reshape(len(y), -1))


def embedding(s: dict[str, Any]) -> Built:
    return built(K.Embedding(s["V"], s["E"]), [(s["N"], s["T"])])


def batch_norm(s: dict[str, Any]) -> Built:
    return built(K.BatchNormalization(epsilon=1e-3), [_space(s)], into=last, out=first)


def layer_norm(s: dict[str, Any]) -> Built:
    layer = K.LayerNormalization(axis=list(range(-len(s["shape"]), 0)), epsilon=1e-3)
    return built(layer, [(s["N"], s["T"], *s["shape"])])


def rms_norm(s: dict[str, Any]) -> Built:
    layer = K.RMSNormalization(axis=list(range(-len(s["shape"]), 0)), epsilon=1e-3)
    return built(layer, [(s["N"], s["T"], *s["shape"])])


def group_norm(s: dict[str, Any]) -> Built:
    return built(K.GroupNormalization(s["groups"], epsilon=1e-3), [_space(s)], into=last, out=first)


def instance_norm(s: dict[str, Any]) -> Built:
    return built(K.GroupNormalization(s["C"], epsilon=1e-3), [_space(s)], into=last, out=first)


def prelu(s: dict[str, Any]) -> Built:
    shared = list(range(1, 1 + len(s["space"])))
    return built(K.PReLU(shared_axes=shared), [_space(s)], into=last, out=first)


RECURRENT: dict[str, Any] = {"rnn": K.SimpleRNN, "lstm": K.LSTM, "gru": K.GRU}


def recurrent(s: dict[str, Any]) -> Built:
    reset = {"reset_after": s["reset_after"]} if s["kind"] == "gru" else {}

    def one(**more: Any) -> Any:
        made = RECURRENT[s["kind"]](s["o"], return_sequences=True, use_bias=s["bias"], **reset, **more)
        return K.Bidirectional(made) if s["bidirectional"] else made

    layers = [one(go_backwards=s["reverse"]) for _ in range(s["layers"])]
    change = [lambda slot, at=at: slot.replace(".l0", f".l{at}") for at in range(s["layers"])]
    # What reads from the end gives its sequence from the end, too.
    turned = (lambda y: y[:, ::-1]) if s["reverse"] else (lambda y: y)
    return built(layers, [(s["N"], s["T"], s["i"])], out=turned, change=change)


def cells(s: dict[str, Any]) -> Built:
    """Cells stacked inside one layer."""
    kind = {"rnn": K.SimpleRNNCell, "lstm": K.LSTMCell, "gru": K.GRUCell}[s["kind"]]
    layer = K.RNN([kind(s["o"]) for _ in range(s["layers"])], return_sequences=True)
    return built(layer, [(s["N"], s["T"], s["i"])])


def cell(s: dict[str, Any]) -> Built:
    """One cell, run by a layer that gives its last step."""
    kind = {"rnn": K.SimpleRNNCell, "lstm": K.LSTMCell, "gru": K.GRUCell}[s["kind"]](s["o"])
    steps = K.RNN(kind)
    return built(kind, [(s["N"], s["T"], s["i"])], run=steps)


def attention(s: dict[str, Any]) -> Built:
    layer = K.MultiHeadAttention(s["heads"], s["d"], value_dim=s.get("dv"), output_shape=s.get("out"))
    shapes = [(s["N"], s["T"], s["E"]), (s["N"], s["S"], s["kdim"]), (s["N"], s["S"], s["vdim"])]
    return built(layer, shapes, run=lambda q, k, v: layer(q, v, k))


def grouped_query(s: dict[str, Any]) -> Built:
    layer = K.GroupQueryAttention(s["d"], s["heads"], s["kv_heads"])
    shapes = [(s["N"], s["T"], s["E"]), (s["N"], s["S"], s["kdim"]), (s["N"], s["S"], s["vdim"])]
    return built(layer, shapes, run=lambda q, k, v: layer(q, v, k))


def conv_lstm(s: dict[str, Any]) -> Built:
    layer = K.ConvLSTM2D(s["o"], s["kernel"], recurrent_activation="sigmoid")
    shape = (s["N"], s["T"], *s["space"], s["i"])
    return built(layer, [shape], into=lambda x: np.moveaxis(x, 2, -1), out=first)
