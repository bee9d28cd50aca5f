"""What names and shapes prove about a PyTorch layer: a table.

Source: the parameters and buffers that each class of ``torch.nn`` registers; those of quantized
linear layers as bitsandbytes, GPTQ and AWQ name them; those of adapters as PEFT and kohya's scripts
name them.
"""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.frozen import Frozen
from shapeinspect.layout.bare import Evidence

_LINEAR = Frozen(in_features="i", out_features="o")
_CONV = Frozen(out_channels="o", kernel_size="*k")
_TRANSPOSED = Frozen(in_channels="g i", out_channels="g o", groups="g", kernel_size="*k")
_STATISTICS = "running_mean: C; running_var: C; num_batches_tracked?:"
_CELL = "weight_ih: (gate h) i; weight_hh: (gate h) h; bias_ih?: (gate h); bias_hh?: (gate h)"
_RECURRENT = Frozen(input_size="i", hidden_size="h")


def _adapter(a: str, b: str, conv: str = "") -> Evidence:
    # The update of a convolution keeps its kernel in A alone.
    ones = " 1" * {"": 0, "k": 1, "kh kw": 2}[conv]
    # DoRA also stores the norm of each output's weight vector.
    dora = f"lora_magnitude_vector?: {'1 ' if conv else ''}o{ones}"
    named = dora.replace("?", ".default.weight?" if ".default" in a else "?")
    roles = f"{a}: r i {conv}; {b}: o r{ones}; alpha?:; {named}"
    return Evidence("lora", "LoRA", roles, Frozen(in_features="i", out_features="o", rank="r"))


#: A quantized tensor's state dict also has its scale and zero point.
_QUANTIZED = "scale?:; zero_point?:"

EVIDENCE: tuple[Evidence, ...] = (
    Evidence("batch_norm", "BatchNorm2d", f"weight: C; bias: C; {_STATISTICS}", Frozen(num_features="C")),
    Evidence("batch_norm", "BatchNorm2d", _STATISTICS, Frozen(num_features="C")),
    Evidence("conv", "Conv2d", f"weight: o i *k; bias?: o; {_QUANTIZED}", _CONV),
    # The bias has all output channels, the weight's second axis those of one group.
    Evidence("conv_transpose", "ConvTranspose2d", "weight: (g i) o *k; bias?: (g o)", _TRANSPOSED),
    Evidence("bilinear", "Bilinear", "weight: o i j; bias?: o"),
    Evidence("linear", "Linear", "weight: o i; bias?: o", _LINEAR),
    Evidence("embedding", "Embedding", "weight: V E", Frozen(num_embeddings="V", embedding_dim="E")),
    Evidence("layer_norm", "LayerNorm", "weight: *n; bias: *n", Frozen(normalized_shape="*n")),
    Evidence("layer_norm", "LayerNorm", "weight: n", Frozen()),
    Evidence("group_norm", "GroupNorm", "weight: C; bias: C", Frozen(num_channels="C")),
    Evidence("instance_norm", "InstanceNorm2d", "weight: C; bias: C", Frozen(num_features="C")),
    Evidence("rms_norm", "RMSNorm", "weight: n"),
    Evidence("prelu", "PReLU", "weight: C", Frozen(num_parameters="C")),
    *(
        Evidence(kind, type_, _CELL, _RECURRENT, Frozen(gate=gates))
        for kind, type_, gates in (
            ("lstm_cell", "LSTMCell", 4),
            ("gru_cell", "GRUCell", 3),
            ("rnn_cell", "RNNCell", 1),
        )
    ),
    Evidence(
        "attention",
        "MultiheadAttention",
        "in_proj_weight: (qkv E) E; in_proj_bias?: (qkv E); bias_k?: 1 1 E; bias_v?: 1 1 E",
        Frozen(embed_dim="E"),
        Frozen(qkv=3),
    ),
    Evidence(
        "attention",
        "MultiheadAttention",
        "q_proj_weight: E E; k_proj_weight: E K; v_proj_weight: E L; in_proj_bias?: (qkv E);"
        " bias_k?: 1 1 E; bias_v?: 1 1 E",
        Frozen(embed_dim="E", kdim="K", vdim="L"),
        Frozen(qkv=3),
    ),
    # torch.ao's: weight and bias packed for the kernel, listed separately.
    Evidence(
        "linear",
        "Linear",
        f"_packed_params._packed_params.0: o i; _packed_params._packed_params.1?: o; {_QUANTIZED}",
        _LINEAR,
    ),
    # bitsandbytes: eight bits and one scale for each output; "weight_format" is the tiling of the rows.
    Evidence(
        "linear",
        "Linear8bitLt",
        "weight: o i; SCB: o; weight_format?:; bias?: o",
        _LINEAR,
        constants=Frozen(quantizer="bitsandbytes int8"),
    ),
    *(
        _adapter(a, b, conv)
        for a, b in (
            ("lora_A.weight", "lora_B.weight"),
            ("lora_A.default.weight", "lora_B.default.weight"),
            ("lora_down.weight", "lora_up.weight"),
        )
        for conv in ("", "k", "kh kw")
    ),
    # AdaLoRA: a vector over the ranks between the factors.
    *(
        Evidence(
            "lora",
            "LoRA",
            f"lora_A{end}: r i; lora_B{end}: o r; lora_E{end}: r 1; ranknum{end}?: 1",
            Frozen(in_features="i", out_features="o", rank="r"),
        )
        for end in ("", ".default")
    ),
    Evidence(
        "lora",
        "LoRA",
        "lora_embedding_A: r V; lora_embedding_B: E r",
        Frozen(in_features="V", out_features="E", rank="r"),
    ),
)

#: What does not depend on where the channels stand: all but convolutions.
FLAT = tuple(row for row in EVIDENCE if row.kind not in ("conv", "conv_transpose", "bilinear"))

#: A linear layer stored transposed, as in GPT-2; considered only where a bias proves it.
TURNED = Evidence("linear", "Conv1D", "weight: i o; bias: o", _LINEAR)


@dataclass(frozen=True, slots=True)
class Guise:
    """A weight stored under other names: normalized, pruned, or otherwise parametrized.

    Args:
        name: the parametrization.
        weight: the name of the weight's own values.
        extras: the weights that must accompany it.
        optional: the weights that may accompany it.
        buffers: whether these are buffers and not parameters.
    """

    name: str
    weight: str
    extras: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    buffers: bool = True


GUISES: tuple[Guise, ...] = (
    Guise("weight_norm", "weight_v", ("weight_g",), buffers=False),
    Guise(
        "weight_norm",
        "parametrizations.weight.original1",
        ("parametrizations.weight.original0",),
        buffers=False,
    ),
    Guise("spectral_norm", "weight_orig", ("weight_u",), ("weight_v",)),
    Guise(
        "spectral_norm",
        "parametrizations.weight.original",
        ("parametrizations.weight.0._u", "parametrizations.weight.0._v"),
    ),
    Guise("pruned", "weight_orig", ("weight_mask",)),
    Guise("parametrized", "parametrizations.weight.original", (), ("parametrizations.weight.0.base",)),
)

#: First parts of roles that have several parts.
INNER = (
    "parametrizations",
    "_packed_params",
    "lora_A",
    "lora_B",
    "lora_E",
    "lora_magnitude_vector",
    "ranknum",
    "lora_down",
    "lora_up",
    "lora_embedding_A",
    "lora_embedding_B",
    "weight.absmax",
    "weight.quant_map",
    "weight.nested_absmax",
    "weight.nested_quant_map",
    "weight.quant_state",
    "weight._data",
    "weight._scale",
    "weight._shift",
)

#: State that torch (or a quantizer) registers as a buffer, which is not trained.
BUFFERS = frozenset({
    "running_mean", "running_var", "num_batches_tracked", "weight_mask", "bias_mask",
    "SCB", "weight_format", "qzeros", "g_idx", "zero_point",
    "weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map",
})  # fmt: skip
