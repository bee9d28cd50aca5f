"""How Flax stores the weights of each layer type: a table, and the lookup by role.

Source: ``flax/linen/linear.py``, ``normalization.py``, ``recurrent.py``, ``attention.py`` and
``flax/nnx/nn/``; the kernels of convolutions have jax.lax's axes, ``HWIO``.
"""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.ir import Layout
from shapeinspect.layout import Row, Table

_NORMS = "BatchNorm LayerNorm GroupNorm InstanceNorm RMSNorm"
#: The dense layers inside a recurrent cell: of the input, and of the state.
_CELLS = (("LSTMCell", "ii if ig io hi hf hg ho"), ("GRUCell", "ir iz in hr hz hn"))

ROWS: tuple[Row, ...] = (
    Row("Dense", "kernel", "i o", "o i"),
    Row("Conv", "kernel", "*k i o", "o i *k"),
    # jax.lax.conv_transpose applies its kernel unflipped. In the common convention, where a transposed
    # convolution is the gradient of a convolution, the same kernel is flipped.
    Row("ConvTranspose", "kernel", "*k i o", "o i *k", flips=("*k",)),
    # The same with transpose_kernel=True: lax itself swaps the axes and flips the kernel.
    Row("ConvTransposeTurned", "kernel", "*k o i", "o i *k"),
    Row("Dense Conv ConvTranspose ConvTransposeTurned", "bias", "o", "o"),
    # A dense layer over several axes: two output axes, two input axes, and the same with attention's names.
    Row("DenseGeneral", "kernel", "i o p", "(o p) i"),
    Row("DenseGeneral", "bias", "o p", "(o p)"),
    Row("DenseGeneralJoin", "kernel", "i j o", "o (i j)"),
    Row("DenseGeneralIn", "kernel", "i head d", "(head d) i"),
    Row("DenseGeneralIn", "bias", "head d", "(head d)"),
    Row("DenseGeneralOut", "kernel", "head d o", "o (head d)"),
    Row("DenseGeneralJoin DenseGeneralOut", "bias", "o", "o"),
    Row("Embed", "embedding", "V E", "V E"),
    *(Row(_NORMS, role, "C", "C") for role in ("scale", "bias", "mean", "var")),
    *(
        Row(cell, f"{inner}/{role}", native, common)
        for cell, inners in _CELLS
        for inner in inners.split()
        for role, native, common in (
            ("kernel", "h o" if inner[0] == "h" else "i o", "o h" if inner[0] == "h" else "o i"),
            ("bias", "o", "o"),
        )
    ),
)

TABLE = Table(ROWS)


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
