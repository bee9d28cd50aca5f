"""Settings of attention: heads, widths, and the signatures of all outputs.

Letters: ``H`` heads of queries, ``K`` of keys and values, ``T`` positions that ask, ``S`` new positions that
are asked, ``P`` positions of earlier calls, ``D`` features a head of keys, ``F`` of values.

Source: https://onnx.ai/onnx/operators/onnx__Attention.html and, for those of ``com.microsoft``,
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md .
"""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node

Settings = dict[str, Any]

#: The signature of an op, and the work of the same alternatives.
_STANDARD = (
    "N H T D, N K S D, N K S F, *, N K P D -> N H T F; N K P+S D; N K P+S F; N H T P+S"
    " | N T E, N S k, N S v, *, N K P D -> N T v/K*H; N K P+S k/K; N K P+S v/K; N H T P+S",
    "N*H*T*(P+S)*(D+F) | N*T*(P+S)*(E+v/K*H)",
)
_MULTI_HEAD = (
    "N T H 3 D -> N T H*D; N H P+T D; N H P+T D; N H T P+T"
    " | N T E, N S H 2 D -> N T E; N H P+S D; N H P+S D; N H T P+S"
    " | N T E, N H S D, N H S F -> N T H*F; N H S D; N H S F; N H T S"
    " | N T E, N S k, N S v, *, *, N H P D -> N T v; N H P+S k/H; N H P+S v/H; N H T P+S",
    "N*H*T*(P+T)*2*D | N*T*(P+S)*2*E | N*H*T*S*(D+F) | N*T*(P+S)*(E+v)",
)
_GROUPED = (
    "N T E, N S k, N S v, N K P d -> N T E; N K L k/K; N K L v/K; N H T L",
    "N*H*T*L*(k+v)/K",
)
_GROUPED_PACKED = (
    "N T Q, *, *, N K P d -> N T H*(Q/(H+2*K)); N K L Q/(H+2*K); N K L Q/(H+2*K); N H T L",
    "N*H*T*L*2*(Q/(H+2*K))",
)
_SPARSE = (
    "N T E, *, *, N K P d, N K R v -> N T E; N K P d; N K R v",
    "N T Q, *, *, N K P d, N K R v -> N T H*(Q/(H+2*K)); N K P d; N K R v",
)
_DECODER = (
    "N T E, N H S D, N H S F -> N T H*F; N H S D; N H S F; N H T S"
    " | N T E, *, N S v, *, *, N H P d, N H R f -> N T v; N H P+S d; N H R+S f; N H T ?"
)
_DECODER_SHARED = (
    "N T E, N H S D, N H S F -> N T H*F; N H S D; N H S F; N H T S"
    " | N T E, *, N S v, *, *, N H P d, N H R f -> N T v; N H P d; N H R f; N H T ?"
)


def attention(node: Node) -> Settings:
    """Read an attention of separate query, key and value, without projections.

    Args:
        node: the node.
    """
    query, key, value = node.shape(0), node.shape(1), node.shape(2)
    heads = node.get("q_num_heads", node.get("num_heads"))
    kv_heads = node.get("kv_num_heads", heads)
    settings: Settings = {
        "num_heads": heads,
        "num_kv_heads": kv_heads,
        "batch_first": True,
        "projected": False,
    }
    if query and len(query) == 4:
        settings |= {"num_heads": query[1], "head_dim": query[3]}
        if key and len(key) == 4:
            settings["num_kv_heads"] = key[1]
    elif query and len(query) == 3 and heads:
        packed = not node.has(1)
        width = query[2] // (heads + 2 * kv_heads if packed else heads)
        settings |= {"embed_dim": width * heads, "head_dim": width}
        if packed:
            settings["out_features"] = width * heads
        elif value and len(value) == 3:
            width = value[2] // kv_heads
            settings |= {"value_head_dim": width, "out_features": width * heads}
        elif value and len(value) == 4:
            settings |= {"value_head_dim": value[3], "out_features": value[3] * heads}
    known = {name: value for name, value in {**settings, **_past(node)}.items() if value is not None}
    lengths = {"H": heads, "K": kv_heads, "P": None if node.has(_PAST_SLOT[node.op]) else 0}
    signature, work = _signature(node, lengths)
    if node.op == "Attention":
        known |= {"scale": node.get("scale")} if "scale" in node.attributes else {}
        known |= {"is_causal": True} if node.get("is_causal", 0) else {}
    return {**known, "signature": signature, "work": work, "lengths": _frozen(lengths)}


#: The input slot for the keys of earlier calls, ``N head T d``.
_PAST_SLOT = {
    "Attention": 4,
    "MultiHeadAttention": 6,
    "GroupQueryAttention": 3,
    "DecoderMaskedMultiHeadAttention": 5,
    "SparseAttention": 3,
}


def _frozen(lengths: dict[str, Any]) -> Frozen[Any]:
    return Frozen({name: length for name, length in lengths.items() if length is not None})


def _signature(node: Node, lengths: dict[str, Any]) -> tuple[str, str]:
    if node.op == "Attention":
        return _STANDARD
    if node.op == "MultiHeadAttention":
        return _MULTI_HEAD
    if node.op == "DecoderMaskedMultiHeadAttention":
        return _DECODER_SHARED if node.get("past_present_share_buffer", 0) else _DECODER, "?"
    if node.op == "SparseAttention":
        return _SPARSE[0 if node.has(1) else 1], "?"
    signature, work = _GROUPED if node.has(1) else _GROUPED_PACKED
    # Keys and values of earlier calls stand in a buffer that the total length may exceed.
    new, total = ("S" if node.has(1) else "T"), node.number("", 6)
    if not node.has(3):
        return signature.replace("L", new), work.replace("L", new)
    lengths["L"] = total if isinstance(total, int) and total > 0 else UNKNOWN
    return signature.replace("L", "max(L,P)"), work.replace("L", "max(L,P)")


def _past(node: Node) -> Settings:
    slot = _PAST_SLOT[node.op]
    if not node.has(slot):
        return {}
    past = node.shape(slot)
    # GroupQueryAttention's buffer may be longer than its content.
    known = past is not None and len(past) == 4 and node.op != "GroupQueryAttention"
    return {"past_length": past[2] if known and past is not None else UNKNOWN}


#: The input slot for the keys and values of earlier calls; the others have none.
_PACKED_SLOTS = {"Attention": 4, "QAttention": 8, "DecoderMaskedSelfAttention": 4}


def packed_attention(node: Node) -> Settings:
    """Read ONNX Runtime's attention with one matrix ``i (qkv o)`` for query, key and value.

    It has no output projection, and may keep positions of earlier calls.

    Args:
        node: the node.
    """
    slot = _PACKED_SLOTS.get(node.op)
    weight, heads = node.shape(1), node.get("num_heads")
    continued = slot is not None and node.has(slot)
    settings: Settings = {"num_heads": heads, "num_kv_heads": heads, "batch_first": True}
    settings |= {"one_input": True, "output_projected": False}
    lengths: dict[str, Any] = {"H": heads, "P": None if continued else 0}
    if weight and len(weight) == 2:
        settings["embed_dim"] = weight[0]
        sizes = node.get("qkv_hidden_sizes") or (weight[1] // 3,) * 3
        settings |= {
            "head_dim": sizes[0] // heads,
            "value_head_dim": sizes[2] // heads,
            "out_features": sizes[2],
        }
        lengths |= {"D": sizes[1] // heads, "o": sizes[2], "W": weight[1], "q": sizes[0]}
    if slot is not None and continued:  # keys and values of earlier calls: two, N, head, T, d
        past = node.shape(slot)
        settings["past_length"] = past[3] if past is not None and len(past) == 5 else UNKNOWN
    if node.op == "PackedAttention":
        signature, work = "M i -> M o", "?"  # the lengths of the sequences are numbers
    elif node.get("past_present_share_buffer", 0):
        signature, work = "N T i, *, 2 N H P D -> N T o; 2 N H P D", "?"
    else:
        signature = "N T i, *, 2 N H P D -> N T o; 2 N H P+T D"
        work = "N*T*i*W + N*T*(P+T)*(q+o)"
    return {**settings, "signature": signature, "work": work, "lengths": _frozen(lengths)}


def linear_attention(node: Node) -> Settings:
    """Read a linear attention, which keeps one matrix a head and no positions.

    Args:
        node: the node.
    """
    heads, shared = node.get("q_num_heads"), node.get("kv_num_heads")
    settings: Settings = {"num_heads": heads, "num_kv_heads": shared}
    if not heads or not shared:
        return {}
    many = max(heads, shared)
    window = node.get("state_window", 0)
    state = f"{window} N K k/K v/K" if window else "N K k/K v/K"
    # Each step writes an outer product into the state and reads it once; a delta rule reads it twice.
    reads = 3 if "delta" in node.get("update_rule", "gated_delta") else 2
    return {
        **settings,
        "mode": node.get("update_rule", "gated_delta"),
        "signature": f"N T q, N T k, N T v -> N T M*(v/K); {state}",
        "work": f"N*T*(k/K)*(v/K)*({reads - 1}*K+M)",
        "lengths": Frozen({"K": shared, "M": many}),
    }
