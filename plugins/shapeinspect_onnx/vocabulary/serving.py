"""ONNX Runtime's operators for serving language models, and for graphs that another compiler made.

Few of them have a kernel for the CPU; the tests hold each row against the shapes that onnxruntime infers.
Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from shapeinspect_onnx.vocabulary import settings_serving as serve
from shapeinspect_onnx.vocabulary.row import Op, op, signed

_PAGED = "query key value key_cache value_cache cumulative_sequence_length past_seqlens block_table"
_NORMED = "q_norm_weight k_norm_weight k_scale v_scale attention_metadata"
_STATE = "source_backing {} destination_backing metadata"

#: ``com.microsoft``, with the names of the inputs.
SERVING: dict[str, tuple[str, Op]] = {
    # attention
    "PagedAttention": (
        f"{_PAGED} cos_cache sin_cache slot_mapping head_sink {_NORMED}",
        op("attention", serve.paged_attention, params="11 12 13 14 15", fixed="8 9 16"),
    ),
    "SparsePagedAttention": (
        f"{_PAGED} slot_mapping selected_indices selected_counts auxiliary_key auxiliary_value "
        f"auxiliary_lengths cos_cache sin_cache head_sink {_NORMED}",
        op("attention", serve.paged_attention, params="16 17 18 19 20", fixed="14 15 21"),
    ),
    "DynamicSparseAttention": (
        "query key value past_key past_value auxiliary_key auxiliary_value selected_indices selected_counts "
        "seqlens_k total_sequence_length cos_cache sin_cache position_ids q_norm_weight k_norm_weight "
        "head_sink committed_length key_scale value_scale",
        op("attention", serve.dynamic_sparse_attention, params="14 15 16 18 19", fixed="10 11 12"),
    ),
    "QOrderedLongformerAttention": (
        "input scale_input weight scale_weight bias scale_bias scale_qkv_gemm mask global_weight "
        "scale_global_weight global_bias scale_global_gemm global scale_output",
        signed("attention", "N T E -> N T E", work="?", params="2 3 4 8 9 10", fixed="1 5 6 11 13"),
    ),
    "SparseAttentionIndexer": (
        "query key query_norm_weight key_norm_weight cos_cache sin_cache mask past_key gate position_bias "
        "head_weights position_ids past_sequence_length past_proj_buffer",
        op("operation", serve.indexer, params="2 3 9", fixed="4 5 12", operands="0 7 13"),
    ),
    "PackedSparseAttentionIndexer": (
        "query key query_norm_weight key_norm_weight cos_cache sin_cache cumulative_sequence_lengths "
        "past_sequence_lengths gate position_bias head_weights position_ids past_key_state past_kv_buffer "
        "past_gate_buffer past_state_lengths state_update_capture_count state_update_active indexshare_mode "
        "merged_indices merged_counts merged_status",
        op("operation", serve.indexer, params="2 3 9", fixed="4 5 18", operands="0 12 13 14 15"),
    ),
    "PackedSparseAttentionIndexerMerge": (
        "base_indices base_counts base_row_indices range_starts range_ends additional_indices "
        "additional_counts",
        signed("operation", "*, *, M -> M e; M; M", "e=max_output_entries"),
    ),
    "GatedDeltaNet": (
        "query key value cu_seqlens decay beta initial_state a_log dt_bias capture_count state_update_active",
        op("linear_attention", serve.gated_delta_net, params="7 8", fixed="10"),
    ),
    "Mamba2Verify": (
        "projection conv_state ssm_state conv_weight conv_bias dt_bias A_negative D norm_weight state_row",
        signed(
            "operation", "M _, S C _, S h s p -> M h*p; S C 3; S h s p; M C; M h*p",
            work="M*C*4+2*M*h*s*p", params="3 4 5 6 7 8",
        ),
    ),
    # products
    "MatMulPacked": ("A B global_scale", op("linear", serve.packed_matrix, params="1 2")),
    "MatMulBlockQuantizedFp4Weight": (
        "A B weight_scale weight_scale_2 input_scale bias",
        op("linear", serve.scaled_matrix, params="1 2 3 5", fixed="4"),
    ),
    "MatMulBlockQuantizedFp8Weight": (
        "A B b_scale a_scale bias",
        op("linear", serve.scaled_matrix, params="1 2 4", fixed="3"),
    ),
    "RouterGateUpProj": (
        "X W",
        signed(
            "linear", "N T i -> N T r; N T (o-r)/2 | M i -> M r; M (o-r)/2", "r=router_size o=@1.1",
            "N*T*i*o | M*i*o", params="1",
        ),
    ),
    "MoEPacked": (
        "input router_probs gate_experts_weights up_experts_weights down_experts_weights router_weights",
        op("moe", serve.mixture, params="2 3 4", operands="0 1 5"),
    ),
    "MoEGroupRouter": (
        "logits expert_bias projection_weight",
        op("operation", serve.router, params="1 2"),
    ),
    "VarlenCausalConvWithState": (
        "input weight cumulative_sequence_length bias initial_state capture_count kernel_delta previous_mask",
        op("conv", serve.causal_conv, params="1 3", operands="0 4"),
    ),
    # lookups
    "GatherPacked": ("data indices", op("embedding", serve.packed_table, params="0", operands="1")),
    "NGramHashMapping": (
        "input_ids multipliers vocab_sizes past_ids head_offsets eos_token_id segment_ids",
        op("operation", serve.n_grams),
    ),
    "VarlenNGramHashMapping": (
        "input_ids multipliers vocab_sizes cumulative_sequence_length past_ids head_offsets eos_token_id "
        "segment_ids past_segment_ids capture_count",
        op("operation", serve.n_grams),
    ),
    # streams
    "HyperConnectionPreMix": ("streams pre_mix", op("operation", serve.streams)),
    "HyperConnectionPostMix": (
        "streams block_output post_mix stream_mix",
        signed("operation", "... -> ..."),
    ),
    "HyperConnectionLowRankMix": (
        "streams norm_scale down_weight up_weight inject_weight prev_block_output prev_post_gate",
        op("operation", serve.low_rank_mix, params="1 2 3 4", operands="0 5 6"),
    ),
    "EngramGate": (
        "key query value key_norm_scale query_norm_scale conv_norm_scale",
        signed("operation", "N T C h -> N T C h; N T C h", work="N*T*C*h", params="3 4 5"),
    ),
    "RMSNormRotary": (
        "X scale position_ids cosine sine prefill_numerics",
        op("rms_norm", serve.rms_norm_rotary, params="1", fixed="3 4 5", operands="0 2"),
    ),
    # states and tokens
    "ConvStateReplay": (_STATE.format("capture_backing"), signed("operation", "*, *, n -> n")),
    "GatedDeltaNetStateReplay": (_STATE.format("capsule_backing"), signed("operation", "*, *, n -> n")),
    "SpeculativePrefixCommit": (
        "next_tokens input_ids status ctl ctx_commit prefixes ptrs",
        signed(
            "operation",
            "N r, *, *, A c, B x -> N; A c; B x | r, *, *, c, x -> 1; c; x | N r, *, *, c, x -> N; c; x",
        ),
    ),
    "BifurcationDetector": (
        "src_tokens cur_tokens prev_suffix_match_idx pred_tokens",
        signed("select", "* -> ?; "),
    ),
    "QuantizeBFP": ("x", op("quantize", serve.floating_blocks)),
    "DequantizeBFP": ("x shape strides", op("dequantize", serve.floating_blocks, fixed="1 2")),
    # what another compiler made of a part of the graph: nobody but it knows the shapes
    **{name: ("inputs", signed("operation", "* -> *", work="?")) for name in ("EPContext", "Snpe")},
}  # fmt: skip
