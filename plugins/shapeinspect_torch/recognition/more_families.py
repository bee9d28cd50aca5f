"""Further families of models and what their configurations say; nothing but rows.

Source: as in ``families``.
"""

from __future__ import annotations

from shapeinspect.ir import Frozen
from shapeinspect_torch.recognition.families import (
    DECODER,
    DECODER_NORMS,
    DECODER_SETTINGS,
    Fact,
    Family,
    embedding,
    linear,
    norms,
)

_HEADS = {"num_heads": "a", "head_dim": "d"}
_FUSED = linear("query_key_value", "3*H H", **_HEADS)
_BLOCK = (linear("mlp.dense_h_to_4h", "I H"), linear("mlp.dense_4h_to_h", "H I"))
_ATTENTION = tuple(fact for fact in DECODER if fact.ending.startswith("self_attn."))
_ENDS = (embedding("embed_tokens", "V H"), linear("lm_head", "V H"))
_NORMS_OF_TWO = ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")

MORE: tuple[Family, ...] = (
    Family(
        "qwen3",
        DECODER_SETTINGS,
        (*DECODER, *norms("rms_norm", "H", *DECODER_NORMS), *norms("rms_norm", "d", "q_norm", "k_norm")),
        "layers",
    ),
    Family(
        "olmo2 olmo3",
        DECODER_SETTINGS,
        (
            *DECODER,
            *norms("rms_norm", "H", *DECODER_NORMS, "post_feedforward_layernorm"),
            *norms("rms_norm", "a*d", "q_norm"),
            *norms("rms_norm", "k*d", "k_norm"),
        ),
        "layers",
    ),
    Family(
        "exaone4",
        DECODER_SETTINGS,
        (
            *DECODER,
            *norms("rms_norm", "H", *DECODER_NORMS, "post_feedforward_layernorm"),
            *norms("rms_norm", "d", "q_norm", "k_norm"),
        ),
        "layers",
    ),
    Family(
        "glm glm4",
        DECODER_SETTINGS,
        (
            *DECODER,
            linear("mlp.gate_up_proj", "2*I H"),
            *norms("rms_norm", "H", *DECODER_NORMS, "post_self_attn_layernorm", "post_mlp_layernorm"),
        ),
        "layers",
    ),
    Family(
        "stablelm cohere",
        DECODER_SETTINGS,
        (*DECODER, *norms("layer_norm", "H", *DECODER_NORMS)),
        "layers",
    ),
    Family(
        "starcoder2",
        DECODER_SETTINGS,
        (
            *_ENDS,
            *_ATTENTION,
            linear("mlp.c_fc", "I H"),
            linear("mlp.c_proj", "H I"),
            *norms("layer_norm", "H", *DECODER_NORMS),
        ),
        "layers",
    ),
    Family(
        "phi",
        DECODER_SETTINGS,
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
        DECODER_SETTINGS,
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
            linear("attention.q_lin", "a*d H", **_HEADS),
            linear("attention.k_lin", "a*d H", num_kv_heads="a", head_dim="d"),
            linear("attention.v_lin", "a*d H", num_kv_heads="a", head_dim="d"),
            linear("attention.out_lin", "H a*d"),
            linear("ffn.lin1", "I H"),
            linear("ffn.lin2", "H I"),
            *norms("layer_norm", "H", "embeddings.LayerNorm", "sa_layer_norm", "output_layer_norm"),
            *norms("layer_norm", "H", "vocab_layer_norm"),
        ),
        "layer",
        "n_layers",
    ),
    # Encoder and decoder may differ in heads and inner lengths: what they share is told.
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
