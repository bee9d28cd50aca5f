"""How PyTorch stores the weights of each layer type; only rows, and the lookup by role.

Source: the ``Shape`` and ``Variables`` sections of ``torch.nn``'s own pages, and
``torch/nn/modules/{linear,conv,rnn,activation,sparse,batchnorm,normalization}.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout import Row, Table
from shapeinspect.layout.canonical import at

_LINEAR = "Linear NonDynamicallyQuantizableLinear LinearReLU LinearBn1d Linear8bitLt"
_CONV = (
    "Conv1d Conv2d Conv3d ConvReLU1d ConvReLU2d ConvReLU3d ConvBn1d ConvBn2d ConvBn3d "
    "ConvBnReLU1d ConvBnReLU2d ConvBnReLU3d"
)
_TRANSPOSED = "ConvTranspose1d ConvTranspose2d ConvTranspose3d"
_BATCH_NORM = (
    "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm InstanceNorm1d InstanceNorm2d InstanceNorm3d "
    "FrozenBatchNorm2d BNReLU2d BNReLU3d"
)
_GATED = (("LSTM LSTMCell", 4), ("GRU GRUCell", 3))

#: The name under which a weight itself is stored, and its meaning: under weight normalization, old and
#: new, it is a direction and a magnitude; under spectral normalization, pruning and any other
#: parametrization it is the tensor that the weight is computed from.
_WEIGHT = (
    ("weight", "weight"),
    ("weight_v", "weight.direction"),
    ("parametrizations.weight.original1", "weight.direction"),
    ("weight_orig", "weight.original"),
    ("parametrizations.weight.original", "weight.original"),
)
_MAGNITUDE = ("weight_g", "parametrizations.weight.original0")
#: The names of the two factors of a low-rank update.
_LORA_A = ("lora_A", "lora_A.default", "lora_A.weight", "lora_A.default.weight", "lora_down.weight")
_LORA_B = ("lora_B", "lora_B.default", "lora_B.weight", "lora_B.default.weight", "lora_up.weight")
_MAGNITUDES = ("lora_magnitude_vector", "lora_magnitude_vector.default.weight")

#: The slot of every role whose row names none; ``bind`` puts the layer and direction of a recurrent
#: stack in the place of ``.l0``.
_SLOTS = {
    "running_mean": "mean",
    "running_var": "variance",
    "num_batches_tracked": "",
    "out_proj.weight": "out.weight",
    "out_proj.bias": "out.bias",
    "lora_embedding_A": "lora_a",
    "lora_embedding_B": "lora_b",
    "_packed_params._packed_params.0": "weight",
    "_packed_params._packed_params.1": "bias",
    "SCB": "scale",
    "scales": "scale",
    **{f"{name}_proj_weight": f"{name}.weight" for name in "qkv"},
    **{role: f"{role}.l0" for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")},
    **dict.fromkeys(_MAGNITUDE, "weight.magnitude"),
    **dict.fromkeys(_LORA_A, "lora_a"),
    **dict.fromkeys(_LORA_B, "lora_b"),
    **dict(_WEIGHT),
}
_PROJECTED = (("qkv", ("q", "k", "v")),)


def _parametrized(types: str, native: str, common: str) -> list[Row]:
    return [Row(types, role, native, common) for role, _ in _WEIGHT]


ROWS: tuple[Row, ...] = (
    *_parametrized(_LINEAR, "o i", "o i"),
    *_parametrized(_CONV, "o i *k", "o i *k"),
    # The first axis holds the input channels, all groups; the second the output channels per group.
    *_parametrized(_TRANSPOSED, "(g i) o *k", "(g o) i *k"),
    # One length per entry of the first axis (weight_norm's default dim=0).
    *(
        Row(types, role, f"{axis}{ones}", f"{axis}{ones}")
        for types, axis in ((f"{_LINEAR} {_CONV}", "o"), (_TRANSPOSED, "(g i)"))
        for role in _MAGNITUDE
        for ones in (" 1", " 1 1", " 1 1 1", " 1 1 1 1")
    ),
    Row(f"{_LINEAR} {_CONV} {_TRANSPOSED} Bilinear", "bias", "o", "o"),
    Row(_LINEAR, "_packed_params._packed_params.0", "o i", "o i"),
    Row(_LINEAR, "_packed_params._packed_params.1", "o", "o"),
    # One scale for each output (bitsandbytes, eight bits).
    Row("Linear8bitLt", "SCB", "o", "o"),
    # Inputs first; there is one scale for each output and block of inputs.
    Row("Linear(gptq) Linear(awq) Linear(exl2) Linear(marlin) Linear(eetq)", "weight", "i o", "o i"),
    Row("Linear(gptq) Linear(awq)", "scales", "block o", "o block"),
    Row("Linear(gptq) Linear(awq) Linear(exl2) Linear(marlin) Linear(eetq)", "bias", "o", "o"),
    # transformers.pytorch_utils.Conv1D, of GPT-2: a linear layer stored transposed.
    Row("Conv1D", "weight", "i o", "o i"),
    Row("Conv1D", "bias", "o", "o"),
    Row("Bilinear", "weight", "o i j", "o i j"),
    Row("Embedding EmbeddingBag", "weight", "V E", "V E"),
    *(Row(_BATCH_NORM, role, "C", "C") for role in ("weight", "bias", "running_mean", "running_var")),
    Row(_BATCH_NORM, "num_batches_tracked", "", ""),
    *(Row("GroupNorm", role, "C", "C") for role in ("weight", "bias")),
    *(Row("LayerNorm RMSNorm", role, "*n", "*n") for role in ("weight", "bias")),
    Row("PReLU", "weight", "C", "C"),
    # Gates are in the common order: i f g o (LSTM), r z n (GRU).
    *(
        Row(types, role, native, common, Frozen(gate=gates))
        for types, gates in _GATED
        for role, native, common in (
            ("weight_ih", "(gate o) i", "gate o i"),
            ("weight_hh", "(gate o) h", "gate o h"),
            ("bias_ih", "(gate o)", "gate o"),
            ("bias_hh", "(gate o)", "gate o"),
        )
    ),
    Row("RNN RNNCell", "weight_ih", "o i", "o i"),
    Row("RNN RNNCell", "weight_hh", "o h", "o h"),
    *(Row("RNN RNNCell", role, "o", "o") for role in ("bias_ih", "bias_hh")),
    Row("LSTM", "weight_hr", "p o", "p o"),
    Row("MultiheadAttention", "in_proj_weight", "(qkv o) i", "qkv o i", Frozen(qkv=3),
        slot="{qkv}.weight", splits=_PROJECTED),
    Row("MultiheadAttention", "in_proj_bias", "(qkv o)", "qkv o", Frozen(qkv=3),
        slot="{qkv}.bias", splits=_PROJECTED),
    *(Row("MultiheadAttention", f"{name}_proj_weight", "o i", "o i") for name in "qkv"),
    *(Row("MultiheadAttention", f"bias_{name}", "1 1 E", "1 1 E") for name in "kv"),
    Row("MultiheadAttention", "out_proj.weight", "o i", "o i"),
    Row("MultiheadAttention", "out_proj.bias", "o", "o"),
    # A low-rank update B·A of another layer's weight (LoRA); r is its rank. The update of a
    # convolution keeps the kernel in A alone.
    *(Row("LoRA", role, "r i *k", "r i *k") for role in _LORA_A),
    *(Row("LoRA", role, f"o r{ones}", "o r") for role in _LORA_B for ones in ("", " 1", " 1 1", " 1 1 1")),
    *(Row("LoRA", role, ends, "o") for role in _MAGNITUDES for ends in ("o", "1 o 1", "1 o 1 1")),
    Row("LoRA", "lora_embedding_A", "r V", "r V"),
    Row("LoRA", "lora_embedding_B", "E r", "E r"),
)  # fmt: skip

TABLE = Table(ROWS, _SLOTS)

# weight_ih_l0_reverse: which layer and direction of a recurrent stack a weight belongs to.
_STACKED = re.compile(r"_l(\d{1,4})(_reverse)?$")


def bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int] | None = None) -> Layout | None:
    """Return the layout of one weight of a ``torch.nn`` layer, or None if no row fits.

    Args:
        kind: the class's name, such as ``ConvTranspose2d``.
        role: the weight's name in the layer; ``_l0``, ``_l1_reverse`` and the like may follow.
        ndim: its rank.
        sizes: lengths of parts of composite axes: ``{"g": groups}`` for a transposed convolution.

    Example:
        >>> bind("LSTM", "weight_ih_l1_reverse", 2).common
        'gate o i'
        >>> bind("ConvTranspose2d", "weight", 4, {"g": 2}).native
        '(g i) o kh kw'
        >>> bind("LSTM", "weight_ih_l1_reverse", 2).slot
        'weight_ih.l1.reverse'
    """
    match = _STACKED.search(role)
    if match is None:
        return TABLE.bind(kind, role, ndim, sizes)
    layout = TABLE.bind(kind, role[: match.start()], ndim, sizes)
    return layout and at(layout, int(match.group(1)), reverse=match.group(2) is not None)
