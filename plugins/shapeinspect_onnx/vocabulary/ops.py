"""The table of operators: kind, settings, and which input slots hold parameters or settings.

Every operator of ai.onnx is listed, in the spelling of its own page at https://onnx.ai/onnx/operators/;
those of ``com.microsoft`` that carry weights follow
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary import settings_attention as attend
from shapeinspect_onnx.vocabulary import settings_conv as conv
from shapeinspect_onnx.vocabulary import settings_fused as fused
from shapeinspect_onnx.vocabulary import settings_rare as rare
from shapeinspect_onnx.vocabulary import settings_shape as shape
from shapeinspect_onnx.vocabulary import settings_signal as signal
from shapeinspect_onnx.vocabulary.learning import LEARNING
from shapeinspect_onnx.vocabulary.microsoft import ANYWHERE, MICROSOFT, NCHWC
from shapeinspect_onnx.vocabulary.options import with_options
from shapeinspect_onnx.vocabulary.quantized import with_slots
from shapeinspect_onnx.vocabulary.row import UNKNOWN, Op, signed
from shapeinspect_onnx.vocabulary.row import named as _named
from shapeinspect_onnx.vocabulary.row import op as _op
from shapeinspect_onnx.vocabulary.serving import SERVING


def _matmul(node: Node) -> str:
    return "linear" if conv.is_linear(node, 1) else "matmul"


def _qmatmul(node: Node) -> str:
    return "linear" if conv.is_linear(node, 3) else "matmul"


#: Activations and their names.
_ACTIVATIONS = {
    "Relu": "relu", "LeakyRelu": "leaky_relu", "Elu": "elu", "Selu": "selu", "Celu": "celu",
    "Sigmoid": "sigmoid", "HardSigmoid": "hard_sigmoid", "HardSwish": "hard_swish", "Tanh": "tanh",
    "Softplus": "softplus", "Softsign": "softsign", "ThresholdedRelu": "thresholded_relu",
    "Gelu": "gelu", "Mish": "mish", "Swish": "swish", "Shrink": "shrink",
}  # fmt: skip

#: The parameters of activations: the setting, the attribute, and its default in the standard.
#: Source: https://onnx.ai/onnx/operators, "Attributes".
_PARAMETERS: dict[str, tuple[tuple[str, str, Any], ...]] = {
    "LeakyRelu": (("negative_slope", "alpha", 0.01),),
    "Elu": (("alpha", "alpha", 1.0),),
    "Celu": (("alpha", "alpha", 1.0),),
    "HardSigmoid": (("alpha", "alpha", 0.2), ("beta", "beta", 0.5)),
    "Gelu": (("approximate", "approximate", "none"),),
    "Shrink": (("lambd", "lambd", 0.5),),
    "ThresholdedRelu": (("threshold", "alpha", 1.0),),
}


def _activated(op: str, function: str) -> Callable[[Node], dict[str, Any]]:
    """Return what reads the function of an activation, and its parameters."""
    rows = _PARAMETERS.get(op, ())
    return lambda node: {"function": function, **{name: node.get(key, usual) for name, key, usual in rows}}


#: Ops that broadcast their inputs, or keep the shape of a single one.
_ELEMENTWISE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil
    Cos Cosh Div Equal Erf Exp Floor Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Log Max Mean Min
    Mod Mul Neg Not Or Pow Reciprocal Round Sign Sin Sinh Sqrt StringConcat Sub Sum SwiGLU Tan Where Xor
    LpNormalization MeanVarianceNormalization Bernoulli
"""
_RENAMED = {
    "LpNormalization": "lp_normalize",
    "MeanVarianceNormalization": "normalize",
}

#: Ops whose shapes onnx infers and that have no kind of their own, with their slots for settings.
_OTHERS = {"If": "", "Loop": "0 1", "Scan": "", "SequenceMap": ""}

#: Ops on sequences and optionals, with what they do.
_SEQUENCES = {
    "ConcatFromSequence": "concat", "Optional": "optional", "OptionalGetElement": "get",
    "OptionalHasElement": "has", "SequenceAt": "at", "SequenceConstruct": "construct",
    "SequenceEmpty": "empty", "SequenceErase": "erase", "SequenceInsert": "insert",
    "SequenceLength": "length", "SplitToSequence": "split",
}  # fmt: skip
#: Their slots for positions and sizes.
_PLACES = {"SequenceAt": "1", "SequenceErase": "1", "SequenceInsert": "2", "SplitToSequence": "1"}

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

STANDARD: dict[str, Op] = {
    **{op: _op("activation", _activated(op, name)) for op, name in _ACTIVATIONS.items()},
    **{op: _named("elementwise", "op", _RENAMED.get(op, op.lower())) for op in _ELEMENTWISE.split()},
    **{op: _op("unknown", fixed=fixed) for op, fixed in _OTHERS.items()},
    **{
        op: _op("sequence", rare.sequence(name, _PLACES.get(op)), fixed=_PLACES.get(op, ""))
        for op, name in _SEQUENCES.items()
    },
    "DFT": _op("fft", signal.dft, fixed="1 2", operands="0"),
    "STFT": _op("fft", signal.stft, fixed="1 3", operands="0"),
    "CumSum": _named("elementwise", "op", "cumsum", fixed="1"),
    "CumProd": _named("elementwise", "op", "cumprod", fixed="1"),
    "Trilu": _named("elementwise", "op", "trilu", fixed="1"),
    "Clip": _op("activation", shape.clip, fixed="1 2"),
    "PRelu": _op("prelu", conv.prelu, params="1"),
    # convolutions and linear layers
    "Conv": _op("conv", conv.conv_at(1), params="1 2"),
    "ConvInteger": _op("conv", conv.conv_at(1), params="1", fixed="2 3"),
    "QLinearConv": _op("conv", conv.conv_at(3), params="3 4 5 8", fixed="1 2 6 7"),
    "ConvTranspose": _op("conv_transpose", conv.conv_transpose, params="1 2"),
    "Gemm": _op(conv.gemm_kind, conv.gemm, params="1 2"),
    "MatMul": _op(_matmul, conv.matmul_at(1), params="1"),
    "MatMulInteger": _op(_matmul, conv.matmul_at(1), params="1", fixed="2 3"),
    "QLinearMatMul": _op(_qmatmul, conv.matmul_at(3), params="3 4 5", fixed="1 2 6 7", operands="0 3"),
    "Einsum": _op("einsum", shape.einsum),
    # pools
    "AveragePool": _op("avg_pool", conv.pool),
    "MaxPool": _op("max_pool", conv.pool),
    "MaxUnpool": _op("max_unpool", conv.max_unpool, fixed="2"),
    "LpPool": _op("lp_pool", conv.pool),
    "GlobalAveragePool": _op("global_avg_pool", conv.global_pool),
    "GlobalMaxPool": _op("global_max_pool", conv.global_pool),
    "GlobalLpPool": _op("global_lp_pool", conv.global_pool),
    "RoiAlign": _op("roi_align", conv.roi),
    "MaxRoiPool": _op("roi_align", conv.roi),
    "Col2Im": _op("fold", shape.col2im, fixed="1 2"),
    # norms
    "BatchNormalization": _op("batch_norm", conv.batch_norm, params="1 2 3 4"),
    "InstanceNormalization": _op("instance_norm", conv.instance_norm, params="1 2"),
    "LayerNormalization": _op("layer_norm", conv.measured_norm, params="1 2"),
    "RMSNormalization": _op("rms_norm", conv.layer_norm, params="1"),
    "GroupNormalization": _op("group_norm", conv.group_norm, params="1 2"),
    "LRN": _op("local_response_norm", shape.size),
    # recurrence and attention
    "RNN": _op("rnn", conv.recurrent, params="1 2 3", fixed="4", operands="0 5 6"),
    "LSTM": _op("lstm", conv.recurrent, params="1 2 3 7", fixed="4", operands="0 5 6"),
    "GRU": _op("gru", conv.recurrent, params="1 2 3", fixed="4", operands="0 5 6"),
    "Attention": _op("attention", attend.attention),
    # shapes
    "Reshape": _op("reshape", shape.reshape, fixed="1"),
    "Flatten": _op("flatten", shape.flatten),
    "Transpose": _op("permute", shape.transpose),
    "Squeeze": _op("squeeze", shape.squeeze, fixed="1"),
    "Unsqueeze": _op("unsqueeze", shape.unsqueeze, fixed="1"),
    "Concat": _op("concat", shape.concat),
    "Split": _op("split", shape.split, fixed="1"),
    "Pad": _op("pad", shape.pad, fixed="1 2 3"),
    "Slice": _op("slice", shape.slices, fixed="1 2 3 4"),
    "Gather": _op(shape.gather_kind, shape.gather),
    "Expand": _op("expand", shape.expand, fixed="1"),
    "Tile": _op("tile", shape.tile, fixed="1 2"),
    "Resize": _op("resize", shape.resize, fixed="1 2 3"),
    "Upsample": _op("resize", shape.resize, fixed="1"),
    "DepthToSpace": _op("depth_to_space", shape.block),
    "SpaceToDepth": _op("space_to_depth", shape.block),
    "Shape": _op("shape_of", shape.shape_of),
    "Size": _op("reduce", shape.size_of),
    "GatherElements": _op("take_along"),
    **{op: _op("scatter") for op in ("Scatter", "ScatterElements", "ScatterND", "TensorScatter")},
    "GridSample": _op("grid_sample", shape.grid_sample),
    # the rest
    "Softmax": _op("softmax", shape.softmax),
    "LogSoftmax": _op("softmax", shape.softmax),
    "Hardmax": _named("unary", "op", "hardmax"),
    "ReverseSequence": _named("unary", "op", "reverse", fixed="1"),
    "RotaryEmbedding": _named("unary", "op", "rotate"),
    "NegativeLogLikelihoodLoss": _op("loss", shape.loss, params="2"),
    "SoftmaxCrossEntropyLoss": _op("loss", shape.loss, params="2"),
    "Dropout": _op("dropout", fused.mask("... -> ..."), fixed="1 2"),
    "Identity": _op("identity"),
    "Cast": _op("cast", shape.cast),
    "BitCast": _op("cast", shape.cast),
    "CastLike": _op("cast", fixed="1"),
    "QuantizeLinear": _op("quantize", shape.affine_axis, fixed="1 2"),
    "DequantizeLinear": _op("dequantize", shape.affine_axis, fixed="1 2"),
    "DynamicQuantizeLinear": signed("quantize", "... -> ...; ; "),
    "TopK": _op("topk", shape.topk, fixed="1"),
    "OneHot": _op("one_hot", rare.one_hot, fixed="1 2"),
    "ArgMax": _op("argmax", shape.arg),
    "ArgMin": _op("argmax", shape.arg),
    **{f"Reduce{op}": _op("reduce", shape.reduce, fixed="1") for op in _REDUCTIONS},
    "Constant": _op("constant"),
    "ConstantOfShape": _op("constant", shape.constant, fixed="0"),
    "EyeLike": signed("constant", "... -> ..."),
    "RandomNormal": _op("constant", shape.constant),
    "RandomUniform": _op("constant", shape.constant),
    "RandomNormalLike": signed("constant", "... -> ..."),
    "RandomUniformLike": signed("constant", "... -> ..."),
    "Range": _op("constant", shape.counted, fixed="0 1 2"),
    **{
        op: _op("constant", rare.window, fixed="0")
        for op in ("BlackmanWindow", "HammingWindow", "HannWindow")
    },
    "MelWeightMatrix": _op("constant", rare.mel, fixed="0 1 2 3 4"),
    "AffineGrid": _op("operation", rare.affine_grid, fixed="1"),
    "CausalConvWithState": _op("conv", fused.causal_conv, params="1 2", operands="0 3"),
    "CenterCropPad": _op("operation", rare.center_crop_pad, fixed="1"),
    "Compress": _op("select", rare.selected("compress"), fixed="1"),
    "DeformConv": _op("conv", rare.deform_conv, params="1 3", operands="0 2 4"),
    "Det": signed("operation", "... n _ -> ..."),
    "GatherND": _op("gather_nd", fused.gather_nd),
    "ImageDecoder": _op("operation", rare.picture),
    "LinearAttention": _op("linear_attention", attend.linear_attention),
    "Multinomial": signed("operation", "N C -> N s", "s=sample_size:1"),
    "NonMaxSuppression": _op("select", rare.selected("boxes"), fixed="2 3 4"),
    "NonZero": _op("select", rare.selected("nonzero")),
    "RegexFullMatch": _named("elementwise", "op", "match"),
    "StringNormalizer": _op("operation", rare.normalized_text),
    "StringSplit": signed("select", "... -> ... ?; ..."),
    "TfIdfVectorizer": signed("operation", "N _ -> N V | _ -> V", settings=rare.n_grams),
    "Unique": _op("select", rare.selected("unique")),
}

#: The tables of the other domains: the names of an operator's inputs, and its row.
DOMAINS: dict[str, dict[str, tuple[str, Op]]] = {
    "com.microsoft": {**MICROSOFT, **SERVING},
    "com.microsoft.nchwc": NCHWC,
    "ai.onnx.ml": LEARNING,
}

#: The spellings of the default domain.
DEFAULT_DOMAINS = frozenset({"", "ai.onnx"})


def find(domain: str, op: str) -> Op:
    """Return the row of an operator; one that is not listed is of unknown kind.

    Args:
        domain: its domain.
        op: its op type.

    Example:
        >>> find("", "Relu").kind, find("my.domain", "Relu").kind
        ('activation', 'unknown')
    """
    return _find(domain, op)


@lru_cache(maxsize=1024)
def _find(domain: str, op: str) -> Op:
    if domain in DEFAULT_DOMAINS and op in STANDARD:
        standard = STANDARD[op]
        return with_slots(op, replace(standard, settings=with_options(op, standard.settings)))
    row = roles(domain, op)
    return UNKNOWN if row is None else with_slots(op, row[1])


def roles(domain: str, op: str) -> tuple[str, Op] | None:
    """Return the names of the inputs and the row of an operator outside the default domain.

    Args:
        domain: its domain.
        op: its op type.

    Example:
        >>> roles("com.microsoft", "CDist")[0], roles("", "Relu")
        ('A B', None)
        >>> roles("", "SkipLayerNormalization")[0], roles("my.domain", "SkipLayerNormalization")
        ('input skip gamma beta bias', None)
    """
    anywhere = domain in DEFAULT_DOMAINS and op in ANYWHERE
    return DOMAINS.get(domain, {}).get(op) or (MICROSOFT[op] if anywhere else None)
