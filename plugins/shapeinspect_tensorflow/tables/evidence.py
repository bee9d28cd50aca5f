"""Recognizes the kind of a layer by the names and shapes of its variables.

Source: the ``build`` methods of Keras's layers, which name the variables; the names ``weights`` and
``biases`` are TF-Slim's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.frozen import Frozen

_RANKS = {3: "1D", 4: "2D", 5: "3D"}
_GATES = {4: ("lstm", "LSTM"), 3: ("gru", "GRU"), 1: ("rnn", "SimpleRNN")}
_STATISTICS = ("moving_mean", "moving_variance")
_SLIM = {"weights": "kernel", "biases": "bias", "depthwise_weights": "depthwise_kernel",
         "pointwise_weights": "pointwise_kernel"}  # fmt: skip
_Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Proof:
    """The known kind and attributes of a layer.

    Args:
        kind: its kind, or ``"unknown"``.
        type: the Keras class that stores its variables in this form; empty for none.
        attributes: the attributes that follow from the shapes.
        candidates: the kinds that remain possible where it is unknown.

    Example:
        >>> Proof().kind
        'unknown'
    """

    kind: str = "unknown"
    type: str = ""
    attributes: Frozen[Any] = Frozen()
    candidates: tuple[str, ...] = ()


def role(name: str) -> str:
    """Return the role of a variable in its layer, by Keras's name.

    Args:
        name: the last part of its name.

    Example:
        >>> role("_kernel"), role("biases")
        ('kernel', 'bias')
    """
    plain = name.lstrip("_") or name
    return _SLIM.get(plain, plain)


def prove(shapes: _Shapes) -> Proof:
    """Find the kind of a layer.

    Args:
        shapes: the lengths of each of its variables, by role.

    Example:
        >>> prove({"kernel": (5, 3, 7, 11), "bias": (11,)}).type
        'Conv2D'
        >>> prove({"kernel": (5, 3, 7, 7), "bias": (7,)}).candidates
        ('conv', 'conv_transpose')
    """
    roles = frozenset(shapes)
    if set(_STATISTICS) <= roles <= {*_STATISTICS, "gamma", "beta"}:
        return _batch_norm(shapes)
    if roles <= {"gamma", "beta"}:
        return Proof(candidates=("batch_norm", "layer_norm", "group_norm", "rms_norm"))
    if {"kernel", "recurrent_kernel"} <= roles <= {"kernel", "recurrent_kernel", "bias"}:
        return _recurrent(shapes)
    if roles == {"embeddings"} and len(shapes["embeddings"]) == 2:
        words, width = shapes["embeddings"]
        return Proof("embedding", "Embedding", Frozen(num_embeddings=words, embedding_dim=width))
    if "depthwise_kernel" in roles and roles <= {"depthwise_kernel", "pointwise_kernel", "bias"}:
        return _depthwise(shapes)
    if "kernel" in roles and roles <= {"kernel", "bias"}:
        return _kernel(shapes)
    return Proof()


def _batch_norm(shapes: _Shapes) -> Proof:
    lengths = set(shapes.values())
    if len(lengths) != 1 or len(shapes["moving_mean"]) != 1:
        return Proof()
    return Proof("batch_norm", "BatchNormalization", Frozen(num_features=shapes["moving_mean"][0]))


def _recurrent(shapes: _Shapes) -> Proof:
    kernel, inner, bias = shapes["kernel"], shapes["recurrent_kernel"], shapes.get("bias")
    if len(kernel) != 2 or len(inner) != 2 or kernel[1] != inner[1] or not inner[0] or inner[1] % inner[0]:
        return Proof()
    cell = _GATES.get(inner[1] // inner[0])
    fits = bias is None or bias == inner[1:] or (bias == (2, inner[1]) and cell == _GATES[3])
    if cell is None or not fits:
        return Proof()
    attributes = {"input_size": kernel[0], "hidden_size": inner[0]}
    if cell[0] == "gru" and bias is not None:
        attributes["reset_after"] = len(bias) == 2
    return Proof(*cell, Frozen(attributes))


def _depthwise(shapes: _Shapes) -> Proof:
    kernel, point, bias = (shapes.get(name) for name in ("depthwise_kernel", "pointwise_kernel", "bias"))
    if kernel is None or len(kernel) not in (3, 4):
        return Proof()
    channels, multiplier = kernel[-2:]
    size, suffix = kernel[:-2], _RANKS[len(kernel)]
    if point is None:
        if bias not in (None, (channels * multiplier,)):
            return Proof()
        attributes = Frozen(in_channels=channels, out_channels=channels * multiplier, groups=channels,
                            kernel_size=size)  # fmt: skip
        return Proof("conv", f"DepthwiseConv{suffix}", attributes)
    if point[:-1] != (*(1 for _ in size), channels * multiplier) or bias not in (None, point[-1:]):
        return Proof()
    attributes = Frozen(in_channels=channels, out_channels=point[-1], kernel_size=size,
                        depth_multiplier=multiplier)  # fmt: skip
    return Proof("separable_conv", f"SeparableConv{suffix}", attributes)


def _kernel(shapes: _Shapes) -> Proof:
    kernel, bias = shapes["kernel"], shapes.get("bias")
    if len(kernel) == 2 and bias in (None, kernel[1:]):
        return Proof("linear", "Dense", Frozen(in_features=kernel[0], out_features=kernel[1]))
    if len(kernel) == 3:
        return Proof(candidates=("conv", "conv_transpose", "einsum"))
    if len(kernel) not in _RANKS or (bias is not None and len(bias) != 1):
        return Proof()
    if bias is None:
        return Proof(candidates=("conv", "conv_transpose"))
    size, (second, last), out, suffix = kernel[:-2], kernel[-2:], bias[0], _RANKS[len(kernel)]
    if out == last != second:
        return Proof("conv", f"Conv{suffix}", Frozen(out_channels=out, kernel_size=size))
    if out == second != last and last > 1:
        return Proof("conv_transpose", f"Conv{suffix}Transpose", Frozen(out_channels=out, kernel_size=size))
    if out == second * last and last > 1 and suffix == "2D":
        attributes = Frozen(in_channels=second, out_channels=out, groups=second, kernel_size=size)
        return Proof("conv", f"DepthwiseConv{suffix}", attributes)
    # A kernel (kh, kw, n, 1) is depthwise "kh kw c m" or transposed "kh kw o i".
    return Proof(candidates=("conv", "conv_transpose")) if out in (second, last) else Proof()
