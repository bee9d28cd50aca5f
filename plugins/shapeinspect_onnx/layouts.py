"""How ONNX stores the weights of each operator: nothing but rows.

Source: the operators' own pages, https://onnx.ai/onnx/operators/ ; a type in parentheses is a
variant that a node's attributes choose.
"""

from __future__ import annotations

from shapeinspect.ir import Frozen
from shapeinspect.layout import Row, Table

_LSTM = (("gate", "i o f g", "i f g o"),)
_PEEPHOLE = (("gate", "i o f", "i f o"),)
_GRU = (("gate", "z r n", "r z n"),)
_NORMS = "BatchNormalization InstanceNormalization GroupNormalization GroupNorm"

LAYOUTS = Table(
    [
        Row("Conv FusedConv", "W", "o i *k", "o i *k"),
        Row("ConvInteger QLinearConv", "w", "o i *k", "o i *k"),
        Row("Conv ConvTranspose FusedConv QLinearConv", "B", "o", "o"),
        Row("ConvTranspose", "W", "(g i) o *k", "(g o) i *k"),
        Row("Gemm FusedGemm", "B", "i o", "o i"),
        Row("Gemm(transB) FusedGemm(transB)", "B", "o i", "o i"),
        Row("Gemm FusedGemm Gemm(transB) FusedGemm(transB)", "C", "o", "o"),
        Row("Gemm FusedGemm Gemm(transB) FusedGemm(transB)", "C", "1 o", "o"),
        Row("MatMul MatMulInteger MatMulIntegerToFloat DynamicQuantizeMatMul", "B", "i o", "o i"),
        Row("MatMul(transposed)", "B", "o i", "o i"),
        Row("QLinearMatMul", "b", "i o", "o i"),
        Row("LSTM", "W", "dir (gate o) i", "dir gate o i", Frozen(gate=4), _LSTM),
        Row("LSTM", "R", "dir (gate o) h", "dir gate o h", Frozen(gate=4), _LSTM),
        Row("LSTM", "B", "dir (two gate o)", "dir two gate o", Frozen(two=2, gate=4), _LSTM),
        Row("LSTM", "P", "dir (gate o)", "dir gate o", Frozen(gate=3), _PEEPHOLE),
        Row("GRU", "W", "dir (gate o) i", "dir gate o i", Frozen(gate=3), _GRU),
        Row("GRU", "R", "dir (gate o) h", "dir gate o h", Frozen(gate=3), _GRU),
        Row("GRU", "B", "dir (two gate o)", "dir two gate o", Frozen(two=2, gate=3), _GRU),
        Row("RNN", "W", "dir o i", "dir o i"),
        Row("RNN", "R", "dir o h", "dir o h"),
        Row("RNN", "B", "dir (two o)", "dir two o", Frozen(two=2)),
        Row("Gather", "data", "V E", "V E"),
        Row(_NORMS, "scale", "C", "C"),
        Row(_NORMS, "B", "C", "C"),
        Row(_NORMS, "bias", "C", "C"),
        Row(_NORMS, "gamma", "C", "C"),
        Row(_NORMS, "beta", "C", "C"),
        Row(_NORMS, "mean", "C", "C"),
        Row(_NORMS, "var", "C", "C"),
        Row(_NORMS, "input_mean", "C", "C"),
        Row(_NORMS, "input_var", "C", "C"),
        Row("LayerNormalization", "Scale", "*n", "*n"),
        Row("LayerNormalization", "B", "*n", "*n"),
        Row("RMSNormalization SimplifiedLayerNormalization", "scale", "*n", "*n"),
        Row("SkipLayerNormalization SkipSimplifiedLayerNormalization", "gamma", "C", "C"),
        Row("SkipLayerNormalization", "beta", "C", "C"),
        Row("SkipLayerNormalization SkipSimplifiedLayerNormalization", "bias", "C", "C"),
        Row("PRelu", "slope", "C", "C"),
        Row("PRelu", "slope", "C 1", "C"),
        Row("PRelu", "slope", "C 1 1", "C"),
        Row("PRelu", "slope", "C 1 1 1", "C"),
        Row("Attention", "weights", "i (qkv o)", "qkv o i", Frozen(qkv=3)),
        Row("Attention", "bias", "(qkv o)", "qkv o", Frozen(qkv=3)),
    ]
)
