"""What llama.cpp's converter does to the numbers of a checkpoint: rows that it turns, and what it adds.

Every row was checked against the text of its class's ``modify_tensors``; a class that has no row is unknown.

Source: ``conversion/*.py`` of llama.cpp, the classes by the names that they are registered for; that the rows
are in pairs also in ``src/llama-model.cpp``, ``llama_model_rope_type``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from shapeinspect.ir import Layer, Layout, Model
from shapeinspect.plugin_api.name_table import Change
from shapeinspect_gguf.fused import by_groups, by_heads
from shapeinspect_gguf.names import TABLE


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is done to the checkpoints of some classes.

    Args:
        architecture: the architecture of the file that is written.
        classes: the names under ``architectures`` in config.json, separated by spaces.
        types: the same under ``model_type``, for a config.json that names no class.
        paired: whether the rows of q and k are turned from two halves a head into pairs: llama.cpp rotates
            neighbors there, where Hugging Face's classes rotate the first half with the second.
        added: what is added to every number of a norm's weight, because the classes add it when they run.
        inputs_first: the linear layers that the checkpoints store with their inputs first.
        fused: how the checkpoints have the rows of one weight for queries, keys and values: ``heads``, for
            each head its query, key and value; ``groups``, for each head of keys its queries, key and value.
        state_space: whether the layers of state spaces are those of Mamba, of which A itself is stored.
        unknown: layers of which it is not known what is done to their numbers, and why.
        open_rows: the same for the order of their rows.
    """

    architecture: str
    classes: str = ""
    types: str = ""
    paired: bool = False
    added: float = 0.0
    inputs_first: str = ""
    fused: Literal["", "heads", "groups"] = ""
    state_space: bool = False
    unknown: tuple[str, str] = ("", "")
    open_rows: tuple[str, str] = ("", "")


_CONVERSIONS = (
    Conversion(
        "llama",
        "LlamaForCausalLM LLaMAForCausalLM LlamaModel MistralForCausalLM MixtralForCausalLM "
        "VLlama3ForCausalLM LlavaForConditionalGeneration VoxtralForConditionalGeneration "
        "IQuestCoderForCausalLM InternLM3ForCausalLM",
        "llama mistral mixtral internlm3",
        paired=True,
    ),
    Conversion("llama-embed", "LlamaBidirectionalModel", paired=True),
    Conversion("mistral3", "Mistral3ForConditionalGeneration Ministral3ForCausalLM", "ministral3",
               paired=True),
    Conversion("arcee", "ArceeForCausalLM", "arcee", paired=True),
    Conversion("arctic", "ArcticForCausalLM", "arctic", paired=True),
    # Of these three the converter cuts one weight of q, k and v in parts: no checkpoint is taken there.
    Conversion("baichuan", paired=True),
    Conversion("bailingmoe", paired=True),
    Conversion("internlm2", paired=True),
    Conversion("chameleon", "ChameleonForConditionalGeneration ChameleonForCausalLM", "chameleon",
               paired=True,
               unknown=("attn_q_norm attn_k_norm",
                        "the converter stores the norm of the first head for all")),
    Conversion("deci", "DeciLMForCausalLM", "deci nemotron-nas", paired=True,
               open_rows=("attn_k", "the number of its heads differs from block to block")),
    Conversion("deepseek", "DeepseekForCausalLM", "deepseek", paired=True),
    Conversion("granite", "GraniteForCausalLM", "granite", paired=True),
    Conversion("granitemoe", "GraniteMoeForCausalLM GraniteMoeSharedForCausalLM",
               "granitemoe granitemoeshared", paired=True),
    Conversion("granitehybrid", "GraniteMoeHybridForCausalLM BambaForCausalLM", "granitemoehybrid bamba",
               paired=True),
    Conversion("granite_swa", "GraniteSWAForCausalLM GraniteMoeSWAForCausalLM", paired=True),
    Conversion("llada", "LLaDAModelLM", "llada", paired=True),
    Conversion("minicpm", "MiniCPMForCausalLM", "minicpm", paired=True),
    Conversion("nanbeige", "NanbeigeForCausalLM", paired=True),
    Conversion("olmo", "OlmoForCausalLM OLMoForCausalLM", "olmo", paired=True),
    Conversion("smollm3", "SmolLM3ForCausalLM", "smollm3", paired=True),
    Conversion("xverse", "XverseForCausalLM", "xverse", paired=True),
    Conversion("gemma", "GemmaForCausalLM", "gemma", added=1),
    Conversion("gemma2", "Gemma2ForCausalLM", "gemma2", added=1),
    Conversion("gemma3", "Gemma3ForCausalLM Gemma3ForConditionalGeneration", "gemma3 gemma3_text", added=1),
    Conversion("gemma-embedding", "Gemma3TextModel", added=1),
    Conversion("nemotron", "NemotronForCausalLM", "nemotron", added=1),
    Conversion("qwen2", "Qwen2ForCausalLM Qwen2Model", "qwen2"),
    Conversion("qwen3", "Qwen3ForCausalLM", "qwen3"),
    Conversion("phi2", "PhiForCausalLM", "phi"),
    Conversion("phi3", "Phi3ForCausalLM", "phi3"),
    Conversion("olmo2", "Olmo2ForCausalLM Olmo3ForCausalLM", "olmo2 olmo3"),
    Conversion("command-r", "CohereForCausalLM", "cohere"),
    Conversion("exaone", "ExaoneForCausalLM"),
    Conversion("exaone4", "Exaone4ForCausalLM", "exaone4"),
    Conversion("starcoder", "GPTBigCodeForCausalLM", "gpt_bigcode"),
    Conversion("starcoder2", "Starcoder2ForCausalLM", "starcoder2"),
    Conversion("seed_oss", "SeedOssForCausalLM", "seed_oss"),
    Conversion("orion", "OrionForCausalLM", "orion"),
    Conversion("gpt2", "GPT2LMHeadModel", "gpt2", inputs_first="attn_qkv attn_output ffn_up ffn_down"),
    Conversion("bloom", "BloomForCausalLM BloomModel", "bloom", fused="heads"),
    Conversion("gptneox", "GPTNeoXForCausalLM", "gpt_neox", fused="heads"),
    Conversion("falcon", "FalconForCausalLM RWForCausalLM", "falcon", fused="groups"),
    Conversion("mamba", "MambaForCausalLM MambaLMHeadModel FalconMambaForCausalLM", "mamba falcon_mamba",
               state_space=True),
    Conversion("mpt", "MPTForCausalLM"),
)  # fmt: skip

_WRITTEN = {row.architecture: row for row in _CONVERSIONS}
_BY_CLASS = {name: row for row in _CONVERSIONS for name in row.classes.split()}
_BY_TYPE = {name: row for row in _CONVERSIONS for name in row.types.split()}
#: The architectures whose rows of q and k are stored in pairs.
PAIRED = frozenset(row.architecture for row in _CONVERSIONS if row.paired)

#: How the checkpoints of an architecture have the rows of one weight for queries, keys and values.
FUSED = {row.architecture: row.fused for row in _CONVERSIONS if row.fused}

#: The names inside of a block whose rows are turned, and the settings that count their heads.
_TURNED = {
    "attn_q": ("num_heads", ("config.num_attention_heads",)),
    "attn_k": ("num_kv_heads", ("config.num_key_value_heads", "config.num_attention_heads")),
}
#: The converter looks at these names alone: a checkpoint under Meta's names has its rows in pairs already.
_PROJECTIONS = ("q_proj", "k_proj")


#: The axes of a kernel of one axis without its inputs.
_KERNEL = 2


def _minus_exp(array: Any) -> Any:
    import numpy as np

    return -np.exp(array)


def _log_of_minus(array: Any) -> Any:
    import numpy as np

    return np.log(-array)


_HEADS = ("config.num_attention_heads", "config.n_head")
_KEY_HEADS = ("config.num_kv_heads", "config.n_head_kv")
#: What the checkpoints of Mamba store otherwise: the logarithm of −A, and a kernel with its one input.
#: Source: ``conversion/mamba.py`` of llama.cpp, ``modify_tensors``.
_STATE_SPACE = {
    "ssm_a": Change("as −exp of the checkpoint's", _minus_exp, _log_of_minus),
    "ssm_conv1d": Change(
        "without the axis of length 1",
        lambda kernel: kernel.squeeze(1) if kernel.ndim > _KERNEL else kernel,
        lambda kernel: kernel[:, None] if kernel.ndim == _KERNEL else kernel,
        lambda shape: (shape[0], *shape[2:]) if len(shape) > _KERNEL else shape,
        lambda shape: (shape[0], 1, *shape[1:]) if len(shape) == _KERNEL else shape,
    ),
}


def stored_there(model: Model, name: str, role: str, rank: int) -> Layout | None:
    """Return how a checkpoint stores a weight that it has in another order of axes than all others do.

    Args:
        model: a GGUF file, or a checkpoint that is to become one.
        name: the layer's name in GGUF files.
        role: the weight's role.
        rank: the number of its axes.
    """
    _, row = _conversion(model)
    if row is None or _last(name) not in row.inputs_first.split():
        return None
    return TABLE.bind("turned", role, rank)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _fused(model: Model, row: Conversion, layer: Layer, role: str) -> Layout | str | None:
    shape = next(weight.shape for weight in layer.weights if weight.role == role)
    heads = _number(model, _HEADS)
    if heads is None:
        return "the number of its heads is not known"
    if row.fused == "heads":
        return by_heads(role, shape, heads) or f"its {shape[0]} rows are not those of {heads} heads"
    # Where the configuration has none, the converter takes one for all, which the rows have to prove.
    key_heads = _number(model, _KEY_HEADS) or 1
    return by_groups(role, shape, heads, key_heads) or (
        f"its {shape[0]} rows are not those of {heads} heads and {key_heads} of keys and values, head by head"
    )


def _number(model: Model, keys: tuple[str, ...]) -> int | None:
    told = (str(model.metadata.get(key, "")) for key in keys)
    return next((int(text) for text in told if text.isdecimal() and int(text)), None)


def _checkpoint(model: Model) -> tuple[str, Conversion | None]:
    """Return what a checkpoint says that it is, and what is done to such ones."""
    first = str(model.metadata.get("config.architectures", "")).partition(", ")[0]
    kind = str(model.metadata.get("config.model_type", ""))
    return first or kind, _BY_CLASS.get(first) if first else _BY_TYPE.get(kind)


def _conversion(model: Model) -> tuple[str, Conversion | None]:
    """Return what a GGUF file or a checkpoint says that it is, and what is done to such checkpoints."""
    written = str(model.metadata.get("general.architecture") or "")
    return (written, _WRITTEN.get(written)) if written else _checkpoint(model)


def architecture(model: Model) -> str:
    """Return the architecture of a GGUF file, or of the one that a checkpoint becomes; empty if unknown.

    Args:
        model: either of them.
    """
    named, row = _conversion(model)
    return row.architecture if row is not None else named if "general.architecture" in model.metadata else ""


def unknown(model: Model, name: str) -> str:
    """Say why it is not known what is done to a layer's numbers; an empty text where it is.

    Args:
        model: a GGUF file, or a checkpoint that is to become one.
        name: the layer's name in GGUF files.
    """
    named, row = _conversion(model)
    if named and row is None:
        return f"what the converter does to the numbers of {named} is not known here"
    if _last(name).startswith("ssm_") and (row is None or not row.state_space):
        return "the converter computes other numbers for layers of state spaces"
    layers, why = row.unknown if row is not None else ("", "")
    return why if _last(name) in layers.split() else ""


def changed(model: Model, name: str) -> Change | None:
    """Return what is done to the numbers of a layer.

    Args:
        model: a GGUF file, or a checkpoint that is to become one.
        name: the layer's name in GGUF files.
    """
    _, row = _conversion(model)
    if row is None:
        return None
    if row.state_space:
        return _STATE_SPACE.get(_last(name))
    more = row.added
    if not more or not name.endswith("norm"):
        return None
    return Change(
        f"with {more:g} added",
        lambda array: array + array.dtype.type(more),
        lambda array: array - array.dtype.type(more),
    )


def stored(model: Model, layer: Layer, name: str, role: str, rank: int) -> Layout | str | None:
    """Return how the rows of q and k are stored; None for all others, a clause where that is open.

    Args:
        model: the checkpoint.
        layer: its layer.
        name: the layer's name in GGUF files.
        role: the weight's role.
        rank: the number of its axes.
    """
    named, row = _checkpoint(model)
    if name.endswith("attn_qkv"):
        return _fused(model, row, layer, role) if row is not None and row.fused else None
    attribute, keys = _TURNED.get(_last(name), ("", ()))
    if not keys:
        return None
    if not named:
        return "the order of its rows depends on the architecture, which a config.json beside the file says"
    if row is None or not row.paired or _last(layer.path) not in _PROJECTIONS:
        return None
    if _last(name) in row.open_rows[0].split():
        return row.open_rows[1]
    heads = layer.attributes.get(attribute) or _number(model, keys)
    if heads is None:
        return "the number of its heads is not known"
    return TABLE.bind("paired", role, rank, {"head": int(heads)})
