"""Which tensors llama.cpp demands of an architecture, and how long those of experts are.

Source: ``src/llama-model.cpp``, ``load_tensors``: the tensors without ``TENSOR_NOT_REQUIRED``; the order of
lengths and the messages of ``src/llama-model-loader.cpp``, ``check_tensor_dims``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from shapeinspect.ir import Contradiction, Layer, Note
from shapeinspect_gguf.facts import Facts

#: So many tensors are named in a sentence, and so many kept.
_LISTED, _MOST = 4, 1000
#: A model without blocks is none, and one with more is not worked out.
_MOST_BLOCKS = 4096
_ATTENTION = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output")
_DENSE = ("ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
_EXPERTS = ("ffn_norm", "ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")
_SHARED = ("ffn_gate_inp_shexp", "ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp")
_HEAD_NORMS = ("attn_q_norm", "attn_k_norm")
_AFTER = ("post_attention_norm", "post_ffw_norm")
#: The tensors of each block, without and with experts; an architecture without an entry has none such.
_BLOCKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "llama": ((*_ATTENTION, *_DENSE), (*_ATTENTION, *_EXPERTS)),
    "mistral3": ((*_ATTENTION, *_DENSE), (*_ATTENTION, *_EXPERTS)),
    "internlm2": ((*_ATTENTION, *_DENSE), ()),
    "qwen2": ((*_ATTENTION, *_DENSE), ()),
    "qwen3": ((*_ATTENTION, *_HEAD_NORMS, *_DENSE), ()),
    "gemma": ((*_ATTENTION, *_DENSE), ()),
    "gemma2": ((*_ATTENTION, *_AFTER, *_DENSE), ()),
    "gemma3": ((*_ATTENTION, *_HEAD_NORMS, *_AFTER, *_DENSE), ()),
    "qwen2moe": ((), (*_ATTENTION, *_EXPERTS, *_SHARED)),
    "qwen3moe": ((), (*_ATTENTION, *_HEAD_NORMS, *_EXPERTS)),
}
#: What stands in the place of others: fused projections, and experts that older files hold one by one.
_INSTEAD = {
    **dict.fromkeys(("attn_q", "attn_k", "attn_v"), ("attn_qkv",)),
    "ffn_gate_exps": ("ffn_gate_up_exps", "ffn_gate.0"),
    "ffn_up_exps": ("ffn_gate_up_exps", "ffn_up.0"),
    "ffn_down_exps": ("ffn_down.0",),
}
#: The axis of a stack of experts that is as long as one of them is wide.
_WIDTH_AXES = {"ffn_gate_exps": 1, "ffn_up_exps": 1, "ffn_down_exps": 2}


def demanded(layers: Sequence[Layer], facts: Facts) -> Iterator[Note]:
    """Yield which tensors are missing of those without which the architecture is not loaded.

    Args:
        layers: all layers of all files.
        facts: the metadata.
    """
    count, rows = facts.number("block_count"), demands(facts)
    if not rows or count is None or not 0 < count <= _MOST_BLOCKS:
        return
    paths = {layer.path for layer in layers}
    names = ["token_embd", "output_norm", *(f"blk.{block}.{name}" for block in range(count) for name in rows)]
    missing = [name for name in names if name not in paths and not _replaced(name, paths)]
    if not missing:
        return
    found = [
        Contradiction(
            f"{name}.weight",
            "a tensor",
            "missing",
            f"{facts.architecture}.block_count {count}"
            if name.startswith("blk.")
            else f"a {facts.architecture}",
            (("llama.cpp", f"missing tensor '{name}.weight'"),) if name == missing[0] else (),
        )
        for name in missing[:_MOST]
    ]
    more = f" and {len(missing) - _LISTED:,} more" if len(missing) > _LISTED else ""
    text = f"missing tensors of a {facts.architecture}: {', '.join(missing[:_LISTED])}{more}"
    yield Note(text, fault=True, contradictions=tuple(found))


def demands(facts: Facts) -> tuple[str, ...]:
    """Return the tensors of each block without which the architecture is not loaded, empty where not known.

    Args:
        facts: the metadata.
    """
    dense, experts = _BLOCKS.get(facts.architecture or "", ((), ()))
    return experts if facts.number("expert_count") else dense


def _replaced(name: str, paths: set[str]) -> bool:
    block, _, last = name.rpartition(".")
    return any(f"{block}.{other}" in paths for other in _INSTEAD.get(last, ()))


def expert_lengths(layers: Sequence[Layer], facts: Facts) -> Iterator[Note]:
    """Yield where stacks of experts have another number or width of them than the metadata states.

    Args:
        layers: all layers of all files.
        facts: the metadata.
    """
    if not demands(facts):
        return
    experts, own = facts.number("expert_count"), "expert_feed_forward_length"
    key = own if facts.holds(own) and facts.architecture != "llama" else "feed_forward_length"
    for layer in layers:
        axis = _WIDTH_AXES.get(layer.type)
        shape = layer.weights[0].shape if layer.weights else ()
        if axis is None or len(shape) != 3 or not all(type(length) is int for length in shape):
            continue
        width = facts.number(key)
        expected = list(shape)
        origins = []
        if experts is not None and shape[0] != experts:
            expected[0] = experts
            origins.append(f"{facts.architecture}.expert_count {experts}")
        if width is not None and shape[axis] != width:
            expected[axis] = width
            origins.append(f"{facts.architecture}.{key} {width}")
        if origins:
            origin = ", ".join(origins)
            text = f"the metadata states {origin}, but the tensor has {' × '.join(map(str, shape))}"
            yield Note(text, layer.path, fault=True, contradictions=(wrong(layer, expected, shape, origin),))


def heads(facts: Facts) -> Iterator[Note]:
    """Yield where the heads that the metadata states do not divide what they share.

    Args:
        facts: the metadata.
    """
    if not demands(facts):
        return
    width, count = facts.number("embedding_length"), facts.number("attention.head_count")
    groups = facts.number("attention.head_count_kv")
    name = f"{facts.architecture}.attention.head_count"
    if width and count and not facts.holds("attention.key_length") and width % count:
        origin = f"{facts.architecture}.embedding_length {width}"
        found = Contradiction(name, f"a divisor of {width}", str(count), origin)
        yield Note(f"{count} heads do not divide {width} features", fault=True, contradictions=(found,))
    if count and groups and count % groups:
        found = Contradiction(f"{name}_kv", f"a divisor of {count}", str(groups), f"{name} {count}")
        text = f"{groups} heads of keys and values do not divide {count} of queries"
        yield Note(text, fault=True, contradictions=(found,))


def wrong(layer: Layer, expected: Sequence[object], got: Sequence[object], origin: str) -> Contradiction:
    """Return that a tensor has other lengths than the metadata states.

    Args:
        layer: its layer.
        expected: the lengths that are stated, outermost first.
        got: those of the tensor.
        origin: where the expectation comes from.
    """
    name = f"{layer.path}.weight"
    # ggml's lengths stand innermost first.
    stated, stored = (", ".join(map(str, reversed(shape))) for shape in (expected, got))
    message = f"check_tensor_dims: tensor '{name}' has wrong shape; expected {stated}, got {stored}"
    expected_text, got_text = (f"({', '.join(map(str, shape))})" for shape in (expected, got))
    return Contradiction(name, expected_text, got_text, origin, (("llama.cpp", message),))
