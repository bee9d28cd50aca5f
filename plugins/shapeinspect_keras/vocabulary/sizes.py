"""Attributes that follow from the shapes of weights or inputs: ``in_channels``, ``input_size``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from shapeinspect.dims import Dim, Shape, product
from shapeinspect.frozen import Frozen
from shapeinspect_keras.vocabulary.parts import equation_axes

_Weights: TypeAlias = "Mapping[str, Shape]"
_Sizes: TypeAlias = "dict[str, Any]"
SizeReader: TypeAlias = Callable[[Mapping[str, Any], _Weights, "Shape | None"], _Sizes]


def _axis(shape: Shape | None, axis: int, rank: int | None = None) -> Dim | None:
    """Return one length, or None where there is no such axis or the rank is another."""
    if shape is None or not -len(shape) <= axis < len(shape) or rank not in (None, len(shape)):
        return None
    return shape[axis]


def _channels(attributes: Mapping[str, Any], shape: Shape | None) -> Dim | None:
    return _axis(shape, 1 if attributes.get("data_format") == "channels_first" else -1)


def _conv(attributes: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    if "depth_multiplier" in attributes:
        kernel = weights.get("kernel", weights.get("depthwise_kernel"))
        channels = _axis(kernel, -2) or _channels(attributes, shape)
        added: _Sizes = {"in_channels": channels, "groups": channels}
        if isinstance(channels, int) and isinstance(attributes["depth_multiplier"], int):
            added["out_channels"] = channels * attributes["depth_multiplier"]
        return added
    inner = _axis(weights.get("kernel"), -2)
    if isinstance(inner, int) and isinstance(attributes.get("groups", 1), int):
        return {"in_channels": inner * attributes.get("groups", 1)}
    return {"in_channels": _channels(attributes, shape)}


def _separable(attributes: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    return {"in_channels": _axis(weights.get("depthwise_kernel"), -2) or _channels(attributes, shape)}


def _conv_transpose(attributes: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    return {"in_channels": _axis(weights.get("kernel"), -1) or _channels(attributes, shape)}


def _linear(_found: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    return {
        "in_features": _axis(weights.get("kernel"), 0, 2) or _axis(weights.get("W"), 0, 2) or _axis(shape, -1)
    }


def _einsum(attributes: Mapping[str, Any], weights: _Weights, _shape: Shape | None) -> _Sizes:
    letters = equation_axes(str(attributes.get("equation", "")))
    kernel = weights.get("kernel")
    if letters is None or kernel is None or len(letters[0]) != len(kernel):
        return {}
    own = {
        letter: length for letter, length in zip(letters[0], kernel, strict=True) if letter not in letters[2]
    }
    return {"sizes": Frozen(own)}


def _batch_norm(attributes: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    return {"num_features": _axis(weights.get("moving_mean"), 0) or _axis(shape, attributes.get("axis", -1))}


def _layer_norm(attributes: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    for role in ("gamma", "beta", "scale"):
        if role in weights:
            return {"normalized_shape": tuple(weights[role])}
    axis = attributes.get("axis", -1)
    axes = axis if isinstance(axis, tuple) else (axis,)
    lengths = tuple(_axis(shape, item) for item in axes if isinstance(item, int))
    return {} if None in lengths else {"normalized_shape": lengths}


def _group_norm(attributes: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    channels = _axis(weights.get("gamma", weights.get("beta")), 0) or _axis(shape, attributes.get("axis", -1))
    added: _Sizes = {"num_channels": channels}
    return added | ({"num_groups": channels} if attributes.get("num_groups") == -1 else {})


def _recurrent(_found: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    return {"input_size": _axis(weights.get("kernel"), 0) or _axis(shape, -1)}


def _attention(attributes: Mapping[str, Any], weights: _Weights, shape: Shape | None) -> _Sizes:
    if attributes.get("projected") is False:
        return {"embed_dim": _axis(shape, -1)}
    embed = _axis(weights.get("query/kernel"), 0) or _axis(shape, -1)
    added: _Sizes = {
        "embed_dim": embed,
        "kdim": _axis(weights.get("key/kernel"), 0),
        "vdim": _axis(weights.get("value/kernel"), 0),
    }
    # Keras projects the heads back to the query's width unless the settings name another.
    # Source: keras/src/layers/attention/multi_head_attention.py, ``_make_output_dense``.
    out = _axis(weights.get("attention_output/kernel"), -1, 3)
    return added | ({} if "out_features" in attributes else {"out_features": out or embed})


def _prelu(_found: Mapping[str, Any], weights: _Weights, _shape: Shape | None) -> _Sizes:
    return {"num_parameters": product(weights["alpha"])} if "alpha" in weights else {}


def _embedding(attributes: Mapping[str, Any], weights: _Weights, _shape: Shape | None) -> _Sizes:
    table = weights.get("embeddings", weights.get("W"))
    sizes = {"num_embeddings": _axis(table, 0, 2), "embedding_dim": _axis(table, 1, 2)}
    return {name: length for name, length in sizes.items() if name not in attributes}


#: One reader a kind: attributes so far, weights by role, the first input's shape.
READERS: dict[str, SizeReader] = {
    "conv": _conv,
    "local_conv": lambda attributes, _weights, shape: {"in_channels": _channels(attributes, shape)},
    "separable_conv": _separable,
    "conv_transpose": _conv_transpose,
    "conv_lstm": lambda _found, weights, _shape: {"in_channels": _axis(weights.get("kernel"), -2)},
    "linear": _linear,
    "einsum": _einsum,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "rms_norm": _layer_norm,
    "group_norm": _group_norm,
    **dict.fromkeys(("rnn", "lstm", "gru", "rnn_cell", "lstm_cell", "gru_cell"), _recurrent),
    "stacked_rnn": lambda _found, weights, shape: {
        "input_size": _axis(weights.get("cells/0/kernel"), 0) or _axis(shape, -1)
    },
    "attention": _attention,
    "prelu": _prelu,
    "embedding": _embedding,
}
