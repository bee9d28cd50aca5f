"""A saved model whose settings and stored weights contradict each other: Keras would not load it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.layout import parse
from shapeinspect.plugin_api.changes import Change, OnLayer
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import OtherWeights
from shapeinspect.plugin_api.rerun import Failure, Retried
from shapeinspect_keras.debug.spelling import Speller

#: For each kind: the role of a weight, and the setting that each of its axes follows.
_AXES: dict[str, tuple[str, dict[str, str]]] = {
    "linear": ("kernel", {"o": "out_features"}),
    "conv": ("kernel", {"o": "out_channels", "kl": "kernel_size", "kd": "kernel_size", "kh": "kernel_size",
                        "kw": "kernel_size"}),
    "conv_transpose": ("kernel", {"o": "out_channels"}),
    "embedding": ("embeddings", {"V": "num_embeddings", "E": "embedding_dim"}),
    **dict.fromkeys(("lstm", "gru", "rnn"), ("recurrent_kernel", {"h": "hidden_size"})),
}  # fmt: skip


def contradicted(model: Model) -> Retried | None:
    """Find the first layer whose stored weight has another size than its settings say.

    Args:
        model: a saved model.
    """
    for layer in model.layers:
        for weight, wanted in _expected(layer):
            if wanted == weight.shape:
                continue
            lengths = tuple(length for length in weight.stored_shape if isinstance(length, int))
            stored = ((layer.path, ((weight.role, lengths),)),)
            whole = replace(layer, weights=tuple(_sized(item, weight, wanted) for item in layer.weights))
            layers = tuple(whole if item is layer else item for item in model.layers)
            failed = Failure(
                replace(model, layers=layers),
                whole,
                (),
                f"the settings of {layer.path} and its stored weights contradict each other",
                fact=OtherWeights(stored),
                claim=Claim(Level.UNTRIED, rest="the settings fit the stored weights with it"),
                declares=Frozen(),
            )
            return Retried(failed, _Fits(layer, weight), Speller(data=True, shapes={}))
    return None


def _sized(item: Weight, weight: Weight, wanted: tuple[Any, ...]) -> Weight:
    return replace(item, shape=wanted, quantization=None) if item is weight else item


def _expected(layer: Layer) -> Iterator[tuple[Weight, tuple[Any, ...]]]:
    """Yield each weight that settings fix, with the shape that they give it."""
    role, axes = _AXES.get(layer.kind, ("", {}))
    if not layer.attributes.get("depth_multiplier"):
        for weight in layer.weights:
            if weight.layout is None or weight.role.rpartition("/")[2] != role:
                continue
            yield weight, _shape(layer, weight, axes)


def _shape(layer: Layer, weight: Weight, axes: dict[str, str]) -> tuple[Any, ...]:
    lengths = list(weight.shape)
    kernel = 0
    for place, labels in enumerate(parse(weight.layout.native).axes if weight.layout else ()):
        name = axes.get(labels[0], "") if len(labels) == 1 else ""
        value = layer.attributes.get(name)
        if name == "kernel_size" and isinstance(value, tuple):
            value, kernel = (value[kernel] if kernel < len(value) else None), kernel + 1
        if type(value) is int:
            lengths[place] = value
    return tuple(lengths)


class _Fits:
    """Tells whether changed settings fit a stored weight."""

    def __init__(self, layer: Layer, weight: Weight) -> None:
        self._layer, self._weight = layer, weight

    def __call__(self, changes: Sequence[Change]) -> bool:
        settings = dict(self._layer.attributes)
        for change in changes:
            if isinstance(change, OnLayer) and change.path == self._layer.path:
                settings |= change.attributes
        layer = replace(self._layer, attributes=Frozen(settings))
        return all(wanted == weight.shape for weight, wanted in _expected(layer) if weight is self._weight)
