"""What the configurations of known model families say of each weight matrix; nothing but rows.

Source: ``transformers/models/<family>/configuration_<family>.py`` (the names of settings and their
defaults) and ``modeling_<family>.py`` (the layers and the sizes they are given).
"""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.ir import Frozen


@dataclass(frozen=True, slots=True)
class Fact:
    """What a family's configuration says of the layers whose path ends so.

    Args:
        ending: the end of the path, after a dot.
        kind: the kind that family, name and shape prove.
        type: the class of ``torch.nn`` whose layouts the weights have.
        axes: the axes of its weight, each a product of the letters of :class:`Family`.
        letters: attributes that are a setting: the attribute and its letter.
    """

    ending: str
    kind: str
    type: str
    axes: str
    letters: Frozen[str] = Frozen()


@dataclass(frozen=True, slots=True)
class Family:
    """One family of architectures.

    Args:
        types: the ``model_type`` of each member, separated by spaces.
        settings: the letter of each length and the setting that gives it; a second name is taken
            where the first is not there, ``A/B`` is a quotient.
        facts: what is known of the layers, those with longer endings first.
        blocks: what stands before the number of a block in a path.
        depth: the setting that says how many blocks there are.
    """

    types: str
    settings: Frozen[str]
    facts: tuple[Fact, ...]
    blocks: str
    depth: str = "num_hidden_layers"


def _linear(ending: str, axes: str, **letters: str) -> Fact:
    return Fact(ending, "linear", "Linear", axes, Frozen(letters))


def _embedding(ending: str, axes: str) -> Fact:
    return Fact(ending, "embedding", "Embedding", axes)


def _norms(kind: str, axes: str, *endings: str) -> tuple[Fact, ...]:
    type_ = {"rms_norm": "RMSNorm", "layer_norm": "LayerNorm"}[kind]
    return tuple(Fact(ending, kind, type_, axes) for ending in endings)


_QUERY = {"num_heads": "a", "head_dim": "d"}
_KEY = {"num_kv_heads": "k", "head_dim": "d"}

_DECODER = (
    _embedding("embed_tokens", "V H"),
    _linear("lm_head", "V H"),
    _linear("self_attn.q_proj", "a*d H", **_QUERY),
    _linear("self_attn.k_proj", "k*d H", **_KEY),
    _linear("self_attn.v_proj", "k*d H", **_KEY),
    _linear("self_attn.o_proj", "H a*d"),
    _linear("mlp.gate_proj", "I H"),
    _linear("mlp.up_proj", "I H"),
    _linear("mlp.down_proj", "H I"),
)
_DECODER_NORMS = ("input_layernorm", "post_attention_layernorm", "model.norm")
_DECODER_SETTINGS = Frozen(
    H="hidden_size",
    a="num_attention_heads",
    k="num_key_value_heads num_attention_heads",
    d="head_dim hidden_size/num_attention_heads",
    I="intermediate_size",
    V="vocab_size",
)

FAMILIES: tuple[Family, ...] = (
    Family(
        "llama mistral qwen2 qwen3 olmo2 olmo3 smollm3 granite exaone4 ministral arcee",
        _DECODER_SETTINGS,
        (*_DECODER, *_norms("rms_norm", "H", *_DECODER_NORMS)),
        "layers",
    ),
    Family(
        "gemma gemma2 gemma3_text",
        _DECODER_SETTINGS,
        (
            *_DECODER,
            *_norms("rms_norm", "H", *_DECODER_NORMS),
            *_norms("rms_norm", "H", "pre_feedforward_layernorm", "post_feedforward_layernorm"),
        ),
        "layers",
    ),
    Family(
        "phi3",
        _DECODER_SETTINGS,
        (*_DECODER, *_norms("rms_norm", "H", *_DECODER_NORMS), _linear("mlp.gate_up_proj", "2*I H")),
        "layers",
    ),
    Family(
        "mixtral",
        Frozen({**_DECODER_SETTINGS, "X": "num_local_experts"}),
        (
            *_DECODER,
            *_norms("rms_norm", "H", *_DECODER_NORMS),
            _linear("block_sparse_moe.gate", "X H"),
            _linear("w1", "I H"),
            _linear("w2", "H I"),
            _linear("w3", "I H"),
        ),
        "layers",
    ),
    Family(
        "qwen2_moe qwen3_moe",
        Frozen({
            **_DECODER_SETTINGS, "X": "num_experts", "M": "moe_intermediate_size",
            "S": "shared_expert_intermediate_size",
        }),
        (
            *(fact for fact in _DECODER if not fact.ending.startswith("mlp.")),
            *_norms("rms_norm", "H", *_DECODER_NORMS),
            _linear("mlp.gate", "X H"),
            *(
                _linear(f"{home}.{name}_proj", axes.replace("M", letter))
                for home, letter in (("mlp.shared_expert", "S"), ("mlp", "I"))
                for name, axes in (("gate", "M H"), ("up", "M H"), ("down", "H M"))
            ),
            _linear("gate_proj", "M H"),
            _linear("up_proj", "M H"),
            _linear("down_proj", "H M"),
        ),
        "layers",
    ),
    Family(
        "opt",
        Frozen(
            H="hidden_size", W="word_embed_proj_dim hidden_size", a="num_attention_heads",
            d="hidden_size/num_attention_heads", I="ffn_dim", V="vocab_size",
        ),
        (
            _embedding("embed_tokens", "V W"),
            _linear("lm_head", "V W"),
            _linear("self_attn.q_proj", "a*d H", **_QUERY),
            _linear("self_attn.k_proj", "a*d H", num_kv_heads="a", head_dim="d"),
            _linear("self_attn.v_proj", "a*d H", num_kv_heads="a", head_dim="d"),
            _linear("self_attn.out_proj", "H a*d"),
            _linear("fc1", "I H"),
            _linear("fc2", "H I"),
            *_norms("layer_norm", "H", "self_attn_layer_norm", "layers.final_layer_norm"),
        ),
        "layers",
    ),
    Family(
        "bert roberta xlm-roberta camembert electra",
        Frozen(
            H="hidden_size", a="num_attention_heads", d="hidden_size/num_attention_heads",
            I="intermediate_size", V="vocab_size", P="max_position_embeddings", T="type_vocab_size",
            E="embedding_size hidden_size",
        ),
        (
            _embedding("embeddings.word_embeddings", "V E"),
            _embedding("embeddings.position_embeddings", "P E"),
            _embedding("embeddings.token_type_embeddings", "T E"),
            *_norms("layer_norm", "E", "embeddings.LayerNorm"),
            _linear("attention.self.query", "a*d H", **_QUERY),
            _linear("attention.self.key", "a*d H", num_kv_heads="a", head_dim="d"),
            _linear("attention.self.value", "a*d H", num_kv_heads="a", head_dim="d"),
            _linear("attention.output.dense", "H a*d"),
            _linear("intermediate.dense", "I H"),
            _linear("output.dense", "H I"),
            *_norms("layer_norm", "H", "output.LayerNorm"),
        ),
        "layer",
    ),
    Family(
        "vit deit",
        Frozen(
            H="hidden_size", a="num_attention_heads", d="hidden_size/num_attention_heads",
            I="intermediate_size", C="num_channels", p="patch_size",
        ),
        (
            Fact("patch_embeddings.projection", "conv", "Conv2d", "H C p p"),
            _linear("attention.attention.query", "a*d H", **_QUERY),
            _linear("attention.attention.key", "a*d H", num_kv_heads="a", head_dim="d"),
            _linear("attention.attention.value", "a*d H", num_kv_heads="a", head_dim="d"),
            _linear("attention.output.dense", "H a*d"),
            _linear("intermediate.dense", "I H"),
            _linear("output.dense", "H I"),
            *_norms("layer_norm", "H", "layernorm_before", "layernorm_after", "vit.layernorm"),
        ),
        "layer",
    ),
    Family(
        "gpt2",
        Frozen(H="n_embd", a="n_head", d="n_embd/n_head", V="vocab_size", P="n_positions"),
        (
            _embedding("wte", "V H"),
            _embedding("wpe", "P H"),
            _linear("lm_head", "V H"),
            Fact("attn.c_attn", "linear", "Conv1D", "H 3*H", Frozen(num_heads="a", head_dim="d")),
            Fact("attn.c_proj", "linear", "Conv1D", "H H"),
            *_norms("layer_norm", "H", "ln_1", "ln_2", "ln_f"),
        ),
        "h",
        "n_layer",
    ),
    Family(
        "t5 mt5 umt5",
        Frozen(
            H="d_model", a="num_heads", d="d_kv", I="d_ff", V="vocab_size", B="relative_attention_num_buckets"
        ),
        (
            _embedding("shared", "V H"),
            _embedding("embed_tokens", "V H"),
            _linear("lm_head", "V H"),
            _embedding("relative_attention_bias", "B a"),
            *(
                fact
                for home in ("SelfAttention", "EncDecAttention")
                for fact in (
                    _linear(f"{home}.q", "a*d H", **_QUERY),
                    _linear(f"{home}.k", "a*d H", num_kv_heads="a", head_dim="d"),
                    _linear(f"{home}.v", "a*d H", num_kv_heads="a", head_dim="d"),
                    _linear(f"{home}.o", "H a*d"),
                )
            ),
            _linear("DenseReluDense.wi", "I H"),
            _linear("DenseReluDense.wi_0", "I H"),
            _linear("DenseReluDense.wi_1", "I H"),
            _linear("DenseReluDense.wo", "H I"),
            *_norms("rms_norm", "H", "layer_norm", "final_layer_norm"),
        ),
        "encoder.block",
        "num_layers",
    ),
)  # fmt: skip
