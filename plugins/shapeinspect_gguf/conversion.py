"""What llama.cpp's converter does to the numbers of a checkpoint: rows that it turns, and what it adds.

Every row was checked against the text of its class's ``modify_tensors``; a class that has no row is unknown.

Source: ``conversion/*.py`` of llama.cpp, the classes by the names that they are registered for; that the rows
are in pairs also in ``src/llama-model.cpp``, ``llama_model_rope_type``.
"""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.ir import Layer, Layout, Model
from shapeinspect_gguf.fused import FUSED, layout
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
    """

    architecture: str
    classes: str = ""
    types: str = ""
    paired: bool = False
    added: float = 0.0


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
               paired=True),
    Conversion("deci", "DeciLMForCausalLM", "deci nemotron-nas", paired=True),
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
    Conversion("gpt2", "GPT2LMHeadModel", "gpt2"),
    Conversion("bloom", "BloomForCausalLM BloomModel", "bloom"),
    Conversion("gptneox", "GPTNeoXForCausalLM", "gpt_neox"),
    Conversion("falcon", "FalconForCausalLM RWForCausalLM", "falcon"),
    Conversion("mpt", "MPTForCausalLM"),
)  # fmt: skip

_WRITTEN = {row.architecture: row for row in _CONVERSIONS}
_BY_CLASS = {name: row for row in _CONVERSIONS for name in row.classes.split()}
_BY_TYPE = {name: row for row in _CONVERSIONS for name in row.types.split()}
#: The architectures whose rows of q and k are stored in pairs.
PAIRED = frozenset(row.architecture for row in _CONVERSIONS if row.paired)

#: The names inside of a block whose rows are turned, and the settings that count their heads.
_TURNED = {
    "attn_q": ("num_heads", ("config.num_attention_heads",)),
    "attn_k": ("num_kv_heads", ("config.num_key_value_heads", "config.num_attention_heads")),
}
#: The converter looks at these names alone: a checkpoint under Meta's names has its rows in pairs already.
_PROJECTIONS = ("q_proj", "k_proj")


#: The linear layers that GPT-2's checkpoints store with their inputs first.
_INPUTS_FIRST = frozenset({"attn_qkv", "attn_output", "ffn_up", "ffn_down"})
_HEADS = ("config.num_attention_heads", "config.n_head")
_KEY_HEADS = ("config.num_kv_heads", "config.n_head_kv")


def stored_there(model: Model, name: str, role: str, rank: int) -> Layout | None:
    """Return how a checkpoint stores a weight that it has in another order of axes than all others do.

    Args:
        model: a GGUF file, or a checkpoint that is to become one.
        name: the layer's name in GGUF files.
        role: the weight's role.
        rank: the number of its axes.
    """
    written = model.metadata.get("general.architecture")
    row = _WRITTEN.get(str(written)) if written else _checkpoint(model)[1]
    if row is None or row.architecture != "gpt2" or name.rpartition(".")[2] not in _INPUTS_FIRST:
        return None
    return TABLE.bind("turned", role, rank)


def _fused(model: Model, layer: Layer, role: str) -> Layout | str | None:
    row = _checkpoint(model)[1]
    how = FUSED.get(row.architecture) if row is not None else None
    if how is None:
        return None
    shape = next(weight.shape for weight in layer.weights if weight.role == role)
    heads = _number(model, _HEADS)
    if heads is None:
        return "the number of its heads is not known"
    key_heads = _number(model, _KEY_HEADS) or 1
    return layout(how, role, shape, heads, key_heads) or (
        f"its {shape[0]} rows are not those of {heads} heads and {key_heads} of keys and values, head by head"
        if how == "groups"
        else f"its {shape[0]} rows are not those of {heads} heads"
    )


def _number(model: Model, keys: tuple[str, ...]) -> int | None:
    told = (str(model.metadata.get(key, "")) for key in keys)
    return next((int(text) for text in told if text.isdecimal() and int(text)), None)


def _checkpoint(model: Model) -> tuple[str, Conversion | None]:
    """Return what a checkpoint says that it is, and what is done to such ones."""
    first = str(model.metadata.get("config.architectures", "")).partition(", ")[0]
    kind = str(model.metadata.get("config.model_type", ""))
    return first or kind, _BY_CLASS.get(first) if first else _BY_TYPE.get(kind)


def unknown(model: Model, name: str) -> str:
    """Say why it is not known what is done to a layer's numbers; an empty text where it is.

    Args:
        model: a GGUF file, or a checkpoint that is to become one.
        name: the layer's name in GGUF files.
    """
    written = model.metadata.get("general.architecture")
    named, row = (str(written), _WRITTEN.get(str(written))) if written else _checkpoint(model)
    last = name.rpartition(".")[2]
    if named and row is None:
        return f"what the converter does to the numbers of {named} is not known here"
    if last.startswith("ssm_"):
        return "the converter computes other numbers for layers of state spaces"
    if row is not None and row.architecture == "chameleon" and last in ("attn_q_norm", "attn_k_norm"):
        return "the converter stores the norm of the first head for all"
    return ""


def added(model: Model, layer: Layer) -> float:
    """Return what has been added to the numbers of a layer of a GGUF file.

    Args:
        model: the file.
        layer: its layer.
    """
    row = _WRITTEN.get(str(model.metadata.get("general.architecture")))
    return row.added if row is not None and layer.type.endswith("norm") else 0.0


def adds(model: Model, name: str) -> float:
    """Return what is added to the numbers of a layer of a checkpoint.

    Args:
        model: the checkpoint.
        name: the layer's name in GGUF files.
    """
    row = _checkpoint(model)[1]
    return row.added if row is not None and name.endswith("norm") else 0.0


def stored(model: Model, layer: Layer, name: str, role: str, rank: int) -> Layout | str | None:
    """Return how the rows of q and k are stored; None for all others, a clause where that is open.

    Args:
        model: the checkpoint.
        layer: its layer.
        name: the layer's name in GGUF files.
        role: the weight's role.
        rank: the number of its axes.
    """
    if name.endswith("attn_qkv"):
        return _fused(model, layer, role)
    attribute, keys = _TURNED.get(name.rpartition(".")[2], ("", ()))
    if not keys:
        return None
    named, row = _checkpoint(model)
    if not named:
        return "the order of its rows depends on the architecture, which a config.json beside the file says"
    if row is None or not row.paired or layer.path.rpartition(".")[2] not in _PROJECTIONS:
        return None
    if row.architecture == "deci" and attribute == "num_kv_heads":
        return "the number of its heads differs from block to block"
    told = [str(model.metadata.get(key, "")) for key in keys]
    heads = layer.attributes.get(attribute) or next((int(text) for text in told if text.isdecimal()), None)
    if heads is None:
        return "the number of its heads is not known"
    return TABLE.bind("paired", role, rank, {"head": int(heads)})
