"""The Flax layer of each kind and the weights that it stores, as rows: for linen, and for nnx.

Source: what ``init`` of ``flax.linen`` and ``nnx.state`` return in flax 0.12.8; a recurrent layer stands for
``RNN`` and ``Bidirectional`` around its cells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout.canonical import at
from shapeinspect.layout.shown import shown_rows
from shapeinspect.plugin_api.native import NativeRow, NativeTable
from shapeinspect_flax.layouts import TABLE

_NORM = "scale:1 bias:1"
_GROUPS = (("groups", 1, "Flax has no grouped transposed convolution"),)
_LSTM = (
    ("proj_size", 0, "Flax has no LSTM with a projection"),
    ("cell_function", "tanh", "Flax's file does not state another function of the cell"),
)
_GRU = (("reset_after", True, "Flax's GRU resets after the product, this one before it"),)
_BOTH = ("forward_rnn", "backward_rnn")

# l1/forward_rnn/cell/ii/kernel: which layer and direction of a stack a role belongs to.
_PLACE = re.compile(r"(?:l(\d+)/)?(?:(forward_rnn|backward_rnn)/)?(?:cell/)?(.+)")
_CELLS = frozenset({"LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell"})


def _roles(place: str, inner: str) -> str:
    return " ".join(f"{place}{role}" for role in inner.split())


def _gates(inward: str, outward: str, biased: str) -> str:
    kernels = [f"{name}/kernel:2" for name in (*inward.split(), *outward.split())]
    return " ".join([*kernels, *(f"{name}/bias:1" for name in biased.split())])


_STATE_BIASES = "hi hf hg ho"
_LINEN_LSTM = _gates("ii if ig io", _STATE_BIASES, _STATE_BIASES)
_NNX_LSTM = _gates("ii if_ ig io", _STATE_BIASES, _STATE_BIASES)
_LINEN_GRU = _gates("ir iz in", "hr hz hn", "ir iz in hn")
_NNX_GRU = "dense_i/kernel:2 dense_h/kernel:2 dense_i/bias:1"


def _bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int]) -> Layout | None:
    match = _PLACE.fullmatch(role) if kind in _CELLS else None
    if match is None:
        return TABLE.bind(kind, role, ndim, sizes)
    layout = TABLE.bind(kind, match[3], ndim, sizes)
    return layout and at(layout, int(match[1] or 0), reverse=match[2] == _BOTH[1])


def _in_linen(layer: int, reverse: bool, bidirectional: bool, layers: int) -> str:
    """Name the layers of a stack, which are several in Flax, and the directions as Bidirectional does."""
    stack = f"l{layer}/" if layers > 1 else ""
    return stack + (f"{_BOTH[reverse]}/" if bidirectional else "")


def _in_nnx(layer: int, reverse: bool, bidirectional: bool, layers: int) -> str:
    """The same around the cell of each."""
    return f"{_in_linen(layer, reverse, bidirectional, layers)}cell/"


def _rows(linear: str, attention: str, lstm: str, gru: str, simple: str) -> tuple[NativeRow, ...]:
    projections = " ".join(f"{name}/kernel:3 {name}/bias:2" for name in ("query", "key", "value"))
    return (
        NativeRow("linear", linear, "kernel:2 bias:1"),
        NativeRow("conv", "Conv", "kernel:k+2 bias:1"),
        NativeRow("conv_transpose", "ConvTranspose", "kernel:k+2 bias:1", only=_GROUPS),
        # The same with transpose_kernel=True: the row above is the one that is written.
        NativeRow("conv_transpose", "ConvTranspose(transpose_kernel)", "kernel:k+2 bias:1", only=_GROUPS),
        NativeRow("embedding", "Embed", "embedding:2"),
        NativeRow("batch_norm", "BatchNorm", f"{_NORM} mean:1 var:1"),
        NativeRow("instance_norm", "InstanceNorm", _NORM),
        NativeRow("group_norm", "GroupNorm", _NORM),
        NativeRow("layer_norm", "LayerNorm", _NORM),
        NativeRow("rms_norm", "RMSNorm", "scale:1"),
        NativeRow("rnn", "SimpleCell", _roles("{at}", simple)),
        NativeRow("rnn_cell", "SimpleCell", simple),
        NativeRow("lstm", "LSTMCell", _roles("{at}", lstm), only=_LSTM),
        NativeRow("lstm_cell", "LSTMCell", lstm),
        NativeRow("gru", "GRUCell", _roles("{at}", gru), only=_GRU),
        NativeRow("gru_cell", "GRUCell", gru, only=_GRU),
        NativeRow("attention", attention, f"{projections} out/kernel:3 out/bias:1"),
    )


#: The classes that have one kind whatever their settings.
CLASSES: Mapping[str, str] = Frozen(
    Dense="linear", Linear="linear", Conv="conv", ConvTranspose="conv_transpose", Embed="embedding",
    BatchNorm="batch_norm", LayerNorm="layer_norm", GroupNorm="group_norm", InstanceNorm="instance_norm",
    RMSNorm="rms_norm", LSTMCell="lstm_cell", OptimizedLSTMCell="lstm_cell", GRUCell="gru_cell",
    SimpleCell="rnn_cell", MultiHeadDotProductAttention="attention", MultiHeadAttention="attention",
    SelfAttention="attention", DenseGeneral="linear", LinearGeneral="linear", Dropout="dropout",
)  # fmt: skip

#: The classes that consist of other layers, and the names of these; an empty text for any.
_HOLDS: Mapping[str, str] = Frozen(
    Bidirectional="LSTMCell GRUCell SimpleCell", RNN="LSTMCell GRUCell SimpleCell", Sequential="",
    WeightNorm="", SpectralNorm="", List="", Dict="",
)  # fmt: skip

LINEN = NativeTable(
    "flax",
    "/",
    _rows("Dense", "MultiHeadDotProductAttention", _LINEN_LSTM, _LINEN_GRU, "i/kernel:2 h/kernel:2 i/bias:1"),
    _bind,
    _in_linen,
    channels_last=True,
    implied=(("gru_cell", "reset_after", True), ("gru", "reset_after", True)),
    classes=CLASSES,
    collections=Frozen({"": "params", "mean": "batch_stats", "var": "batch_stats"}),
    listed=False,
    holds=_HOLDS,
    shown=shown_rows(TABLE, {"DenseGeneral": "linear"}, rare=True),
)

_LINEAR_GENERAL = tuple(
    replace(row, type="LinearGeneral") for row in shown_rows(TABLE, {"DenseGeneral": "linear"}, rare=True)
)

NNX = NativeTable(
    "nnx",
    "/",
    _rows(
        "Linear",
        "MultiHeadAttention",
        _NNX_LSTM,
        _NNX_GRU,
        "dense_i/kernel:2 dense_h/kernel:2 dense_i/bias:1",
    ),
    _bind,
    _in_nnx,
    channels_last=True,
    implied=LINEN.implied,
    classes=CLASSES,
    graph=False,
    listed=False,
    holds=_HOLDS,
    shown=_LINEAR_GENERAL,
)
