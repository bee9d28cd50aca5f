"""What names and shapes prove about a Flax layer, as a table.

Source: the parameters and statistics that each class of ``flax.linen`` and ``flax.nnx.nn`` creates.
"""

from __future__ import annotations

from shapeinspect.frozen import Frozen
from shapeinspect.layout.bare import Evidence

_LINEAR = Frozen(in_features="i", out_features="o")
_CONV = Frozen(out_channels="o", kernel_size="*k")
_TRANSPOSED = Frozen(in_channels="i", out_channels="o", kernel_size="*k")
_HEADS = Frozen(num_heads="head", head_dim="d")
_CELL = Frozen(input_size="i", hidden_size="h")


def _cell(inner: str, biased: str) -> str:
    roles = [f"{name}/kernel: {name[0]} h" for name in inner.split()]
    return "; ".join([*roles, *(f"{name}/bias?: h" for name in biased.split())])


EVIDENCE: tuple[Evidence, ...] = (
    Evidence("linear", "Dense", "kernel: i o; bias?: o", _LINEAR),
    Evidence("conv", "Conv", "kernel: *k i o; bias?: o", _CONV),
    Evidence("conv_transpose", "ConvTranspose", "kernel: *k i o; bias?: o", _TRANSPOSED),
    Evidence("conv_transpose", "ConvTranspose(transpose_kernel)", "kernel: *k o i; bias?: o", _TRANSPOSED),
    # DenseGeneral with one input and two output axes, and the reverse.
    Evidence(
        "linear", "DenseGeneral", "kernel: i o p; bias?: o p", Frozen(in_features="i", out_features="o p")
    ),
    Evidence(
        "linear", "DenseGeneralJoin", "kernel: i j o; bias?: o", Frozen(in_features="i j", out_features="o")
    ),
    Evidence("embedding", "Embed", "embedding: V E", Frozen(num_embeddings="V", embedding_dim="E")),
    # Statistics prove batch normalization; a file of parameters alone does not hold them.
    Evidence("batch_norm", "BatchNorm", "scale?: C; bias?: C; mean: C; var: C", Frozen(num_features="C")),
    Evidence("batch_norm", "BatchNorm", "scale: C; bias?: C", Frozen(num_features="C")),
    Evidence("layer_norm", "LayerNorm", "scale: C; bias?: C"),
    Evidence("group_norm", "GroupNorm", "scale: C; bias?: C", Frozen(num_channels="C")),
    Evidence("instance_norm", "InstanceNorm", "scale: C; bias?: C", Frozen(num_features="C")),
    Evidence("rms_norm", "RMSNorm", "scale: C"),
    Evidence("lstm_cell", "LSTMCell", _cell("ii if ig io hi hf hg ho", "hi hf hg ho"), _CELL),
    Evidence("lstm_cell", "LSTMCell", _cell("ii if_ ig io hi hf hg ho", "hi hf hg ho"), _CELL),
    Evidence("gru_cell", "GRUCell", _cell("ir iz in hr hz hn", "ir iz in hn"), _CELL),
    # nnx has the gates of a GRU, and those of its optimized LSTM, in one layer each.
    Evidence(
        "gru_cell",
        "GRUCell",
        "dense_i/kernel: i (g h); dense_h/kernel: h (g h); dense_i/bias?: (g h)",
        _CELL,
        Frozen(g=3),
    ),
    Evidence(
        "lstm_cell",
        "OptimizedLSTMCell",
        "dense_i/kernel: i (g h); dense_h/kernel: h (g h); dense_h/bias?: (g h)",
        _CELL,
        Frozen(g=4),
    ),
    Evidence("rnn_cell", "SimpleCell", "dense_i/kernel: i h; dense_h/kernel: h h; dense_i/bias?: h", _CELL),
    Evidence("rnn_cell", "SimpleCell", "i/kernel: i h; h/kernel: h h; i/bias?: h", _CELL),
    Evidence("prelu", "PReLU", "negative_slope:", constants=Frozen(num_parameters=1)),
)

#: The layers of multi-head attention by name: query, key and value are inputs, ``out`` is the output.
INWARD, OUTWARD = ("query", "key", "value"), "out"
ATTENTION: dict[str, Evidence] = {
    "in": Evidence(
        "linear",
        "DenseGeneralIn",
        "kernel: i head d; bias?: head d",
        Frozen({"in_features": "i", "out_features": "head d", **_HEADS}),
    ),
    "out": Evidence(
        "linear",
        "DenseGeneralOut",
        "kernel: head d o; bias?: o",
        Frozen({"in_features": "head d", "out_features": "o", **_HEADS}),
    ),
}

#: The layers inside a recurrent cell; if all of them are siblings, they belong to a cell.
CELLS: tuple[frozenset[str], ...] = (
    frozenset(["ii", "if", "ig", "io", "hi", "hf", "hg", "ho"]),
    frozenset(["ii", "if_", "ig", "io", "hi", "hf", "hg", "ho"]),
    frozenset(["ir", "iz", "in", "hr", "hz", "hn"]),
    frozenset(["dense_i", "dense_h"]),
    frozenset(["i", "h"]),
)

#: Statistics, which an optimizer does not change.
BUFFERS = frozenset(("mean", "var"))
#: The last keys of weights; nnx appends one more, ``value``.
ROLES = frozenset(("kernel", "bias", "scale", "embedding", "mean", "var", "negative_slope"))
