"""The table of operators: kind, settings, and which input slots hold parameters or settings.

Every operator of ai.onnx is listed, in the spelling of its own page at https://onnx.ai/onnx/operators/;
those of ``com.microsoft`` that carry weights follow
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary import settings_conv as conv
from shapeinspect_onnx.vocabulary import settings_shape as shape


def no_settings(node: Node) -> dict[str, Any]:
    """Read nothing: the operator has no settings that affect shapes.

    Args:
        node: the node.
    """
    return {}


@dataclass(frozen=True, slots=True)
class Op:
    """An operator in terms of the vocabulary.

    Args:
        kind: its canonical kind, or a function that returns it for a node.
        settings: reads a node's settings.
        params: the input slots for trained parameters.
        fixed: the input slots for settings, whose constants are not weights.
        operands: the input slots of the kind's operands, where others lie between them.
    """

    kind: str | Callable[[Node], str]
    settings: Callable[[Node], dict[str, Any]] = no_settings
    params: frozenset[int] = field(default=frozenset())
    fixed: frozenset[int] = field(default=frozenset())
    operands: tuple[int, ...] = ()

    @property
    def placed(self) -> bool:
        """Whether its settings are identified by their positions among the inputs that a graph computes."""
        return self.kind in _PLACED

    def kind_of(self, node: Node) -> str:
        """Return the kind for one node.

        Args:
            node: the node.
        """
        return self.kind if isinstance(self.kind, str) else self.kind(node)


def _op(kind: Any, settings: Any = no_settings, params: str = "", fixed: str = "", operands: str = "") -> Op:
    slots = [tuple(map(int, text.split())) for text in (params, fixed, operands)]
    return Op(kind, settings, frozenset(slots[0]), frozenset(slots[1]), slots[2])


def _named(kind: str, attribute: str, name: str, fixed: str = "") -> Op:
    """Return an operator whose only setting names its function."""
    return _op(kind, lambda node: {attribute: name}, fixed=fixed)


def _matmul(node: Node) -> str:
    return "linear" if conv.is_linear(node, 1) else "matmul"


def _qmatmul(node: Node) -> str:
    return "linear" if conv.is_linear(node, 3) else "matmul"


UNKNOWN = Op("unknown")

#: Kinds that read several settings from inputs.
_PLACED = frozenset({"slice", "pad", "resize", "constant"})

#: Activations and their names.
_ACTIVATIONS = {
    "Relu": "relu", "LeakyRelu": "leaky_relu", "Elu": "elu", "Selu": "selu", "Celu": "celu",
    "Sigmoid": "sigmoid", "HardSigmoid": "hard_sigmoid", "HardSwish": "hard_swish", "Tanh": "tanh",
    "Softplus": "softplus", "Softsign": "softsign", "ThresholdedRelu": "thresholded_relu",
    "Gelu": "gelu", "Mish": "mish", "Swish": "swish", "Shrink": "shrink",
}  # fmt: skip

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
_OTHERS = {
    "AffineGrid": "1", "CausalConvWithState": "", "CenterCropPad": "1", "Compress": "",
    "ConcatFromSequence": "", "DFT": "1 2", "DeformConv": "", "Det": "", "GatherND": "", "If": "",
    "ImageDecoder": "", "LinearAttention": "", "Loop": "0 1", "Multinomial": "",
    "NonMaxSuppression": "2 3 4", "NonZero": "", "Optional": "", "OptionalGetElement": "",
    "OptionalHasElement": "", "RegexFullMatch": "", "STFT": "1 3", "Scan": "", "SequenceAt": "1",
    "SequenceConstruct": "", "SequenceEmpty": "", "SequenceErase": "1", "SequenceInsert": "2",
    "SequenceLength": "", "SequenceMap": "", "SplitToSequence": "1", "StringNormalizer": "",
    "StringSplit": "", "TfIdfVectorizer": "", "Unique": "",
}  # fmt: skip

_REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

STANDARD: dict[str, Op] = {
    **{op: _named("activation", "function", name) for op, name in _ACTIVATIONS.items()},
    **{op: _named("elementwise", "op", _RENAMED.get(op, op.lower())) for op in _ELEMENTWISE.split()},
    **{op: _op("unknown", fixed=fixed) for op, fixed in _OTHERS.items()},
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
    "LayerNormalization": _op("layer_norm", conv.layer_norm, params="1 2"),
    "RMSNormalization": _op("rms_norm", conv.layer_norm, params="1"),
    "GroupNormalization": _op("group_norm", conv.group_norm, params="1 2"),
    "LRN": _op("local_response_norm", shape.size),
    # recurrence and attention
    "RNN": _op("rnn", conv.recurrent, params="1 2 3", fixed="4", operands="0 5 6"),
    "LSTM": _op("lstm", conv.recurrent, params="1 2 3 7", fixed="4", operands="0 5 6"),
    "GRU": _op("gru", conv.recurrent, params="1 2 3", fixed="4", operands="0 5 6"),
    "Attention": _op("attention", conv.attention),
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
    "Dropout": _op("dropout", shape.dropout, fixed="1 2"),
    "Identity": _op("identity"),
    "Cast": _op("cast", shape.cast),
    "BitCast": _op("cast", shape.cast),
    "CastLike": _op("cast", fixed="1"),
    "QuantizeLinear": _op("quantize", shape.affine_axis, fixed="1 2"),
    "DequantizeLinear": _op("dequantize", shape.affine_axis, fixed="1 2"),
    "DynamicQuantizeLinear": _op("quantize"),
    "TopK": _op("topk", shape.topk, fixed="1"),
    "OneHot": _op("one_hot", shape.one_hot, fixed="1 2"),
    "ArgMax": _op("argmax", shape.arg),
    "ArgMin": _op("argmax", shape.arg),
    **{f"Reduce{op}": _op("reduce", shape.reduce, fixed="1") for op in _REDUCTIONS},
    "Constant": _op("constant"),
    "ConstantOfShape": _op("constant", shape.constant, fixed="0"),
    "EyeLike": _op("constant"),
    "RandomNormal": _op("constant", shape.constant),
    "RandomUniform": _op("constant", shape.constant),
    "RandomNormalLike": _op("constant"),
    "RandomUniformLike": _op("constant"),
    "Range": _named("constant", "op", "range", fixed="0 1 2"),
    **{op: _op("constant", fixed="0") for op in ("BlackmanWindow", "HammingWindow", "HannWindow")},
    "MelWeightMatrix": _op("constant", fixed="0 1 2 3 4"),
}

#: ONNX Runtime's own operators; the names of their inputs are the roles of the weights.
MICROSOFT: dict[str, tuple[str, Op]] = {
    "FusedConv": ("X W B Z", _op("conv", conv.conv_at(1), params="1 2")),
    "QLinearConv": (
        "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B",
        _op("conv", conv.conv_at(3), params="3 4 5 8", fixed="1 2 6 7"),
    ),
    "FusedGemm": ("A B C", _op(conv.gemm_kind, conv.gemm, params="1 2")),
    "MatMulNBits": (
        "A B scales zero_points g_idx bias",
        _op("linear", conv.matmul_nbits, params="1 2 3 4 5"),
    ),
    "MatMulBnb4": ("A B absmax", _op("linear", conv.matmul_nbits, params="1 2")),
    "MatMulIntegerToFloat": (
        "A B a_scale b_scale a_zero_point b_zero_point bias",
        _op(_matmul, conv.matmul_at(1), params="1 3 5 6", fixed="2 4"),
    ),
    "DynamicQuantizeMatMul": (
        "A B b_scale b_zero_point bias",
        _op(_matmul, conv.matmul_at(1), params="1 2 3 4"),
    ),
    "QGemm": (
        "A a_scale a_zero_point B b_scale b_zero_point C y_scale y_zero_point",
        _op("unknown", params="3 4 5 6", fixed="1 2 7 8"),
    ),
    "QuantizeLinear": ("x y_scale y_zero_point", _op("quantize", shape.affine_axis, fixed="1 2")),
    "DequantizeLinear": ("x x_scale x_zero_point", _op("dequantize", shape.affine_axis, fixed="1 2")),
    "QLinearAdd": (
        "A A_scale A_zero_point B B_scale B_zero_point C_scale C_zero_point",
        _op("unknown", fixed="1 2 4 5 6 7"),
    ),
    "Attention": (
        "input weights bias mask_index past attention_bias past_sequence_length",
        _op("attention", conv.packed_attention, params="1 2", fixed="6"),
    ),
    "MultiHeadAttention": (
        "query key value bias key_padding_mask attention_bias past_key past_value",
        _op("attention", conv.attention, params="3"),
    ),
    "GroupQueryAttention": (
        "query key value past_key past_value seqlens_k total_sequence_length cos_cache sin_cache",
        _op("attention", conv.attention, fixed="5 6"),
    ),
    "Gelu": ("X", _op("activation", lambda node: {"function": "gelu"})),
    "FastGelu": ("X bias", _op("activation", lambda node: {"function": "gelu"}, params="1")),
    "BiasGelu": ("A B", _op("activation", lambda node: {"function": "gelu"}, params="1")),
    "QuickGelu": ("X", _op("activation", lambda node: {"function": "quick_gelu"})),
    "SkipLayerNormalization": (
        "input skip gamma beta bias",
        _op("layer_norm", conv.skip_layer_norm, params="2 3 4"),
    ),
    "SkipSimplifiedLayerNormalization": (
        "input skip gamma bias",
        _op("rms_norm", conv.skip_layer_norm, params="2 3"),
    ),
    "SimplifiedLayerNormalization": ("X scale", _op("rms_norm", conv.layer_norm, params="1")),
    "GroupNorm": ("X gamma beta", _op("group_norm", conv.group_norm, params="1 2")),
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
    if domain in DEFAULT_DOMAINS:
        return STANDARD.get(op, UNKNOWN)
    if domain == "com.microsoft" and op in MICROSOFT:
        return MICROSOFT[op][1]
    return UNKNOWN
