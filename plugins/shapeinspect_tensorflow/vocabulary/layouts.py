"""How TensorFlow and TFLite store weights; nothing but rows.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops, the ``build``
methods of Keras's layers for the roles ``kernel`` and the like, and for TFLite
https://www.tensorflow.org/mlir/tfl_ops.
"""

from __future__ import annotations

from shapeinspect.frozen import Frozen
from shapeinspect.layout import Row, Table

#: The gates of a GRU as Keras stores them, and in the common order.
_ZRN = (("gate", "z r n", "r z n"),)
_CONV = "Conv1D Conv2D Conv3D"
_TRANSPOSE = "Conv1DTranspose Conv2DTranspose Conv3DTranspose"
_DEPTHWISE = "DepthwiseConv1D DepthwiseConv2D"
_CONV_LSTM = "ConvLSTM1D ConvLSTM2D ConvLSTM3D"
_SEPARABLE = "SeparableConv1D SeparableConv2D"
_LITE_DEPTHWISE = "DEPTHWISE_CONV_1D DEPTHWISE_CONV_2D DILATED_DEPTHWISE_CONV_1D DILATED_DEPTHWISE_CONV_2D"
_NORM_OPS = "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 BatchNorm"

#: The slot of every role whose row names none.
SLOTS = {
    **dict.fromkeys(("kernel", "filter", "b", "embeddings", "params", "alpha", "gamma", "scale"), "weight"),
    **dict.fromkeys(("beta", "offset"), "bias"),
    "moving_mean": "mean",
    "moving_variance": "variance",
    "pointwise_kernel": "pointwise.weight",
    "projection_weights": "weight_hr.l0",
}
_SUM = "bias_ih.l0+bias_hh.l0"
_TWO = (("two", ("bias_ih", "bias_hh")),)
#: Where the gates of TFLite stand in the common order; a cell has no peephole of its own.
_GATES = ("input", "forget", "cell", "output")
_PEEPHOLES = ("input", "forget", "output")

TABLE = Table(
    [
        # Variables of a checkpoint, by the layers that own them.
        Row(_CONV, "kernel", "*k i o", "o i *k"),
        Row(_TRANSPOSE, "kernel", "*k o i", "o i *k"),
        Row(_DEPTHWISE, "kernel", "*k c m", "(c m) 1 *k"),
        Row(_DEPTHWISE, "depthwise_kernel", "*k c m", "(c m) 1 *k", slot="weight"),
        Row(_SEPARABLE, "depthwise_kernel", "*k c m", "(c m) 1 *k", slot="depthwise.weight"),
        Row(_SEPARABLE, "pointwise_kernel", "*k i o", "o i *k"),
        Row(f"{_CONV} {_TRANSPOSE} {_DEPTHWISE} {_SEPARABLE} Dense", "bias", "o", "o"),
        Row("Dense", "kernel", "i o", "o i"),
        Row("Embedding", "embeddings", "V E", "V E"),
        *(
            Row("BatchNormalization", role, "C", "C")
            for role in ("gamma", "beta", "moving_mean", "moving_variance")
        ),
        Row("SimpleRNN", "kernel", "i o", "o i", slot="weight_ih.l0"),
        Row("SimpleRNN", "recurrent_kernel", "h o", "o h", slot="weight_hh.l0"),
        Row("SimpleRNN", "bias", "o", "o", slot=_SUM),
        Row("LSTM", "kernel", "i (gate o)", "gate o i", Frozen(gate=4), slot="weight_ih.l0"),
        Row("LSTM", "recurrent_kernel", "h (gate o)", "gate o h", Frozen(gate=4), slot="weight_hh.l0"),
        Row("LSTM", "bias", "(gate o)", "gate o", Frozen(gate=4), slot=_SUM),
        Row("GRU", "kernel", "i (gate o)", "gate o i", Frozen(gate=3), _ZRN, slot="weight_ih.l0"),
        Row("GRU", "recurrent_kernel", "h (gate o)", "gate o h", Frozen(gate=3), _ZRN, slot="weight_hh.l0"),
        Row("GRU", "bias", "(gate o)", "gate o", Frozen(gate=3), _ZRN, slot=_SUM),
        Row("GRU", "bias", "two (gate o)", "two gate o", Frozen(gate=3), _ZRN, slot="{two}.l0", splits=_TWO),
        Row(_CONV_LSTM, "kernel", "*k i (gate o)", "gate o i *k", Frozen(gate=4), slot="weight_ih.l0"),
        Row(_CONV_LSTM, "recurrent_kernel", "*k h (gate o)", "gate o h *k", Frozen(gate=4),
            slot="weight_hh.l0"),
        Row(_CONV_LSTM, "bias", "(gate o)", "gate o", Frozen(gate=4), slot=_SUM),
        # Operators of a graph, by the names of their arguments.
        Row("Conv1D Conv2D Conv3D _FusedConv2D", "filter", "*k i o", "o i *k"),
        Row("DilatedConv1D DilatedConv2D DilatedConv3D", "filter", "*k i o", "o i *k"),
        Row("DepthwiseConv2dNative DilatedDepthwise", "filter", "kh kw c m", "(c m) 1 kh kw"),
        Row("Conv2DBackpropInput Conv3DBackpropInputV2", "filter", "*k o i", "o i *k"),
        Row("MatMul Tensordot", "b", "i o", "o i"),
        Row("MatMul:transpose_b", "b", "o i", "o i"),
        Row("BatchMatMul BatchMatMulV2 BatchMatMulV3", "b", "i o", "o i"),
        Row("BatchMatMul:transpose_b", "b", "o i", "o i"),
        Row("BiasAdd", "bias", "o", "o"),
        *(Row(_NORM_OPS, role, "C", "C") for role in ("scale", "offset", "mean", "variance")),
        *(Row("LayerNorm", role, "*n", "*n") for role in ("scale", "offset")),
        Row("GatherV2 Gather ResourceGather", "params", "V E", "V E"),
        # Operators of TFLite.
        Row("CONV_1D CONV_2D DILATED_CONV_1D DILATED_CONV_2D", "filter", "o *k i", "o i *k"),
        Row("CONV_3D", "filter", "kd kh kw i o", "o i kd kh kw"),
        Row("CONV_3D_TRANSPOSE", "filter", "kd kh kw o i", "o i kd kh kw"),
        Row(_LITE_DEPTHWISE, "filter", "1 *k (c m)", "(c m) 1 *k"),
        Row("TRANSPOSE_CONV", "filter", "o kh kw i", "o i kh kw"),
        Row("FULLY_CONNECTED", "filter", "o i", "o i"),
        *(
            Row("UNIDIRECTIONAL_SEQUENCE_LSTM", role.format(gate), axes, axes, slot=slot.format(at))
            for at, gate in enumerate(_GATES)
            for role, axes, slot in (
                ("input_to_{}_weights", "o i", "weight_ih.l0[{}]"),
                ("recurrent_to_{}_weights", "o h", "weight_hh.l0[{}]"),
                ("{}_gate_bias", "o", _SUM + "[{}]"),
                ("{}_layer_norm_coefficients", "o", "layer_norm.l0[{}]"),
            )
        ),
        *(
            Row("UNIDIRECTIONAL_SEQUENCE_LSTM", f"cell_to_{gate}_weights", "o", "o",
                slot=f"peephole.l0[{at}]")
            for at, gate in enumerate(_PEEPHOLES)
        ),
        Row("UNIDIRECTIONAL_SEQUENCE_LSTM", "projection_weights", "p o", "p o"),
        Row("UNIDIRECTIONAL_SEQUENCE_LSTM", "projection_bias", "p", "p"),
        *(
            Row(f"WHILE:{kind}", role, axes.format("(gate o)"), axes.format("gate o"), Frozen(gate=gates),
                orders, slot=slot)
            for kind, gates, orders, bias in (("LSTM", 4, (), _SUM), ("GRU", 3, _ZRN, "bias_ih.l0"))
            for role, axes, slot in (
                ("kernel", "{} i", "weight_ih.l0"),
                ("recurrent_kernel", "{} h", "weight_hh.l0"),
                ("bias", "{}", bias),
                ("recurrent_bias", "{}", "bias_hh.l0"),
            )
        ),
        # The matrix of a GRU's candidate is apart; its gates are in the order z r h, and r z n in common.
        Row("WHILE:GRU(candidate_apart)", "kernel", "(gate o) i", "gate o i", Frozen(gate=3), _ZRN,
            slot="weight_ih.l0"),
        Row("WHILE:GRU(candidate_apart)", "recurrent_kernel", "(gate o) h", "gate o h", Frozen(gate=2),
            slot="weight_hh.l0[{gate}]", splits=(("gate", ("1", "0")),)),
        Row("WHILE:GRU(candidate_apart)", "candidate_kernel", "o h", "o h", slot="weight_hh.l0[2]"),
        Row("WHILE:GRU(candidate_apart)", "bias", "(gate o)", "gate o", Frozen(gate=3), _ZRN, slot=_SUM),
        *(
            Row("WHILE:LSTM(gates_apart)", role.format(gate), axes, axes, slot=slot.format(at))
            for at, gate in enumerate(_GATES)
            for role, axes, slot in (
                ("input_to_{}_weights", "o i", "weight_ih.l0[{}]"),
                ("recurrent_to_{}_weights", "o h", "weight_hh.l0[{}]"),
                ("{}_gate_bias", "o", _SUM + "[{}]"),
            )
        ),
        *(
            Row(f"WHILE:GRU(gates_apart{end})", role.format(gate), axes, axes, slot=slot.format(at))
            for at, gate in ((1, "update"), (0, "reset"), (2, "candidate"))
            for end, bias in (("", "bias_ih.l0"), (", before", _SUM))
            for role, axes, slot in (
                ("input_to_{}_weights", "o i", "weight_ih.l0[{}]"),
                ("recurrent_to_{}_weights", "o h", "weight_hh.l0[{}]"),
                ("{}_gate_bias", "o", bias + "[{}]"), ("{}_recurrent_bias", "o", "bias_hh.l0[{}]"),
            )
        ),
        *(
            Row(f"WHILE:ConvLSTM{space}D", role.format(gate), native.format(letter),
                common.format(letter), slot=f"{slot}[{at}]")
            for space, native, common in (
                (1, "o 1 k {}", "o {} k"), (2, "o kh kw {}", "o {} kh kw"),
                (3, "kd kh kw {} o", "o {} kd kh kw"),
            )
            for at, gate in enumerate(_GATES)
            for role, letter, slot in (
                ("input_to_{}_weights", "i", "weight_ih.l0"), ("recurrent_to_{}_weights", "h", "weight_hh.l0")
            )
        ),
        *(
            Row(f"WHILE:ConvLSTM{space}D", f"{gate}_gate_bias", native, "o", slot=f"{_SUM}[{at}]")
            for space, native in ((1, "o"), (1, "1 1 o"), (2, "o"), (3, "o"), (3, "1 1 1 1 o"))
            for at, gate in enumerate(_GATES)
        ),
        Row("WHILE:SimpleRNN", "kernel", "o i", "o i", slot="weight_ih.l0"),
        Row("WHILE:SimpleRNN", "recurrent_kernel", "o h", "o h", slot="weight_hh.l0"),
        Row("WHILE:SimpleRNN", "bias", "o", "o", slot=_SUM),
        Row("PRELU", "alpha", "*n", "*n"),
        Row("EMBEDDING_LOOKUP", "params", "V E", "V E"),
        Row("GATHER", "params", "V E", "V E"),
        Row(
            "CONV_1D CONV_2D CONV_3D DILATED_CONV_1D DILATED_CONV_2D CONV_3D_TRANSPOSE TRANSPOSE_CONV "
            f"FULLY_CONNECTED {_LITE_DEPTHWISE}",
            "bias", "o", "o",
        ),
    ],
    SLOTS,
)  # fmt: skip
