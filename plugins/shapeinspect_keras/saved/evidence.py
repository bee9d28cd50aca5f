"""Evidence from the names and shapes of weights about a layer whose class the file does not record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect_keras.vocabulary.kinds import complete, describe

_GATES = {1: ("rnn", "SimpleRNN"), 3: ("gru", "GRU"), 4: ("lstm", "LSTM")}
_KERNEL = {
    2: ("linear", "einsum"),
    3: ("conv", "conv_transpose", "einsum"),
    4: ("conv", "conv_transpose", "einsum"),
    5: ("conv", "conv_transpose"),
}


@dataclass(frozen=True, slots=True)
class Proof:
    """The known facts about a layer.

    Args:
        kind: its kind, ``unknown`` without proof.
        type: the Keras class that has such weights, ``?`` without proof.
        attributes: the sizes that follow from the shapes.
        candidates: the kinds that remain possible.
    """

    kind: str = "unknown"
    type: str = "?"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()


def prove(weights: Mapping[str, Shape]) -> Proof:
    """Identify a layer by the names and shapes of its weights.

    Args:
        weights: the shape of each weight by its role; roles that are numbers prove nothing.

    Example:
        >>> prove({"gamma": (5,), "beta": (5,), "moving_mean": (5,), "moving_variance": (5,)}).kind
        'batch_norm'
        >>> prove({"kernel": (3, 5), "bias": (5,)}).candidates
        ('linear', 'einsum')
    """
    roles = frozenset(weights)
    if {"moving_mean", "moving_variance"} <= roles <= {"gamma", "beta", "moving_mean", "moving_variance"}:
        return Proof("batch_norm", "BatchNormalization", {"num_features": weights["moving_mean"][0]})
    if {"depthwise_kernel", "pointwise_kernel"} <= roles:
        rank = len(weights["depthwise_kernel"]) - 2
        return Proof("separable_conv", f"SeparableConv{rank}D")
    if roles == {"embeddings"} and len(weights["embeddings"]) == 2:
        rows, columns = weights["embeddings"]
        return Proof("embedding", "Embedding", {"num_embeddings": rows, "embedding_dim": columns})
    if {"kernel", "recurrent_kernel"} <= roles <= {"kernel", "recurrent_kernel", "bias"}:
        return _recurrent(weights["kernel"], weights["recurrent_kernel"])
    if roles == {"gamma", "beta"}:
        return Proof(candidates=("layer_norm", "group_norm"))
    if "kernel" in roles <= {"kernel", "bias"}:
        return Proof(candidates=_KERNEL.get(len(weights["kernel"]), ()))
    return Proof()


#: The settings that the shapes of the weights and the number of cells tell.
_PROVEN = frozenset(
    {
        *(
            "hidden_size",
            "hidden_sizes",
            "num_layers",
            "kinds",
            "bidirectional",
            "reset_after",
            "reset_afters",
        ),
        *("out_features", "num_embeddings", "embedding_dim"),
        *("out_channels", "kernel_size", "num_heads", "num_kv_heads", "head_dim", "value_head_dim"),
    }
)


def prove_structure(class_name: str, config: Mapping[str, Any], weights: Mapping[str, Shape]) -> Proof:
    """Describe a layer that the groups inside it prove, with the settings that its weights prove.

    Args:
        class_name: its class.
        config: the settings that follow from the shapes, see ``structures.structure``.
        weights: the shape of each weight by its role.

    Example:
        >>> prove_structure("LSTM", {"units": 5}, {"kernel": (7, 20), "recurrent_kernel": (5, 20)}).attributes
        {'num_layers': 1, 'bidirectional': False, 'hidden_size': 5, 'input_size': 7}
    """
    kind, settings = describe(class_name, config)
    proven = {name: value for name, value in settings.items() if name in _PROVEN}
    if not any(role.endswith("bias") for role in weights):
        proven.pop("reset_after", None)  # only the two rows of a bias tell where the reset gate stands
        proven.pop("reset_afters", None)
    return Proof(kind, class_name, complete(kind, proven, weights))


def _recurrent(kernel: Shape, recurrent: Shape) -> Proof:
    if len(kernel) != 2 or len(recurrent) != 2 or kernel[1] != recurrent[1]:
        return Proof()
    for gates, (kind, name) in _GATES.items():
        if recurrent[1] == gates * recurrent[0]:
            return Proof(kind, name, {"input_size": kernel[0], "hidden_size": recurrent[0]})
    return Proof()
