"""The class of ``torch.nn`` for each kind of layer, and what it stores; only rows.

Source: the ``Variables`` sections of ``torch.nn``'s own pages.
"""

from __future__ import annotations

from shapeinspect.frozen import Frozen
from shapeinspect.plugin_api.native import NativeRow, NativeTable
from shapeinspect_torch.vocabulary.kinds import CLASSES, HOLDS, LAZY
from shapeinspect_torch.vocabulary.layouts import bind

_NORM = "weight:n bias:n"
_RESETS = (("reset_after", True, "torch's GRU resets after the product, this one before it"),)
_STACK = "weight_ih{at}:2 weight_hh{at}:2 bias_ih{at}:1 bias_hh{at}:1 weight_hr{at}:2"
_CELL = "weight_ih:2 weight_hh:2 bias_ih:1 bias_hh:1"


def _axes_text(layer: int, reverse: bool, _bidirectional: bool, _layers: int) -> str:
    return f"_l{layer}_reverse" if reverse else f"_l{layer}"


NATIVE = NativeTable(
    "torch",
    ".",
    (
        NativeRow("linear", "Linear", "weight:2 bias:1"),
        NativeRow("bilinear", "Bilinear", "weight:3 bias:1"),
        NativeRow("conv", "Conv{k}d", "weight:k+2 bias:1"),
        NativeRow("conv_transpose", "ConvTranspose{k}d", "weight:k+2 bias:1"),
        NativeRow("embedding", "Embedding", "weight:2"),
        NativeRow("embedding_bag", "EmbeddingBag", "weight:2"),
        NativeRow("batch_norm", "BatchNorm2d", "weight:1 bias:1 running_mean:1 running_var:1"),
        NativeRow("instance_norm", "InstanceNorm2d", "weight:1 bias:1 running_mean:1 running_var:1"),
        NativeRow("group_norm", "GroupNorm", "weight:1 bias:1"),
        NativeRow("layer_norm", "LayerNorm", _NORM),
        NativeRow("rms_norm", "RMSNorm", _NORM),
        NativeRow("prelu", "PReLU", "weight:1"),
        NativeRow("rnn", "RNN", _STACK),
        NativeRow("lstm", "LSTM", _STACK),
        NativeRow("gru", "GRU", _STACK, only=_RESETS),
        NativeRow("rnn_cell", "RNNCell", _CELL),
        NativeRow("lstm_cell", "LSTMCell", _CELL),
        NativeRow("gru_cell", "GRUCell", _CELL, only=_RESETS),
        NativeRow(
            "attention",
            "MultiheadAttention",
            "in_proj_weight:2 q_proj_weight:2 k_proj_weight:2 v_proj_weight:2 in_proj_bias:1 "
            "out_proj.weight:2 out_proj.bias:1",
        ),
    ),
    bind,
    _axes_text,
    implied=(
        ("gru", "reset_after", True),
        # Source: the signatures in torch.nn.functional; hardsigmoid is relu6(x + 3) / 6.
        ("activation:gelu", "approximate", "none"),
        ("activation:leaky_relu", "negative_slope", 0.01),
        ("activation:elu", "alpha", 1.0),
        ("activation:hard_sigmoid", "alpha", 1 / 6),
        *(
            (kind, attribute, function)
            for kind in ("lstm", "gru", "lstm_cell", "gru_cell")
            for attribute, function in (("cell_function", "tanh"), ("gate_function", "sigmoid"))
        ),
    ),
    # Source: torch.nn.BatchNorm2d: x_new = (1 - momentum) * x + momentum * x_t.
    momentum_of_new=True,
    classes=Frozen({**CLASSES, **LAZY}),
    holds=HOLDS,
)
