"""What the arguments of a layer's call are: the names in its signature, and which of them are its inputs.

Source: the ``call`` methods of keras/src/layers, 3.15. A layer without a row takes what it reads as its
first argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """The call of a layer.

    Args:
        order: the names of the arguments, in order.
        inputs: those that its outputs are computed from, in the order of the vocabulary. The others are
            masks, which change no shape, and flags.
        defaults: the input that stands for another one that is omitted.
    """

    order: tuple[str, ...]
    inputs: tuple[str, ...]
    defaults: tuple[tuple[str, str], ...] = ()


_RECURRENT = Signature(("sequences", "initial_state", "mask", "training"), ("sequences", "initial_state"))
_STEP = Signature(("inputs", "states", "training"), ("inputs", "states"))
_MASKED = Signature(("inputs", "mask"), ("inputs",))
_TRAINED = Signature(("inputs", "training", "mask"), ("inputs",))
_PROJECTED = Signature(
    (
        *("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"),
        *("return_attention_scores", "training", "use_causal_mask"),
    ),
    ("query", "key", "value"),
    (("key", "value"),),
)
#: What ``Attention`` takes as one list, before its own arguments.
LISTED = ("query", "value", "key")
_LISTED = Signature(
    (*LISTED, "mask", "training", "return_attention_scores", "use_causal_mask"),
    ("query", "key", "value"),
    (("key", "value"),),
)

#: The layers whose call takes more than its inputs and ``training``.
SIGNATURES: Mapping[str, Signature] = {
    **dict.fromkeys(
        ("RNN", "SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"),
        _RECURRENT,
    ),
    **dict.fromkeys(("CuDNNLSTM", "CuDNNGRU"), _RECURRENT),
    **dict.fromkeys(("LSTMCell", "GRUCell", "StackedRNNCells"), _STEP),
    "SimpleRNNCell": Signature(("sequence", "states", "training"), ("sequence", "states")),
    **dict.fromkeys(("MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention"), _PROJECTED),
    **dict.fromkeys(("Attention", "AdditiveAttention"), _LISTED),
    **dict.fromkeys(("BatchNormalization", "TimeDistributed"), _TRAINED),
    **dict.fromkeys(("Softmax", "GlobalAveragePooling1D"), _MASKED),
    "Lambda": Signature(("inputs", "mask", "training"), ("inputs",)),
    "CategoryEncoding": Signature(("inputs", "count_weights"), ("inputs", "count_weights")),
    "ReversibleEmbedding": Signature(("inputs", "reverse"), ("inputs",)),
}
#: Arguments that are no inputs, whatever the layer.
ASIDE = frozenset({"mask", "training"})
