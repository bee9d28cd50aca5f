"""What each of TensorFlow's operators is in the vocabulary.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect_tensorflow.graph import settings_conv as conv
from shapeinspect_tensorflow.graph import settings_shape as shape
from shapeinspect_tensorflow.graph.node_view import View


@dataclass(frozen=True, slots=True)
class Op:
    """An operator.

    Args:
        kind: its kind, or what tells it for one node.
        read: reads its settings.
        params: the role of a stored tensor in each slot that holds a weight.
        fixed: the slots whose values are settings; negative ones count from the end.
    """

    kind: str | Callable[[View], str] = "unknown"
    read: Callable[[View], Mapping[str, Any]] = field(default=lambda _view: {})
    params: Mapping[int, str] = field(default_factory=dict)
    fixed: frozenset[int] = frozenset()

    def kind_of(self, view: View) -> str:
        """Return the kind of one node.

        Args:
            view: the node.
        """
        return self.kind if isinstance(self.kind, str) else self.kind(view)


def _op(
    kind: str | Callable[[View], str],
    read: Callable[[View], Mapping[str, Any]] = lambda _view: {},
    params: str = "",
    fixed: tuple[int, ...] = (),
) -> Op:
    """Make a row; ``params`` is ``slot:role`` separated by spaces."""
    roles = {int(slot): role for slot, role in (part.split(":") for part in params.split())}
    return Op(kind, read, roles, frozenset(fixed))


def _named(kind: str, key: str, name: str) -> Op:
    return Op(kind, lambda _view: {key: name})


_ACTIVATIONS = {
    "Relu": "relu", "Relu6": "relu6", "Elu": "elu", "Selu": "selu", "LeakyRelu": "leaky_relu",
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign",
}  # fmt: skip

#: Operators that broadcast their inputs, or keep the shape of their only one, and what they do.
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
    "Xlogy": "xlogy", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or",
}  # fmt: skip

#: What makes booleans of its inputs.
COMPARISONS = frozenset(
    {
        "Equal",
        "NotEqual",
        "Less",
        "LessEqual",
        "Greater",
        "GreaterEqual",
        "LogicalAnd",
        "LogicalOr",
        "LogicalNot",
    }
    | {"IsNan", "IsInf", "IsFinite", "Any", "All"}
)

_NORM = "1:scale 2:offset 3:mean 4:variance"
_BIAS = "1:bias"


def _bias_kind(view: View) -> str:
    # Its length meets the channels even where they are not last.
    return "unary" if conv.data_format(view) == "channels_first" else "elementwise"


def _pool_kind(kind: str) -> Callable[[View], str]:
    return lambda view: kind if conv.is_whole(view) else "unknown"


OPS: dict[str, Op] = {
    **{op: _named("activation", "function", name) for op, name in _ACTIVATIONS.items()},
    **{op: _named("elementwise", "op", name) for op, name in _ELEMENTWISE.items()},
    "Softmax": _op("softmax", lambda _view: {"axis": -1, "log": False}),
    "LogSoftmax": _op("softmax", lambda _view: {"axis": -1, "log": True}),
    "Cast": _op("cast"),
    # convolutions and products
    "Conv2D": _op("conv", conv.conv, "1:filter"),
    "_FusedConv2D": _op("conv", conv.conv, "1:filter 2:bias"),
    "Conv3D": _op("conv", conv.conv, "1:filter"),
    "DepthwiseConv2dNative": _op("conv", conv.depthwise, "1:filter"),
    "Conv2DBackpropInput": _op(conv.conv_transpose_kind, conv.conv_transpose, "1:filter", (0,)),
    "Conv3DBackpropInputV2": _op(conv.conv_transpose_kind, conv.conv_transpose, "1:filter", (0,)),
    "MatMul": _op(conv.product_kind, conv.product, "0:a 1:b"),
    **{
        op: _op(conv.product_kind, conv.product, "0:a 1:b")
        for op in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
    },
    "BiasAdd": _op(_bias_kind, lambda _view: {"op": "add"}, _BIAS),
    "BiasAddV1": _op("elementwise", lambda _view: {"op": "add"}, _BIAS),
    "Einsum": _op("einsum", shape.einsum),
    # pools
    "MaxPool": _op(_pool_kind("max_pool"), conv.pool),
    "MaxPoolV2": _op(_pool_kind("max_pool"), conv.pool, fixed=(1, 2)),
    "MaxPool3D": _op(_pool_kind("max_pool"), conv.pool),
    "AvgPool": _op(_pool_kind("avg_pool"), conv.pool),
    "AvgPool3D": _op(_pool_kind("avg_pool"), conv.pool),
    # norms
    "FusedBatchNorm": _op("batch_norm", conv.batch_norm, _NORM),
    "FusedBatchNormV2": _op("batch_norm", conv.batch_norm, _NORM),
    "FusedBatchNormV3": _op("batch_norm", conv.batch_norm, _NORM),
    "LRN": _op("local_response_norm", conv.local_response_norm),
    # picking
    "Gather": _op(conv.gather_kind, conv.embedding, "0:params"),
    "GatherV2": _op(conv.gather_kind, conv.embedding, "0:params", (2,)),
    "ResourceGather": _op(conv.gather_kind, conv.embedding, "0:params"),
    "OneHot": _op("one_hot", shape.one_hot, fixed=(1, 2, 3)),
    "TopKV2": _op("topk", shape.topk, fixed=(1,)),
    "ArgMax": _op("argmax", shape.arg, fixed=(1,)),
    "ArgMin": _op("argmax", shape.arg, fixed=(1,)),
    # shapes
    "Reshape": _op("reshape", shape.target, fixed=(1,)),
    "Transpose": _op(shape.permute_kind, shape.permute, fixed=(1,)),
    "Squeeze": _op("squeeze", shape.squeeze),
    "ExpandDims": _op("unsqueeze", shape.expand_dims, fixed=(1,)),
    "Concat": _op("concat", shape.concat, fixed=(0,)),
    "ConcatV2": _op("concat", shape.concat, fixed=(-1,)),
    "Pack": _op("stack", shape.axis),
    "Unpack": _op("unstack", shape.axis),
    "Split": _op("split", shape.split, fixed=(0,)),
    "SplitV": _op("split", shape.split, fixed=(1, 2)),
    "Pad": _op("pad", shape.pad, fixed=(1,)),
    "PadV2": _op("pad", shape.pad, fixed=(1, 2)),
    "MirrorPad": _op("pad", shape.pad, fixed=(1,)),
    "Slice": _op("slice", shape.slices, fixed=(1, 2)),
    "StridedSlice": _op(shape.strided_kind, shape.strided, fixed=(1, 2, 3)),
    "Tile": _op("tile", shape.tile, fixed=(1,)),
    "BroadcastTo": _op("expand", shape.expand, fixed=(1,)),
    "Fill": _op("constant", shape.constant, fixed=(0, 1)),
    "Shape": _op("shape_of"),
    "DepthToSpace": _op("depth_to_space", shape.block),
    "SpaceToDepth": _op("space_to_depth", shape.block),
    **{
        op: _op("resize", shape.resize, fixed=(1,))
        for op in ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
    },
    **{
        op: _op("reduce", shape.reduce, fixed=(1,))
        for op in ("Sum", "Mean", "Max", "Min", "Prod", "Any", "All")
    },
}

#: The setting slots of each operator; what only they need is no part of the network.
SETTINGS = {name: op.fixed for name, op in OPS.items() if op.fixed}

UNKNOWN_OP = Op()
