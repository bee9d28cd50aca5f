"""How Keras stores weights: one row a weight, and the order in which each layer lists its own.

Sources: the ``build`` methods of keras 3.15, of Keras 2.15 (the ``CuDNN`` rows and ``LocallyConnected``)
and of Keras 1.2 (the rows whose roles begin with a capital letter or ``b``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.layout import Row, Table
from shapeinspect_keras.vocabulary.old_names import modern, nested, quantization_mode

#: The gates of a GRU as Keras stores them, and in the common order.
_ZRN = (("gate", "z r n", "r z n"),)
_FOUR = Frozen(gate=4)
_THREE = Frozen(gate=3)

_CONV = "Conv1D Conv2D Conv3D"
_TRANSPOSE = "Conv1DTranspose Conv2DTranspose Conv3DTranspose"
_DEPTHWISE = "DepthwiseConv1D DepthwiseConv2D"
_SEPARABLE = "SeparableConv1D SeparableConv2D"
_EMBEDDING = "Embedding ReversibleEmbedding"
_ATTENTION = "MultiHeadAttention GroupedQueryAttention"
_CONV_LSTM = "ConvLSTM1D ConvLSTM2D ConvLSTM3D"
_RNN = "SimpleRNN SimpleRNNCell"
_LSTM = "LSTM LSTMCell"
_GRU = "GRU GRUCell"
_FEATURES = "BatchNormalization LayerNormalization GroupNormalization RMSNormalization"

#: The layers whose kernels Theano keeps back to front, for its convolution turns them around.
#: Source: ``conv_layers`` and ``_need_convert_kernel`` of keras/engine/saving.py, 2.2.
THEANO = frozenset(f"{_CONV} Conv2DTranspose ConvLSTM2D".split())
_BACKENDS: tuple[tuple[str, tuple[str, ...]], ...] = (("", ()), ("(theano)", ("*k",)))
#: The biases of a recurrent layer: one that stands for the sum of two, or both.
_SUM = "bias_ih.l0+bias_hh.l0"
_TWO = (("two", ("bias_ih", "bias_hh")),)
_KERAS1 = ("Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose")
#: The gates by the letters of Keras 1, in the common order: i f g o and r z n.
_LETTERS = (("LSTM", "ifco"), ("GRU", "rzh"))

#: The slot of every role whose row names none.
_SLOTS = {
    **dict.fromkeys(("kernel", "embeddings", "scale", "gamma", "alpha", "W"), "weight"),
    **dict.fromkeys(("beta", "b"), "bias"),
    **dict.fromkeys(("moving_mean", "running_mean"), "mean"),
    # Keras 1 calls the variance by the name of its root.
    **dict.fromkeys(("moving_variance", "running_std"), "variance"),
    "depthwise_kernel": "depthwise.weight",
    "pointwise_kernel": "pointwise.weight",
    **dict.fromkeys(("lora_kernel_a", "lora_embeddings_a"), "lora_a"),
    **dict.fromkeys(("lora_kernel_b", "lora_embeddings_b"), "lora_b"),
    **dict.fromkeys(("kernel_scale", "embeddings_scale"), "scale"),
    **dict.fromkeys(("kernel_zero", "embeddings_zero"), "zero_point"),
    "reverse_embeddings": "reverse.weight",
    "reverse_embeddings_scale": "reverse.scale",
    "count": "",
}


#: Every row; ``*k`` stands for the kernel axes of any rank, ``*n`` for any axes. A type in parentheses
#: is a variant that :func:`shapeinspect_keras.vocabulary.parts.bind` chooses: ``(theano)`` for that backend,
#: ``(th)`` for Keras 1's ``dim_ordering="th"``, ``(legacy)`` for Keras 1.0, ``(last)`` and ``(first)``
#: for one number a channel, ``(int4)``, ``(gptq)`` and ``(awq)`` for a quantization.
TABLE = Table(
    [
        Row("Dense TimeDistributedDense", "kernel", "i o", "o i"),
        Row("Dense TimeDistributedDense EinsumDense", "bias", "o", "o"),
        Row("Dense", "kernel_scale", "o", "o"),
        # One number for each block of inputs.
        *(
            Row(types, role, native, "o block")
            for types, native in (("Dense(int4)", "block o"), ("Dense(gptq) Dense(awq)", "o block"))
            for role in ("kernel_scale", "kernel_zero")
        ),
        Row("Dense", "lora_kernel_a", "i r", "r i"),
        Row("EinsumDense", "lora_kernel_a", "*n r", "r *n"),
        Row("Dense EinsumDense", "lora_kernel_b", "r o", "o r"),
        *(
            Row(f"{name}{backend}", "kernel", native, "o i *k", flips=flips)
            for backend, flips in _BACKENDS
            for types, native in ((_CONV, "*k i o"), (_TRANSPOSE, "*k o i"))
            for name in types.split()
        ),
        Row(_CONV, "lora_kernel_a", "*k i r", "r i *k"),
        Row(_CONV, "lora_kernel_b", "r o", "o r"),
        Row(f"{_CONV} {_TRANSPOSE} {_DEPTHWISE} {_SEPARABLE}", "bias", "o", "o"),
        Row(_DEPTHWISE, "kernel", "*k c m", "(c m) 1 *k"),
        Row(_DEPTHWISE, "depthwise_kernel", "*k c m", "(c m) 1 *k", slot="weight"),
        Row(_SEPARABLE, "depthwise_kernel", "*k c m", "(c m) 1 *k"),
        Row(_SEPARABLE, "pointwise_kernel", "*k i o", "o i *k"),
        Row(_EMBEDDING, "embeddings", "V E", "V E"),
        Row(_EMBEDDING, "embeddings_scale", "V", "V"),
        Row("Embedding", "lora_embeddings_a", "V r", "r V"),
        Row("Embedding", "lora_embeddings_b", "r E", "E r"),
        Row("ReversibleEmbedding", "reverse_embeddings", "E V", "V E"),
        Row("ReversibleEmbedding", "reverse_embeddings_scale", "V", "V"),
        Row(f"{_FEATURES} LayerScale", "gamma", "C", "C"),
        Row(_FEATURES, "beta", "C", "C"),
        Row("LayerNormalization", "gamma", "*n", "*n"),
        Row("LayerNormalization", "beta", "*n", "*n"),
        Row("RMSNormalization", "scale", "C", "C"),
        Row("RMSNormalization", "scale", "*n", "*n"),
        Row("BatchNormalization", "moving_mean", "C", "C"),
        Row("BatchNormalization", "moving_variance", "C", "C"),
        Row("BatchNormalization", "running_mean", "C", "C"),
        Row("BatchNormalization", "running_std", "C", "C"),
        Row("BatchNormalization", "moving_stddev", "C", "C"),
        Row("BatchNormalization", "renorm_mean", "C", "C"),
        Row("BatchNormalization", "renorm_stddev", "C", "C"),
        Row("SpectralNormalization", "vector_u", "1 o", "1 o"),
        Row("Normalization", "mean", "C", "C"),
        Row("Normalization", "variance", "C", "C"),
        Row("Normalization", "mean", "*n", "*n"),
        Row("Normalization", "variance", "*n", "*n"),
        Row("Normalization", "count", "", ""),
        Row("PReLU", "alpha", "C", "C"),
        Row("PReLU", "alpha", "*n", "*n"),
        *(Row("PReLU(last)", "alpha", f"{ones}C", "C") for ones in ("1 ", "1 1 ", "1 1 1 ")),
        *(Row("PReLU(first)", "alpha", f"C{ones}", "C") for ones in (" 1", " 1 1", " 1 1 1")),
        Row(_RNN, "kernel", "i o", "o i", slot="weight_ih.l0"),
        Row(_RNN, "recurrent_kernel", "h o", "o h", slot="weight_hh.l0"),
        Row(_RNN, "bias", "o", "o", slot=_SUM),
        Row(_LSTM, "kernel", "i (gate o)", "gate o i", _FOUR, slot="weight_ih.l0"),
        Row(_LSTM, "recurrent_kernel", "h (gate o)", "gate o h", _FOUR, slot="weight_hh.l0"),
        Row(_LSTM, "bias", "(gate o)", "gate o", _FOUR, slot=_SUM),
        Row(_GRU, "kernel", "i (gate o)", "gate o i", _THREE, _ZRN, slot="weight_ih.l0"),
        Row(_GRU, "recurrent_kernel", "h (gate o)", "gate o h", _THREE, _ZRN, slot="weight_hh.l0"),
        # reset_after=False has one bias, reset_after=True two.
        Row(_GRU, "bias", "(gate o)", "gate o", _THREE, _ZRN, slot=_SUM),
        Row(_GRU, "bias", "two (gate o)", "two gate o", _THREE, _ZRN, slot="{two}.l0", splits=_TWO),
        # cuDNN turns every gate's block around; those of its input kernel no pattern can name, for
        # they keep the shape of the block and not the order of its numbers.
        Row("CuDNNLSTM", "recurrent_kernel", "o (gate h)", "gate o h", _FOUR, slot="weight_hh.l0"),
        Row("CuDNNGRU", "recurrent_kernel", "o (gate h)", "gate o h", _THREE, _ZRN, slot="weight_hh.l0"),
        Row("CuDNNLSTM", "bias", "(two gate o)", "two gate o", Frozen(two=2, gate=4),
            slot="{two}.l0", splits=_TWO),
        Row("CuDNNGRU", "bias", "(two gate o)", "two gate o", Frozen(two=2, gate=3), _ZRN,
            slot="{two}.l0", splits=_TWO),
        *(
            Row(f"{name}{backend}", role, native, common, _FOUR, flips=flips, slot=slot)
            for name in _CONV_LSTM.split()
            for backend, flips in _BACKENDS
            for role, native, common, slot in (
                ("kernel", "*k i (gate o)", "gate o i *k", "weight_ih.l0"),
                ("recurrent_kernel", "*k h (gate o)", "gate o h *k", "weight_hh.l0"),
            )
        ),
        Row(_CONV_LSTM, "bias", "(gate o)", "gate o", _FOUR, slot=_SUM),
        *(
            row
            for role, slot in (("query", "q"), ("key", "k"), ("value", "v"), ("gate", "gate"))
            for row in (
                Row(_ATTENTION, f"{role}/kernel", "i head d", "(head d) i", slot=f"{slot}.weight"),
                Row(_ATTENTION, f"{role}/bias", "head d", "(head d)", slot=f"{slot}.bias"),
                Row(_ATTENTION, f"{role}/lora_kernel_a", "i head r", "r i head", slot=f"{slot}.lora_a"),
                Row(_ATTENTION, f"{role}/lora_kernel_b", "r d", "d r", slot=f"{slot}.lora_b"),
            )
        ),
        Row(_ATTENTION, "attention_output/kernel", "head d o", "o (head d)", slot="out.weight"),
        Row(_ATTENTION, "attention_output/bias", "o", "o", slot="out.bias"),
        Row(_ATTENTION, "attention_output/lora_kernel_a", "head d r", "r (head d)", slot="out.lora_a"),
        Row(_ATTENTION, "attention_output/lora_kernel_b", "r o", "o r", slot="out.lora_b"),
        Row("Attention", "scale", "", "", slot="score_scale"),
        Row("Attention", "concat_score_weight", "", ""),
        Row("AdditiveAttention", "scale", "E", "E", slot="score_scale"),
        Row("STFTSpectrogram", "real_kernel", "kl i o", "o i kl"),
        Row("STFTSpectrogram", "imag_kernel", "kl i o", "o i kl"),
        Row("LocallyConnected1D LocallyConnected2D", "bias", "*n o", "o *n"),
        # Keras 1.
        Row("Dense TimeDistributedDense", "W", "i o", "o i"),
        Row("Dense TimeDistributedDense", "b", "o", "o"),
        *(
            row
            for backend, flips in _BACKENDS
            for row in (
                Row(f"Conv1D{backend}", "W", "kl 1 i o", "o i kl", flips=flips and ("kl",)),
                Row(f"Conv1D(legacy){backend}", "W", "o i kl 1", "o i kl", flips=flips and ("kl",)),
                # A transposed convolution has the axes of a plain one there; Keras 2 swapped them.
                *(Row(f"{name}{backend}", "W", "*k i o", "o i *k", flips=flips) for name in _KERAS1),
                *(Row(f"{name}(th){backend}", "W", "o i *k", "o i *k", flips=flips) for name in _KERAS1),
            )
        ),
        Row("SeparableConv2D(th)", "depthwise_kernel", "m c *k", "(c m) 1 *k"),
        Row("SeparableConv2D(th)", "pointwise_kernel", "o i *k", "o i *k"),
        Row(f"{_CONV} {_TRANSPOSE} {_SEPARABLE}", "b", "o", "o"),
        Row("Embedding", "W", "V E", "V E"),
        Row("SimpleRNN", "W", "i o", "o i", slot="weight_ih.l0"),
        Row("SimpleRNN", "U", "h o", "o h", slot="weight_hh.l0"),
        Row("SimpleRNN", "b", "o", "o", slot=_SUM),
        # With consume_less="gpu" the gates are one weight, else each has its own.
        *(
            row
            for types, sizes, order in (("LSTM", _FOUR, ()), ("GRU", _THREE, _ZRN))
            for row in (
                Row(types, "W", "i (gate o)", "gate o i", sizes, order, slot="weight_ih.l0"),
                Row(types, "U", "h (gate o)", "gate o h", sizes, order, slot="weight_hh.l0"),
                Row(types, "b", "(gate o)", "gate o", sizes, order, slot=_SUM),
            )
        ),
        *(
            row
            for types, letters in _LETTERS
            for at, gate in enumerate(letters)
            for row in (
                Row(types, f"W_{gate}", "i o", "o i", slot=f"weight_ih.l0[{at}]"),
                Row(types, f"U_{gate}", "h o", "o h", slot=f"weight_hh.l0[{at}]"),
                Row(types, f"b_{gate}", "o", "o", slot=f"{_SUM}[{at}]"),
            )
        ),
        *(
            Row(f"ConvLSTM2D{variant}{backend}", f"{role}_{gate}", native, "o i *k", flips=flips,
                slot=f"{slot}.l0[{at}]")
            for backend, flips in _BACKENDS
            for variant, native in (("", "*k i o"), ("(th)", "o i *k"))
            for role, slot in (("W", "weight_ih"), ("U", "weight_hh"))
            for at, gate in enumerate("ifco")
        ),
        *(Row("ConvLSTM2D", f"b_{gate}", "o", "o", slot=f"{_SUM}[{at}]") for at, gate in enumerate("ifco")),
    ],
    _SLOTS,
)  # fmt: skip

#: The roles of weights that no optimizer changes, whatever the layer.
NON_TRAINABLE: frozenset[str] = frozenset(
    [
        "moving_mean",
        "moving_variance",
        "moving_stddev",
        "renorm_mean",
        "renorm_stddev",
        "running_mean",
        "running_std",
        "vector_u",
        "mean",
        "variance",
        "count",
        "seed_generator_state",
        "kernel_scale",
        "kernel_zero",
        "embeddings_scale",
        "embeddings_zero",
        "reverse_embeddings_scale",
        "reverse_embeddings_zero",
        "g_idx",
        "quantized_kernel",
        "awq_scales",
        "inputs_scale",
        "inputs_amax_history",
        "kernel_amax_history",
        "outputs_grad_scale",
        "outputs_grad_amax_history",
        "bias_scale",
    ]
)

_KERNEL = ("kernel", "bias")
_RECURRENT = ("kernel", "recurrent_kernel", "bias")

#: What each layer owns at most, in the order in which it stores it; which of the optional ones are
#: there follows from the settings in ``_OPTIONAL``.
_ROLES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(f"{_CONV} {_TRANSPOSE} {_DEPTHWISE}".split(), _KERNEL),
    **dict.fromkeys(("Dense", "EinsumDense", "TimeDistributedDense"), _KERNEL),
    **dict.fromkeys(_SEPARABLE.split(), ("depthwise_kernel", "pointwise_kernel", "bias")),
    **dict.fromkeys(f"{_RNN} {_LSTM} {_GRU} CuDNNLSTM CuDNNGRU {_CONV_LSTM}".split(), _RECURRENT),
    "LocallyConnected1D": _KERNEL,
    "LocallyConnected2D": _KERNEL,
    "Embedding": ("embeddings",),
    "ReversibleEmbedding": ("embeddings", "reverse_embeddings"),
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance",
                           "moving_stddev", "renorm_mean", "renorm_stddev"),
    "LayerNormalization": ("gamma", "beta"),
    "GroupNormalization": ("gamma", "beta"),
    "RMSNormalization": ("scale",),
    "LayerScale": ("gamma",),
    "SpectralNormalization": ("vector_u",),
    "Normalization": ("mean", "variance", "count"),
    "PReLU": ("alpha",),
    "Attention": ("scale", "concat_score_weight"),
    "AdditiveAttention": ("scale",),
    "STFTSpectrogram": ("real_kernel", "imag_kernel"),
}  # fmt: skip

#: The setting that a role hangs on, where it is not always there: ``(setting, default)``.
_OPTIONAL: dict[tuple[str, str], tuple[str, bool]] = {
    ("ReversibleEmbedding", "reverse_embeddings"): ("tie_weights", True),
    ("BatchNormalization", "moving_stddev"): ("renorm", False),
    ("BatchNormalization", "renorm_mean"): ("renorm", False),
    ("BatchNormalization", "renorm_stddev"): ("renorm", False),
    ("Attention", "scale"): ("use_scale", False),
    ("AdditiveAttention", "scale"): ("use_scale", True),
}
_SHARED_OPTIONAL = {"bias": ("use_bias", True), "gamma": ("scale", True), "beta": ("center", True)}

#: What a quantized Dense, EinsumDense or Embedding stores, in order; those in ``_MAYBE`` may be absent.
#: Source: ``variable_serialization_spec`` of keras/src/layers/core/dense.py, embedding.py and
#: reversible_embedding.py, 3.15.
_FLOAT8 = ("inputs_scale inputs_amax_history kernel_scale kernel_amax_history "
           "outputs_grad_scale outputs_grad_amax_history")  # fmt: skip
_QUANTIZED = {
    ("kernel", "int8"): "kernel bias kernel_scale",
    ("kernel", "int4"): "kernel bias kernel_scale kernel_zero g_idx",
    ("kernel", "float8"): f"kernel bias {_FLOAT8}",
    ("kernel", "gptq"): "bias quantized_kernel kernel_scale kernel_zero g_idx",
    ("kernel", "awq"): "bias quantized_kernel kernel_scale kernel_zero awq_scales g_idx",
    ("embeddings", "int8"): "embeddings embeddings_scale reverse_embeddings reverse_embeddings_scale",
    ("embeddings", "int4"): "embeddings embeddings_scale embeddings_zero g_idx "
    "reverse_embeddings reverse_embeddings_scale reverse_embeddings_zero",
}
_MAYBE = ("g_idx", "kernel_zero", "embeddings_zero", "reverse_embeddings_zero")


def weight_roles(class_name: str, config: Mapping[str, Any], count: int) -> tuple[str, ...] | None:
    """Return the roles of a layer's own variables in the order in which Keras numbers them.

    Args:
        class_name: the layer's class, in any spelling.
        config: its settings.
        count: how many variables it has.

    Returns:
        One role for each, or None where the class is unknown or has another number of variables. The
        variables of the layers inside it (a cell, the projections of an attention) are not among
        them: :func:`shapeinspect_keras.vocabulary.parts.parts` lists those.

    Source: ``Layer.save_own_variables`` stores the trainable variables before the others, each in
    the order of its ``add_weight``.

    Example:
        >>> weight_roles("BatchNormalization", {"scale": False}, 3)
        ('beta', 'moving_mean', 'moving_variance')
        >>> weight_roles("Dense", {}, 9) is None
        True
    """
    name, settings = modern(class_name, config)
    roles = _present(name, settings)
    mode = quantization_mode(config)
    if mode is not None and roles and (roles[0], mode) in _QUANTIZED:
        roles = _quantized(roles, mode, count)
    if mode is None and roles and len(roles) != count:
        # An attention does not record how its projections are quantized; it follows from their number.
        found = (_quantized(roles, mode, count) for kind, mode in _QUANTIZED if kind == roles[0])
        roles = next((item for item in found if len(item) == count), roles)
    return roles if len(roles) == count else None


def _present(name: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    roles = _ROLES.get(name, ())
    if name == "EinsumDense":
        return roles if settings.get("bias_axes") is not None else roles[:1]
    if name == "Normalization":
        return roles if settings.get("mean") is None else ()
    if name == "STFTSpectrogram":
        unused = {"real": "imag_kernel", "imag": "real_kernel"}.get(str(settings.get("mode")))
        return tuple(role for role in roles if role != unused)
    if name == "SpectralNormalization":  # it tracks the kernel of the layer inside it as its own, too
        inner = nested(settings, "layer")
        return (*(_present(*modern(*inner))[:1] if inner else ()), *roles)
    if name == "LayerNormalization" and settings.get("rms_scaling"):
        return roles[:1]
    return tuple(role for role in roles if _is_there(name, role, settings))


def _is_there(name: str, role: str, settings: Mapping[str, Any]) -> bool:
    if role == "concat_score_weight":
        return settings.get("score_mode") == "concat"
    setting, default = _OPTIONAL.get((name, role)) or _SHARED_OPTIONAL.get(role, ("", True))
    value = settings.get(setting, default)
    return not value if setting == "tie_weights" else bool(value)


def _quantized(roles: tuple[str, ...], mode: str, count: int) -> tuple[str, ...]:
    spec = _QUANTIZED[roles[0], mode].split()
    if roles[0] == "kernel" and "bias" not in roles:
        spec.remove("bias")
    if roles[0] == "embeddings" and "reverse_embeddings" not in roles:
        spec = [role for role in spec if not role.startswith("reverse_")]
    for maybe in _MAYBE:
        if len(spec) > count and maybe in spec:
            spec.remove(maybe)
    return tuple(spec)
