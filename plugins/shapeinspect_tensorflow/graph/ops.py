"""TensorFlow's operators in terms of the vocabulary.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from shapeinspect.dims import UNKNOWN, Unknown
from shapeinspect.rules.shape_targets import TARGETS
from shapeinspect_tensorflow.graph.folding import BATCH_NORM, DILATED, LAYER_NORM, NARROW, TENSORDOT
from shapeinspect_tensorflow.graph.node_view import View
from shapeinspect_tensorflow.graph.settings import conv, norm, recurrent, shape
from shapeinspect_tensorflow.graph.settings import signature as sign


@dataclass(frozen=True, slots=True)
class Op:
    """An operator.

    Args:
        kind: its kind, or a function that returns it for a node.
        read: reads its settings.
        params: the role of a stored tensor in each slot for a weight.
        fixed: the slots whose values are settings; negative ones count from the end.
        targets: for a slot in ``fixed`` whose value a graph may compute, the place of that input in a call,
            as ``shapeinspect.rules.shape_targets`` counts them.
    """

    kind: str | Callable[[View], str] = "unknown"
    read: Callable[[View], Mapping[str, Any]] = field(default=lambda _view: {})
    params: Mapping[int, str] = field(default_factory=dict)
    fixed: frozenset[int] = frozenset()
    targets: Mapping[int, int] = field(default_factory=dict)

    def kind_of(self, view: View) -> str:
        """Return the kind of one node.

        Args:
            view: the node.
        """
        return self.kind if isinstance(self.kind, str) else self.kind(view)

    def computed(self, kind: str, attributes: Mapping[str, Any], view: View) -> dict[int, int]:
        """Return the slots whose settings only the graph computes, with their places in a call.

        Args:
            kind: the kind of the node.
            attributes: its settings as far as they were read.
            view: the node.
        """
        names = TARGETS.get(kind, {})
        return {
            slot: place
            for slot, place in self.targets.items()
            if place in names
            and slot < len(view.held)
            and view.stored(slot) is None
            and _is_open(names[place], attributes)
        }


def _is_open(name: str, attributes: Mapping[str, Any]) -> bool:
    """Tell whether a setting, or one of its entries, was not read."""
    if name not in attributes:
        # A transposed convolution has none where its length is the usual one, a slice where it has ends.
        return name not in ("output_shape", "sizes")
    setting = attributes[name]
    entries = setting if isinstance(setting, tuple) else (setting,)
    return any(isinstance(one, Unknown) or (isinstance(one, tuple) and UNKNOWN in one) for one in entries)


def op_row(
    kind: str | Callable[[View], str],
    read: Callable[[View], Mapping[str, Any]] = lambda _view: {},
    params: str = "",
    fixed: tuple[int, ...] = (),
    targets: Mapping[int, int] | None = None,
) -> Op:
    """Return the row of an operator.

    Args:
        kind: its kind, or a function that returns it for a node.
        read: reads its settings.
        params: the roles of the slots in order, separated by spaces; ``-`` for a slot without a weight.
        fixed: the slots whose values are settings; negative ones count from the end.
        targets: the places in a call of settings that a graph may compute.
    """
    roles = {slot: role for slot, role in enumerate(params.split()) if role != "-"}
    return Op(kind, read, roles, frozenset(fixed), targets or {})


def named(kind: str, key: str, name: str) -> Op:
    """Return the row of an operator whose only setting names its function.

    Args:
        kind: its kind.
        key: the setting.
        name: its value.
    """
    return Op(kind, lambda _view: {key: name})


#: Both always act on the last axis.
SOFTMAX = Op("softmax", lambda _view: {"axis": -1, "log": False})
LOG_SOFTMAX = Op("softmax", lambda _view: {"axis": -1, "log": True})

#: Lists of tensors, and what each operator does with one.
_LISTS = {
    "EmptyTensorList": op_row("sequence", lambda _view: {"op": "empty"}, fixed=(0, 1)),
    "TensorListReserve": op_row("sequence", lambda _view: {"op": "reserve"}, fixed=(0,)),
    "TensorListFromTensor": op_row(
        "sequence", lambda _view: {"op": "split", "axis": 0, "keepdims": False}, fixed=(1,)
    ),
    "TensorListGetItem": op_row("sequence", lambda _view: {"op": "at"}, fixed=(2,)),
    "TensorListSetItem": op_row("sequence", lambda _view: {"op": "set"}, fixed=(1,)),
    "TensorListPushBack": op_row("sequence", lambda _view: {"op": "insert"}),
    "TensorListLength": op_row("sequence", lambda _view: {"op": "length"}),
    "TensorListStack": op_row("sequence", lambda _view: {"op": "stack"}, fixed=(1,)),
}

_ACTIVATIONS = {
    "Relu": "relu", "Relu6": "relu6", "Elu": "elu", "Selu": "selu",
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign",
}  # fmt: skip

#: Operators that broadcast their inputs, or keep the shape of a single one, and their functions.
_ELEMENTWISE = {
    "Add": "add", "AddV2": "add", "AddN": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "RealDiv": "div",
    "DivNoNan": "div", "FloorDiv": "floor_div", "FloorMod": "mod", "Mod": "mod", "Maximum": "max",
    "Minimum": "min", "Pow": "pow", "SquaredDifference": "squared_difference", "Abs": "abs", "Neg": "neg",
    "Exp": "exp", "Expm1": "expm1", "Log": "log", "Log1p": "log1p", "Sqrt": "sqrt", "Rsqrt": "rsqrt",
    "Square": "square", "Reciprocal": "reciprocal", "Inv": "reciprocal", "Erf": "erf", "Erfc": "erfc",
    "Sin": "sin", "Cos": "cos", "Tan": "tan", "Atan": "atan", "Atan2": "atan2", "Floor": "floor",
    "Ceil": "ceil", "Round": "round", "Rint": "round", "Sign": "sign",
    "Equal": "equal", "NotEqual": "not_equal", "Less": "less", "LessEqual": "less_equal",
    "Greater": "greater", "GreaterEqual": "greater_equal", "LogicalAnd": "and", "LogicalOr": "or",
    "LogicalNot": "not", "SelectV2": "where", "ClipByValue": "clip", "ZerosLike": "zeros_like",
    "OnesLike": "ones_like", "IsNan": "isnan", "IsInf": "isinf", "IsFinite": "isfinite", "Xdivy": "xdivy",
    "Xlogy": "xlogy", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "Asin": "asin", "Acos": "acos",
    "Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "Lgamma": "lgamma",
    "Digamma": "digamma", "TruncateDiv": "div", "TruncateMod": "mod", "BitwiseXor": "bitwise_xor",
    "Invert": "invert", "LeftShift": "left_shift", "RightShift": "right_shift", "MulNoNan": "mul",
    "Complex": "complex", "Real": "real", "Imag": "imag", "ComplexAbs": "abs", "Angle": "angle",
    "Conj": "conj",
    "Erfinv": "erfinv", "Ndtri": "ndtri", "ApproximateEqual": "equal", "SigmoidGrad": "sigmoid_grad",
    "AdjustContrastv2": "adjust_contrast", "AdjustHue": "adjust_hue", "AdjustSaturation": "adjust_saturation",
    "RGBToHSV": "rgb_to_hsv", "HSVToRGB": "hsv_to_rgb", "StringLower": "lower", "StringUpper": "upper",
    "StringStrip": "strip", "StaticRegexReplace": "replace", "RegexReplace": "replace",
    "StringToHashBucketFast": "hash", "StringToHashBucketStrong": "hash", "StringToHashBucket": "hash",
    "StringToNumber": "number", "AsString": "text", "Bucketize": "bucketize", "FFT": "fft", "IFFT": "ifft",
    "FFT2D": "fft", "IFFT2D": "ifft", "FakeQuantWithMinMaxVars": "fake_quant", "NextAfter": "nextafter",
    "Polygamma": "polygamma", "Zeta": "zeta", "Igamma": "igamma", "Igammac": "igammac", "Cross": "cross",
}  # fmt: skip

#: Operators whose outputs are booleans.
COMPARISONS = frozenset({
    "Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual", "LogicalAnd", "LogicalOr",
    "LogicalNot", "IsNan", "IsInf", "IsFinite", "Any", "All",
})  # fmt: skip

_NORM = "- scale offset mean variance"
_BIAS = "- bias"


def _bias_kind(view: View) -> str:
    # Its length is that of the channels even where they are not last.
    return "unary" if conv.data_format(view) == "channels_first" else "elementwise"


def _pool_kind(kind: str) -> Callable[[View], str]:
    return lambda view: kind if conv.is_whole(view) else "unknown"


def _signed_kind(view: View) -> str:
    """Return ``operation`` where the settings that its signature needs are known."""
    return "operation" if OPS[view.op].read(view) else "unknown"


_SIGNATURES = {
    "MatrixDiag": "... n -> ... n n", "BatchMatrixDiag": "... n -> ... n n",
    "MatrixDiagPart": "... n n -> ... n", "Rank": "* -> ", "L2Loss": "* -> ",
    "Cholesky": "... n n -> ... n n", "MatrixInverse": "... n n -> ... n n",
    "MatrixSolve": "... n n, ... n k -> ... n k", "MatrixTriangularSolve": "... n n, ... n k -> ... n k",
    "SelfAdjointEigV2": "... n n -> ... n; ... n n", "LogMatrixDeterminant": "... n n -> ...; ...",
    "LowerBound": "n m, n k -> n k", "UpperBound": "n m, n k -> n k",
    "MatrixDeterminant": "... n n -> ...", "StringLength": "... -> ...", "DecodeJpeg": "* -> ? ? ?",
    "DecodeImage": "* -> ? ? ?", "LinSpace": "* -> ?", "ListDiff": "* -> ?; ?", "Unique": "n -> ?; n",
    "UniqueV2": "n, * -> ?; n", "InTopKV2": "n c, n -> n", "Bincount": "* -> ?",
    "SparseSoftmaxCrossEntropyWithLogits": "n c, n -> n; n c",
    "SoftmaxCrossEntropyWithLogits": "n c, n c -> n; n c",
    **dict.fromkeys(("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3"), "b 4, b -> ?"),
}  # fmt: skip
#: The slots of settings among them.
_SIGNED_SETTINGS = {name: (2, 3, 4) for name in _SIGNATURES if name.startswith("NonMax")}
#: Operators along one axis, which the second input names.
_ALONG = {
    "ReverseV2": "reverse", "Cumsum": "cumsum", "Cumprod": "cumprod", "CumulativeLogsumexp": "logcumsumexp"
}  # fmt: skip
#: Operators that keep the shape of their first input, and their settings among the others.
_KEPT: dict[str, tuple[str, tuple[int, ...]]] = {
    "ReverseSequence": ("reverse", ()), "MatrixBandPart": ("band", (1, 2)),
    "MatrixSetDiag": ("diagonal", ()), "MatrixSetDiagV3": ("diagonal", (2,)),
    "InvertPermutation": ("argsort", ()), "RandomShuffle": ("shuffle", ()), "Roll": ("roll", (1, 2)),
}  # fmt: skip
_SCATTERS = frozenset(
    {"TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin"}
)
_RANDOM = frozenset(
    {"RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt", "StatelessRandomUniform",
     "StatelessRandomNormal", "StatelessRandomUniformV2", "StatelessRandomNormalV2",
     "StatelessTruncatedNormalV2", "StatelessRandomUniformFullIntV2"}
)  # fmt: skip

OPS: dict[str, Op] = {
    **{op: named("activation", "function", name) for op, name in _ACTIVATIONS.items()},
    **{op: named("elementwise", "op", name) for op, name in _ELEMENTWISE.items()},
    "LeakyRelu": op_row("activation", conv.leaky_relu),
    "Softmax": SOFTMAX,
    "LogSoftmax": LOG_SOFTMAX,
    "Cast": op_row("cast"),
    # convolutions and products
    NARROW: op_row("conv", conv.conv, "- filter"),
    "Conv2D": op_row("conv", conv.conv, "- filter"),
    "_FusedConv2D": op_row("conv", conv.fused, "- filter bias"),
    "Conv3D": op_row("conv", conv.conv, "- filter"),
    **{op: op_row(conv.dilated_kind, conv.dilated, "- filter", (2, 3, 4, 5)) for op in DILATED.values()},
    "DepthwiseConv2dNative": op_row("conv", conv.depthwise, "- filter"),
    "Conv2DBackpropInput": op_row(
        conv.conv_transpose_kind, conv.conv_transpose, "- filter", (0,), targets={0: 1}
    ),
    "Conv3DBackpropInputV2": op_row(
        conv.conv_transpose_kind, conv.conv_transpose, "- filter", (0,), targets={0: 1}
    ),
    TENSORDOT: op_row(conv.tensordot_kind, conv.tensordot, "- b", (2, 3, 4)),
    "MatMul": op_row(conv.product_kind, conv.product, "a b"),
    **{
        op: op_row(conv.product_kind, conv.product, "a b")
        for op in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
    },
    "BiasAdd": op_row(_bias_kind, lambda _view: {"op": "add"}, _BIAS),
    "BiasAddV1": op_row("elementwise", lambda _view: {"op": "add"}, _BIAS),
    "Einsum": op_row("einsum", shape.einsum),
    "SpaceToBatchND": op_row(_signed_kind, sign.space_to_batch, fixed=(1, 2)),
    "BatchToSpaceND": op_row(_signed_kind, sign.batch_to_space, fixed=(1, 2)),
    **{op: op_row(_signed_kind, sign.real_fft, fixed=(1,)) for op in ("RFFT", "RFFT2D", "IRFFT", "IRFFT2D")},
    "AudioSpectrogram": op_row(_signed_kind, sign.audio_spectrogram),
    "Mfcc": op_row("operation", sign.mfcc),
    "CropAndResize": op_row("operation", sign.crop_and_resize, fixed=(3,)),
    "ExtractImagePatches": op_row(_signed_kind, sign.spread_patches),
    "CombinedNonMaxSuppression": op_row("operation", sign.combined_suppression, fixed=(2, 3, 4, 5)),
    **{
        op: op_row("operation", sign.padded_suppression, fixed=(2, 3, 4, 5))
        for op in ("NonMaxSuppressionV4", "NonMaxSuppressionV5")
    },
    **{
        op: op_row("operation", sign.signed(text), fixed=_SIGNED_SETTINGS.get(op, ()))
        for op, text in _SIGNATURES.items()
    },
    # order, and what keeps the shape of its first input
    **{op: op_row("unary", partial(shape.moved, name=name), fixed=(1,)) for op, name in _ALONG.items()},
    **{
        op: op_row("unary", partial(shape.kept, name=name), fixed=fixed)
        for op, (name, fixed) in _KEPT.items()
    },
    **{op: Op("scatter") for op in _SCATTERS},
    **{
        op: op_row("lookup", shape.looked_up, fixed=(0, 2)) for op in ("LookupTableFind", "LookupTableFindV2")
    },
    **{op: op_row("constant", shape.constant, fixed=(0, *range(1, 4)), targets={0: 0}) for op in _RANDOM},
    "Where": op_row("select", lambda _view: {"op": "argwhere"}),
    "GatherNd": op_row("gather_nd"),
    "MaxPoolWithArgmax": op_row(_pool_kind("max_pool"), conv.pool_with_places),
    # pools
    "MaxPool": op_row(_pool_kind("max_pool"), conv.pool),
    "MaxPoolV2": op_row(_pool_kind("max_pool"), conv.pool, fixed=(1, 2)),
    "MaxPool3D": op_row(_pool_kind("max_pool"), conv.pool),
    "AvgPool": op_row(_pool_kind("avg_pool"), conv.pool),
    "AvgPool3D": op_row(_pool_kind("avg_pool"), conv.pool),
    # norms
    "FusedBatchNorm": op_row("batch_norm", norm.batch_norm, _NORM),
    "FusedBatchNormV2": op_row("batch_norm", norm.batch_norm, _NORM),
    "FusedBatchNormV3": op_row("batch_norm", norm.batch_norm, _NORM),
    LAYER_NORM: op_row(norm.layer_norm_kind, norm.layer_norm, "- scale offset"),
    BATCH_NORM: op_row(norm.batch_norm_kind, norm.batch_norm, _NORM),
    "LRN": op_row("local_response_norm", norm.local_response_norm),
    # loops that are recurrent layers
    **{
        op: op_row(kind, partial(recurrent.recurrent, gates=gates), "- kernel recurrent_kernel bias")
        for op, (kind, gates) in {"LSTM": ("lstm", 4), "GRU": ("gru", 3), "SimpleRNN": ("rnn", 1)}.items()
    },
    **{
        f"ConvLSTM{space}D": op_row("conv_lstm", recurrent.of_maps, "- kernel recurrent_kernel bias")
        for space in (1, 2, 3)
    },
    # picking
    "Gather": op_row(conv.gather_kind, conv.embedding, "params"),
    "GatherV2": op_row(conv.gather_kind, conv.embedding, "params", (2,)),
    "ResourceGather": op_row(conv.gather_kind, conv.embedding, "params"),
    "OneHot": op_row("one_hot", shape.one_hot, fixed=(1, 2, 3)),
    "TopKV2": op_row("topk", shape.topk, fixed=(1,), targets={1: 1}),
    "ArgMax": op_row("argmax", shape.arg, fixed=(1,)),
    "ArgMin": op_row("argmax", shape.arg, fixed=(1,)),
    # shapes
    "Reshape": op_row("reshape", shape.target, fixed=(1,), targets={1: 1}),
    "Transpose": op_row(shape.permute_kind, shape.permute, fixed=(1,)),
    "Squeeze": op_row("squeeze", shape.squeeze),
    "ExpandDims": op_row("unsqueeze", shape.expand_dims, fixed=(1,)),
    "Concat": op_row("concat", shape.concat, fixed=(0,)),
    "ConcatV2": op_row("concat", shape.concat, fixed=(-1,)),
    "Pack": op_row("stack", shape.axis),
    "Unpack": op_row("unstack", shape.axis),
    "Split": op_row("split", shape.split, fixed=(0,)),
    "SplitV": op_row("split", shape.split, fixed=(1, 2)),
    "Pad": op_row("pad", shape.pad, fixed=(1,), targets={1: 1}),
    "PadV2": op_row("pad", shape.pad, fixed=(1, 2), targets={1: 1}),
    "MirrorPad": op_row("pad", shape.pad, fixed=(1,), targets={1: 1}),
    "Slice": op_row(shape.slice_kind, shape.slices, fixed=(1, 2), targets={1: 1, 2: 5}),
    "StridedSlice": op_row(shape.strided_kind, shape.strided, fixed=(1, 2, 3), targets={1: 1, 2: 2, 3: 4}),
    "Tile": op_row("tile", shape.tile, fixed=(1,), targets={1: 1}),
    "BroadcastTo": op_row("expand", shape.expand, fixed=(1,), targets={1: 1}),
    "Fill": op_row("constant", shape.constant, fixed=(0, 1), targets={0: 0}),
    "Shape": op_row("shape_of"),
    **_LISTS,
    "Size": op_row("reduce", lambda _view: {"op": "size", "axes": None}),
    "Range": op_row("constant", lambda _view: {"op": "range"}),
    "DepthToSpace": op_row("depth_to_space", shape.block),
    "SpaceToDepth": op_row("space_to_depth", shape.block),
    **{
        op: op_row("resize", shape.resize, fixed=(1,), targets={1: 1})
        for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
    },
    "ScaleAndTranslate": op_row("resize", shape.scaled, fixed=(1, 2, 3), targets={1: 1}),
    "Bitcast": op_row(shape.bitcast_kind),
    **{
        op: op_row("reduce", shape.reduce, fixed=(1,))
        for op in ("Sum", "Mean", "Max", "Min", "Prod", "Any", "All")
    },
}

#: The setting slots of each operator; what is computed only for them is not part of the network.
SETTINGS = {name: op.fixed for name, op in OPS.items() if op.fixed}

UNKNOWN_OP = Op()
