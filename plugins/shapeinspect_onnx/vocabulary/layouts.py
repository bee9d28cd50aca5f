"""How ONNX stores the weights of each operator: a table.

Source: the operators' own pages, https://onnx.ai/onnx/operators/ ; a type in parentheses is a
variant that a node's attributes choose.
"""

from __future__ import annotations

from shapeinspect.frozen import Frozen
from shapeinspect.layout import Row, Table

_LSTM = (("gate", "i o f g", "i f g o"),)
_PEEPHOLE = (("gate", "i o f", "i f o"),)
_GRU = (("gate", "z r n", "r z n"),)
_BATCH_NORM = "BatchNormalization"
_NORMS = f"{_BATCH_NORM} InstanceNormalization GroupNormalization GroupNorm SkipGroupNorm"
_GEMM = "Gemm FusedGemm Gemm(transB) FusedGemm(transB)"
_BIASES = ("two", ("bias_ih", "bias_hh"))
_QKV = (("qkv", ("q", "k", "v")),)
_PACKED = "Attention PackedAttention DecoderMaskedSelfAttention"
_PACKED_BIASES = f"{_PACKED} QAttention MultiHeadAttention PackedMultiHeadAttention"
#: Products of ONNX Runtime that may transpose the stored matrix.
_FUSED = ("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "SparseToDenseMatMul")
#: Products with matrices of 4-bit and 8-bit floats.
_FLOATS = "MatMulBlockQuantizedFp4Weight MatMulBlockQuantizedFp8Weight"
#: The directions of a recurrent operator, by the variant of its type.
_DIRECTIONS = (("", ("",)), ("(reverse)", (".reverse",)), ("(bidirectional)", ("", ".reverse")))


def _weight(types: str, role: str, native: str, common: str) -> Row:
    return Row(types, role, native, common, slot="weight")


def _bias(types: str, role: str, native: str = "o") -> Row:
    return Row(types, role, native, "o", slot="bias")


def _directed(variant: str, names: tuple[str, ...]) -> list[Row]:
    ends = ("dir", names)
    rnn, lstm, gru = (f"{op}{variant}" for op in ("RNN", "LSTM", "GRU"))
    gated = ((lstm, 4, _LSTM), (gru, 3, _GRU))
    return [
        *(
            row
            for op, gates, order in gated
            for row in (
                Row(op, "W", "dir (gate o) i", "dir gate o i", Frozen(gate=gates), order,
                    slot="weight_ih.l0{dir}", splits=(ends,)),
                Row(op, "R", "dir (gate o) h", "dir gate o h", Frozen(gate=gates), order,
                    slot="weight_hh.l0{dir}", splits=(ends,)),
                Row(op, "B", "dir (two gate o)", "dir two gate o", Frozen(two=2, gate=gates), order,
                    slot="{two}.l0{dir}", splits=(ends, _BIASES)),
            )
        ),
        Row(lstm, "P", "dir (gate o)", "dir gate o", Frozen(gate=3), _PEEPHOLE,
            slot="peephole.l0{dir}", splits=(ends,)),
        *(
            Row(f"DynamicQuantizeLSTM{variant}", role, native, common, Frozen(gate=4), _LSTM,
                slot=f"{slot}.l0{{dir}}", splits=(ends,))
            for role, native, common, slot in (
                ("W", "dir i (gate o)", "dir gate o i", "weight_ih"),
                ("R", "dir h (gate o)", "dir gate o h", "weight_hh"),
            )
        ),
        Row(f"DynamicQuantizeLSTM{variant}", "B", "dir (two gate o)", "dir two gate o",
            Frozen(two=2, gate=4), _LSTM, slot="{two}.l0{dir}", splits=(ends, _BIASES)),
        Row(rnn, "W", "dir o i", "dir o i", slot="weight_ih.l0{dir}", splits=(ends,)),
        Row(rnn, "R", "dir o h", "dir o h", slot="weight_hh.l0{dir}", splits=(ends,)),
        Row(rnn, "B", "dir (two o)", "dir two o", Frozen(two=2),
            slot="{two}.l0{dir}", splits=(ends, _BIASES)),
    ]  # fmt: skip


LAYOUTS = Table(
    [
        _weight("Conv FusedConv", "W", "o i *k", "o i *k"),
        _weight("ConvInteger QLinearConv", "w", "o i *k", "o i *k"),
        _bias("Conv ConvTranspose FusedConv QLinearConv", "B"),
        _weight("ConvTranspose", "W", "(g i) o *k", "(g o) i *k"),
        _weight("Gemm FusedGemm", "B", "i o", "o i"),
        _weight("Gemm(transB) FusedGemm(transB)", "B", "o i", "o i"),
        _bias(_GEMM, "C"),
        _bias(_GEMM, "C", "1 o"),
        _weight("MatMul MatMulInteger MatMulIntegerToFloat DynamicQuantizeMatMul", "B", "i o", "o i"),
        _weight("MatMul(transposed)", "B", "o i", "o i"),
        _weight("MatMulNBits MatMulBnb4 MatMulNBitsQLoRA", "B", "o i", "o i"),
        _weight(f"MatMulPacked {_FLOATS}", "B", "o i", "o i"),
        _bias(_FLOATS, "bias"),
        _weight("RouterGateUpProj", "W", "i o", "o i"),
        _weight("VarlenCausalConvWithState", "weight", "o i *k", "o i *k"),
        _bias("VarlenCausalConvWithState", "bias"),
        _weight("GatherBlockQuantized GatherPacked", "data", "V E", "V E"),
        *(
            Row("MoEPacked", f"{name}_experts_weights", "expert o i", "expert o i", slot=f"{name}.weight")
            for name in ("gate", "up", "down")
        ),
        *(
            Row("QMoE", f"fc{index}_experts_weights", "expert o i", "expert o i", slot=f"fc{index}.weight")
            for index in (1, 2, 3)
        ),
        _bias("MatMulNBits MatMulIntegerToFloat DynamicQuantizeMatMul", "bias"),
        _weight("QLinearMatMul", "b", "i o", "o i"),
        _weight("QGemm", "B", "i o", "o i"),
        _weight("QGemm(transB)", "B", "o i", "o i"),
        _bias("QGemm QGemm(transB)", "C"),
        # One value for the whole weight, or one for each of its outputs.
        *(
            Row(types, role, native, native, slot=slot)
            for types, prefix in (
                ("QLinearConv", "w"),
                ("QLinearMatMul MatMulIntegerToFloat DynamicQuantizeMatMul", "b"),
                ("QGemm QGemm(transB)", "b"),
            )
            for role, slot in ((f"{prefix}_scale", "scale"), (f"{prefix}_zero_point", "zero_point"))
            for native in ("", "o")
        ),
        # The matrix itself is packed; it has a scale for each block of inputs.
        Row("MatMulNBits", "scales", "o block", "o block", slot="scale"),
        Row("MatMulNBits", "scales", "(o block)", "o block", slot="scale"),
        *(
            row for variant, names in _DIRECTIONS for row in _directed(variant, names)
        ),
        _weight("Gather", "data", "V E", "V E"),
        *(
            Row(types, role, "C", "C", slot=slot)
            for types, slot, roles in (
                (_NORMS, "weight", "scale gamma"),
                (_NORMS, "bias", "B bias beta"),
                (_BATCH_NORM, "mean", "mean input_mean"),
                (_BATCH_NORM, "variance", "var input_var"),
            )
            for role in roles.split()
        ),
        # Before opset 21 a group norm had one scale for each group.
        *(Row("GroupNormalization(groups)", role, "g", "g", slot="") for role in ("scale", "bias")),
        Row("LayerNormalization", "Scale", "*n", "*n", slot="weight"),
        Row("LayerNormalization", "B", "*n", "*n", slot="bias"),
        Row("RMSNormalization SimplifiedLayerNormalization", "scale", "*n", "*n", slot="weight"),
        Row("SkipLayerNormalization SkipSimplifiedLayerNormalization", "gamma", "C", "C", slot="weight"),
        Row("SkipLayerNormalization", "beta", "C", "C", slot="bias"),
        # The bias that is added to the input before normalization.
        Row("SkipLayerNormalization SkipSimplifiedLayerNormalization", "bias", "C", "C", slot="skip.bias"),
        *(_weight(name, "B", "i o", "o i") for name in _FUSED),
        *(_weight(f"{name}(transB)", "B", "o i", "o i") for name in _FUSED),
        _weight("GemmFastGelu", "W", "i o", "o i"),
        _bias("GemmFastGelu BiasGelu FastGelu", "bias"),
        _weight("NhwcConv NhwcFusedConv", "W", "o i *k", "o i *k"),
        _bias("NhwcConv NhwcFusedConv", "B"),
        _weight("ConvTransposeWithDynamicPads", "W", "(g i) o *k", "(g o) i *k"),
        _bias("ConvTransposeWithDynamicPads", "B"),
        _weight("CausalConvWithState", "weight", "o i *k", "o i *k"),
        _bias("CausalConvWithState", "bias"),
        Row("EmbedLayerNormalization", "word_embedding", "V E", "V E", slot="word.weight"),
        Row("EmbedLayerNormalization", "position_embedding", "V E", "V E", slot="position.weight"),
        Row("EmbedLayerNormalization", "segment_embedding", "V E", "V E", slot="segment.weight"),
        Row("EmbedLayerNormalization", "gamma", "C", "C", slot="norm.weight"),
        Row("EmbedLayerNormalization", "beta", "C", "C", slot="norm.bias"),
        _weight("LinearClassifier LinearRegressor", "coefficients", "o i", "o i"),
        _bias("LinearClassifier LinearRegressor", "intercepts"),
        _weight("TorchEmbedding", "weight", "V E", "V E"),
        *(
            Row("MoE", f"fc{index}_experts_{role}", native, native, slot=f"fc{index}.{slot}")
            for index in (1, 2, 3)
            for role, native, slot in (("weights", "expert o i", "weight"), ("bias", "expert o", "bias"))
        ),
        *(Row("PRelu", "slope", f"C{ones}", "C", slot="weight") for ones in ("", " 1", " 1 1", " 1 1 1")),
        *(
            Row("PRelu(batched)", "slope", f"1 C{ones}", "C", slot="weight")
            for ones in ("", " 1", " 1 1", " 1 1 1")
        ),
        Row(_PACKED, "weights", "i (qkv o)", "qkv o i", Frozen(qkv=3),
            slot="{qkv}.weight", splits=_QKV),
        Row(_PACKED_BIASES, "bias", "(qkv o)", "qkv o", Frozen(qkv=3), slot="{qkv}.bias", splits=_QKV),
    ]
)  # fmt: skip
