"""The codes of TFLite's operators and element types, and the options that determine shapes.

Source: tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

from dataclasses import dataclass

_OPERATORS = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP
    FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION
    LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN
    SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD
    UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
    UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX
    DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER
    GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL
    NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR
    ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL
    FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE
    CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE
    MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
    SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE
    BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT
    HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS
    RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1
    UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN
    BITCAST BITWISE_XOR RIGHT_SHIFT STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY
    STABLEHLO_MAXIMUM STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
    STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
    STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG STABLEHLO_MINIMUM
    STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER STABLEHLO_RSQRT STABLEHLO_SELECT
    STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER STABLEHLO_COMPARE STABLEHLO_CONVERT
    STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE STABLEHLO_PAD STABLEHLO_IOTA
    STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT STABLEHLO_WHILE STABLEHLO_GATHER
    STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR REDUCE_WINDOW STABLEHLO_COMPOSITE
    STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
#: The operators in the order of their codes.
OPERATORS = tuple(_OPERATORS.split())

CUSTOM = 32

#: For each code of ``TensorType``: the name in numpy's spelling and the bits of one value.
TYPES: tuple[tuple[str, int | None], ...] = (
    ("float32", 32), ("float16", 16), ("int32", 32), ("uint8", 8), ("int64", 64), ("string", None),
    ("bool", 8), ("int16", 16), ("complex64", 64), ("int8", 8), ("float64", 64), ("complex128", 128),
    ("uint64", 64), ("resource", None), ("variant", None), ("uint32", 32), ("uint16", 16), ("int4", 4),
    ("bfloat16", 16), ("int2", 2), ("uint4", 4),
)  # fmt: skip

PADDINGS = ("SAME", "VALID")
#: The fused activation, by the code of ``ActivationFunctionType``.
FUSED = ("", "relu", "relu_n1_to_1", "relu6", "tanh", "sign_bit")

_POOL = "5 padding:0:b:0 stride_w:1:i:0 stride_h:2:i:0 filter_w:3:i:0 filter_h:4:i:0 fused:5:b:0"
_REDUCE = "27 keep_dims:0:?:0"
_CONV_3D = (
    "106 padding:0:b:0 stride_d:1:i:0 stride_w:2:i:0 stride_h:3:i:0 fused:4:b:0 "
    "dilation_d:5:i:1 dilation_w:6:i:1 dilation_h:7:i:1"
)
#: For each operator with options that matter: the number of their table in ``BuiltinOptions``, and
#: their fields as ``name:slot:type:default``.
_OPTIONS = {
    "CONV_2D": "1 padding:0:b:0 stride_w:1:i:0 stride_h:2:i:0 fused:3:b:0 dilation_w:4:i:1 dilation_h:5:i:1",
    "DEPTHWISE_CONV_2D": "2 padding:0:b:0 stride_w:1:i:0 stride_h:2:i:0 depth_multiplier:3:i:0 fused:4:b:0 "
    "dilation_w:5:i:1 dilation_h:6:i:1",
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "L2_POOL_2D": _POOL,
    "FULLY_CONNECTED": "8 fused:0:b:0 weights_format:1:b:0 keep_num_dims:2:?:0",
    "CONCATENATION": "10 axis:0:i:0 fused:1:b:0",
    "ADD": "11 fused:0:b:0",
    "LOCAL_RESPONSE_NORMALIZATION": "13 radius:0:i:0 bias:1:f:0 alpha:2:f:0 beta:3:f:0",
    "SOFTMAX": "9 beta:0:f:0",
    "LEAKY_RELU": "75 alpha:0:f:0",
    "GELU": "116 approximate:0:?:0",
    "L2_NORMALIZATION": "12 fused:0:b:0",
    "RESHAPE": "17 new_shape:0:[i]:0",
    "SPACE_TO_DEPTH": "19 block_size:0:i:0",
    "MUL": "21 fused:0:b:0",
    "GATHER": "23 axis:0:i:0 batch_dims:1:i:0",
    "SUM": _REDUCE,
    "MEAN": _REDUCE,
    "REDUCE_PROD": _REDUCE,
    "REDUCE_MAX": _REDUCE,
    "REDUCE_MIN": _REDUCE,
    "REDUCE_ANY": _REDUCE,
    "REDUCE_ALL": _REDUCE,
    "SUB": "28 fused:0:b:0",
    "DIV": "29 fused:0:b:0",
    "SQUEEZE": "30 squeeze_dims:0:[i]:0",
    "STRIDED_SLICE": "32 begin_mask:0:i:0 end_mask:1:i:0 ellipsis_mask:2:i:0 new_axis_mask:3:i:0 "
    "shrink_axis_mask:4:i:0 offset:5:?:0",
    "SPLIT": "35 num_split:0:i:0",
    "TRANSPOSE_CONV": "49 padding:0:b:0 stride_w:1:i:0 stride_h:2:i:0 fused:3:b:0",
    "PACK": "59 values_count:0:i:0 axis:1:i:0",
    "ONE_HOT": "61 axis:0:i:0",
    "UNPACK": "64 num:0:i:0 axis:1:i:0",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "71 fused:0:b:0 time_major:3:?:0",
    "RESIZE_BILINEAR": "15 align_corners:2:?:0",
    "RESIZE_NEAREST_NEIGHBOR": "74 align_corners:0:?:0",
    "MIRROR_PAD": "77 mode:0:b:0",
    "SPLIT_V": "79 num_split:0:i:0",
    "IF": "92 then_branch:0:i:0 else_branch:1:i:0",
    "WHILE": "93 cond:0:i:0 body:1:i:0",
    "DEPTH_TO_SPACE": "94 block_size:0:i:0",
    "BATCH_MATMUL": "101 adj_x:0:?:0 adj_y:1:?:0",
    "CALL_ONCE": "103 init:0:i:0",
    "CONV_3D": _CONV_3D,
    "CONV_3D_TRANSPOSE": _CONV_3D,
}


@dataclass(frozen=True, slots=True)
class Option:
    """One field of an operator's options.

    Args:
        name: its name here.
        slot: its position in the table.
        type: ``b`` for int8, ``i`` for int32, ``f`` for float32, ``?`` for a boolean, ``[i]`` for a list of
            int32.
        default: its value where it is missing.
    """

    name: str
    slot: int
    type: str
    default: int


def _parse(text: str) -> tuple[int, tuple[Option, ...]]:
    number, *rest = text.split()
    fields = (part.split(":") for part in rest)
    return int(number), tuple(Option(name, int(slot), kind, int(low)) for name, slot, kind, low in fields)


#: For each operator the number of its options' table and the fields that are read.
OPTIONS = {name: _parse(text) for name, text in _OPTIONS.items()}
