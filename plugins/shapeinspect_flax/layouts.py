"""How Flax stores the weights of each layer type: a table, and the lookup by role.

Source: ``flax/linen/linear.py``, ``normalization.py``, ``recurrent.py``, ``attention.py`` and
``flax/nnx/nn/``; the kernels of convolutions have jax.lax's axes, ``HWIO``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout import Row, Table

_NORMS = "BatchNorm LayerNorm GroupNorm InstanceNorm RMSNorm"
_DENSE = "Dense Linear"
_ATTENTION = "MultiHeadDotProductAttention MultiHeadAttention"
#: The dense layers inside a recurrent cell: of the input, and of the state; ``if_`` is nnx's name of ``if``.
_LSTM, _GRU = ("ii if ig io", "hi hf hg ho"), ("ir iz in", "hr hz hn")
_INPUT, _STATE = "weight_ih.l0", "weight_hh.l0"
_SUM = "bias_ih.l0+bias_hh.l0"
#: The biases of a GRU: those of r and z stand for a sum; of n only the state's is inside of the reset gate.
_GRU_BIASES = (f"{_SUM}[0]", f"{_SUM}[1]", "bias_ih.l0[2]")
_SPLIT = (("gate", _GRU_BIASES),)


def _kernels(cell: str, inward: str, outward: str) -> Iterator[Row]:
    for names, axis, slot in ((inward, "i", _INPUT), (outward, "h", _STATE)):
        for gate, name in enumerate(names.split()):
            yield Row(cell, f"{name}/kernel", f"{axis} o", f"o {axis}", slot=f"{slot}[{gate}]")


def _lstm() -> Iterator[Row]:
    """The state's layers alone have biases, which stand for the sum of both."""
    for spelled in (_LSTM[0], _LSTM[0].replace("if ", "if_ ")):
        yield from _kernels("LSTMCell", spelled, _LSTM[1])
    for gate, name in enumerate(_LSTM[1].split()):
        yield Row("LSTMCell", f"{name}/bias", "o", "o", slot=f"{_SUM}[{gate}]")


def _gru() -> Iterator[Row]:
    yield from _kernels("GRUCell", *_GRU)
    for name, slot in zip(_GRU[0].split(), _GRU_BIASES, strict=True):
        yield Row("GRUCell", f"{name}/bias", "o", "o", slot=slot)
    yield Row("GRUCell", "hn/bias", "o", "o", slot="bias_hh.l0[2]")


def _joined(cell: str, gates: int) -> Iterator[Row]:
    """All gates in one layer: nnx's GRUCell, whose state has no bias, and OptimizedLSTMCell."""
    for role, axis, slot in (("dense_i/kernel", "i", _INPUT), ("dense_h/kernel", "h", _STATE)):
        yield Row(cell, role, f"{axis} (gate o)", f"gate o {axis}", Frozen(gate=gates), slot=slot)


ROWS: tuple[Row, ...] = (
    Row(_DENSE, "kernel", "i o", "o i"),
    Row("Conv", "kernel", "*k i o", "o i *k"),
    # jax.lax.conv_transpose applies its kernel unflipped. In the common convention, where a transposed
    # convolution is the gradient of a convolution, the same kernel is flipped.
    Row("ConvTranspose", "kernel", "*k i o", "o i *k", flips=("*k",)),
    # The same with transpose_kernel=True: lax itself swaps the axes and flips the kernel.
    Row("ConvTranspose(transpose_kernel)", "kernel", "*k o i", "o i *k"),
    Row(f"{_DENSE} Conv ConvTranspose ConvTranspose(transpose_kernel)", "bias", "o", "o"),
    # A dense layer over several axes: two output axes, two input axes, and the same with attention's names.
    Row("DenseGeneral", "kernel", "i o p", "(o p) i"),
    Row("DenseGeneral", "bias", "o p", "(o p)"),
    Row("DenseGeneralJoin", "kernel", "i j o", "o (i j)"),
    Row("DenseGeneralIn", "kernel", "i head d", "(head d) i"),
    Row("DenseGeneralIn", "bias", "head d", "(head d)"),
    Row("DenseGeneralOut", "kernel", "head d o", "o (head d)"),
    Row("DenseGeneralJoin DenseGeneralOut", "bias", "o", "o"),
    *(
        Row(_ATTENTION, f"{name}/{role}", native, common, slot=f"{name[0]}.{slot}")
        for name in ("query", "key", "value")
        for role, slot, native, common in (
            ("kernel", "weight", "i head d", "(head d) i"),
            ("bias", "bias", "head d", "(head d)"),
        )
    ),
    Row(_ATTENTION, "out/kernel", "head d o", "o (head d)", slot="out.weight"),
    Row(_ATTENTION, "out/bias", "o", "o", slot="out.bias"),
    Row("Embed", "embedding", "V E", "V E"),
    *(Row(_NORMS, role, "C", "C") for role in ("scale", "bias", "mean", "var")),
    *_lstm(),
    *_gru(),
    *_joined("GRUCell", 3),
    Row("GRUCell", "dense_i/bias", "(gate o)", "gate o", Frozen(gate=3), slot="{gate}", splits=_SPLIT),
    *_joined("OptimizedLSTMCell", 4),
    Row("OptimizedLSTMCell", "dense_h/bias", "(gate o)", "gate o", Frozen(gate=4), slot=_SUM),
    *(
        Row("SimpleCell", f"{name}/kernel", f"{axis} o", f"o {axis}", slot=slot)
        for names, axis, slot in (("i dense_i", "i", _INPUT), ("h dense_h", "h", _STATE))
        for name in names.split()
    ),
    *(Row("SimpleCell", f"{name}/bias", "o", "o", slot=_SUM) for name in ("i", "dense_i")),
)

#: What a weight is to its layer, where its role says it in other words.
_SLOTS = {"kernel": "weight", "embedding": "weight", "scale": "weight", "var": "variance"}

TABLE = Table(ROWS, _SLOTS)


def bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int] | None = None) -> Layout | None:
    """Return the layout of one weight of a Flax layer, or None if no row fits.

    Args:
        kind: the class's name, such as ``Conv``.
        role: the weight's name in the layer.
        ndim: its rank.
        sizes: lengths of parts of composite axes.

    Example:
        >>> bind("Conv", "kernel", 4).common
        'o i kh kw'
    """
    return TABLE.bind(kind, role, ndim, sizes)
