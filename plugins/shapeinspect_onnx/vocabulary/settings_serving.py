"""Settings of ONNX Runtime's operators for serving: paged caches, packed sequences, captured states.

Letters: ``N`` requests, ``M`` tokens of all requests one after another, ``H`` heads of queries, ``K`` of keys
and values, ``P`` pages or positions of a cache.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from math import prod
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node

Settings = dict[str, Any]


def _heads(node: Node) -> Settings:
    heads, shared = node.get("num_heads"), node.get("kv_num_heads")
    return {
        "num_heads": heads,
        "num_kv_heads": shared,
        "batch_first": True,
        "projected": False,
        "lengths": Frozen({name: n for name, n in (("H", heads), ("K", shared)) if n}),
    }


def paged_attention(node: Node) -> Settings:
    """Read an attention whose keys and values stand in pages; how many of them count is in its data.

    Args:
        node: the node.
    """
    settings, cache = _heads(node), "P B K d, P B K f -> {out}; P B K d; P B K f"
    if node.get("kv_cache_layout", "SEPARATE") == "LATENT":
        width = node.get("v_head_size", 0)
        out = f"H*{width}" if width else "E"
        return {**settings, "signature": f"M E, *, *, P B K d -> M {out}; P B K d", "work": "?"}
    if node.has(1):
        return {**settings, "signature": "M E, *, *, " + cache.format(out="M E"), "work": "?"}
    return {**settings, "signature": "M Q, *, *, " + cache.format(out="M H*(Q/(H+2*K))"), "work": "?"}


def dynamic_sparse_attention(node: Node) -> Settings:
    """Read an attention to the positions that other inputs select; how many of them count is in its data.

    Args:
        node: the node.
    """
    query, out, width = ("N T E", "E", "E/H") if node.has(1) else ("N T Q", "H*(Q/(H+2*K))", "Q/(H+2*K)")
    if node.has(3):
        signature = f"{query}, *, *, N K P d, N K R v -> N T {out}; N K P d; N K R v; 1"
    else:
        signature = f"{query} -> N T {out}; N K ? {width}; N K ? {width}; 1"
    return {**_heads(node), "signature": signature, "work": "?"}


def gated_delta_net(node: Node) -> Settings:
    """Read a linear attention over packed tokens, which keeps one matrix ``v i`` a head.

    Args:
        node: the node.
    """
    rule, capacity = node.get("update_rule", "gated_delta"), node.get("state_update_capacity", 0)
    packed, rank, gates = not node.has(1), node.rank(0), node.rank(4)
    keys = "(w-V*v)/(2*i)" if packed else "q"
    # A decay for each feature of the keys has an axis more than one for each head.
    per_head = (2 if rank == (2 if packed else 3) else 3) if rank is not None else None
    decays = None if per_head is None or gates is None else "V" if gates == per_head else "V*i"
    update = "?" if decays is None else f"{capacity}*({decays}+{keys}*i+V*v)"
    state = f"N V v i; N {update}"
    if packed:
        inputs = tuple(f"{tokens} w, *, *, *, *, *, N V v i" for tokens in ("M", "B T"))
    elif node.has(6):
        inputs = tuple(f"{t} q i, *, {t} V v, *, *, *, N V v i" for t in ("M", "B T"))
    else:
        inputs, state = ("M q i, *, M V v, b",), state.replace("N ", "b-1 ")
    outputs = ("M V v", "B T V v")
    # Each step writes an outer product into the state and reads it once; a delta rule reads it twice.
    reads = 3 if "delta" in rule else 2
    return {
        "mode": rule,
        "signature": " | ".join(
            f"{given} -> {out}; {state}" for given, out in zip(inputs, outputs, strict=False)
        ),
        "work": " | ".join(f"{tokens}*{reads}*V*i*v" for tokens in ("M", "B*T")),
    }


def causal_conv(node: Node) -> Settings:
    """Read a depthwise convolution over packed tokens, which keeps the last positions of each request.

    Args:
        node: the node.
    """
    kernel, captured = node.shape(1), node.get("state_update_capacity", 0)
    signature = f"M C, N C s -> M C; N C s; N {captured} C"
    if kernel is None or len(kernel) != 3:
        return {"signature": signature, "work": "?"}
    return {
        "kernel_size": kernel[2:],
        "stride": (1,),
        "padding": "causal",
        "dilation": (node.get("dilation", 1),),
        "out_channels": kernel[0],
        "in_channels": kernel[0],
        "groups": kernel[0],
        "signature": signature,
        "work": "M*C*k",
        "lengths": Frozen({"k": kernel[2]}),
    }


def n_grams(node: Node) -> Settings:
    """Read the hashes of the last tokens, several for each length of an n-gram.

    Args:
        node: the node.
    """
    before, captured = node.get("max_ngram_size") - 1, node.get("state_update_capacity", 0)
    hashes = before * node.get("n_head_per_ngram")
    if node.op == "NGramHashMapping":
        return {"signature": f"N T -> N T {hashes}; N {before}"}
    ends = f"b-1 {before}"
    return {"signature": f"M, *, *, b -> M {hashes}; {ends}; {ends}; b-1 {captured} {before}"}


def indexer(node: Node) -> Settings:
    """Read the selection of the positions that a sparse attention reads.

    Args:
        node: the node.
    """
    ratio, compressed = node.get("compress_ratio"), node.get("policy_mode") == "csa"
    most = node.get("index_topk") if compressed else node.get("token_budget") + ratio - 1
    if node.op == "PackedSparseAttentionIndexer":
        captured = node.get("state_update_capacity", 0)
        most = node.get("max_output_entries", 0) or most
        given = "M _, N P d, N B f, *, N 2"
        kept = f"N P d; N B f; N B f; N 2; N {captured} d"
        return {"signature": f"{given} -> M {most}; M; {kept}; M; N", "work": "?"}
    inputs, kept = "N T _, N P d", ""
    if node.has(13):
        inputs, kept = f"{inputs}, p N B f", f"; p N {_kept(node, ratio)} f"
    grown = _grown(node, ratio) if compressed else "T"
    # With a number of valid positions the cache has room for more than it holds.
    length = "P" if node.has(12) else "?" if grown == "?" else f"P+{grown}"
    return {"signature": f"{inputs} -> N T {most}; N {length} d{kept}", "work": "?"}


def _waiting(node: Node, ratio: int) -> tuple[int, int] | None:
    """Return how many buffered positions are compressed already, and how many wait; None if unknown."""
    buffer = node.shape(13)
    length = buffer[2] if buffer is not None and len(buffer) == 4 else None
    if not isinstance(length, int):
        return None
    return (ratio, length - ratio) if length >= ratio else (0, length)


def _grown(node: Node, ratio: int) -> str:
    found = _waiting(node, ratio)
    return "?" if found is None else f"(T+{found[1]})/{ratio}"


def _kept(node: Node, ratio: int) -> str:
    found, query = _waiting(node, ratio), node.shape(0)
    new = query[1] if query is not None and len(query) == 3 else None
    if found is None:
        return "?"
    done, waiting = found
    rest = f"T+{waiting}-(T+{waiting})/{ratio}*{ratio}"
    if done:
        return f"{ratio}+{rest}"
    if not isinstance(new, int):
        return "?"  # whether a window is complete depends on the new positions
    return f"{ratio}+{rest}" if new + waiting >= ratio else f"T+{waiting}"


def mixture(node: Node) -> Settings:
    """Read a mixture of experts whose matrices are packed: ``expert hidden byte``.

    Args:
        node: the node.
    """
    gate, down = node.shape(2), node.shape(4)
    settings = {"top_k": node.get("k", 1), "activation": node.get("activation_type", "swiglu")}
    if gate is None or down is None or len(gate) != 3 or len(down) != 3:
        return {**settings, "signature": "... -> ...", "work": "?"}
    width = prod((3 if node.has(3) else 2, gate[1], down[1]))
    return {
        **settings,
        "num_experts": gate[0],
        "signature": "N T E -> N T E | M E -> M E",
        "work": "N*T*k*w | M*k*w",
        "lengths": Frozen({"k": node.get("k", 1), "w": width}),
    }


def router(node: Node) -> Settings:
    """Read the scores of the experts for every token, which a matrix may compute first.

    Args:
        node: the node.
    """
    weight = node.shape(2)
    if node.has(2):
        experts = weight[0] if weight is not None and len(weight) == 2 else None
        known = {} if experts is None else {"lengths": Frozen({"e": experts})}
        return {"signature": "M w -> M e; M e; M e", "work": "M*w*e", **known}
    alternatives = (("M e", "M e"), ("N T e", "N*T e"), ("A N T e", "A*N*T e"))
    return {"signature": " | ".join(f"{given} -> {out}; {out}; {out}" for given, out in alternatives)}


def streams(node: Node) -> Settings:
    """Read what adds up the streams of hyper-connections: they have an axis of their own, or share one.

    Args:
        node: the node.
    """
    many = node.get("num_branches", 0)
    return {"signature": f"... E -> ... E/{many}" if many else "... C E -> ... E"}


def low_rank_mix(node: Node) -> Settings:
    """Read the mixture of streams through a gate of low rank.

    Args:
        node: the node.
    """
    down, inject = node.shape(2), node.shape(4)
    many = node.get("num_branches") or (inject[1] if inject is not None and len(inject) == 2 else None)
    rank = down[1] if down is not None and len(down) == 2 else None
    lengths = {name: n for name, n in (("C", many), ("r", rank)) if n is not None}
    fronts = (("... E", "?"), ("N T E", "N*T*E*(2*r+C)"), ("M E", "M*E*(2*r+C)"))
    order = fronts[1:] + fronts[:1]
    return {
        "signature": " | ".join(f"{front} -> {front[:-1]}E/C; {front[:-1]}C; {front}" for front, _ in order),
        "work": " | ".join(work for _, work in order),
        "lengths": Frozen(lengths),
    }


def rms_norm_rotary(node: Node) -> Settings:
    """Read an RMS norm of a part of each head, which is rotated by its position.

    Args:
        node: the node.
    """
    width = node.get("input_width", 0) or "s"
    rows = "1 N*T" if node.get("flatten_batch", 0) else "N T"
    return {
        "eps": node.get("epsilon", 1e-6),
        "signature": f"N T h s -> {rows} h*{width}; N T h {width}",
    }


def packed_matrix(node: Node) -> Settings:
    """Read a product with a matrix whose rows are packed: its logical lengths are attributes.

    Args:
        node: the node.
    """
    activation = node.get("activation_type", "none")
    function = {} if activation == "none" else {"activation": activation}
    return {"in_features": node.get("K"), "out_features": node.get("N"), **function}


def scaled_matrix(node: Node) -> Settings:
    """Read a product with a matrix ``o i`` that has a scale for each block of inputs.

    Args:
        node: the node.
    """
    stored, halved = node.shape(1), node.op == "MatMulBlockQuantizedFp4Weight"
    if stored is None or len(stored) != 2:
        return {}
    return {
        "in_features": stored[1] * (2 if halved else 1),
        "out_features": stored[0],
        "block_size": node.get("block_size", 16 if halved else 128),
    }


def packed_table(node: Node) -> Settings:
    """Read a lookup in a table whose rows are packed.

    Args:
        node: the node.
    """
    table, width = node.shape(0), node.get("K")
    return {
        "num_embeddings": table[0] if table is not None and len(table) == 2 else None,
        "embedding_dim": width,
        "signature": f"... -> ... {width}",
    }


def floating_blocks(node: Node) -> Settings:
    """Read what turns numbers into blocks with a common exponent, or back.

    Args:
        node: the node.
    """
    if node.op == "QuantizeBFP":
        rank = node.rank(0)
        return {"signature": "* -> ?; ?; ?" if rank is None else f"* -> ?; {rank}; {rank}"}
    lengths = node.numbers("", 1)
    return {"signature": "* -> *" if lengths is None else "* -> " + " ".join(map(str, lengths))}
