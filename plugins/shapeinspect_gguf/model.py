"""Builds the layers: groups tensors by name, with kinds where the standard names prove them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Attribute, Layer, Packing, Quantization, Weight
from shapeinspect.sources.source import Source
from shapeinspect_gguf import names, values
from shapeinspect_gguf.conversion import FUSED, PAIRED
from shapeinspect_gguf.facts import Facts
from shapeinspect_gguf.fused import by_groups, by_heads
from shapeinspect_gguf.reader import Tensor

_RMS, _LAYER = "attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"
#: The projections that form heads, and the metadata keys of the number of heads and their size.
HEADS = {
    "attn_q": ("num_heads", "attention.head_count", "attention.key_length"),
    "attn_k": ("num_kv_heads", "attention.head_count_kv", "attention.key_length"),
    "attn_v": ("num_kv_heads", "attention.head_count_kv", "attention.value_length"),
}

#: Of these, the ones whose heads are rotated by position.
_ROTATED = ("attn_q", "attn_k")

#: The possible kinds of a weight of rank 4 whose name proves nothing.
_CONVOLUTIONS = ("conv", "conv_transpose")


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor and the file that holds it.

    Args:
        tensor: the tensor.
        source: the file.
        order: the byte order of its data.
        where: the file's name, if it is not the requested one.
    """

    tensor: Tensor
    source: Source
    order: str
    where: str | None


def layers(tensors: Iterable[StoredTensor], facts: Facts) -> tuple[Layer, ...]:
    """Group tensors into layers, in the order of execution where the names reveal it.

    Args:
        tensors: all tensors of all files.
        facts: the metadata.
    """
    grouped: dict[str, list[tuple[str, StoredTensor]]] = {}
    for stored in tensors:
        path, role = names.split(stored.tensor.name)
        grouped.setdefault(path, []).append((role, stored))
    standard = facts.named_by_standard
    ordered = sorted(grouped, key=names.order) if standard else list(grouped)
    return tuple([_layer(path, grouped[path], facts, standard) for path in ordered])


def block_of(layer: Layer) -> int | None:
    """Return the number of the decoder block that contains a layer, or None.

    Args:
        layer: a layer of :func:`layers`.

    Example:
        >>> block_of(Layer("blk.3.attn_q", "linear", "attn_q", ("blk", "3", "attn_q")))
        3
    """
    return _block(layer.parts)


def _block(parts: tuple[str, ...]) -> int | None:
    if len(parts) > 2 and parts[0] == "blk" and parts[1].isdecimal():
        return int(parts[1][:18])
    return None


def head_dim(facts: Facts, key: str, block: int | None) -> int | None:
    """Return the size of a head, or None if the metadata does not determine it.

    Args:
        facts: the metadata.
        key: the key that states it; without it, the embedding is divided among the heads.
        block: the number of the block.

    Source: ``src/llama-model.cpp``, ``load_hparams``: ``n_embd_head_k = n_embd / n_head``.
    """
    if facts.holds(key):
        return facts.block_number(key, block)
    heads, width = facts.block_number("attention.head_count", block), facts.number("embedding_length")
    return width // heads if heads and width and width % heads == 0 else None


def _layer(path: str, members: list[tuple[str, StoredTensor]], facts: Facts, standard: bool) -> Layer:
    shapes = {role: stored.tensor.shape for role, stored in members}
    main = shapes.get("weight")
    use = names.use_of(path) if standard else None
    if use is not None and (main is None or names.bind(use, "weight", len(main)) is None):
        use = None
    lora = _lora(shapes, facts)
    if lora:
        use = "lora"
    parts = tuple(path.split("."))
    heads = _paired_heads(parts, main or (), facts) if use == "linear" else 0
    weights = tuple([_weight(role, stored, "paired" if heads else use, heads) for role, stored in members])
    if use == "linear" and parts[-1] == "attn_qkv":
        weights = tuple([_fused(weight, parts, facts) for weight in weights])
    type_, kind = parts[-1], "unknown"
    candidates: tuple[str, ...] = ()
    attributes: dict[str, Attribute] = {}
    if use is None or (main is None and not lora):
        candidates = _CONVOLUTIONS if main is not None and len(main) == 4 else ()
    elif use == "norm":
        kind, candidates, attributes = _norm(weights, main or (), facts)
    else:
        kind, attributes = names.KINDS[use], lora or _attributes(use, main or ())
        if use == "linear" and type_ in HEADS:
            attributes |= _heads(parts, facts)
    return Layer(path, kind, type_, parts, Frozen(attributes), weights, candidates)


def _weight(role: str, stored: StoredTensor, use: str | None, heads: int) -> Weight:
    tensor = stored.tensor
    dtype = tensor.block.dtype if tensor.block is not None else None
    return Weight(
        tensor.name,
        role,
        tensor.shape,
        dtype,
        tensor.nbytes,
        layout=names.bind(use, role, len(tensor.shape), heads),
        where=stored.where,
        values=values.reader(stored.source, stored.order, tensor),
        quantization=_quantization(tensor),
    )


def _quantization(tensor: Tensor) -> Quantization | None:
    block = tensor.block
    if block is None or block.values == 1:
        return None
    bits = next((int(sign) for sign in block.dtype if sign.isdigit()), None)
    rows, last = tensor.shape[:-1], tensor.shape[-1]
    shape = (*rows, last // block.values * block.nbytes)
    packing = Packing(shape, "uint8", len(rows), block.values, block.nbytes)
    # The scales are inside the blocks, and the name of the type says how many there are.
    return Quantization("ggml", block.dtype, bits, None, packing)


def _attributes(use: str, shape: tuple[int, ...]) -> dict[str, Attribute]:
    if use == "embedding":
        return {"num_embeddings": shape[0], "embedding_dim": shape[1]}
    if use == "conv":
        return {"in_channels": shape[1], "out_channels": shape[0], "kernel_size": shape[2:], "groups": 1}
    result: dict[str, Attribute] = {"in_features": shape[-1], "out_features": shape[-2]}
    if use == "experts":
        result["num_experts"] = shape[0]
    return result


def _heads(parts: tuple[str, ...], facts: Facts) -> dict[str, Attribute]:
    block = _block(parts)
    if block is None:
        return {}
    name, count_key, width_key = HEADS[parts[-1]]
    count, width = facts.block_number(count_key, block), head_dim(facts, width_key, block)
    if count is None and not facts.holds(count_key):
        # Without their own count, keys and values have as many heads as queries.
        count = facts.block_number("attention.head_count", block)
    stated = {name: count, "head_dim": width}
    return {key: value for key, value in stated.items() if value is not None}


def _paired_heads(parts: tuple[str, ...], shape: tuple[int, ...], facts: Facts) -> int:
    """Return the number of heads whose rows stand in pairs; 0 where they do not, or nothing proves it."""
    if facts.architecture not in PAIRED or parts[-1] not in _ROTATED or len(shape) != 2:
        return 0
    stated = _heads(parts, facts)
    heads, width = stated.get(HEADS[parts[-1]][0]), stated.get("head_dim")
    # The rows of another number of heads would be turned in a way that nothing says.
    known = isinstance(heads, int) and isinstance(width, int) and heads * width == shape[0] and width % 2 == 0
    return int(heads) if known and heads else 0


def _fused(weight: Weight, parts: tuple[str, ...], facts: Facts) -> Weight:
    """Return a weight of queries, keys and values with the order of its rows, if checkpoints have another."""
    how, block = FUSED.get(str(facts.architecture)), _block(parts)
    heads = facts.block_number("attention.head_count", block)
    if how is None or not heads or weight.layout is None:
        return weight
    if how == "heads":
        return replace(weight, layout=by_heads(weight.role, weight.shape, heads))
    # Without such a key, llama.cpp takes as many as there are heads of queries; the rows have to prove it.
    key_heads = facts.block_number("attention.head_count_kv", block) or heads
    return replace(weight, layout=by_groups(weight.role, weight.shape, heads, key_heads))


def _norm(
    weights: tuple[Weight, ...], shape: tuple[int, ...], facts: Facts
) -> tuple[str, tuple[str, ...], dict[str, Attribute]]:
    """Return the kind of a norm, its possible kinds where that is unknown, and its settings."""
    rms, centered = facts.holds(_RMS), facts.holds(_LAYER)
    biased = any(weight.role == "bias" for weight in weights)
    attributes: dict[str, Attribute] = {"normalized_shape": shape}
    if rms == centered or (rms and biased):
        return "unknown", ("layer_norm", "rms_norm"), attributes
    eps = facts.real(_RMS if rms else _LAYER)
    if eps is not None:
        attributes["eps"] = eps
    return "rms_norm" if rms else "layer_norm", (), attributes


def _lora(shapes: dict[str, tuple[int, ...]], facts: Facts) -> dict[str, Attribute]:
    # A pair of low-rank factors: A is r i, B is o r.
    down, up = shapes.get("weight.lora_a", ()), shapes.get("weight.lora_b", ())
    if len(shapes) != 2 or len(down) != 2 or len(up) != 2 or down[0] != up[1]:
        return {}
    result: dict[str, Attribute] = {"in_features": down[1], "out_features": up[0], "rank": down[0]}
    alpha = facts.real("adapter.lora.alpha", full=True)
    return result if alpha is None else {**result, "alpha": alpha}
