"""Notes where metadata and tensors contradict each other, and what the file lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shapeinspect.ir import Layer, Note
from shapeinspect_gguf.expected import demanded, demands, expert_lengths, heads, wrong
from shapeinspect_gguf.facts import Facts
from shapeinspect_gguf.model import HEADS, block_of, head_dim

#: If one of these is stated, heads differ between layers or are compressed, so no single check applies.
_OTHER_HEADS = (
    "attention.key_length_swa",
    "attention.key_length_mla",
    "attention.kv_lora_rank",
    "attention.q_lora_rank",
)
#: Architectures whose tensors have exactly these shapes; llama.cpp refuses others.
#: Source: ``llama-model.cpp``, ``load_tensors``, and ``check_tensor_dims`` of ``llama-model-loader.cpp``.
_PLAIN = ("llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "mistral3", "internlm2")
_NORMS, _READING = (
    ("attn_norm", "ffn_norm", "output_norm"),
    ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"),
)
_WRITING = ("attn_output", "ffn_down")
#: The most contradictions that are listed individually.
_MOST = 8


def findings(layers: Sequence[Layer], facts: Facts, complete: bool) -> tuple[Note, ...]:
    """Compare what the metadata states with the tensors' shapes.

    Args:
        layers: all layers.
        facts: the metadata.
        complete: whether all files of the model were read.
    """
    if not facts.named_by_standard:
        if all(layer.kind != "unknown" for layer in layers):
            return ()
        return (
            Note("the metadata names no architecture with a block count, so the tensor names prove no kinds"),
        )
    contradictions = [*_widths(layers, facts), *_attention(layers, facts)]
    plain = facts.architecture in _PLAIN
    if plain:
        contradictions = [replace(note, fault=True) for note in (*contradictions, *_stream(layers, facts))]
    contradictions = _once([*contradictions, *expert_lengths(layers, facts)])
    notes = contradictions[:_MOST]
    if rest := contradictions[_MOST:]:
        notes.append(
            Note(
                f"{len(rest)} more tensors contradict the metadata in the same way",
                fault=any(note.fault for note in rest),
                contradictions=tuple(item for note in rest if note.fault for item in note.contradictions),
            )
        )
    notes.extend(heads(facts))
    if complete:
        notes.extend(demanded(layers, facts))
        notes.extend(_whole(layers, facts))
        if (plain or demands(facts)) and not contradictions and not any(note.fault for note in notes):
            text = f"its {len(layers):,} layers have the tensors and lengths that its metadata states"
            notes.append(Note(text, held=True))
    return tuple(notes)


def _once(notes: Sequence[Note]) -> list[Note]:
    """Leave what a loader prints to the first contradiction: it stops there."""
    return [
        note
        if index == 0
        else replace(note, contradictions=tuple(replace(item, messages=()) for item in note.contradictions))
        for index, note in enumerate(notes)
    ]


def _stream(layers: Sequence[Layer], facts: Facts) -> Iterator[Note]:
    """Compare what reads and writes the residual stream with its width, and the inner width with its own."""
    width = facts.number("embedding_length")
    for layer in layers:
        block = block_of(layer)
        inner = None if block is None else facts.block_number("feed_forward_length", block)
        if layer.kind == "rms_norm" and layer.type in _NORMS and width is not None:
            shape = layer.attributes.get("normalized_shape")
            if shape != (width,):
                got = shape if isinstance(shape, tuple) else ()
                origin = f"{facts.architecture}.embedding_length {width}"
                yield Note(
                    f"the metadata states {width:,} ({facts.architecture}.embedding_length), "
                    f"but the tensor has {' × '.join(map(str, got))}",
                    layer.path,
                    contradictions=(wrong(layer, (width,), got, origin),),
                )
        elif layer.kind == "linear" and (layer.type in _READING or layer.path == "output"):
            yield from _differs(layer, "in_features", "embedding_length", width, facts)
        elif layer.kind == "linear" and layer.type in _WRITING:
            yield from _differs(layer, "out_features", "embedding_length", width, facts)
            if layer.type == "ffn_down":
                yield from _differs(layer, "in_features", "feed_forward_length", inner, facts)


def _differs(layer: Layer, name: str, key: str, stated: int | None, facts: Facts) -> Iterator[Note]:
    actual = layer.attributes.get(name)
    if stated is not None and actual is not None and actual != stated:
        axes = (
            ("out_features", "in_features") if layer.kind == "linear" else ("num_embeddings", "embedding_dim")
        )
        got = [layer.attributes.get(axis) for axis in axes]
        expected = [stated if axis == name else length for axis, length in zip(axes, got, strict=True)]
        origin = f"{facts.architecture}.{key} {stated}"
        yield Note(
            f"the metadata states {stated:,} ({facts.architecture}.{key}), "
            f"but the tensor has {name} = {actual:,}",
            layer.path,
            contradictions=(wrong(layer, expected, got, origin),),
        )


def _widths(layers: Sequence[Layer], facts: Facts) -> Iterator[Note]:
    width = facts.number("embedding_length")
    for layer in layers:
        if layer.path == "token_embd" and not facts.holds("features_length"):
            yield from _differs(layer, "embedding_dim", "embedding_length", width, facts)
            yield from _differs(layer, "num_embeddings", "vocab_size", facts.number("vocab_size"), facts)
            words, rows = facts.count("tokenizer.ggml.tokens"), layer.attributes.get("num_embeddings")
            if words is not None and rows is not None and words != rows:
                yield Note(
                    f"the tokenizer lists {words:,} tokens, but the table has {rows:,} rows", layer.path
                )
        block = block_of(layer)
        if block is not None and layer.type in ("ffn_gate", "ffn_up") and layer.kind == "linear":
            stated = facts.block_number("feed_forward_length", block)
            fused = stated is not None and layer.attributes.get("out_features") == 2 * stated
            if not (fused and layer.type == "ffn_up"):
                yield from _differs(layer, "out_features", "feed_forward_length", stated, facts)


def _attention(layers: Sequence[Layer], facts: Facts) -> Iterator[Note]:
    if any(facts.holds(key) for key in _OTHER_HEADS):
        return
    for layer in layers:
        block = block_of(layer)
        if block is None or layer.kind != "linear":
            continue
        if layer.type == "attn_output":
            heads = facts.block_number("attention.head_count", block)
            width = head_dim(facts, "attention.value_length", block)
            if heads and width:
                yield from _differs(
                    layer, "in_features", "attention.head_count × head width", heads * width, facts
                )
        if layer.type not in HEADS:
            continue
        name, count_key, _ = HEADS[layer.type]
        heads, width = layer.attributes.get(name), layer.attributes.get("head_dim")
        # Some architectures store a gate with the query, which doubles its size.
        allowed = (1, 2) if layer.type == "attn_q" else (1,)
        if heads and width and layer.attributes["out_features"] not in [heads * width * n for n in allowed]:
            yield from _differs(layer, "out_features", f"{count_key} × head width", heads * width, facts)


def _whole(layers: Sequence[Layer], facts: Facts) -> Iterator[Note]:
    blocks = {block for layer in layers if (block := block_of(layer)) is not None}
    stated = facts.number("block_count")
    if blocks and stated is not None and (len(blocks), max(blocks)) != (stated, stated - 1):
        yield Note(
            f"the metadata states {stated:,} blocks ({facts.architecture}.block_count), "
            f"but the file holds {len(blocks):,}, numbered up to {max(blocks):,}"
        )
    paths = {layer.path for layer in layers}
    encoder = (
        facts.holds("pooling_type") or facts.fields.get(f"{facts.architecture}.attention.causal") is False
    )
    if "output" not in paths and {"token_embd", "output_norm"} <= paths and not encoder:
        yield Note(
            "there is no output.weight: the output projection is tied to token_embd.weight", "token_embd"
        )
