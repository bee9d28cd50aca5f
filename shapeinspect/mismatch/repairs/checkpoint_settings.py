"""Fixes for a checkpoint whose tensors have other sizes: the settings that it was saved with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shapeinspect.ir import Frozen, Layer
from shapeinspect.layout import parse
from shapeinspect.plugin_api.changes import OnLayer
from shapeinspect.plugin_api.facts import OtherWeights

#: The settings that fix the length of an axis, by its letter; the first that a layer has is used.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "o": ("out_features", "out_channels", "num_features"),
    "i": ("in_features", "in_channels", "input_size"),
    "c": ("num_features", "num_channels", "num_parameters"),
    "V": ("num_embeddings",),
    "E": ("embedding_dim",),
    "h": ("hidden_size",),
}


def settings_of_checkpoint(layers: Iterable[Layer], fact: OtherWeights) -> Iterator[tuple[OnLayer, ...]]:
    """Yield the changes that give every differing layer the sizes of the checkpoint.

    Args:
        layers: the layers of the model.
        fact: the stored shapes of those that differ.
    """
    by_path = {layer.path: layer for layer in layers}
    changes = []
    for path, shapes in fact.stored:
        settings: dict[str, object] = {}
        for role, shape in shapes:
            settings.update(_settings(by_path[path], role, shape))
        if settings:
            changes.append(OnLayer(path, Frozen(settings)))
    if changes:
        yield tuple(changes)


def _settings(layer: Layer, role: str, shape: tuple[int, ...]) -> dict[str, object]:
    weight = next((weight for weight in layer.weights if weight.role == role), None)
    if weight is None or weight.layout is None:
        return {}
    axes = parse(weight.layout.native).labels
    if len(axes) != len(shape) or len(weight.shape) != len(shape):
        return {}
    settings: dict[str, object] = {}
    kernel = [new for axis, new in zip(axes, shape, strict=True) if axis.startswith("k")]
    if kernel and tuple(kernel) != layer.attributes.get("kernel_size"):
        settings["kernel_size"] = tuple(kernel)
    for axis, new, old in zip(axes, shape, weight.shape, strict=True):
        if new == old or axis.startswith("k"):
            continue
        names = [name for name in _SETTINGS.get(axis, ()) if name in layer.attributes]
        if names:
            groups = layer.attributes.get("groups") or 1
            settings[names[0]] = new * groups if axis == "i" else new
    return settings
