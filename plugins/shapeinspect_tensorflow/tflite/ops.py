"""TFLite's operators in terms of the vocabulary.

Source: https://www.tensorflow.org/mlir/tfl_ops
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from shapeinspect_tensorflow.graph.folding import LAYER_NORM
from shapeinspect_tensorflow.graph.node_view import View
from shapeinspect_tensorflow.graph.ops import LOG_SOFTMAX, Op, named, op_row
from shapeinspect_tensorflow.graph.settings import conv, norm, recurrent, shape
from shapeinspect_tensorflow.graph.settings import signature as sign
from shapeinspect_tensorflow.tflite import settings as lite
from shapeinspect_tensorflow.tflite.convolutions import DILATED, DILATED_NARROW

_Reader = Callable[[View], Mapping[str, Any]]


def _as(name: str, read: _Reader) -> _Reader:
    """Read settings as those of an operator of TensorFlow."""
    return lambda view: read(replace(view, op=name))


_ACTIVATIONS = {
    "RELU": "relu", "RELU6": "relu6", "RELU_N1_TO_1": "relu_n1_to_1", "RELU_0_TO_1": "relu_0_to_1",
    "LOGISTIC": "sigmoid", "TANH": "tanh", "ELU": "elu",
    "HARD_SWISH": "hard_swish",
}  # fmt: skip

_ELEMENTWISE = """
    ADD ADD_N SUB MUL DIV FLOOR_DIV FLOOR_MOD MAXIMUM MINIMUM POW SQUARED_DIFFERENCE ABS NEG EXP LOG SQRT
    RSQRT SQUARE SIN COS ATAN2 FLOOR CEIL ROUND SIGN EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL
    LOGICAL_AND LOGICAL_OR LOGICAL_NOT SELECT SELECT_V2 ZEROS_LIKE L2_NORMALIZATION BITWISE_XOR RIGHT_SHIFT
    REAL IMAG COMPLEX_ABS
"""

_GATES = "input forget cell output"
_GRU_GATES = "update reset candidate"
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

_RESIZES = {"RESIZE_BILINEAR": "ResizeBilinear", "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor"}


def _elementwise(name: str) -> Op:
    return Op("elementwise", lambda view: {"op": name, **lite.fused(view)})


def _signed_kind(view: View) -> str:
    """Return ``operation`` where the settings that its signature needs are known."""
    return "operation" if OPS[view.op].read(view) else "unknown"


_SIGNATURES = {
    "MATRIX_DIAG": "... n -> ... n n",
    "RANK": "* -> ",
    "UNIQUE": "n -> ?; n",
    "BUCKETIZE": "... -> ...",
}

OPS: dict[str, Op] = {
    **{op: named("activation", "function", name) for op, name in _ACTIVATIONS.items()},
    **{op: _elementwise(op.lower()) for op in _ELEMENTWISE.split()},
    **{op: op_row("operation", sign.signed(text)) for op, text in _SIGNATURES.items()},
    "SPACE_TO_BATCH_ND": op_row(_signed_kind, sign.space_to_batch, fixed=(1, 2)),
    "BATCH_TO_SPACE_ND": op_row(_signed_kind, sign.batch_to_space, fixed=(1, 2)),
    "RFFT2D": op_row(_signed_kind, sign.real_fft, fixed=(1,)),
    **{
        op: op_row("operation", sign.padded_suppression, fixed=(2, 3, 4, 5))
        for op in ("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5")
    },
    "WHERE": op_row("select", lambda _view: {"op": "argwhere"}),
    "GATHER_ND": Op("gather_nd"),
    "DYNAMIC_UPDATE_SLICE": Op("scatter"),
    "REVERSE_SEQUENCE": named("unary", "op", "reverse"),
    "FAKE_QUANT": named("unary", "op", "fake_quant"),
    "HASHTABLE_FIND": op_row("lookup", shape.looked_up, fixed=(0, 2)),
    **{
        op: op_row("constant", shape.constant, fixed=(0,), targets={0: 0})
        for op in ("RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL")
    },
    "CUMSUM": op_row("elementwise", lambda _view: {"op": "cumsum"}, fixed=(1,)),
    "DENSIFY": named("unary", "op", "densify"),
    "REVERSE_V2": op_row("unary", lambda _view: {"op": "reverse"}, fixed=(1,)),
    "RANGE": named("constant", "op", "range"),
    # What a layer keeps between two calls, and the graph that fills it before the first one.
    **{op: named("constant", "op", op.lower()) for op in ("VAR_HANDLE", "READ_VARIABLE", "CALL_ONCE")},
    "ASSIGN_VARIABLE": named("unary", "op", "assign_variable"),
    "PRELU": op_row("prelu", lite.prelu, "- alpha"),
    "LEAKY_RELU": Op("activation", lite.leaky_relu),
    "GELU": Op("activation", lite.gelu),
    "SOFTMAX": Op("softmax", lite.softmax),
    "LOG_SOFTMAX": LOG_SOFTMAX,
    "CAST": Op("cast"),
    "QUANTIZE": Op("quantize"),
    "DEQUANTIZE": Op("dequantize"),
    "CONV_2D": op_row("conv", lite.conv, "- filter bias"),
    "CONV_3D": op_row("conv", lite.conv_3d, "- filter bias"),
    "DEPTHWISE_CONV_2D": op_row("conv", lite.depthwise, "- filter bias"),
    **{
        op: op_row("conv_transpose", lite.conv_transpose, "- filter - bias", (0,), targets={0: 1})
        for op in ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE")
    },
    "FULLY_CONNECTED": op_row(lite.linear_kind, lite.linear, "- filter bias"),
    "BATCH_MATMUL": op_row(conv.product_kind, conv.product, "a b"),
    "AVERAGE_POOL_2D": Op("avg_pool", lite.pool),
    "MAX_POOL_2D": Op("max_pool", lite.pool),
    "L2_POOL_2D": Op("lp_pool", lite.pool),
    "LOCAL_RESPONSE_NORMALIZATION": Op("local_response_norm", lite.local_response_norm),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": op_row("lstm", lite.lstm, _LSTM),
    "EMBEDDING_LOOKUP": op_row(lite.gather_kind, lite.gather, "- params"),
    "GATHER": op_row(lite.gather_kind, lite.gather, "params"),
    "ONE_HOT": op_row("one_hot", shape.one_hot, fixed=(1, 2, 3)),
    "TOPK_V2": op_row("topk", shape.topk, fixed=(1,), targets={1: 1}),
    "ARG_MAX": op_row("argmax", shape.arg, fixed=(1,)),
    "ARG_MIN": op_row("argmax", shape.arg, fixed=(1,)),
    "RESHAPE": op_row("reshape", lite.reshape, fixed=(1,), targets={1: 1}),
    "TRANSPOSE": op_row(shape.permute_kind, shape.permute, fixed=(1,)),
    "SQUEEZE": Op("squeeze", shape.squeeze),
    "EXPAND_DIMS": op_row("unsqueeze", shape.expand_dims, fixed=(1,)),
    "CONCATENATION": Op("concat", lite.concat),
    "PACK": Op("stack", shape.axis),
    "UNPACK": Op("unstack", shape.axis),
    "SPLIT": op_row("split", shape.split, fixed=(0,)),
    "SPLIT_V": op_row("split", _as("SplitV", shape.split), fixed=(1, 2)),
    "PAD": op_row("pad", shape.pad, fixed=(1,), targets={1: 1}),
    "PADV2": op_row("pad", shape.pad, fixed=(1, 2), targets={1: 1}),
    "MIRROR_PAD": op_row("pad", lite.mirror_pad, fixed=(1,), targets={1: 1}),
    "SLICE": op_row(shape.slice_kind, shape.slices, fixed=(1, 2), targets={1: 1, 2: 5}),
    "STRIDED_SLICE": op_row(shape.strided_kind, shape.strided, fixed=(1, 2, 3), targets={1: 1, 2: 2, 3: 4}),
    "TILE": op_row("tile", shape.tile, fixed=(1,), targets={1: 1}),
    "BROADCAST_TO": op_row("expand", shape.expand, fixed=(1,), targets={1: 1}),
    "FILL": op_row("constant", shape.constant, fixed=(0, 1), targets={0: 0}),
    "SHAPE": Op("shape_of"),
    "DEPTH_TO_SPACE": Op("depth_to_space", shape.block),
    "SPACE_TO_DEPTH": Op("space_to_depth", shape.block),
    **{
        op: op_row("resize", _as(name, shape.resize), fixed=(1,), targets={1: 1})
        for op, name in _RESIZES.items()
    },
    **{op: op_row("reduce", _as(name, shape.reduce), fixed=(1,)) for op, name in _REDUCTIONS.items()},
}  # fmt: skip

_LOOP_WEIGHTS = "- kernel recurrent_kernel bias recurrent_bias candidate_kernel"
_GATES_APART = " ".join(
    ["-", *(f"{role}_{gate}{end}" for role, end in (("input_to", "_weights"), ("recurrent_to", "_weights"))
            for gate in _GATES.split())]
    + [f"{gate}_gate_bias" for gate in _GATES.split()]
)  # fmt: skip
_GRU_APART = " ".join(
    ["-", *(f"{role}_{gate}_weights" for role in ("input_to", "recurrent_to") for gate in _GRU_GATES.split())]
    + [f"{gate}_{end}" for end in ("gate_bias", "recurrent_bias") for gate in _GRU_GATES.split()]
)
#: What several operators were joined to, see ``norms``, ``recurrent``, ``unrolled`` and ``convolutions``.
JOINED: dict[str, Op] = {
    "CONV_1D": op_row("conv", lite.conv, "- filter bias"),
    "DEPTHWISE_CONV_1D": op_row("conv", lite.depthwise, "- filter bias"),
    **{
        op: op_row(lite.dilated_kind, lite.dilated, "- filter bias", (3, 4, 5, 6))
        for op in (*DILATED.values(), *DILATED_NARROW.values())
    },
    LAYER_NORM: op_row("layer_norm", norm.layer_norm, "- scale offset"),
    **{
        f"{steps}:{name}": op_row(kind, partial(recurrent.recurrent, gates=gates, turned=True), _LOOP_WEIGHTS)
        for name, kind, gates in (("LSTM", "lstm", 4), ("GRU", "gru", 3), ("SimpleRNN", "rnn", 1))
        for steps in ("WHILE", "UNROLLED")
    },
    **{
        f"{steps}:{name}(gates_apart)": op_row(kind, recurrent.recurrent_apart, roles)
        for name, kind, roles in (("LSTM", "lstm", _GATES_APART), ("GRU", "gru", _GRU_APART))
        for steps in ("WHILE", "UNROLLED")
    },
    **{
        f"{steps}:ConvLSTM{space}D": op_row("conv_lstm", recurrent.of_maps_apart, _GATES_APART)
        for space in (1, 2, 3)
        for steps in ("WHILE", "UNROLLED")
    },
}

#: The setting slots of each operator; what is computed only for them is not part of the network.
SETTINGS = {name: op.fixed for name, op in {**OPS, **JOINED}.items() if op.fixed}
