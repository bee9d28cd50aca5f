"""How PyTorch stores the weights of each layer type; nothing but rows, and the look-up by role.

Source: the ``Shape`` and ``Variables`` sections of ``torch.nn``'s own pages, and
``torch/nn/modules/{linear,conv,rnn,activation,sparse,batchnorm,normalization}.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shapeinspect.ir import Frozen, Layout
from shapeinspect.layout import Row, Table

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
_GATED = (("LSTM LSTMCell", 4), ("GRU GRUCell", 3), ("RNN RNNCell", 1))

#: The names under which a weight itself is kept: plain, under the old and the new weight and
#: spectral normalization, and under any other parametrization.
_WEIGHT = (
    "weight",
    "weight_v",
    "weight_orig",
    "parametrizations.weight.original",
    "parametrizations.weight.original1",
)
_MAGNITUDE = ("weight_g", "parametrizations.weight.original0")


def _parametrized(types: str, native: str, common: str) -> list[Row]:
    return [Row(types, role, native, common) for role in _WEIGHT]


ROWS: tuple[Row, ...] = (
    *_parametrized(_LINEAR, "o i", "o i"),
    *_parametrized(_CONV, "o i *k", "o i *k"),
    # The first axis holds the input channels, all groups; the second the output channels per group.
    *_parametrized(_TRANSPOSED, "(g i) o *k", "(g o) i *k"),
    # One length per output of the first axis (weight_norm's default dim=0).
    *(
        Row(f"{_LINEAR} {_CONV}", role, native, native)
        for role in _MAGNITUDE
        for native in ("o 1", "o 1 1", "o 1 1 1", "o 1 1 1 1")
    ),
    Row(f"{_LINEAR} {_CONV} {_TRANSPOSED} Bilinear", "bias", "o", "o"),
    # transformers.pytorch_utils.Conv1D, of GPT-2: a linear layer stored the other way round.
    Row("Conv1D", "weight", "i o", "o i"),
    Row("Conv1D", "bias", "o", "o"),
    Row("Bilinear", "weight", "o i j", "o i j"),
    Row("Embedding EmbeddingBag", "weight", "V E", "V E"),
    *(Row(_BATCH_NORM, role, "C", "C") for role in ("weight", "bias", "running_mean", "running_var")),
    *(Row("GroupNorm", role, "C", "C") for role in ("weight", "bias")),
    *(Row("LayerNorm RMSNorm", role, "*n", "*n") for role in ("weight", "bias")),
    Row("PReLU", "weight", "C", "C"),
    # Gates stand in the common order: i f g o (LSTM), r z n (GRU).
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
    Row("LSTM", "weight_hr", "p o", "p o"),
    Row("MultiheadAttention", "in_proj_weight", "(qkv o) i", "qkv o i", Frozen(qkv=3)),
    Row("MultiheadAttention", "in_proj_bias", "(qkv o)", "qkv o", Frozen(qkv=3)),
    *(Row("MultiheadAttention", f"{name}_proj_weight", "o i", "o i") for name in "qkv"),
    *(Row("MultiheadAttention", f"bias_{name}", "1 1 E", "1 1 E") for name in "kv"),
    Row("MultiheadAttention", "out_proj.weight", "o i", "o i"),
    Row("MultiheadAttention", "out_proj.bias", "o", "o"),
    # A low-rank update B·A of another layer's weight (LoRA); r is its rank.
    Row("LoRA", "lora_A", "r i *k", "r i *k"),
    Row("LoRA", "lora_B", "o r *k", "o r *k"),
    Row("LoRA", "lora_embedding_A", "r V", "r V"),
    Row("LoRA", "lora_embedding_B", "E r", "E r"),
)

TABLE = Table(ROWS)

# weight_ih_l0_reverse: which layer and direction of a recurrent stack a weight belongs to.
_STACKED = re.compile(r"_l\d+(?:_reverse)?$")


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
    """
    return TABLE.bind(kind, _STACKED.sub("", role), ndim, sizes)
