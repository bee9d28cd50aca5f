"""The Keras layer of each kind and the weights it stores, as rows.

Source: the ``build`` methods of keras 3.15.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout.canonical import at
from shapeinspect.plugin_api.native import NativeRow, NativeTable
from shapeinspect_keras.vocabulary.kinds import ALIASES, CLASSES, HOLDS
from shapeinspect_keras.vocabulary.layouts import TABLE
from shapeinspect_keras.vocabulary.shown import SHOWN

_FEATURES = "gamma:n beta:n moving_mean:n moving_variance:n"
_GROUPS = "Keras has no grouped transposed convolution"
_PROJECTED = (("proj_size", 0, "Keras has no LSTM with a projection"),)
_AFTER = "{at}kernel:2 {at}recurrent_kernel:2 {at}bias:2"
_SUMMED = "{at}kernel:2 {at}recurrent_kernel:2 {at}bias:1"

# l1/forward/kernel: which layer and direction of a stack a role belongs to.
_PLACE = re.compile(r"(?:l(\d+)/)?(?:(forward|backward)/)?(.+)")


def _at(layer: int, reverse: bool, bidirectional: bool, layers: int) -> str:
    """Name the layers of a stack, which are several in Keras, and the directions as Bidirectional does."""
    stack = f"l{layer}/" if layers > 1 else ""
    return stack + (("backward/" if reverse else "forward/") if bidirectional else "")


def _bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int]) -> Layout | None:
    match = _PLACE.fullmatch(role) if kind in _STACKED else None
    if match is None:
        return TABLE.bind(kind, role, ndim, sizes)
    layout = TABLE.bind(kind, match[3], ndim, sizes)
    return layout and at(layout, int(match[1] or 0), reverse=match[2] == "backward")


_STACKED = ("SimpleRNN", "LSTM", "GRU")

NATIVE = NativeTable(
    "keras",
    "/",
    (
        NativeRow("linear", "Dense", "kernel:2 bias:1"),
        NativeRow("conv", "Conv{k}D", "kernel:k+2 bias:1"),
        # What Keras has besides: the row above is the one that is written.
        NativeRow("conv", "DepthwiseConv{k}D", "kernel:k+2 bias:1"),
        NativeRow("conv_transpose", "Conv{k}DTranspose", "kernel:k+2 bias:1", only=(("groups", 1, _GROUPS),)),
        NativeRow("separable_conv", "SeparableConv{k}D", "depthwise_kernel:k+2 pointwise_kernel:k+2 bias:1"),
        NativeRow("conv_lstm", "ConvLSTM{k}D", "kernel:k+2 recurrent_kernel:k+2 bias:1"),
        NativeRow("embedding", "Embedding", "embeddings:2"),
        NativeRow("batch_norm", "BatchNormalization", _FEATURES),
        NativeRow("group_norm", "GroupNormalization", "gamma:1 beta:1"),
        NativeRow("layer_norm", "LayerNormalization", "gamma:n beta:n"),
        NativeRow("rms_norm", "RMSNormalization", "scale:n"),
        NativeRow("prelu", "PReLU", "alpha:n"),
        NativeRow("rnn", "SimpleRNN", _SUMMED),
        NativeRow("lstm", "LSTM", _SUMMED, only=_PROJECTED),
        NativeRow("gru", "GRU", _SUMMED, Frozen(reset_after=False)),
        NativeRow("gru", "GRU", _AFTER),
        NativeRow("rnn_cell", "SimpleRNNCell", "kernel:2 recurrent_kernel:2 bias:1"),
        NativeRow("lstm_cell", "LSTMCell", "kernel:2 recurrent_kernel:2 bias:1"),
        NativeRow("gru_cell", "GRUCell", "kernel:2 recurrent_kernel:2 bias:1", Frozen(reset_after=False)),
        NativeRow("gru_cell", "GRUCell", "kernel:2 recurrent_kernel:2 bias:2"),
        NativeRow(
            "attention",
            "MultiHeadAttention",
            "query/kernel:3 query/bias:2 key/kernel:3 key/bias:2 value/kernel:3 value/bias:2 "
            "attention_output/kernel:3 attention_output/bias:1",
        ),
    ),
    _bind,
    _at,
    channels_last=True,
    # Source: the signatures in keras.activations; hard_sigmoid is relu6(x + 3) / 6.
    implied=(
        ("activation:gelu", "approximate", "none"),
        ("activation:leaky_relu", "negative_slope", 0.2),
        ("activation:elu", "alpha", 1.0),
        ("activation:hard_sigmoid", "alpha", 1 / 6),
    ),
    classes=Frozen(
        {"Activation": "activation", **CLASSES, **{other: CLASSES[name] for other, name in ALIASES.items()}}
    ),
    holds=HOLDS,
    shown=SHOWN,
)
