"""What checkpoints of architectures call their layers whose names are not those of the Llama family.

Source: the classes of ``transformers`` of these names; ``gguf-py/gguf/tensor_mapping.py`` has them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shapeinspect.ir import Model
from shapeinspect_gguf.conversion import architecture


@dataclass(frozen=True, slots=True)
class Family:
    """The names of one architecture.

    Args:
        blocks: the container of its blocks.
        inside: for each name inside of a block of a GGUF file the name there.
        outside: the same for what stands outside of all blocks.
    """

    blocks: str
    inside: Mapping[str, str]
    outside: Mapping[str, str]


_BLOOM = {
    "attn_norm": "input_layernorm", "attn_qkv": "self_attention.query_key_value",
    "attn_output": "self_attention.dense", "ffn_norm": "post_attention_layernorm",
    "ffn_up": "mlp.dense_h_to_4h", "ffn_down": "mlp.dense_4h_to_h",
}  # fmt: skip
_WORDS = {
    "token_embd": "transformer.word_embeddings", "token_embd_norm": "transformer.word_embeddings_layernorm",
    "output_norm": "transformer.ln_f", "output": "lm_head",
}  # fmt: skip

FAMILIES = {
    "gpt2": Family(
        "transformer.h",
        {
            "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_norm": "ln_2",
            "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
        },
        {
            "token_embd": "transformer.wte", "position_embd": "transformer.wpe",
            "output_norm": "transformer.ln_f", "output": "lm_head",
        },
    ),
    "bloom": Family("transformer.h", _BLOOM, _WORDS),
    "falcon": Family("transformer.h", {**_BLOOM, "attn_norm_2": "ln_attn"}, _WORDS),
    "gptneox": Family(
        "gpt_neox.layers",
        {
            **_BLOOM, "attn_qkv": "attention.query_key_value", "attn_output": "attention.dense",
        },
        {
            "token_embd": "gpt_neox.embed_in", "output_norm": "gpt_neox.final_layer_norm",
            "output": "embed_out",
        },
    ),
    "mamba": Family(
        "backbone.layers",
        {
            "attn_norm": "norm", "ssm_in": "mixer.in_proj", "ssm_conv1d": "mixer.conv1d",
            "ssm_x": "mixer.x_proj", "ssm_dt": "mixer.dt_proj", "ssm_a": "mixer.A_log", "ssm_d": "mixer.D",
            "ssm_out": "mixer.out_proj",
        },
        {"token_embd": "backbone.embeddings", "output_norm": "backbone.norm_f", "output": "lm_head"},
    ),
}  # fmt: skip


def own_name(model: Model, name: str) -> str | None:
    """Return what the checkpoints of an architecture call a layer.

    Args:
        model: a GGUF file, or a checkpoint that is to become one.
        name: the layer's name there.

    Returns:
        None where the architecture has no names of its own; an empty text where it has none for this layer.
    """
    named = architecture(model)
    family = FAMILIES.get(named)
    if family is None:
        return None
    block, _, rest = name.partition(".")
    number, _, ending = rest.partition(".")
    if block != "blk" or not number.isdecimal():
        return family.outside.get(name, "")
    inside = family.inside.get(ending, "")
    # Blocks with two norms ahead of attention and feed-forward call the first one by the latter.
    if named == "falcon" and ending == "attn_norm":
        two = any(layer.path == f"blk.{number}.attn_norm_2" for layer in model.layers)
        inside = "ln_mlp" if two else inside
    return f"{family.blocks}.{number}.{inside}" if inside else ""
