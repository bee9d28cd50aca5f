"""The configurations of known model families and the weight matrices that follow: a table.

Source: ``transformers/models/<family>/configuration_<family>.py`` (the names of settings and their
defaults) and ``modeling_<family>.py`` (the layers and the sizes they are given).
"""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.ir import Frozen


@dataclass(frozen=True, slots=True)
class Fact:
    """What a family's configuration implies for layers of one name.

    Args:
        ending: the end of the path, after a dot.
        kind: the kind that family, name and shape prove.
        type: the class of ``torch.nn`` whose layouts the weights have.
        axes: the axes of its weight, each a product of the letters of :class:`Family`.
        letters: the letter of each attribute that is a setting.
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
        settings: the setting that defines each letter; a second name applies where the first is
            missing, ``A/B`` is a quotient.
        facts: what is known of the layers, longer endings first.
        blocks: the part of a path before the number of a block.
        depth: the setting with the number of blocks.
    """

    types: str
    settings: Frozen[str]
    facts: tuple[Fact, ...]
    blocks: str
    depth: str = "num_hidden_layers"


def linear(ending: str, axes: str, **letters: str) -> Fact:
    """Return the fact of a linear layer.

    Args:
        ending: the end of its path.
        axes: those of its weight, the output axis first.
        letters: the letter of each attribute that is a setting.
    """
    return Fact(ending, "linear", "Linear", axes, Frozen(letters))


def embedding(ending: str, axes: str) -> Fact:
    """Return the fact of an embedding.

    Args:
        ending: the end of its path.
        axes: those of its weight.
    """
    return Fact(ending, "embedding", "Embedding", axes)


def norms(kind: str, axes: str, *endings: str) -> tuple[Fact, ...]:
    """Return the facts of normalization layers over one length.

    Args:
        kind: their kind.
        axes: the axis of their weights.
        endings: the ends of their paths.
    """
    type_ = {"rms_norm": "RMSNorm", "layer_norm": "LayerNorm"}[kind]
    return tuple(Fact(ending, kind, type_, axes) for ending in endings)


_QUERY = {"num_heads": "a", "head_dim": "d"}
_KEY = {"num_kv_heads": "k", "head_dim": "d"}
#: Keys and values with as many heads as queries.
_ALL_HEADS = {"num_kv_heads": "a", "head_dim": "d"}

_DECODER = (
    embedding("embed_tokens", "V H"),
    linear("lm_head", "V H"),
    linear("self_attn.q_proj", "a*d H", **_QUERY),
    linear("self_attn.k_proj", "k*d H", **_KEY),
    linear("self_attn.v_proj", "k*d H", **_KEY),
    linear("self_attn.o_proj", "H a*d"),
    linear("mlp.gate_proj", "I H"),
    linear("mlp.up_proj", "I H"),
    linear("mlp.down_proj", "H I"),
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

#: Query, key and value in one matrix.
_FUSED = linear("query_key_value", "3*H H", **_QUERY)
_BLOCK = (linear("mlp.dense_h_to_4h", "I H"), linear("mlp.dense_4h_to_h", "H I"))
_ATTENTION = tuple(fact for fact in _DECODER if fact.ending.startswith("self_attn."))
_ENDS = (embedding("embed_tokens", "V H"), linear("lm_head", "V H"))
#: The norms of a decoder block with self-attention and cross-attention.
_NORMS_OF_TWO = ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")

FAMILIES: tuple[Family, ...] = (
    Family(
        "llama mistral qwen2 smollm3 granite ministral arcee",
        _DECODER_SETTINGS,
        (*_DECODER, *norms("rms_norm", "H", *_DECODER_NORMS)),
        "layers",
    ),
    Family(
        "gemma gemma2 gemma3_text",
        _DECODER_SETTINGS,
        (
            *_DECODER,
            *norms("rms_norm", "H", *_DECODER_NORMS),
            *norms("rms_norm", "H", "pre_feedforward_layernorm", "post_feedforward_layernorm"),
            *norms("rms_norm", "d", "q_norm", "k_norm"),
        ),
        "layers",
    ),
    Family(
        "phi3",
        _DECODER_SETTINGS,
        (*_DECODER, *norms("rms_norm", "H", *_DECODER_NORMS), linear("mlp.gate_up_proj", "2*I H")),
        "layers",
    ),
    Family(
        "mixtral",
        Frozen({**_DECODER_SETTINGS, "X": "num_local_experts"}),
        (
            *_DECODER,
            *norms("rms_norm", "H", *_DECODER_NORMS),
            linear("block_sparse_moe.gate", "X H"),
            linear("w1", "I H"),
            linear("w2", "H I"),
            linear("w3", "I H"),
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
            *norms("rms_norm", "H", *_DECODER_NORMS),
            *norms("rms_norm", "d", "q_norm", "k_norm"),
            linear("mlp.gate", "X H"),
            linear("mlp.shared_expert_gate", "1 H"),
            *(
                linear(f"{home}.{name}_proj", axes.replace("M", letter))
                for home, letter in (("mlp.shared_expert", "S"), ("mlp", "I"))
                for name, axes in (("gate", "M H"), ("up", "M H"), ("down", "H M"))
            ),
            linear("gate_proj", "M H"),
            linear("up_proj", "M H"),
            linear("down_proj", "H M"),
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
            embedding("embed_tokens", "V W"),
            linear("lm_head", "V W"),
            linear("self_attn.q_proj", "a*d H", **_QUERY),
            linear("self_attn.k_proj", "a*d H", **_ALL_HEADS),
            linear("self_attn.v_proj", "a*d H", **_ALL_HEADS),
            linear("self_attn.out_proj", "H a*d"),
            linear("fc1", "I H"),
            linear("fc2", "H I"),
            *norms("layer_norm", "H", "self_attn_layer_norm", "final_layer_norm"),
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
            embedding("embeddings.word_embeddings", "V E"),
            embedding("embeddings.position_embeddings", "P E"),
            embedding("embeddings.token_type_embeddings", "T E"),
            *norms("layer_norm", "E", "embeddings.LayerNorm"),
            linear("attention.self.query", "a*d H", **_QUERY),
            linear("attention.self.key", "a*d H", **_ALL_HEADS),
            linear("attention.self.value", "a*d H", **_ALL_HEADS),
            linear("attention.output.dense", "H a*d"),
            linear("intermediate.dense", "I H"),
            linear("output.dense", "H I"),
            *norms("layer_norm", "H", "output.LayerNorm", "transform.LayerNorm", "lm_head.layer_norm"),
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
            linear("attention.attention.query", "a*d H", **_QUERY),
            linear("attention.attention.key", "a*d H", **_ALL_HEADS),
            linear("attention.attention.value", "a*d H", **_ALL_HEADS),
            linear("attention.output.dense", "H a*d"),
            linear("intermediate.dense", "I H"),
            linear("output.dense", "H I"),
            *norms("layer_norm", "H", "layernorm_before", "layernorm_after", "vit.layernorm"),
        ),
        "layer",
    ),
    Family(
        "gpt2",
        Frozen(H="n_embd", a="n_head", d="n_embd/n_head", V="vocab_size", P="n_positions"),
        (
            embedding("wte", "V H"),
            embedding("wpe", "P H"),
            linear("lm_head", "V H"),
            Fact("attn.c_attn", "linear", "Conv1D", "H 3*H", Frozen(num_heads="a", head_dim="d")),
            Fact("attn.c_proj", "linear", "Conv1D", "H H"),
            *norms("layer_norm", "H", "ln_1", "ln_2", "ln_f"),
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
            embedding("shared", "V H"),
            embedding("embed_tokens", "V H"),
            linear("lm_head", "V H"),
            embedding("relative_attention_bias", "B a"),
            *(
                fact
                for home in ("SelfAttention", "EncDecAttention")
                for fact in (
                    linear(f"{home}.q", "a*d H", **_QUERY),
                    linear(f"{home}.k", "a*d H", **_ALL_HEADS),
                    linear(f"{home}.v", "a*d H", **_ALL_HEADS),
                    linear(f"{home}.o", "H a*d"),
                )
            ),
            linear("DenseReluDense.wi", "I H"),
            linear("DenseReluDense.wi_0", "I H"),
            linear("DenseReluDense.wi_1", "I H"),
            linear("DenseReluDense.wo", "H I"),
            *norms("rms_norm", "H", "layer_norm", "final_layer_norm"),
        ),
        "encoder.block",
        "num_layers",
    ),
    Family(
        "qwen3",
        _DECODER_SETTINGS,
        (*_DECODER, *norms("rms_norm", "H", *_DECODER_NORMS), *norms("rms_norm", "d", "q_norm", "k_norm")),
        "layers",
    ),
    Family(
        "olmo2 olmo3",
        _DECODER_SETTINGS,
        (
            *_DECODER,
            *norms("rms_norm", "H", *_DECODER_NORMS, "post_feedforward_layernorm"),
            *norms("rms_norm", "a*d", "q_norm"),
            *norms("rms_norm", "k*d", "k_norm"),
        ),
        "layers",
    ),
    Family(
        "exaone4",
        _DECODER_SETTINGS,
        (
            *_DECODER,
            *norms("rms_norm", "H", *_DECODER_NORMS, "post_feedforward_layernorm"),
            *norms("rms_norm", "d", "q_norm", "k_norm"),
        ),
        "layers",
    ),
    Family(
        "glm glm4",
        _DECODER_SETTINGS,
        (
            *_DECODER,
            linear("mlp.gate_up_proj", "2*I H"),
            *norms("rms_norm", "H", *_DECODER_NORMS, "post_self_attn_layernorm", "post_mlp_layernorm"),
        ),
        "layers",
    ),
    Family(
        "stablelm cohere",
        _DECODER_SETTINGS,
        (*_DECODER, *norms("layer_norm", "H", *_DECODER_NORMS)),
        "layers",
    ),
    Family(
        "starcoder2",
        _DECODER_SETTINGS,
        (
            *_ENDS,
            *_ATTENTION,
            linear("mlp.c_fc", "I H"),
            linear("mlp.c_proj", "H I"),
            *norms("layer_norm", "H", *_DECODER_NORMS),
        ),
        "layers",
    ),
    Family(
        "phi",
        _DECODER_SETTINGS,
        (
            *_ENDS,
            *_ATTENTION,
            linear("self_attn.dense", "H a*d"),
            linear("mlp.fc1", "I H"),
            linear("mlp.fc2", "H I"),
            *norms("layer_norm", "H", "input_layernorm", "final_layernorm"),
        ),
        "layers",
    ),
    Family(
        "gpt_neox",
        _DECODER_SETTINGS,
        (
            embedding("embed_in", "V H"),
            linear("embed_out", "V H"),
            _FUSED,
            linear("attention.dense", "H H"),
            *_BLOCK,
            *norms("layer_norm", "H", "input_layernorm", "post_attention_layernorm", "final_layer_norm"),
        ),
        "layers",
    ),
    Family(
        "bloom",
        Frozen(H="hidden_size n_embed", a="n_head", d="hidden_size/n_head", V="vocab_size"),
        (
            embedding("word_embeddings", "V H"),
            linear("lm_head", "V H"),
            _FUSED,
            linear("self_attention.dense", "H H"),
            linear("mlp.dense_h_to_4h", "4*H H"),
            linear("mlp.dense_4h_to_h", "H 4*H"),
            *norms("layer_norm", "H", "word_embeddings_layernorm", "input_layernorm"),
            *norms("layer_norm", "H", "post_attention_layernorm", "ln_f"),
        ),
        "h",
        "n_layer",
    ),
    Family(
        "falcon",
        Frozen(H="hidden_size", I="ffn_hidden_size", V="vocab_size"),
        (
            embedding("word_embeddings", "V H"),
            linear("lm_head", "V H"),
            linear("self_attention.dense", "H H"),
            *_BLOCK,
            *norms("layer_norm", "H", "input_layernorm", "post_attention_layernorm"),
            *norms("layer_norm", "H", "ln_attn", "ln_mlp", "ln_f"),
        ),
        "h",
    ),
    Family(
        "distilbert",
        Frozen(
            H="dim", a="n_heads", d="dim/n_heads", I="hidden_dim", V="vocab_size", P="max_position_embeddings"
        ),
        (
            embedding("embeddings.word_embeddings", "V H"),
            embedding("embeddings.position_embeddings", "P H"),
            linear("attention.q_lin", "a*d H", **_QUERY),
            linear("attention.k_lin", "a*d H", **_ALL_HEADS),
            linear("attention.v_lin", "a*d H", **_ALL_HEADS),
            linear("attention.out_lin", "H a*d"),
            linear("ffn.lin1", "I H"),
            linear("ffn.lin2", "H I"),
            *norms("layer_norm", "H", "embeddings.LayerNorm", "sa_layer_norm", "output_layer_norm"),
            *norms("layer_norm", "H", "vocab_layer_norm"),
        ),
        "layer",
        "n_layers",
    ),
    # Encoder and decoder may differ in heads and inner lengths: only what they share is listed.
    Family(
        "bart mbart marian pegasus",
        Frozen(H="d_model", V="vocab_size"),
        (
            embedding("shared", "V H"),
            embedding("embed_tokens", "V H"),
            linear("lm_head", "V H"),
            *norms("layer_norm", "H", *_NORMS_OF_TWO, "layernorm_embedding", "layer_norm"),
        ),
        "encoder.layers",
        "encoder_layers",
    ),
    Family(
        "whisper",
        Frozen(
            H="d_model", V="vocab_size", M="num_mel_bins", S="max_source_positions", T="max_target_positions"
        ),
        (
            embedding("embed_tokens", "V H"),
            embedding("encoder.embed_positions", "S H"),
            embedding("decoder.embed_positions", "T H"),
            linear("proj_out", "V H"),
            linear("k_proj", "H H"),
            Fact("encoder.conv1", "conv", "Conv1d", "H M 3"),
            Fact("encoder.conv2", "conv", "Conv1d", "H H 3"),
            *norms("layer_norm", "H", *_NORMS_OF_TWO, "layer_norm"),
        ),
        "encoder.layers",
        "encoder_layers",
    ),
    Family(
        "dinov2 beit",
        Frozen(H="hidden_size", C="num_channels", p="patch_size"),
        (
            Fact("patch_embeddings.projection", "conv", "Conv2d", "H C p p"),
            *norms("layer_norm", "H", "norm1", "norm2", "layernorm", "layernorm_before", "layernorm_after"),
        ),
        "layer",
    ),
)  # fmt: skip
