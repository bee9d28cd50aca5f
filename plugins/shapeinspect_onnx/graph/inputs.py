"""The names of the operators' inputs, which are the roles of the weights in them.

Source: the operators' own pages, https://onnx.ai/onnx/operators/; the tests compare every row with
``onnx.defs``. With the table it is imported for uncommon operators only.
"""

from __future__ import annotations

from functools import lru_cache

from shapeinspect_onnx.vocabulary import ops

#: The latest names; older opsets have the first of them.
_ROWS = {
    "data_0": "Max Mean Min Sum",
    "inputs": "Concat",
    "Inputs": "Einsum",
    "X": "Relu Sigmoid Softplus Sqrt Swish",
    "data": "Shape Size Transpose",
    "input": "Cast Flatten Identity LogSoftmax Softmax Tanh",
    "A B": "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual MatMul Mod Mul Or Sub SwiGLU Xor",
    "A B C": "Gemm",
    "X Y": "BitShift Pow StringConcat",
    "condition X Y": "Where",
    "data axes": "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
    "ReduceSum ReduceSumSquare Squeeze Unsqueeze",
    "data indices": "Gather GatherElements GatherND",
    "data indices updates": "Scatter ScatterElements ScatterND",
    "data shape": "Reshape",
    "data pads constant_value axes": "Pad",
    "data starts ends axes steps": "Slice",
    "data ratio training_mode": "Dropout",
    "input shape": "Expand",
    "input split": "Split SplitToSequence",
    "input min max": "Clip",
    "input target_type": "CastLike",
    "indices depth values": "OneHot",
    "start limit delta": "Range",
    "x axis": "CumProd CumSum",
    "X K": "TopK",
    "X slope": "PRelu",
    "X W B": "Conv ConvTranspose",
    "x w x_zero_point w_zero_point": "ConvInteger",
    "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B": "QLinearConv",
    "A B a_zero_point b_zero_point": "MatMulInteger",
    "a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point": "QLinearMatMul",
    "x x_scale x_zero_point": "DequantizeLinear",
    "x y_scale y_zero_point": "QuantizeLinear",
    "input scale B": "InstanceNormalization",
    "X Scale B": "LayerNormalization",
    "X scale": "RMSNormalization",
    "X scale bias": "GroupNormalization",
    "X W R B sequence_lens initial_h": "GRU RNN",
    "X W R B sequence_lens initial_h initial_c P": "LSTM",
    "Q K V attn_mask past_key past_value nonpad_kv_seqlen": "Attention",
}
_NAMES = {op: tuple(names.split()) for names, listed in _ROWS.items() for op in listed.split()}

#: Renamed inputs: the opset since which the second names apply.
_RENAMED = {
    "BatchNormalization": (14, "X scale B mean var", "X scale B input_mean input_var"),
    "Resize": (11, "X scales", "X roi scales sizes"),
    "Tile": (6, "input tiles axis", "input repeats"),
}


@lru_cache(maxsize=4096)
def names(op: str, version: int, domain: str) -> tuple[str, ...]:
    """Return the names of an operator's inputs in its own documentation; none if it has no documentation.

    Args:
        op: its op type.
        version: the opset of its domain.
        domain: its domain.

    Example:
        >>> names("Conv", 17, "")
        ('X', 'W', 'B')
    """
    row = ops.roles(domain, op)
    if row is not None:
        return tuple(row[0].split())
    if not domain and op in _NAMES:
        return _NAMES[op]
    if not domain and op in _RENAMED:
        since, before, after = _RENAMED[op]
        return tuple((after if version >= since else before).split())
    if not 0 < version < 1 << 31:
        return ()
    from onnx import defs

    try:
        return tuple(entry.name for entry in defs.get_schema(op, version, domain).inputs)
    except defs.SchemaError:
        return ()
