"""ONNX Runtime's own operators: the names of their inputs, which are the roles of weights, and their rows.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md ; the tests compare the
names with the schemas of the installed onnxruntime, and the shapes with what it computes.
"""

from __future__ import annotations

from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.vocabulary import settings_attention as attend
from shapeinspect_onnx.vocabulary import settings_conv as conv
from shapeinspect_onnx.vocabulary import settings_fused as fused
from shapeinspect_onnx.vocabulary import settings_shape as shape
from shapeinspect_onnx.vocabulary.row import Op, named, op, signed

_QCONV = "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B"
_BINARY = "A A_scale A_zero_point B B_scale B_zero_point C_scale C_zero_point"
_UNARY = "X X_scale X_zero_point Y_scale Y_zero_point"
_NORMED = "... E -> ... 1; ... 1; ... E"
_SEARCH = "input_ids max_length min_length"
_FC = "fc{0}_experts_weights fc{0}_experts_bias"
#: The slots of a concatenation's tensors, each followed by its scale and zero point.
_JOINED = 100
_TENSORS = " ".join(str(2 + 3 * index) for index in range(_JOINED))
_NAMES = " ".join(f"X{index} X{index}_scale X{index}_zero_point" for index in range(_JOINED))
_SCALES = "0 1 " + " ".join(f"{3 + 3 * index} {4 + 3 * index}" for index in range(_JOINED))


def _fused_norm(kind: str, params: str) -> Op:
    reader = conv.skip_layer_norm
    return op(kind, lambda node: {**reader(node), "further_outputs": _NORMED}, params=params)


def _activation(function: str, fixed: str = "", params: str = "") -> Op:
    return op("activation", lambda node: {"function": function}, params=params, fixed=fixed)


def _elementwise(function: str, fixed: str = "", operands: str = "") -> Op:
    return named("elementwise", "op", function, fixed=fixed, operands=operands)


def _product(slot: int = 1, params: str = "") -> Op:
    return op(
        lambda node: "linear" if fused.is_linear(node, slot) else "matmul", fused.matmul_at(slot), params
    )


def _qmatmul(slot: int, params: str, fixed: str = "", operands: str = "") -> Op:
    def kind(node: Node) -> str:
        return "linear" if conv.is_linear(node, slot) else "matmul"

    return op(kind, conv.matmul_at(slot), params, fixed, operands)


def _quantized_concat(node: Node) -> str:
    """Return ``concat`` for as many tensors as the row has slots for; of more, some would be left out."""
    return "concat" if len(node.connected) <= 2 + 3 * _JOINED else "unknown"


#: ``com.microsoft``, with the names of the inputs.
MICROSOFT: dict[str, tuple[str, Op]] = {
    # products
    "FusedConv": ("X W B Z", op("conv", fused.conv, params="1 2")),
    "NhwcConv": ("X W B", op("conv", fused.conv, params="1 2")),
    "NhwcFusedConv": ("X W B Z", op("conv", fused.conv, params="1 2")),
    "QLinearConv": (_QCONV, op("conv", fused.qconv, params="3 4 5 8", fixed="1 2 6 7")),
    "ConvTransposeWithDynamicPads": (
        "X W Pads B",
        op("conv_transpose", fused.conv_transpose, params="1 3", fixed="2"),
    ),
    "CausalConvWithState": (
        "input weight bias past_state",
        op("conv", fused.causal_conv, params="1 2", operands="0 3"),
    ),
    "FusedGemm": ("A B C", op(conv.gemm_kind, fused.gemm, params="1 2")),
    "GemmFastGelu": ("X W bias", _qmatmul(1, params="1 2")),
    "GemmFloat8": (
        "A B C scaleA scaleB scaleY",
        op(conv.gemm_kind, fused.gemm, params="1 2", fixed="3 4 5"),
    ),
    **{
        name: ("A B", _product(params="1"))
        for name in ("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "SparseToDenseMatMul")
    },
    "MatMulInteger16": ("A B", _qmatmul(1, params="1")),
    "MatMulNBits": (
        "A B scales zero_points g_idx bias",
        op("linear", conv.matmul_nbits, params="1 2 3 4 5"),
    ),
    "MatMulBnb4": ("A B absmax", op("linear", conv.matmul_nbits, params="1 2")),
    "MatMulFpQ4": ("A B B_shape", op("linear", fused.matmul_of_shape, params="1", fixed="2")),
    "MatMulNBitsQLoRA": (
        "X W scales lora_A lora_A_scales lora_B lora_B_scales",
        op("linear", conv.matmul_nbits, params="1 2 3 4 5 6"),
    ),
    "MatMulNBitsMlp": (
        "A skip norm_scale gate_B gate_scales gate_bias up_B up_scales up_bias",
        signed(
            "linear", "... i -> ... o; ... i", "i=K o=N", "?",
            settings=conv.matmul_nbits, params="2 3 4 5 6 7 8",
        ),
    ),
    "MatMulNBitsQkv": (
        "A skip norm_scale q_B q_scales q_bias k_B k_scales k_bias v_B v_scales v_bias",
        signed(
            "linear", "... i -> ... q; ... k; ... k; ... i", "i=K q=Nq k=Nkv", "?",
            settings=fused.qkv, params="2 3 4 5 6 7 8 9 10 11",
        ),
    ),
    "MatMulIntegerToFloat": (
        "A B a_scale b_scale a_zero_point b_zero_point bias",
        _qmatmul(1, params="1 3 5 6", fixed="2 4"),
    ),
    "DynamicQuantizeMatMul": ("A B b_scale b_zero_point bias", _qmatmul(1, params="1 2 3 4")),
    "QGemm": (
        "A a_scale a_zero_point B b_scale b_zero_point C y_scale y_zero_point",
        op(fused.qgemm_kind, fused.qgemm, params="3 4 5 6", fixed="1 2 7 8", operands="0 3"),
    ),
    "QOrderedMatMul": (
        "A scale_A B scale_B scale_Y bias C scale_C",
        _qmatmul(2, params="2 3 5", fixed="1 4 7", operands="0 2"),
    ),
    "MoE": (
        f"input router_probs {_FC.format(1)} {_FC.format(2)} {_FC.format(3)}",
        op("moe", fused.moe, params="2 3 4 5 6 7"),
    ),
    "QMoE": (
        "input router_probs fc1_experts_weights fc1_scales fc1_experts_bias fc2_experts_weights fc2_scales "
        "fc2_experts_bias fc3_experts_weights fc3_scales fc3_experts_bias fc1_zero_points fc2_zero_points "
        "fc3_zero_points router_weights fc1_global_scale fc2_global_scale fc1_act_scale fc2_act_scale "
        "fc1_act_block_scale fc2_act_block_scale",
        op("moe", fused.moe, params="2 3 4 5 6 7 8 9 10 11 12 13 15 16 17 18 19 20", operands="0 1 14"),
    ),
    # attention
    "Attention": (
        "input weights bias mask_index past attention_bias past_sequence_length",
        op("attention", attend.packed_attention, params="1 2", fixed="6", operands="0 3 4"),
    ),
    "QAttention": (
        "input weight bias input_scale weight_scale mask_index input_zero_point weight_zero_point past",
        op("attention", attend.packed_attention, params="1 2 4 7", fixed="3 6", operands="0 5 8"),
    ),
    "DecoderMaskedSelfAttention": (
        "input weights bias mask_index past attention_bias past_sequence_length beam_width cache_indirection",
        op("attention", attend.packed_attention, params="1 2", fixed="6 7", operands="0 3 4"),
    ),
    "PackedAttention": (
        "input weights bias token_offset cumulative_sequence_length attention_bias",
        op("attention", attend.packed_attention, params="1 2"),
    ),
    "PackedMultiHeadAttention": (
        "query key value bias token_offset cumulative_sequence_length attention_bias",
        signed("attention", "M H 3 D -> M H*D | M E, M k, M v -> M v", "H=num_heads", "?", params="3"),
    ),
    "MultiHeadAttention": (
        "query key value bias key_padding_mask attention_bias past_key past_value past_sequence_length "
        "cache_indirection",
        op("attention", attend.attention, params="3", fixed="8"),
    ),
    "DecoderMaskedMultiHeadAttention": (
        "query key value mask_index attention_bias past_key past_value past_sequence_length beam_width "
        "cache_indirection bias",
        op("attention", attend.attention, params="10", fixed="7 8"),
    ),
    "GroupQueryAttention": (
        "query key value past_key past_value seqlens_k total_sequence_length cos_cache sin_cache "
        "position_ids attention_bias head_sink k_scale v_scale q_norm_weight k_norm_weight query_seqlens",
        op("attention", attend.attention, fixed="6 7 8 12 13", params="11 14 15"),
    ),
    "SparseAttention": (
        "query key value past_key past_value block_row_indices block_col_indices total_sequence_length "
        "key_total_sequence_lengths cos_cache sin_cache",
        op("attention", attend.attention, fixed="7 9 10"),
    ),
    "LongformerAttention": (
        "input weight bias mask global_weight global_bias global",
        signed("attention", "N T E -> N T E", work="?", params="1 2 4 5"),
    ),
    "DecoderAttention": (
        "query key q_weight kv_weight bias key_padding_mask key_cache value_cache static_kv use_past "
        "has_layer_state has_key_padding_mask",
        signed(
            "attention", "T N E, S N _ -> T N E; N H ? E/H; N H ? E/H", "H=num_heads", "?",
            params="2 3 4",
        ),
    ),
    "QOrderedAttention": (
        "input scale_input scale_Q_gemm scale_K_gemm scale_V_gemm Q_weight K_weight V_weight scale_Q_weight "
        "scale_K_weight scale_V_weight Q_bias K_bias V_bias scale_QKT_gemm scale_QKT_softmax "
        "scale_values_gemm mask_index past attention_bias",
        signed(
            "attention", "N T i -> N T o", "o=@7.1", "?",
            params="5 6 7 8 9 10 11 12 13", fixed="1 2 3 4 14 15 16",
        ),
    ),
    "LinearAttention": (
        "query key value past_state decay beta",
        op("linear_attention", attend.linear_attention),
    ),
    "LinearAttentionGate": (
        "a dt_bias decay_scale b",
        signed("operation", "N T H -> N T H; N T H", params="1 2"),
    ),
    "RelativePositionBias": (
        "bias_table query_length key_length",
        signed("embedding", "-> 1 H q k", "H=@0.1 q=#1 k=#2", params="0", fixed="1 2"),
    ),
    "GatedRelativePositionBias": (
        "query_layer query_bias rel_pos weight bias eco_a token_offset",
        signed(
            "operation", "N T E -> N H T T | M E, _ _ T _, N T -> N H T T", "H=num_heads", "?",
            params="1 3 4 5", operands="0 2 6",
        ),
    ),
    # embeddings
    "EmbedLayerNormalization": (
        "input_ids segment_ids word_embedding position_embedding segment_embedding gamma beta mask "
        "position_ids",
        op("embedding", fused.embed, params="2 3 4 5 6"),
    ),
    "QEmbedLayerNormalization": (
        "input_ids segment_ids word_embedding_quant position_embedding_quant segment_embedding gamma_quant "
        "beta_quant mask word_embedding_scale position_embedding_scale segment_embedding_scale gamma_scale "
        "beta_scale word_embedding_zero_point position_embedding_zero_point segment_embedding_zero_point "
        "gamma_zero_point beta_zero_point",
        op("embedding", fused.embed, params="2 3 4 5 6 8 9 10 11 12 13 14 15 16 17"),
    ),
    "GatherBlockQuantized": (
        "data indices scales zero_points",
        op("embedding", fused.gather_blocks, params="0 2 3"),
    ),
    "WordConvEmbedding": (
        "Sequence W B C",
        signed("embedding", "... L -> ... o", "o=@1.0", "?", params="1 2 3"),
    ),
    "TorchEmbedding": (
        "weight indices padding_idx scale_grad_by_freq",
        signed("embedding", "... -> ... E", "E=@0.1", params="0", fixed="2 3"),
    ),
    # norms
    "SkipLayerNormalization": ("input skip gamma beta bias", _fused_norm("layer_norm", "2 3 4")),
    "SkipSimplifiedLayerNormalization": ("input skip gamma bias", _fused_norm("rms_norm", "2 3")),
    "SimplifiedLayerNormalization": (
        "X scale",
        op("rms_norm", fused.simplified_norm, params="1"),
    ),
    "GatedRMSNorm": ("X scale gate", op("rms_norm", conv.layer_norm, params="1")),
    "BranchwiseRMSNorm": ("X scale", op("rms_norm", conv.epsilon, params="1")),
    "GroupNorm": ("X gamma beta", op("group_norm", conv.group_norm, params="1 2")),
    "SkipGroupNorm": (
        "X gamma beta skip bias",
        op(
            "group_norm",
            lambda node: {**conv.group_norm(node), "further_outputs": "... -> ..."},
            params="1 2 4",
        ),
    ),
    "QOrderedLayerNormalization": (
        "X scale_X scale B scale_Y",
        op("layer_norm", conv.epsilon, params="2 3", fixed="1 4"),
    ),
    # activations and everything else that works element by element
    "Gelu": ("X", _activation("gelu")),
    "FastGelu": ("X bias", _activation("gelu", params="1")),
    "BiasGelu": ("A B", _activation("gelu", params="1")),
    "QuickGelu": ("X", _activation("quick_gelu")),
    "QOrderedGelu": ("X scale_X scale_Y", _activation("gelu", fixed="1 2")),
    "ScaledSiLU": ("X scale", _activation("swish", params="1")),
    "BiasSplitGelu": ("X bias", signed("glu", "... D -> ... D/2", params="1")),
    "SwiGLU": ("gate up", op("glu", fused.swiglu)),
    "BiasSoftmax": ("data bias", op("softmax", shape.softmax)),
    "BiasAdd": ("X bias skip", _elementwise("add")),
    "GatedAdd": ("X Y gate gate_weight", _elementwise("add")),
    "ComplexMul": ("A B", _elementwise("mul")),
    "ComplexMulConj": ("A B", _elementwise("mul")),
    "MulInteger": ("A A_zero_point B B_zero_point", _elementwise("mul", "1 3", "0 2")),
    "QLinearAdd": (_BINARY, _elementwise("add", "1 2 4 5 6 7", "0 3")),
    "QLinearMul": (_BINARY, _elementwise("mul", "1 2 4 5 6 7", "0 3")),
    "QLinearSigmoid": (_UNARY, _activation("sigmoid", "1 2 3 4")),
    "QLinearLeakyRelu": (_UNARY, _activation("leaky_relu", "1 2 3 4")),
    "QLinearSoftmax": (
        "X X_scale x_zero_point y_scale y_zero_point",
        op("softmax", fused.qsoftmax, fixed="1 2 3 4"),
    ),
    "QLinearWhere": (
        "condition X x_scale x_zero_point Y y_scale y_zero_point z_scale z_zero_point",
        _elementwise("where", "2 3 5 6 7 8", "0 1 4"),
    ),
    "QLinearReduceMean": (
        "data data_scale data_zero_point reduced_scale reduced_zero_point",
        op("reduce", fused.qreduce, fixed="1 2 3 4"),
    ),
    "ReduceSumInteger": ("data", op("reduce", fused.qreduce)),
    "QLinearConcat": (
        f"Y_scale Y_zero_point {_NAMES}",
        op(_quantized_concat, shape.concat, fixed=_SCALES, operands=_TENSORS, alone=True),
    ),
    **{
        name: ("input position_ids cos_cache sin_cache", named("unary", "op", "rotate", fixed="2 3"))
        for name in ("RotaryEmbedding", "MRotaryEmbedding")
    },
    "GemmaRotaryEmbedding": (
        "emb q q_rot k k_rot",
        signed("operation", "*, N H T D, *, N K T D -> N H T D; N K T D"),
    ),
    "Inverse": ("X", named("unary", "op", "inverse")),
    "Trilu": ("X k", _elementwise("trilu", "1")),
    "MurmurHash3": ("X", named("unary", "op", "hash")),
    "NGramRepeatBlock": ("input_ids scores", signed("operation", "*, N V -> N V")),
    "SampleOp": ("X", op("identity")),
    "IsAllFinite": ("input", signed("operation", "->")),
    "QuantizeWithOrder": ("input scale_input", op("quantize", fixed="1")),
    "DequantizeWithOrder": ("input scale_input", op("dequantize", fixed="1")),
    "QuantizeLinear": ("x y_scale y_zero_point", op("quantize", shape.affine_axis, fixed="1 2")),
    "DequantizeLinear": ("x x_scale x_zero_point", op("dequantize", shape.affine_axis, fixed="1 2")),
    **{
        name: ("data bias residual ratio training_mode", op("dropout", fused.mask(mask), fixed="3 4"))
        for name, mask in (("BiasDropout", "... -> ..."), ("BitmaskBiasDropout", "* -> ?"))
    },
    "BitmaskDropout": ("data ratio training_mode", op("dropout", fused.mask("* -> ?"), fixed="1 2")),
    # pools and space
    "NhwcMaxPool": ("x", op("max_pool", fused.pool)),
    "MaxpoolWithMask": ("X M", op("max_pool", fused.pool)),
    "QLinearAveragePool": (
        "X x_scale x_zero_point y_scale y_zero_point",
        op("avg_pool", fused.pool, fixed="1 2 3 4"),
    ),
    "QLinearGlobalAveragePool": (
        "X x_scale x_zero_point y_scale y_zero_point",
        op("global_avg_pool", fused.global_pool, fixed="1 2 3 4"),
    ),
    "CropAndResize": (
        "X rois batch_indices crop_size",
        signed("roi_align", "N C H W, R 4 -> R C h w", settings=fused.crop, fixed="3"),
    ),
    "GridSample": ("X Grid", op("grid_sample", shape.grid_sample)),
    "UnfoldTensor": ("input", op("operation", fused.unfold)),
    # axes and lookups
    "ExpandDims": ("X axis", op("unsqueeze", fused.expand_dims, fixed="1")),
    "Pad": ("data pads value", op("pad", shape.pad, fixed="1 2")),
    "Range": ("start limit delta", op("constant", shape.counted, fixed="0 1 2")),
    "GatherND": ("data indices", op("gather_nd", fused.gather_nd)),
    "Unique": ("x", signed("select", "n -> ?; n; ?")),
    "CDist": ("A B", signed("distance", "m k, n k -> m n", settings=fused.metric)),
    "DynamicTimeWarping": ("input", signed("select", "* -> 2 ?")),
    "RemovePadding": (
        "input sequence_token_count",
        signed("select", "N T E -> ? E; N T; N+1; 1"),
    ),
    "RestorePadding": ("input token_offset", signed("scatter", "M E, N T -> N T E")),
    "Tokenizer": ("X", signed("select", "... -> ... ?")),
    "Rfft": ("X", op("fft", fused.rfft)),
    "Irfft": ("X", op("fft", fused.rfft)),
    # recurrence and generation
    "DynamicQuantizeLSTM": (
        "X W R B sequence_lens initial_h initial_c P W_scale W_zero_point R_scale R_zero_point",
        op("lstm", fused.recurrent, params="1 2 3 7 8 9 10 11", fixed="4", operands="0 5 6"),
    ),
    "AttnLSTM": (
        "X W R B sequence_lens initial_h initial_c P QW MW V M memory_seq_lens AW",
        signed(
            "lstm", "T N i -> T d N h; d N h; d N h", "h=hidden_size", "?",
            settings=fused.directions, params="1 2 3 7 8 9 10 13", operands="0 5 6",
        ),
    ),
    "BeamSearch": (
        f"{_SEARCH} num_beams num_return_sequences length_penalty repetition_penalty vocab_mask "
        "prefix_vocab_mask attention_mask decoder_input_ids logits_processor",
        signed("generation", "N T -> N R L; N R; ? N ? V", "L=#1 R=#4 V=vocab_size", "?",
               fixed="1 2 3 4 5 6 11"),
    ),
    "WhisperBeamSearch": (
        f"{_SEARCH} num_beams num_return_sequences length_penalty repetition_penalty vocab_mask "
        "prefix_vocab_mask attention_mask decoder_input_ids logits_processor cross_qk_layer_head "
        "extra_decoding_ids temperature",
        signed("generation", "N _ _ -> N R L; N R; ? N ? V", "L=#1 R=#4 V=vocab_size", "?",
               fixed="1 2 3 4 5 6 11"),
    ),
    "GreedySearch": (
        f"{_SEARCH} repetition_penalty vocab_mask prefix_vocab_mask attention_mask",
        signed("generation", "N T -> N L", "L=#1", "?", fixed="1 2 3"),
    ),
    "Sampling": (
        f"{_SEARCH} repetition_penalty vocab_mask prefix_vocab_mask attention_mask presence_mask seed",
        signed("generation", "N T -> N L; N V", "L=#1 V=vocab_size", "?", fixed="1 2 3 8"),
    ),
}  # fmt: skip

#: The operators of the default domain, too: onnxruntime registers or writes them there.
ANYWHERE = ("SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "SkipLayerNormalization")


#: Convolutions and pools whose channels onnxruntime stores in blocks (``com.microsoft.nchwc``) or last.
NCHWC: dict[str, tuple[str, Op]] = {
    "Conv": ("X W B Sum", op("conv", fused.conv, params="1 2")),
    "MaxPool": ("X", op("max_pool", fused.pool)),
    "AveragePool": ("X", op("avg_pool", fused.pool)),
    "GlobalAveragePool": ("X", op("global_avg_pool", fused.global_pool)),
    "GlobalMaxPool": ("X", op("global_max_pool", fused.global_pool)),
    "Upsample": ("X", op("resize", fused.upsample)),
    "ReorderInput": ("X", op("operation", fused.reorder_input)),
    "ReorderOutput": ("X", op("operation", fused.reorder_output)),
}
