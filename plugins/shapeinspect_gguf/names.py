"""What the standard tensor names of GGUF prove: a table, and the lookup.

llama.cpp gives every tensor of an architecture the same name, whatever the model was converted
from. A name in the table counts as proof only together with the rank that its use requires.

Source: ``ggml/docs/gguf.md``, "Standardized tensor names"; ``src/llama-arch.cpp``,
``LLM_TENSOR_NAMES`` and ``LLM_TENSOR_INFOS`` (which operation each tensor is for).
"""

from __future__ import annotations

import re

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout import Row, Table

_BLOCKS = ("blk.#", "enc.blk.#", "dec.blk.#", "v.blk.#", "a.blk.#")

#: The operand of a matrix product (``ggml_mul_mat``): rows are outputs.
_LINEAR_TOP = (
    "output cls cls.output dense_2 dense_3 per_layer_model_proj mm.# mm.model.mlp.# mm.up mm.gate mm.down"
)
_LINEAR = (
    "attn_q attn_k attn_v attn_qkv attn_output attn_out attn_o attn_gate attn_q_a attn_q_b attn_kv_a_mqa "
    "attn_kv_b cross_attn_q cross_attn_k cross_attn_v cross_attn_o "
    "ffn_gate ffn_up ffn_down ffn_gate_inp ffn_gate_shexp ffn_up_shexp ffn_down_shexp "
    "ssm_in ssm_x ssm_dt ssm_out inp_gate proj "
    "time_mix_key time_mix_value time_mix_receptance time_mix_gate time_mix_output "
    "channel_mix_key channel_mix_value channel_mix_receptance "
    "shortconv.in_proj shortconv.out_proj nextn.eh_proj nextn.shared_head_head"
)
#: One matrix per expert (``ggml_mul_mat_id``).
_EXPERTS = (
    "ffn_gate_exps ffn_up_exps ffn_down_exps ffn_gate_up_exps ffn_gate_chexps ffn_up_chexps ffn_down_chexps"
)
#: Rows that are looked up (``ggml_get_rows``).
_EMBEDDING_TOP = "token_embd position_embd token_types per_layer_token_embd v.position_embd"
_EMBEDDING = "nextn.embed_tokens"
#: A factor per feature after a division by a norm.
_NORM_TOP = "token_embd_norm output_norm enc.output_norm dec.output_norm cls.norm v.pre_ln v.post_ln"
_NORM = (
    "attn_norm attn_norm_2 attn_q_norm attn_k_norm attn_output_norm post_attention_norm attn_sub_norm "
    "attn_q_a_norm attn_kv_a_norm cross_attn_norm ffn_norm post_ffw_norm "
    "pre_ffw_norm_2 post_ffw_norm_1 post_ffw_norm_2 "
    "ffn_sub_norm layer_output_norm post_norm ln1 ln2 nextn.enorm nextn.hnorm nextn.shared_head_norm"
)
_CONV_TOP = "v.patch_embd"


def _names(top: str, inside: str) -> list[str]:
    return [*top.split(), *(f"{block}.{name}" for name in inside.split() for block in _BLOCKS)]


#: The role of each standard name in the rows below; numbers are written ``#``.
USES: dict[str, str] = {
    name: use
    for use, names in (
        ("linear", _names(_LINEAR_TOP, _LINEAR)),
        ("experts", _names("", _EXPERTS)),
        ("embedding", _names(_EMBEDDING_TOP, _EMBEDDING)),
        ("norm", _names(_NORM_TOP, _NORM)),
        ("conv", _names(_CONV_TOP, "")),
    )
    for name in names
}

#: Axes, outermost first: the reader has put the reversed dims of the file right.
TABLE = Table(
    (
        Row("linear", "weight", "o i", "o i"),
        Row("linear", "bias", "o", "o"),
        # Queries and keys whose rows stand in pairs that are rotated together: elsewhere each head has the
        # first one of every pair, then the second ones. Source: ``conversion/llama.py``, ``permute``.
        Row("paired", "weight", "(head pair two) i", "(head two pair) i", Frozen(two=2)),
        Row("paired", "bias", "(head pair two)", "(head two pair)", Frozen(two=2)),
        # Queries, keys and values in one weight: elsewhere they stand head by head.
        Row("fused", "weight", "(three head d) i", "(head three d) i", Frozen(three=3)),
        Row("fused", "bias", "(three head d)", "(head three d)", Frozen(three=3)),
        Row("grouped", "weight", "(piece d) i", "(piece d) i"),
        # A linear layer of GPT-2, as its checkpoints store it. Source: ``conversion/gpt2.py``.
        Row("turned", "weight", "i o", "o i"),
        Row("experts", "weight", "expert o i", "expert o i"),
        Row("experts", "bias", "expert o", "expert o"),
        Row("embedding", "weight", "V E", "V E"),
        *(Row("norm", role, "C", "C") for role in ("weight", "bias")),
        # ggml_conv_2d: the kernel's ne is KW KH IC OC.
        Row("conv", "weight", "o i kh kw", "o i kh kw"),
        Row("conv", "bias", "o", "o"),
        # Two factors of an update of another weight, as llama.cpp's converter of adapters orders them.
        Row("lora", "weight.lora_a", "r i", "r i"),
        Row("lora", "weight.lora_b", "o r", "o r"),
    )
)

#: The kind of each use; a norm's is decided by the metadata.
KINDS = {"linear": "linear", "experts": "linear", "embedding": "embedding", "conv": "conv", "lora": "lora"}

#: What may follow the last dot of a tensor's name.
ROLES = frozenset(("weight", "bias", "scale", "input_scale", "lora_a", "lora_b"))

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
#: The order of execution of top-level layers; anything else runs between blocks and output.
_STAGES = {
    **dict.fromkeys(("v", "a"), 0),
    "mm": 1,
    **dict.fromkeys(("token_embd", "token_embd_norm", "position_embd", "token_types"), 2),
    "enc": 3,
    "dec": 4,
    "blk": 5,
    "output_norm": 7,
    **dict.fromkeys(("output", "cls"), 8),
}
_LAST = 6
#: These follow all blocks of their stack.
_AFTER = frozenset(("enc.output_norm", "dec.output_norm", "v.post_ln", "a.post_ln"))


def use_of(path: str) -> str | None:
    """Return what the tensors of a layer are used for, or None if its name is not standard.

    Args:
        path: the layer's path: a tensor's name without its last part.

    Source: ``src/llama-arch.cpp``, ``LLM_TENSOR_INFOS``.

    Example:
        >>> use_of("blk.17.attn_q"), use_of("blk.17.attn_q_norm"), use_of("model.attn")
        ('linear', 'norm', None)
    """
    return USES.get(_NUMBER.sub("#", path))


def split(name: str) -> tuple[str, str]:
    """Split a tensor's name into its layer's path and its role.

    Args:
        name: the tensor's name.

    Example:
        >>> split("blk.0.attn_q.weight"), split("blk.0.ssm_a")
        (('blk.0.attn_q', 'weight'), ('blk.0.ssm_a', 'ssm_a'))
    """
    path, dot, role = name.rpartition(".")
    if dot and path and role in ROLES:
        inner, dot, base = path.rpartition(".")
        if role.startswith("lora_") and dot and inner and base in ROLES:
            return inner, f"{base}.{role}"
        return path, role
    return name, name.rpartition(".")[2] or name


def bind(use: str | None, role: str, ndim: int, heads: int = 0) -> Layout | None:
    """Return the axes of one tensor, or None if nothing proves them.

    Args:
        use: the use of its layer.
        role: its role in the layer.
        ndim: its rank.
        heads: how many heads its rows form; 0 where that is of no account.

    Example:
        >>> bind("linear", "weight", 2).native
        'o i'
    """
    return TABLE.bind(use or "", role, ndim, {"head": heads} if heads else None)


def order(path: str) -> tuple[int, bool, int]:
    """Return a key that sorts layers by execution: embeddings, blocks by number, output.

    Args:
        path: the layer's path.

    Example:
        >>> sorted(("output", "blk.10.attn_q", "blk.9.ffn_up", "token_embd"), key=order)
        ['token_embd', 'blk.9.ffn_up', 'blk.10.attn_q', 'output']
    """
    stage = _STAGES.get(path.partition(".")[0], _LAST)
    match = _NUMBER.search(path)
    if match is None:
        return stage, path in _AFTER, 0
    return stage, False, int(match.group()[:18]) + 1
