"""The operator of ONNX for each kind of layer, and the inputs for its weights: a table.

Source: the operators' own pages, https://onnx.ai/onnx/operators/ .
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout.canonical import at
from shapeinspect.layout.shown import shown_rows
from shapeinspect.plugin_api.native import NativeRow, NativeTable
from shapeinspect_onnx.vocabulary.layouts import LAYOUTS
from shapeinspect_onnx.vocabulary.ops import DOMAINS, STANDARD

_STACK = "{layer}W:3 {layer}R:3 {layer}B:2 {layer}P:2"
_BOTH = Frozen(bidirectional=True)
_PROJECTED = (("proj_size", 0, "ONNX has no LSTM with a projection"),)

# l1/W: an operator of ONNX is one layer, so a stack is several.
_PLACE = re.compile(r"(?:l(\d+)\.)?(.+)")


def _at(layer: int, _reverse: bool, _bidirectional: bool, layers: int) -> str:
    return f"l{layer}." if layers > 1 else ""


def _bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int]) -> Layout | None:
    match = _PLACE.fullmatch(role)
    if match is None or match[1] is None:
        return LAYOUTS.bind(kind, role, ndim, sizes)
    layout = LAYOUTS.bind(kind, match[2], ndim, sizes)
    return layout and at(layout, int(match[1]))


#: The kind of each operator that has one whatever its inputs are; of the others, that of their usual inputs.
_CLASSES: Mapping[str, str] = Frozen(
    {
        **{
            name: op.kind
            for rows in DOMAINS.values()
            for name, (_, op) in rows.items()
            if isinstance(op.kind, str) and op.kind != "unknown"
        },
        "FusedMatMul": "matmul", "DynamicQuantizeMatMul": "matmul", "MatMulIntegerToFloat": "matmul",
        "FusedGemm": "linear", "QGemm": "linear", "QLinearMatMul": "matmul", "MatMulInteger": "matmul",
        **{name: op.kind for name, op in STANDARD.items() if isinstance(op.kind, str)},
        "Gemm": "linear", "MatMul": "matmul", "Gather": "gather",
    }
)  # fmt: skip

#: The operators that store weights and that nothing is written as, besides a stored matrix of MatMul.
_STORED = {
    "MatMul": "linear", "MatMulNBits": "linear", "MatMulBnb4": "linear", "MatMulInteger": "linear",
    "QLinearMatMul": "linear", "DynamicQuantizeMatMul": "linear", "MatMulIntegerToFloat": "linear",
    "FusedMatMul": "linear", "FusedGemm": "linear", "QGemm": "linear", "LinearClassifier": "linear",
    "LinearRegressor": "linear", "FusedConv": "conv", "QLinearConv": "conv", "ConvInteger": "conv",
    "NhwcConv": "conv", "Attention": "attention", "PackedAttention": "attention", "QAttention": "attention",
    "MultiHeadAttention": "attention", "EmbedLayerNormalization": "embedding",
    "GatherBlockQuantized": "embedding", "SkipLayerNormalization": "layer_norm",
    "SkipSimplifiedLayerNormalization": "rms_norm", "SimplifiedLayerNormalization": "rms_norm",
    "GroupNorm": "group_norm", "SkipGroupNorm": "group_norm", "DynamicQuantizeLSTM": "lstm",
    "MoE": "moe", "QMoE": "moe",
}  # fmt: skip

NATIVE = NativeTable(
    "onnx",
    ".",
    (
        NativeRow("linear", "Gemm", "B:2 C:1"),
        NativeRow("conv", "Conv", "W:k+2 B:1"),
        NativeRow("conv_transpose", "ConvTranspose", "W:k+2 B:1"),
        NativeRow("embedding", "Gather", "data:2"),
        NativeRow("batch_norm", "BatchNormalization", "scale:1 B:1 mean:1 var:1"),
        NativeRow("instance_norm", "InstanceNormalization", "scale:1 B:1"),
        NativeRow("group_norm", "GroupNormalization", "scale:1 bias:1"),
        NativeRow("layer_norm", "LayerNormalization", "Scale:n B:n"),
        NativeRow("rms_norm", "RMSNormalization", "scale:n"),
        NativeRow("prelu", "PRelu", "slope:1"),
        NativeRow("rnn", "RNN(bidirectional)", _STACK, _BOTH),
        NativeRow("rnn", "RNN", _STACK),
        NativeRow("lstm", "LSTM(bidirectional)", _STACK, _BOTH, _PROJECTED),
        NativeRow("lstm", "LSTM", _STACK, only=_PROJECTED),
        NativeRow("gru", "GRU(bidirectional)", _STACK, _BOTH),
        NativeRow("gru", "GRU", _STACK),
    ),
    _bind,
    _at,
    # Source: the defaults of "activations" on the pages of RNN, GRU and LSTM.
    implied=(
        *((kind, "cell_function", "tanh") for kind in ("rnn", "gru", "lstm")),
        *((kind, "gate_function", "sigmoid") for kind in ("gru", "lstm")),
    ),
    classes=_CLASSES,
    shown=shown_rows(LAYOUTS, _STORED, rare=True),
)
