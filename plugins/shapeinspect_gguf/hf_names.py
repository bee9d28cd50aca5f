"""What llama.cpp's converter calls the layers of Hugging Face's checkpoints.

Source: ``gguf-py/gguf/tensor_mapping.py``, ``TensorNameMap``.
"""

from __future__ import annotations

from shapeinspect.plugin_api.name_table import NameTable
from shapeinspect_gguf.conversion import changed, stored, stored_there, unknown
from shapeinspect_gguf.families import own_name

#: For each name inside of a block, the names in checkpoints, that of the Llama family first.
_INSIDE = {
    "attn_norm":
        "input_layernorm attention_layernorm attention_norm attn_norm layer.0.layer_norm ln ln1 ln_1 "
        "ln_mlp norm norm_1 norm_attn_norm.norm_1 operator_norm pre_attention_layernorm pre_attn_norm "
        "pre_mixer_norm rms_norm",
    "attn_norm_2": "layer_norm_1 ln2 ln_attn post_attention_layernorm",
    "attn_qkv":
        "self_attn.qkv_proj attention.query_key_value attn.Wqkv attn.c_attn attn.in_proj attn.qkv "
        "attn.qkv_proj linear_attn.in_proj_qkv mixer.Wqkv mixer.qkv_proj norm_attn_norm.attn.Wqkv qkv "
        "self_attention.query_key_value self_attn.language_expert_query_key_value "
        "self_attn.query_key_value wqkv",
    "attn_q":
        "self_attn.q_proj attention.q_lin attention.q_proj attention.self.query attention.wq "
        "attn.attention.q_proj attn.q attn.q_proj layer.0.SelfAttention.q mixer.q_proj "
        "multi_head_attention.query q_proj self_attn.q_proj.linear self_attn.q_proj_no_perm wq",
    "attn_k":
        "self_attn.k_proj attention.k_lin attention.k_proj attention.self.key attention.wk "
        "attn.attention.k_proj attn.k attn.k_proj k_proj layer.0.SelfAttention.k mixer.k_proj "
        "multi_head_attention.key self_attn.k_proj.linear self_attn.k_proj_no_perm wk",
    "attn_v":
        "self_attn.v_proj attention.self.value attention.v_lin attention.v_proj attention.wv "
        "attn.attention.v_proj attn.v attn.v_proj layer.0.SelfAttention.v mixer.v_proj "
        "multi_head_attention.value self_attn.v_proj.linear v_proj wv",
    "attn_output":
        "self_attn.o_proj attention.dense attention.out_lin attention.output.dense attention.wo "
        "attn.Wo attn.attention.out_proj attn.c_proj attn.out_proj attn_out mixer.o_proj "
        "mixer.out_proj multi_head_attention.linear norm_attn_norm.attn.out_proj self_attention.dense "
        "self_attn.dense self_attn.language_expert_dense self_attn.linear_attn self_attn.out_proj wo",
    "attn_output_norm":
        "attention.output.LayerNorm norm1 norm_attn_norm.norm_2 post_attn_norm rms_norm_1 "
        "sa_layer_norm",
    "post_attention_norm": "post_attention_layernorm post_mixer_norm post_self_attn_layernorm",
    "attn_rot_embd":
        "attention.inner_attention.rope.freqs attn.rotary_emb.inv_freq self_attn.rotary_emb.inv_freq",
    "attn_sinks": "self_attn.attention_sink_bias self_attn.sinks",
    "attn_gate": "linear_attn.in_proj_z self_attn.g_proj self_attn.gate_proj",
    "ffn_norm":
        "post_attention_layernorm feedforward_layernorm ff_norm ffn_norm layer.1.layer_norm "
        "layer.2.layer_norm ln2 ln_2 mlp_norm norm_2 pre_feedforward_layernorm pre_ff_layernorm "
        "pre_mlp_layernorm pre_mlp_norm pre_moe_layernorm pre_moe_norm rms_norm_2",
    "pre_ffw_norm_2": "pre_feedforward_layernorm_2",
    "post_ffw_norm":
        "post_feedforward_layernorm feed_forward.up_proj post_mlp_layernorm post_mlp_norm "
        "post_moe_norm",
    "post_ffw_norm_1": "post_feedforward_layernorm_1",
    "post_ffw_norm_2": "post_feedforward_layernorm_2",
    "ffn_gate_inp":
        "mlp.gate block_sparse_moe.gate block_sparse_moe.primary_router block_sparse_moe.router.layer "
        "feed_forward.gate feed_forward.router ffn.router.layer gate mixer.gate mlp.gate.wg "
        "mlp.router mlp.router.gate mlp.router.layer moe.gate router router.proj",
    "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
    "exp_probs_b":
        "block_sparse_moe.e_score_correction block_sparse_moe.gate.e_score_correction "
        "feed_forward.expert_bias mixer.gate.e_score_correction mlp.e_score_correction "
        "mlp.expert_bias mlp.gate.e_score_correction mlp.gate.expert_bias "
        "mlp.moe_statics.e_score_correction moe.router_bias",
    "ffn_up":
        "mlp.up_proj block_sparse_moe.up feed_forward.up_proj feed_forward.w3 ffn.lin1 ffn.up_proj "
        "ffn.w12 intermediate.dense layer.1.DenseReluDense.wi layer.1.DenseReluDense.wi_1 "
        "layer.2.DenseReluDense.wi layer.2.DenseReluDense.wi_1 mixer.up_proj mlp.Wi mlp.c_fc "
        "mlp.c_fc_1 mlp.dense_h_to_4h mlp.fc0 mlp.fc1 mlp.fc11 mlp.fc_in mlp.gate_up_proj "
        "mlp.gated_layers mlp.gated_layers_v mlp.language_mlp.up_proj mlp.linear_3 mlp.linear_fc1 "
        "mlp.up_gated_layer mlp.w1 residual_mlp.w3 up_proj",
    "ffn_up_exps":
        "mlp.experts.up_proj block_sparse_moe.experts.up block_sparse_moe.experts.w3 "
        "feed_forward.experts.up_proj feed_forward.experts.w3 ffn.experts.mlp.v1 mlp.experts.mlp.w1 "
        "moe.linear_v moe.up_proj",
    "ffn_up_shexp":
        "mlp.shared_expert.up_proj block_sparse_moe.shared_experts.up_proj feed_forward.down_proj "
        "feed_forward.shared_expert.up_proj mixer.shared_experts.up_proj mlp.shared_experts.up_proj "
        "mlp.shared_mlp.up_proj share_expert.up_proj shared_experts.w3",
    "ffn_up_chexps": "mlp.chunk_experts.up_proj",
    "ffn": "ffn.act",
    "ffn_gate":
        "mlp.gate_proj feed_forward.gate_proj feed_forward.w1 ff_proj layer.1.DenseReluDense.wi_0 "
        "layer.2.DenseReluDense.wi_0 mlp.c_fc2 mlp.c_fc_0 mlp.fc12 mlp.gated_layers_w "
        "mlp.language_mlp.gate_proj mlp.linear_1 mlp.w2 residual_mlp.w1",
    "ffn_gate_exps":
        "mlp.experts.gate_proj block_sparse_moe.experts.gate block_sparse_moe.experts.w1 "
        "feed_forward.experts.gate_proj feed_forward.experts.w1 ffn.experts.mlp.w1 moe.gate_proj "
        "moe.linear",
    "ffn_gate_shexp":
        "mlp.shared_expert.gate_proj block_sparse_moe.shared_experts.gate_proj "
        "feed_forward.shared_expert.gate_proj mlp.shared_experts.gate_proj mlp.shared_mlp.gate_proj "
        "share_expert.gate_proj shared_experts.w1",
    "ffn_gate_chexps": "mlp.chunk_experts.gate_proj",
    "ffn_gate_up_exps": "experts.gate_up_proj mlp.experts.gate_up_proj",
    "ffn_latent_down": "mixer.fc1_latent_proj",
    "ffn_latent_up": "mixer.fc2_latent_proj",
    "ffn_down":
        "mlp.down_proj block_sparse_moe.down feed_forward.down_proj feed_forward.w2 ff_out "
        "ffn.down_proj ffn.lin2 ffn.proj_2 ffn.w3 layer.1.DenseReluDense.wo layer.2.DenseReluDense.wo "
        "mixer.down_proj mlp.Wo mlp.c_proj mlp.dense_4h_to_h mlp.down_layer mlp.fc1 mlp.fc2 "
        "mlp.fc_out mlp.language_mlp.down_proj mlp.linear_fc2 mlp.wo output.dense residual_mlp.w2",
    "ffn_down_exps":
        "mlp.experts.down_proj block_sparse_moe.experts.down block_sparse_moe.experts.w2 "
        "block_sparse_moe.output_linear experts.down_proj feed_forward.experts.down_proj "
        "feed_forward.experts.w2 ffn.experts.mlp.w2 mlp.experts.mlp.w2 moe.down_proj moe.linear_1",
    "ffn_down_shexp":
        "mlp.shared_expert.down_proj block_sparse_moe.shared_experts.down_proj "
        "feed_forward.shared_expert.down_proj mixer.shared_experts.down_proj "
        "mlp.shared_experts.down_proj mlp.shared_mlp.down_proj share_expert.down_proj "
        "shared_experts.w2 shared_mlp.output_linear",
    "ffn_down_chexps": "mlp.chunk_experts.down_proj",
    "attn_q_norm":
        "self_attn.q_norm attention.q_norm attention.query_layernorm attention.self.layer_norm_q "
        "attn.q_ln attn.q_norm mixer.q mixer.q_norm self_attention.q_layernorm self_attn.q_layernorm "
        "self_attn.query_layernorm",
    "attn_k_norm":
        "self_attn.k_norm attention.k_norm attention.key_layernorm attention.self.layer_norm_k "
        "attn.k_ln attn.k_norm mixer.k mixer.k_norm self_attention.k_layernorm self_attn.k_layernorm "
        "self_attn.key_layernorm",
    "layer_output_norm":
        "final_layernorm layer_norm_2 mlp.layernorm norm2 output.LayerNorm output_layer_norm "
        "rms_norm_3",
    "layer_output_scale": "layer_scalar",
    "inp_gate": "per_layer_input_gate",
    "proj": "per_layer_projection",
    "post_norm": "post_per_layer_input_norm",
    "ssm_in": "mixer.in_proj in_proj linear_attn.in_proj_qkvz mamba.in_proj",
    "ssm_conv1d": "mixer.conv1d conv1d linear_attn.conv1d mamba.conv1d",
    "ssm_x": "mixer.x_proj mamba.x_proj mixer.bcdt_proj x_proj",
    "ssm_dt": "mixer.dt_proj dt_proj linear_attn.dt_proj mamba.dt_proj mixer.dt self_attn.dt_proj",
    "ssm_dt_norm": "mamba.dt_layernorm mixer.dt_norm",
    "ssm_a": "mixer.A_log A_log linear_attn.A_log mamba.A_log self_attn.A_log",
    "ssm_b_norm": "mamba.B_layernorm mamba.b_layernorm mixer.B_norm",
    "ssm_c_norm": "mamba.C_layernorm mamba.c_layernorm mixer.C_norm",
    "ssm_d": "mixer.D D mamba.D",
    "ssm_norm": "mixer.norm linear_attn.norm mamba.norm self_attn.o_norm",
    "ssm_out": "mixer.out_proj linear_attn.out_proj mamba.out_proj out_proj",
    "ssm_alpha": "linear_attn.in_proj_a",
    "ssm_ba": "linear_attn.in_proj_ba",
    "ssm_beta": "linear_attn.in_proj_b self_attn.b_proj",
    "attn_q_a": "attention.wq_a self_attn.q_a_proj",
    "attn_q_b": "attention.wq_b self_attn.q_b_proj",
    "attn_kv_a_mqa": "attention.wkv_a_with_mqa self_attn.kv_a_proj_with_mqa",
    "attn_kv_b": "self_attn.kv_b_proj",
    "attn_k_b": "attention.k_b_proj self_attn.k_b_proj",
    "attn_v_b": "attention.v_b_proj self_attn.v_b_proj",
    "attn_q_a_norm": "attention.q_a_norm self_attn.q_a_layernorm",
    "attn_kv_a_norm": "attention.kv_a_norm self_attn.kv_a_layernorm",
    "attn_sub_norm": "self_attn.inner_attn_ln",
    "ffn_sub_norm": "mlp.ffn_layernorm",
    "attn_o": "layer.0.SelfAttention.o",
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
    "cross_attn_norm": "layer.1.layer_norm",
    "cross_attn_q": "layer.1.EncDecAttention.q",
    "cross_attn_k": "layer.1.EncDecAttention.k",
    "cross_attn_v": "layer.1.EncDecAttention.v",
    "cross_attn_o": "layer.1.EncDecAttention.o",
    "cross_attn_rel_b": "layer.1.EncDecAttention.relative_attention_bias",
    "shortconv.conv": "conv.conv",
    "shortconv.in_proj": "conv.in_proj",
    "shortconv.out_proj": "conv.out_proj",
    "ln1": "attention_norm input_layernorm layer_norm1 layernorm_before ln_1 norm0 norm1",
    "attn_out":
        "attention.dense attention.o_proj attention.projection_layer attention.wo attn.out_proj "
        "attn.proj self_attn.o_proj self_attn.o_proj.linear self_attn.out_proj "
        "self_attn.projection_layer wo",
    "ln2":
        "ffn_norm layer_norm2 layernorm_after ln_2 norm1 norm2 post_attention_layernorm "
        "pre_feedforward_layernorm",
    "attn_post_norm": "post_attention_layernorm",
    "ffn_post_norm": "post_feedforward_layernorm",
    "ls1": "lambda_1 ls1 ls_1",
    "ls2": "lambda_2 ls2 ls_2",
    "nextn.eh_proj": "eh_proj",
    "nextn.embed_tokens": "embed_tokens",
    "nextn.enorm": "enorm",
    "nextn.hnorm": "hnorm",
    "nextn.shared_head_head": "shared_head.head",
    "nextn.shared_head_norm": "shared_head.norm",
}  # fmt: skip

#: The same for what stands outside of all blocks.
_OUTSIDE = {
    "token_embd":
        "model.embed_tokens backbone.embedding backbone.embeddings embed_tokens "
        "embedding.word_embeddings embeddings.tok_embeddings embeddings.word_embeddings encoder "
        "gpt_neox.embed_in model.embedding model.embeddings model.tok_embeddings "
        "model.transformer.wte model.word_embeddings rwkv.embeddings shared tok_embeddings "
        "transformer.embd.wte transformer.in_out_embed transformer.token_embeddings "
        "transformer.word_embeddings transformer.wte word_embeddings wte",
    "token_types": "embeddings.token_type_embeddings",
    "token_embd_norm":
        "backbone.norm emb_ln embeddings.LayerNorm embeddings.norm model.embedding_norm "
        "model.layers.0.pre_norm model.pre_ln rwkv.blocks.0.pre_ln transformer.norm "
        "word_embeddings_layernorm",
    "position_embd": "embeddings.position_embeddings model.embed_positions transformer.wpe wpe",
    "output":
        "lm_head embed_out head head.decoder head.out lm_head.linear model.transformer.ff_out output "
        "output_layer word_embeddings_for_head",
    "dense_2": "dense_2_out",
    "dense_3": "dense_3_out",
    "output_norm":
        "model.norm backbone.final_layer_norm backbone.norm_f encoder.final_layernorm final_norm "
        "gpt_neox.final_layer_norm lm_head.ln ln_f model.final_layernorm model.ln_out model.norm_f "
        "model.transformer.ln_f norm rwkv.ln_out transformer.ln_f transformer.norm transformer.norm_f "
        "transformer.rms_norm",
    "rope_freqs": "rope.freqs rotary_pos_emb.inv_freq",
    "enc.output_norm": "encoder.final_layer_norm layer_norm",
    "dec.output_norm": "decoder.final_layer_norm",
    "cls": "classifier classifier.dense pre_classifier dense head.dense",
    "cls.output": "classifier.out_proj",
    "cls.norm": "head.norm",
    "per_layer_token_embd": "model.embed_tokens_per_layer",
    "per_layer_model_proj": "model.per_layer_model_projection",
    "per_layer_proj_norm": "model.per_layer_projection_norm",
}  # fmt: skip

#: What the blocks of a container are called; those of a text model stand in "blk".
_BLOCKS = {
    "encoder.block": "enc.blk", "decoder.block": "dec.blk", "vision_model": "v.blk", "vision_tower": "v.blk",
    "vision_encoder": "v.blk", "vision": "v.blk", "visual": "v.blk", "vpm": "v.blk", "vit": "v.blk",
    "audio_tower": "a.blk", "*": "blk",
}  # fmt: skip

#: The names of layers in both conventions.
NAMES = NameTable(
    "ggml",
    _BLOCKS,
    {name: tuple(there.split()) for name, there in _INSIDE.items()},
    {name: tuple(there.split()) for name, there in _OUTSIDE.items()},
    changed,
    ("gguf", "hf"),
    # Every block has these, which checkpoints call by names that other architectures use otherwise.
    ("attn_norm", "ffn_norm", "attn_output"),
    stored,
    unknown,
    own_name,
    stored_there,
)
