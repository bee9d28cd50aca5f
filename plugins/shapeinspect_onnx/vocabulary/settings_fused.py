"""Settings of the operators that ONNX Runtime's optimizers and quantizers write.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary import settings_conv, settings_shape

Settings = dict[str, Any]

#: Operators whose channels are always last.
_LAST = frozenset({"NhwcConv", "NhwcFusedConv", "NhwcMaxPool"})


def _format(node: Node) -> Settings:
    last = node.op in _LAST or node.get("channels_last", 0)
    return {"data_format": "channels_last" if last else "channels_first"}


def _activated(node: Node) -> Settings:
    function = node.get("activation")
    return {"activation": function.lower()} if function else {}


def conv(node: Node) -> Settings:
    """Read a convolution with its activation; the kernel is ``o i *k`` wherever the channels are.

    Args:
        node: the node.
    """
    return {**settings_conv.conv_at(1)(node), **_format(node), **_activated(node)}


def qconv(node: Node) -> Settings:
    """Read ONNX Runtime's quantized convolution.

    Args:
        node: the node.
    """
    return {**settings_conv.conv_at(3)(node), **_format(node)}


def conv_transpose(node: Node) -> Settings:
    """Read a transposed convolution whose padding is an input.

    Args:
        node: the node.
    """
    settings, pads = settings_conv.conv_transpose(node), node.numbers("", 2)
    if pads is not None:
        half = len(pads) // 2
        return {**settings, "padding": tuple((pads[axis], pads[half + axis]) for axis in range(half))}
    return {**settings, "padding": UNKNOWN} if node.has(2) else settings


def causal_conv(node: Node) -> Settings:
    """Read a depthwise convolution that keeps the last positions for the next call.

    Args:
        node: the node.
    """
    kernel, dilation = node.shape(1), node.get("dilation", 1)
    if kernel is None or len(kernel) != 3 or node.get("state_window", 0) or node.get("channels_last", 0):
        return {"signature": "... -> ...; *", "work": "?"}
    return {
        "kernel_size": kernel[2:],
        "stride": (1,),
        "padding": "causal",
        "dilation": (dilation,),
        "out_channels": kernel[0],
        "in_channels": kernel[0],
        "groups": kernel[0],
        "data_format": "channels_first",
        "signature": "N C L -> N C L; N C s",
        "work": "N*C*L*k",
        "lengths": Frozen({"s": (kernel[2] - 1) * dilation, "k": kernel[2]}),
    }


def is_linear(node: Node, slot: int) -> bool:
    """Tell whether a product that may transpose has a stored matrix in a slot and no transposed input.

    Args:
        node: the node.
        slot: the matrix's input slot.
    """
    moved = node.get("transA", 0) or node.get("transBatchA", 0) or node.get("transBatchB", 0)
    return settings_conv.is_linear(node, slot) and not moved


def matmul_at(slot: int) -> Callable[[Node], Settings]:
    """Return the reader for a product that may transpose its inputs.

    Args:
        slot: the second matrix's input slot.
    """

    def read(node: Node) -> Settings:
        if is_linear(node, slot):
            constant = node.constant(slot)
            lengths = constant.shape if constant is not None else ()
            into, out = lengths[::-1] if node.get("transB", 0) else lengths
            return {"in_features": into, "out_features": out, **_activated(node)}
        if node.get("transBatchA", 0) or node.get("transBatchB", 0):
            return {"signature": "* -> *", "work": "?"}
        moved = {"trans_a": bool(node.get("transA", 0)), "trans_b": bool(node.get("transB", 0))}
        return {**{name: True for name, on in moved.items() if on}, **_activated(node)}

    return read


def gemm(node: Node) -> Settings:
    """Read a Gemm with its activation.

    Args:
        node: the node.
    """
    return {**settings_conv.gemm(node), **_activated(node)}


def qgemm_kind(node: Node) -> str:
    """Return ``linear`` where the matrix of a QGemm is stored.

    Args:
        node: the node.
    """
    return "linear" if settings_conv.is_linear(node, 3) and not node.get("transA", 0) else "gemm"


def qgemm(node: Node) -> Settings:
    """Read a quantized Gemm.

    Args:
        node: the node.
    """
    constant, trans_b = node.constant(3), bool(node.get("transB", 0))
    if qgemm_kind(node) == "gemm" or constant is None:
        return {"trans_a": bool(node.get("transA", 0)), "trans_b": trans_b}
    into, out = constant.shape[::-1] if trans_b else constant.shape
    return {"in_features": into, "out_features": out}


def matmul_of_shape(node: Node) -> Settings:
    """Read a product with a packed matrix whose lengths are a third input.

    Args:
        node: the node.
    """
    lengths = node.numbers("", 2)
    return (
        {}
        if lengths is None or len(lengths) != 2
        else {"in_features": lengths[0], "out_features": lengths[1]}
    )


def qkv(node: Node) -> Settings:
    """Read three products with packed matrices.

    Args:
        node: the node.
    """
    return {"in_features": node.get("K"), "bits": node.get("bits", 4), "block_size": node.get("block_size")}


def moe(node: Node) -> Settings:
    """Read a mixture of experts: ``e o i`` are the matrices of all experts, packed in a QMoE.

    Args:
        node: the node.
    """
    slots = (2, 5, 8) if node.op == "QMoE" else (2, 4, 6)
    first, bits = node.shape(slots[0]), node.get("expert_weight_bits", 4)
    packed = node.op == "QMoE" and node.get("quant_type", "int") == "int"
    settings: Settings = {"top_k": node.get("k", 1), "activation": node.get("activation_type", "relu")}
    if packed:
        settings["bits"] = bits
    if first is None or len(first) != 3:
        return {**settings, "signature": "... -> ...", "work": "?"}
    total = 0
    for index, slot in enumerate(slots, 1):
        shape = node.shape(slot)
        width = node.get(f"fc{index}_expert_weight_bits", bits) if packed else 8
        lengths = [length for length in shape or () if isinstance(length, int)]
        total += prod(lengths[1:]) * 8 // width if len(lengths) == 3 else 0
    return {
        **settings,
        "num_experts": first[0],
        "signature": "N T E -> N T E | M E -> M E",
        "work": "N*T*k*w | M*k*w",
        "lengths": Frozen({"k": node.get("k", 1), "w": total}),
    }


def embed(node: Node) -> Settings:
    """Read an embedding of words, positions and segments with its norm.

    Args:
        node: the node.
    """
    table = node.shape(2)
    if table is None or len(table) != 2:
        return {"signature": "N T -> N T ?; N; N T ?"}
    return {
        "num_embeddings": table[0],
        "embedding_dim": table[1],
        "eps": node.get("epsilon", 1e-12),
        "signature": "N T -> N T E; N; N T E",
        "lengths": Frozen({"E": table[1]}),
    }


def gather_blocks(node: Node) -> Settings:
    """Read a lookup in a table that is quantized in blocks.

    Args:
        node: the node.
    """
    table, bits = node.constant(0), node.get("bits", 4)
    axis, block = node.get("gather_axis", 0), node.get("block_size", 128)
    settings: Settings = {"bits": bits, "block_size": block}
    if table is None or len(table.dims) != 2 or axis != 0:
        return {**settings, "signature": "* -> *"}
    # Bytes hold several values of the last axis; 4-bit types are counted in values already.
    width = table.dims[1] * (8 // bits if table.nbytes == prod(table.dims) else 1)
    return {
        **settings,
        "num_embeddings": table.dims[0],
        "embedding_dim": width,
        "signature": "... -> ... E",
        "lengths": Frozen({"E": width}),
    }


def simplified_norm(node: Node) -> Settings:
    """Read an RMS norm whose second output is the inverse of the root.

    Args:
        node: the node.
    """
    settings = settings_conv.layer_norm(node)
    return {**settings, "further_outputs": "... E -> ... 1"} if settings["axis"] == -1 else settings


def swiglu(node: Node) -> Settings:
    """Read a gated activation: of two inputs, or of the halves of one.

    Args:
        node: the node.
    """
    return {"axis": -1, "signature": "... -> ..." if node.has(1) else "... E -> ... E/2"}


def qsoftmax(node: Node) -> Settings:
    """Read a quantized softmax; its opset is an attribute.

    Args:
        node: the node.
    """
    flattened = {"flattened": True} if node.get("opset", 13) < 13 else {}
    return {"axis": node.get("axis", -1), "log": False, **flattened}


def qreduce(node: Node) -> Settings:
    """Read a quantized mean, or a sum of integers.

    Args:
        node: the node.
    """
    return {
        "op": "sum" if node.op == "ReduceSumInteger" else "mean",
        "keepdims": bool(node.get("keepdims", 1)),
        "axes": tuple(node.get("axes") or ()) or None,
    }


def mask(signature: str) -> Callable[[Node], Settings]:
    """Return the reader for a dropout with a second output.

    Args:
        signature: of the second output.
    """

    def settings(node: Node) -> Settings:
        further = {"further_outputs": signature} if len(node.outputs) > 1 else {}
        return {**settings_shape.dropout(node), **further}

    return settings


def pool(node: Node) -> Settings:
    """Read a pool whose channels may be last.

    Args:
        node: the node.
    """
    settings = {**settings_conv.pool(node), **_format(node)}
    if node.op in ("AveragePool", "QLinearAveragePool"):
        settings["count_include_pad"] = bool(node.get("count_include_pad", 0))
    return settings


def global_pool(node: Node) -> Settings:
    """Read a global pool whose channels may be last.

    Args:
        node: the node.
    """
    return {"keepdims": True, **_format(node)}


def crop(node: Node) -> Settings:
    """Read a crop of regions, resampled to the size in the fourth input.

    Args:
        node: the node.
    """
    size = node.numbers("", 3)
    if size is None or len(size) != 2:
        return {}
    return {"output_size": tuple(size), "lengths": {"h": size[0], "w": size[1]}}


def unfold(node: Node) -> Settings:
    """Read the slices along one axis.

    Args:
        node: the node.
    """
    axis, size, step = node.get("dim", -1), node.get("size", 1), node.get("step", 1)
    cut = f"(n-{size})/{step}+1"
    if axis == -1:
        return {"signature": f"... n -> ... {cut} {size}"}
    # The rank may be unknown here: one alternative for each.
    ranks = [[f"a{at}" for at in range(rank)] for rank in range(1, 7) if -rank <= axis < rank]
    found = []
    for letters in ranks:
        place = axis % len(letters)
        before, after = " ".join(letters[:place]), " ".join(letters[place + 1 :])
        found.append(f"{before} n {after} -> {before} {cut} {after} {size}")
    return {"signature": " | ".join(found) or "* -> *"}


def expand_dims(node: Node) -> Settings:
    """Read the insertion of one axis.

    Args:
        node: the node.
    """
    axis = node.number("", 1)
    return {} if axis is None else {"axes": (int(axis),)}


def gather_nd(node: Node) -> Settings:
    """Read a lookup by tuples of indices.

    Args:
        node: the node.
    """
    return {"batch_dims": node.get("batch_dims", 0)}


def metric(node: Node) -> Settings:
    """Read the distance of all pairs of rows.

    Args:
        node: the node.
    """
    return {"function": node.get("metric", "sqeuclidean")}


def rfft(node: Node) -> Settings:
    """Read a Fourier transform of real numbers, or back; the last axis holds the real and imaginary parts.

    Args:
        node: the node.
    """
    half = bool(node.get("onesided", 1))
    if node.op == "Irfft":
        return {
            "inverse": True,
            "onesided": half,
            "signature": f"... n 2 -> ... {'2*(n-1)' if half else 'n'}",
        }
    return {"onesided": half, "signature": f"... n -> ... {'n/2+1' if half else 'n'} 2"}


def recurrent(node: Node) -> Settings:
    """Read a quantized LSTM: ``W`` is ``dir i (gate h)``, ``R`` is ``dir h (gate h)``.

    Args:
        node: the node.
    """
    settings, weight = settings_conv.recurrent(node), node.shape(1)
    settings["hidden_size"] = node.get("hidden_size")
    if weight and len(weight) == 3:
        settings |= {"input_size": weight[1], "hidden_size": node.get("hidden_size") or weight[2] // 4}
    return settings


def directions(node: Node) -> Settings:
    """Read the directions of a recurrent layer.

    Args:
        node: the node.
    """
    direction = node.get("direction", "forward")
    return {"direction": direction, "lengths": {"d": 2 if direction == "bidirectional" else 1}}


def upsample(node: Node) -> Settings:
    """Read the nearest or linear resize of a map whose channels are in blocks.

    Args:
        node: the node.

    Raises:
        TypeError: if a scale is no number.
    """
    scales = node.get("scales") or ()
    if not all(isinstance(scale, int | float) for scale in scales):
        raise TypeError("the scales are not numbers")
    return {
        "mode": node.get("mode", "nearest"),
        "scale_factor": tuple(scales[2:]),
        "data_format": "channels_first",
    }


def reorder_input(node: Node) -> Settings:
    """Read the step to channels in blocks, of 8 or 16 by the machine that wrote the file.

    Args:
        node: the node.
    """
    shape = node.shape(0)
    channels = shape[-1 if node.get("channels_last", 0) else 1] if shape and len(shape) > 1 else None
    whole = "C" if isinstance(channels, int) and channels % 16 == 0 else "?"
    return {
        "signature": f"N H W C -> N {whole} H W"
        if node.get("channels_last", 0)
        else f"N C H W -> N {whole} H W"
    }


def reorder_output(node: Node) -> Settings:
    """Read the step back from channels in blocks.

    Args:
        node: the node.
    """
    out = "N H W c" if node.get("channels_last", 0) else "N c H W"
    return {"signature": f"N C H W -> {out}", "lengths": Frozen({"c": node.get("channels")})}
