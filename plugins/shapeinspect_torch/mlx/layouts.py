"""How MLX stores the weights of each layer type: rows, what names and shapes prove, and its native table.

Source: ``parameters()`` of each class of ``mlx.nn`` in mlx 0.32.4, moved into PyTorch and run there with
equal outputs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout import Row, Table
from shapeinspect.layout.bare import Evidence
from shapeinspect.layout.canonical import at
from shapeinspect.plugin_api.native import NativeRow, NativeTable, ShownRow
from shapeinspect_torch.recognition.evidence import FLAT
from shapeinspect_torch.vocabulary.layouts import bind as bind_torch

_CONV = "Conv1d Conv2d Conv3d"
_TRANSPOSED = "ConvTranspose1d ConvTranspose2d ConvTranspose3d"
_NORMS = "BatchNorm InstanceNorm GroupNorm"
_FEATURES = "LayerNorm RMSNorm"
_INPUT, _STATE = "weight_ih.l0", "weight_hh.l0"
_SUM = "bias_ih.l0+bias_hh.l0"
_FOUR, _THREE = Frozen(gate=4), Frozen(gate=3)
_PROJECTIONS = ("query", "key", "value", "out")

ROWS: tuple[Row, ...] = (
    Row("Linear", "weight", "o i", "o i"),
    Row(f"{_CONV} {_TRANSPOSED}", "weight", "o *k i", "o i *k"),
    Row(f"Linear {_CONV} {_TRANSPOSED} Bilinear", "bias", "o", "o"),
    Row("Bilinear", "weight", "o j i", "o i j"),
    Row("Embedding", "weight", "V E", "V E"),
    *(Row(_NORMS, role, "C", "C") for role in ("weight", "bias", "running_mean", "running_var")),
    *(Row(_FEATURES, role, "*n", "*n") for role in ("weight", "bias")),
    Row("PReLU", "weight", "C", "C"),
    Row("RNN", "Wxh", "o i", "o i", slot=_INPUT),
    Row("RNN", "Whh", "o h", "o h", slot=_STATE),
    Row("RNN", "bias", "o", "o", slot=_SUM),
    *(
        Row(cell, role, f"(gate o) {axis}", f"gate o {axis}", gates, slot=slot)
        for cell, gates in (("LSTM", _FOUR), ("GRU", _THREE))
        for role, axis, slot in (("Wx", "i", _INPUT), ("Wh", "h", _STATE))
    ),
    Row("LSTM", "bias", "(gate o)", "gate o", _FOUR, slot=_SUM),
    # The biases of r and z stand for a sum; of n only the state's is inside of the reset gate.
    Row("GRU", "b", "(gate o)", "gate o", _THREE, slot="{gate}",
        splits=(("gate", (f"{_SUM}[0]", f"{_SUM}[1]", "bias_ih.l0[2]")),)),
    Row("GRU", "bhn", "o", "o", slot="bias_hh.l0[2]"),
    *(
        Row("MultiHeadAttention", f"{name}_proj.{role}", axes, axes,
            slot=f"{'out' if name == 'out' else name[0]}.{role}")
        for name in _PROJECTIONS
        for role, axes in (("weight", "o i"), ("bias", "o"))
    ),
)  # fmt: skip

TABLE = Table(ROWS, {"running_mean": "mean", "running_var": "variance"})

_CELL = Frozen(input_size="i", hidden_size="h")
_KERNEL = Frozen(out_channels="o", kernel_size="*k")

#: What a file of bare names proves. A convolution and a transposed one store the same axes.
EVIDENCE: tuple[Evidence, ...] = (
    *FLAT,
    Evidence("batch_norm", "BatchNorm", "weight: C; bias: C; running_mean: C; running_var: C",
        Frozen(num_features="C")),
    Evidence("conv", "Conv2d", "weight: o *k i; bias?: o", _KERNEL),
    Evidence("conv_transpose", "ConvTranspose2d", "weight: o *k i; bias?: o", _KERNEL),
    Evidence("bilinear", "Bilinear", "weight: o j i; bias?: o"),
    Evidence("lstm", "LSTM", "Wx: (g h) i; Wh: (g h) h; bias?: (g h)", _CELL, Frozen(g=4)),
    Evidence("gru", "GRU", "Wx: (g h) i; Wh: (g h) h; b?: (g h); bhn?: h", _CELL, Frozen(g=3),
        Frozen(reset_after=True)),
    Evidence("rnn", "RNN", "Wxh: h i; Whh: h h; bias?: h", _CELL),
)  # fmt: skip

# l1.forward_rnn.Wx: which layer and direction of a stack a role belongs to.
_PLACE = re.compile(r"(?:l(\d+)\.)?(?:(forward_rnn|backward_rnn)\.)?(.+)")
_DIRECTIONS = ("forward_rnn", "backward_rnn")


def bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int] | None = None) -> Layout | None:
    """Return the layout of one weight of an MLX layer; of a layer that MLX has not, PyTorch's.

    Args:
        kind: the class's name, such as ``Conv2d``.
        role: the weight's name in the layer; a layer and a direction of a stack may stand before it.
        ndim: its rank.
        sizes: lengths of parts of composite axes.

    Example:
        >>> bind("Conv2d", "weight", 4).native
        'o kh kw i'
    """
    match = _PLACE.fullmatch(role)
    if match is not None and (match[1] or match[2]):
        layout = TABLE.bind(kind, match[3], ndim, sizes)
        return layout and at(layout, int(match[1] or 0), reverse=match[2] == _DIRECTIONS[1])
    return TABLE.bind(kind, role, ndim, sizes) or bind_torch(kind, role, ndim, sizes)


def _at(layer: int, reverse: bool, bidirectional: bool, layers: int) -> str:
    """Name the layers and directions of a stack, each of which is a layer of its own in MLX."""
    stack = f"l{layer}." if layers > 1 else ""
    return stack + (f"{_DIRECTIONS[reverse]}." if bidirectional else "")


_BIASES = "weight:n bias:n"
_GROUPS = (("groups", 1, "MLX has no grouped transposed convolution"),)
_LSTM = (("proj_size", 0, "MLX has no LSTM with a projection"),)
_GRU = (("reset_after", True, "MLX's GRU resets after the product, this one before it"),)

#: The classes of ``mlx.nn`` with weights, and the kind of each.
CLASSES: Mapping[str, str] = Frozen(
    Linear="linear", Bilinear="bilinear", Embedding="embedding", BatchNorm="batch_norm",
    InstanceNorm="instance_norm", GroupNorm="group_norm", LayerNorm="layer_norm", RMSNorm="rms_norm",
    QuantizedLinear="linear", QuantizedEmbedding="embedding",
    PReLU="prelu", RNN="rnn", LSTM="lstm", GRU="gru", MultiHeadAttention="attention",
    **dict.fromkeys(_CONV.split(), "conv"), **dict.fromkeys(_TRANSPOSED.split(), "conv_transpose"),
)  # fmt: skip

_PACKED = "packed: 32 bits hold several neighbors of the last axis"

NATIVE = NativeTable(
    "mlx",
    ".",
    (
        NativeRow("linear", "Linear", "weight:2 bias:1"),
        NativeRow("bilinear", "Bilinear", "weight:3 bias:1"),
        NativeRow("conv", "Conv{k}d", "weight:k+2 bias:1"),
        NativeRow("conv_transpose", "ConvTranspose{k}d", "weight:k+2 bias:1", only=_GROUPS),
        NativeRow("embedding", "Embedding", "weight:2"),
        NativeRow("batch_norm", "BatchNorm", "weight:1 bias:1 running_mean:1 running_var:1"),
        NativeRow("instance_norm", "InstanceNorm", "weight:1 bias:1"),
        NativeRow("group_norm", "GroupNorm", "weight:1 bias:1"),
        NativeRow("layer_norm", "LayerNorm", _BIASES),
        NativeRow("rms_norm", "RMSNorm", "weight:n"),
        NativeRow("prelu", "PReLU", "weight:1"),
        NativeRow("rnn", "RNN", "{at}Wxh:2 {at}Whh:2 {at}bias:1"),
        NativeRow("lstm", "LSTM", "{at}Wx:2 {at}Wh:2 {at}bias:1", only=_LSTM),
        NativeRow("gru", "GRU", "{at}Wx:2 {at}Wh:2 {at}b:1 {at}bhn:1", only=_GRU),
        NativeRow("rnn_cell", "RNN", "Wxh:2 Whh:2 bias:1"),
        NativeRow("lstm_cell", "LSTM", "Wx:2 Wh:2 bias:1"),
        NativeRow("gru_cell", "GRU", "Wx:2 Wh:2 b:1 bhn:1", only=_GRU),
        NativeRow(
            "attention",
            "MultiHeadAttention",
            " ".join(f"{name}_proj.weight:2 {name}_proj.bias:1" for name in _PROJECTIONS),
        ),
    ),
    bind,
    _at,
    channels_last=True,
    implied=(("gru", "reset_after", True),),
    momentum_of_new=True,
    classes=CLASSES,
    format="mlx",
    graph=False,
    listed=False,
    holds=Frozen(
        {
            "Sequential": "",
            **dict.fromkeys(
                (
                    "Transformer",
                    "TransformerEncoder",
                    "TransformerEncoderLayer",
                    "TransformerDecoder",
                    "TransformerDecoderLayer",
                ),
                "MultiHeadAttention Linear LayerNorm",
            ),
        }
    ),
    shown=(
        ShownRow("linear", "QuantizedLinear", "weight", "o i", "o i", note=_PACKED, rare=True),
        ShownRow("linear", "QuantizedLinear", "scales", "o block", "o block", rare=True),
        ShownRow("linear", "QuantizedLinear", "biases", "o block", "o block", rare=True),
        ShownRow("embedding", "QuantizedEmbedding", "weight", "V E", "V E", note=_PACKED, rare=True),
        ShownRow("embedding", "QuantizedEmbedding", "scales", "V block", "V block", rare=True),
        ShownRow("embedding", "QuantizedEmbedding", "biases", "V block", "V block", rare=True),
    ),
)
