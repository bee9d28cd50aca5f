"""Fixes for stored weights that do not load: other code, or the settings that they were saved with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.layout import parse
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.plugin_api.changes import Loaded, OnLayer, PartialLoad, TransposedWeight
from shapeinspect.plugin_api.facts import KeyedLoad, OtherWeights
from shapeinspect.plugin_api.rerun import Failure

#: The settings that fix the length of an axis, by its letter; the first that a layer has is used.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "o": ("out_features", "out_channels", "num_features"),
    "i": ("in_features", "in_channels", "input_size"),
    "c": ("num_features", "num_channels", "num_parameters"),
    "V": ("num_embeddings",),
    "E": ("embedding_dim",),
    "h": ("hidden_size",),
}


#: From this rank on, a repair stands behind the sizes of the checkpoint.
_AFTER_SIZES = 10


def loads(failure: Failure) -> Iterator[Fix]:
    """Propose code that loads the weights, the sizes of the checkpoint, or to load only the weights that fit.

    Args:
        failure: where the load ended.
    """
    fact = failure.fact
    if isinstance(fact, KeyedLoad):
        for index, repair in enumerate(fact.repairs):
            rung = Rung.LOADED if repair.rank < _AFTER_SIZES else Rung.LOADED_IN_PART
            yield Fix(repair.cause, (Loaded(index),), rung, repair.code, alters=repair.alters)
        for changes in _settings_of_checkpoint(failure.model.layers, OtherWeights(fact.stored)):
            cause = fact.cause if fact.cause == "other-classes" else "state-dict"
            yield Fix(cause, changes, Rung.CHECKPOINT_SIZES)
    if not isinstance(fact, OtherWeights):
        return
    if fact.transposed is not None:
        change = TransposedWeight(failure.layer.path, fact.transposed)
        yield Fix("stored-transposed", (change,), Rung.TRANSPOSED_VALUE)
    else:
        for changes in _settings_of_checkpoint(failure.model.layers, fact):
            yield Fix("state-dict", changes, Rung.CHECKPOINT_SIZES)
    if not fact.given:
        skipped = PartialLoad(tuple(path for path, _ in fact.stored))
        yield Fix("state-dict", (skipped,), Rung.PARTIAL_LOAD)


def _settings_of_checkpoint(layers: Iterable[Layer], fact: OtherWeights) -> Iterator[tuple[OnLayer, ...]]:
    """Yield the changes that give every differing layer the sizes of the checkpoint."""
    by_path = {layer.path: layer for layer in layers}
    changes = []
    for path, shapes in fact.stored:
        if path not in by_path:
            return  # a weight of a module's own, which no setting gives its size
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
