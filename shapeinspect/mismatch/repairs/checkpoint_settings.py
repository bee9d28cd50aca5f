"""Proposes the settings that a checkpoint was made with, where its tensors have other sizes."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.ir import Frozen, Layer
from shapeinspect.layout import parse
from shapeinspect.plugin_api.rerun import Failure, OnLayer

#: Which setting the length of an axis is, by the letter of the axis; the first that a layer has.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "o": ("out_features", "out_channels", "num_features"),
    "i": ("in_features", "in_channels", "input_size"),
    "c": ("num_features", "num_channels", "num_parameters"),
    "V": ("num_embeddings",),
    "E": ("embedding_dim",),
    "h": ("hidden_size",),
}


def settings_of_checkpoint(failure: Failure) -> Iterator[tuple[OnLayer, ...]]:
    """Yield the changes that give every differing layer the sizes of the checkpoint.

    Args:
        failure: a load that was refused; ``facts["stored"]`` holds the stored shapes by layer and role.
    """
    layers = {layer.path: layer for layer in failure.model.layers}
    changes = []
    for path, shapes in failure.facts.get("stored", ()):
        found: dict[str, object] = {}
        for role, shape in shapes:
            found.update(_settings(layers[path], role, shape))
        if found:
            changes.append(OnLayer(path, Frozen(found)))
    if changes:
        yield tuple(changes)


def _settings(layer: Layer, role: str, shape: tuple[int, ...]) -> dict[str, object]:
    weight = next((one for one in layer.weights if one.role == role), None)
    if weight is None or weight.layout is None:
        return {}
    axes = parse(weight.layout.native).labels
    if len(axes) != len(shape) or len(weight.shape) != len(shape):
        return {}
    found: dict[str, object] = {}
    kernel = [new for axis, new in zip(axes, shape, strict=True) if axis.startswith("k")]
    if kernel and tuple(kernel) != layer.attributes.get("kernel_size"):
        found["kernel_size"] = tuple(kernel)
    for axis, new, old in zip(axes, shape, weight.shape, strict=True):
        if new == old or axis.startswith("k"):
            continue
        names = [name for name in _SETTINGS.get(axis, ()) if name in layer.attributes]
        if names:
            groups = layer.attributes.get("groups") or 1
            found[names[0]] = new * groups if axis == "i" else new
    return found
