"""Layers of Keras and its older versions whose layouts are shown and that nothing is written as: rows.

Sources: the ``build`` and ``call`` methods of Keras 1.2 (Highway, MaxoutDense) and of Keras 2.15
(LocallyConnected, and the flat parameters that CuDNNLSTM and CuDNNGRU hand to cuDNN).
"""

from __future__ import annotations

from shapeinspect.plugin_api.native import ShownRow

#: The numbers of a gate's block stand row by row as cuDNN's matrix o i, whatever its stored shape says.
_BLOCKS = "np.stack([g.reshape(-1, len(weight)) for g in np.split(weight, {gates}, 1)]){order}"
_CUDNN = "each gate's numbers are cuDNN's matrix o i, in the shape of i o"

SHOWN = (
    ShownRow("einsum", "EinsumDense", "kernel", "i o", "o i",
             note="for the equation ab,bc->ac; another equation names other axes"),
    ShownRow("einsum", "EinsumDense", "bias", "o", "o"),
    ShownRow("maxout", "MaxoutDense", "W", "p i o", "p o i", note="the largest of p outputs (Keras 1)"),
    ShownRow("maxout", "MaxoutDense", "b", "p o", "p o"),
    ShownRow("highway", "Highway", "W", "i o", "o i", note="y = t·f(Wx + b) + (1 − t)·x (Keras 1)"),
    ShownRow("highway", "Highway", "W_carry", "i o", "o i", note="t = sigmoid(W_carry x + b_carry)"),
    ShownRow("highway", "Highway", "b", "o", "o"),
    ShownRow("highway", "Highway", "b_carry", "o", "o"),
    ShownRow("local_conv", "LocallyConnected1D", "kernel", "L (kl i) o", "o L i kl", note="(Keras 2)"),
    ShownRow("local_conv", "LocallyConnected1D", "bias", "L o", "o L"),
    ShownRow("local_conv", "LocallyConnected2D", "kernel", "(H W) (kh kw i) o", "o H W i kh kw",
             note="(Keras 2)"),
    ShownRow("local_conv", "LocallyConnected2D", "bias", "H W o", "o H W"),
    ShownRow("lstm", "CuDNNLSTM", "kernel", "i (gate o)", "gate o i",
             _BLOCKS.format(gates=4, order=""), _CUDNN),
    ShownRow("lstm", "CuDNNLSTM", "recurrent_kernel", "o (gate h)", "gate o h"),
    ShownRow("lstm", "CuDNNLSTM", "bias", "(two gate o)", "two gate o"),
    ShownRow("gru", "CuDNNGRU", "kernel", "i (gate o)", "gate o i",
             _BLOCKS.format(gates=3, order="[[1, 0, 2]]"), _CUDNN),
    ShownRow("gru", "CuDNNGRU", "recurrent_kernel", "o (gate h)", "gate o h", note="gate: z r n → r z n"),
    ShownRow("gru", "CuDNNGRU", "bias", "(two gate o)", "two gate o", note="gate: z r n → r z n"),
)  # fmt: skip
