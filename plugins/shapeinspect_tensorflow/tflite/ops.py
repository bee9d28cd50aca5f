"""What each of TFLite's operators is in the vocabulary.

Source: https://www.tensorflow.org/mlir/tfl_ops
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from shapeinspect_tensorflow.graph import settings_conv as conv
from shapeinspect_tensorflow.graph import settings_shape as shape
from shapeinspect_tensorflow.graph.node_view import View
from shapeinspect_tensorflow.graph.ops import Op
from shapeinspect_tensorflow.tflite import settings as lite

_Reader = Callable[[View], Mapping[str, Any]]


def _op(
    kind: str | Callable[[View], str], read: _Reader, params: str = "", fixed: tuple[int, ...] = ()
) -> Op:
    """Make a row; ``params`` are the roles of the slots in order, ``-`` for an activation."""
    roles = {slot: role for slot, role in enumerate(params.split()) if role != "-"}
    return Op(kind, read, roles, frozenset(fixed))


def _as(name: str, read: _Reader) -> _Reader:
    """Read settings as those of an operator of TensorFlow."""
    return lambda view: read(replace(view, op=name))


_ACTIVATIONS = {
    "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "relu_n1_to_1", "RELU_0_TO_1": "relu_0_to_1",
    "LOGISTIC": "sigmoid", "TANH": "tanh", "ELU": "elu", "LEAKY_RELU": "leaky_relu", "GELU": "gelu",
    "HARD_SWISH": "hard_swish",
}  # fmt: skip

_ELEMENTWISE = """
    ADD ADD_N SUB MUL DIV FLOOR_DIV FLOOR_MOD MAXIMUM MINIMUM POW SQUARED_DIFFERENCE ABS NEG EXP LOG SQRT
    RSQRT SQUARE SIN COS ATAN2 FLOOR CEIL ROUND SIGN EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL
    LOGICAL_AND LOGICAL_OR LOGICAL_NOT SELECT SELECT_V2 ZEROS_LIKE L2_NORMALIZATION BITWISE_XOR RIGHT_SHIFT
"""

_GATES = "input forget cell output"
_LSTM = " ".join(
    ["-"]
    + [f"input_to_{gate}_weights" for gate in _GATES.split()]
    + [f"recurrent_to_{gate}_weights" for gate in _GATES.split()]
    + [f"cell_to_{gate}_weights" for gate in ("input", "forget", "output")]
    + [f"{gate}_gate_bias" for gate in _GATES.split()]
    + ["projection_weights", "projection_bias", "output_state", "cell_state"]
    + [f"{gate}_layer_norm_coefficients" for gate in _GATES.split()]
)

_REDUCTIONS = {
    "MEAN": "Mean", "SUM": "Sum", "REDUCE_PROD": "Prod", "REDUCE_MAX": "Max", "REDUCE_MIN": "Min",
    "REDUCE_ANY": "Any", "REDUCE_ALL": "All",
}  # fmt: skip


def _elementwise(name: str) -> Op:
    return Op("elementwise", lambda view: {"op": name, **lite.fused(view)})


OPS: dict[str, Op] = {
    **{op: Op("activation", lambda _view, name=name: {"function": name})  # type: ignore[misc]  # a bound default
       for op, name in _ACTIVATIONS.items()},
    **{op: _elementwise(op.lower()) for op in _ELEMENTWISE.split()},
    "CUMSUM": Op("elementwise", lambda _view: {"op": "cumsum"}, {}, frozenset({1})),
    "DENSIFY": Op("unary", lambda _view: {"op": "densify"}),
    "REVERSE_V2": Op("unary", lambda _view: {"op": "reverse"}, {}, frozenset({1})),
    "RANGE": Op("constant", lambda _view: {"op": "range"}),
    "PRELU": _op("prelu", lite.prelu, "- alpha"),
    "SOFTMAX": Op("softmax", lambda _view: {"axis": -1, "log": False}),
    "LOG_SOFTMAX": Op("softmax", lambda _view: {"axis": -1, "log": True}),
    "CAST": Op("cast"),
    "QUANTIZE": Op("quantize"),
    "DEQUANTIZE": Op("dequantize"),
    "CONV_2D": _op("conv", lite.conv, "- filter bias"),
    "CONV_3D": _op("conv", lite.conv_3d, "- filter bias"),
    "DEPTHWISE_CONV_2D": _op("conv", lite.depthwise, "- filter bias"),
    "TRANSPOSE_CONV": _op("conv_transpose", lite.conv_transpose, "- filter - bias", (0,)),
    "CONV_3D_TRANSPOSE": _op("conv_transpose", lite.conv_transpose, "- filter - bias", (0,)),
    "FULLY_CONNECTED": _op(lite.linear_kind, lite.linear, "- filter bias"),
    "BATCH_MATMUL": _op(conv.product_kind, conv.product, "a b"),
    "AVERAGE_POOL_2D": Op("avg_pool", lite.pool),
    "MAX_POOL_2D": Op("max_pool", lite.pool),
    "L2_POOL_2D": Op("lp_pool", lite.pool),
    "LOCAL_RESPONSE_NORMALIZATION": Op("local_response_norm", lite.local_response_norm),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _op("lstm", lite.lstm, _LSTM),
    "EMBEDDING_LOOKUP": _op(lite.gather_kind, lite.gather, "- params"),
    "GATHER": _op(lite.gather_kind, lite.gather, "params"),
    "ONE_HOT": _op("one_hot", shape.one_hot, fixed=(1, 2, 3)),
    "TOPK_V2": _op("topk", shape.topk, fixed=(1,)),
    "ARG_MAX": _op("argmax", shape.arg, fixed=(1,)),
    "ARG_MIN": _op("argmax", shape.arg, fixed=(1,)),
    "RESHAPE": _op("reshape", lite.reshape, fixed=(1,)),
    "TRANSPOSE": _op(shape.permute_kind, shape.permute, fixed=(1,)),
    "SQUEEZE": Op("squeeze", shape.squeeze),
    "EXPAND_DIMS": _op("unsqueeze", shape.expand_dims, fixed=(1,)),
    "CONCATENATION": Op("concat", lite.concat),
    "PACK": Op("stack", shape.axis),
    "UNPACK": Op("unstack", shape.axis),
    "SPLIT": _op("split", shape.split, fixed=(0,)),
    "SPLIT_V": _op("split", _as("SplitV", shape.split), fixed=(1, 2)),
    "PAD": _op("pad", shape.pad, fixed=(1,)),
    "PADV2": _op("pad", shape.pad, fixed=(1, 2)),
    "MIRROR_PAD": _op("pad", lite.mirror_pad, fixed=(1,)),
    "SLICE": _op("slice", shape.slices, fixed=(1, 2)),
    "STRIDED_SLICE": _op(shape.strided_kind, shape.strided, fixed=(1, 2, 3)),
    "TILE": _op("tile", shape.tile, fixed=(1,)),
    "BROADCAST_TO": _op("expand", shape.expand, fixed=(1,)),
    "FILL": _op("constant", shape.constant, fixed=(0, 1)),
    "SHAPE": Op("shape_of"),
    "DEPTH_TO_SPACE": Op("depth_to_space", shape.block),
    "SPACE_TO_DEPTH": Op("space_to_depth", shape.block),
    "RESIZE_BILINEAR": _op("resize", _as("ResizeBilinear", shape.resize), fixed=(1,)),
    "RESIZE_NEAREST_NEIGHBOR": _op("resize", _as("ResizeNearestNeighbor", shape.resize), fixed=(1,)),
    **{op: _op("reduce", _as(name, shape.reduce), fixed=(1,)) for op, name in _REDUCTIONS.items()},
}  # fmt: skip

#: The setting slots of each operator; what only they need is no part of the network.
SETTINGS = {name: op.fixed for name, op in OPS.items() if op.fixed}
