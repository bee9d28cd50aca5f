"""Which group of a file of weights Keras reads for each layer of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shapeinspect_keras.debug.loading.stored_file import StoredFile, StoredLayer


def legacy_layers(model: Any) -> list[tuple[Any, list[Any]]]:
    """List the layers that a file of Keras 2 has a group for, each with its weights in the file's order.

    Args:
        model: the model.

    Source: ``_legacy_weights`` of keras/src/legacy/saving/legacy_h5_format.py.
    """
    rows = [(item, [*item.trainable_weights, *item.non_trainable_weights]) for item in model.layers]
    return [(item, weights) for item, weights in rows if weights]


def own_layers(model: Any) -> list[tuple[Any, list[Any], str]]:
    """List everything of a model that loads variables of its own, with the group that Keras 3 reads for it.

    Args:
        model: the model.

    Source: ``_load_state`` of keras/src/saving/saving_lib.py.
    """
    return list(_walk(model, "", set()))


def _walk(item: Any, path: str, seen: set[int]) -> Iterator[tuple[Any, list[Any], str]]:
    from keras.src.saving import saving_lib
    from keras.src.saving.keras_saveable import KerasSaveable

    if id(item) in seen or path.startswith(("optimizer", "_optimizer")):
        return
    seen.add(id(item))
    own = [*getattr(item, "_trainable_variables", ()), *getattr(item, "_non_trainable_variables", ())]
    if own and hasattr(item, "load_own_variables") and hasattr(item, "build_from_config"):
        yield item, own, path
    for name, child in saving_lib._walk_saveable(item):
        inner = f"{path}/{name}".lstrip("/")
        if isinstance(child, KerasSaveable):
            yield from _walk(child, inner, seen)
        elif isinstance(child, list | dict | tuple):
            yield from _members(child, inner, seen)


def _members(items: Any, path: str, seen: set[int]) -> Iterator[tuple[Any, list[Any], str]]:
    from keras.src.saving.keras_saveable import KerasSaveable
    from keras.src.utils import naming

    used: dict[str, int] = {}
    for item in list(items.values()) if isinstance(items, dict) else items:
        if not isinstance(item, KerasSaveable):
            continue
        name = naming.to_snake_case(type(item).__name__)
        count = used[name] = used.get(name, -1) + 1
        yield from _walk(item, f"{path}/{name}_{count}" if count else f"{path}/{name}", seen)


def pairs(model: Any, stored: StoredFile, by_name: bool) -> list[tuple[Any, list[Any], StoredLayer | None]]:
    """Pair the layers of a model with the groups that Keras reads for them.

    Args:
        model: the model.
        stored: what the file stores.
        by_name: whether a file of Keras 2 is read by name; else in its order.
    """
    if not stored.legacy:
        groups = {item.path: item for item in stored.layers}
        return [(item, own, groups.get(path)) for item, own, path in own_layers(model)]
    rows = legacy_layers(model)
    if by_name:
        names = {item.name: item for item in stored.layers}
        return [(item, own, names.get(item.name)) for item, own in rows]
    padded = [*stored.layers, *[None] * max(len(rows) - len(stored.layers), 0)]
    return [(item, own, found) for (item, own), found in zip(rows, padded, strict=False)]
