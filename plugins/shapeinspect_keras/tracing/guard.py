"""Restores a live model: its attributes, Keras's global state and the random generators."""

from __future__ import annotations

import contextlib
import random
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from shapeinspect_keras.tracing.graph import functional


@contextlib.contextmanager
def untouched(objects: Iterable[Any]) -> Iterator[None]:
    """Put everything back on leaving, also after an exception.

    Inside, no variable can be assigned (a stateless scope), and what is created has names of its own.

    Args:
        objects: the layers and operations whose attributes must not change.
    """
    import keras

    with restored(objects), keras.StatelessScope(initialize_variables=False):
        yield


@contextlib.contextmanager
def restored(objects: Iterable[Any]) -> Iterator[None]:
    """Put attributes, global state and random generators back on leaving, where copies are built and run.

    Inside, variables can be created and assigned: only those of copies may be.

    Args:
        objects: the layers and operations whose attributes must not change.
    """
    import numpy as np
    from keras.src.backend.common import global_state

    held = [
        item
        for entry in objects
        for item in (entry, getattr(entry, "_tracker", None))
        if hasattr(item, "__dict__")
    ]
    images = [_Image(vars(item)) for item in held]
    trackers = [
        _Image(vars(getattr(global_state, name)))
        for name in ("GLOBAL_STATE_TRACKER", "GLOBAL_SETTINGS_TRACKER")
        if hasattr(global_state, name)
    ]
    python, numpy = random.getstate(), np.random.get_state()  # the state that others use
    torch_state = _torch_state()
    try:
        global_state.set_global_attribute("object_name_uids", defaultdict(int))
        yield
    finally:
        for image in (*images, *trackers):
            image.restore()
        random.setstate(python)
        np.random.set_state(numpy)  # the same
        if torch_state is not None:
            import torch

            torch.set_rng_state(torch_state)


def touchable(layer: Any) -> list[Any]:
    """List every object that following the calls of a layer could write to.

    Args:
        layer: a model or layer.
    """
    result = {id(inner): inner for inner in layer._flatten_layers()}
    for inner in list(result.values()):
        model = functional(inner)
        if model is not None:
            result.setdefault(id(model), model)
            for operation in model._operations:
                result.setdefault(id(operation), operation)
    return list(result.values())


def _torch_state() -> Any:
    import keras

    if keras.config.backend() != "torch":
        return None
    import torch

    return torch.get_rng_state()


class _Image:
    """A snapshot of a namespace and of the containers in it, two levels deep."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.items = dict(namespace)
        outer = [entry for value in namespace.values() for entry in _bare(value)]
        inner = [entry for value in outer for item in _inside(value) for entry in _bare(item)]
        self.containers = [(entry, _content(entry)) for entry in (*outer, *inner)]

    def restore(self) -> None:
        now = self.namespace
        if now.keys() != self.items.keys() or any(now[key] is not value for key, value in self.items.items()):
            now.clear()
            now.update(self.items)
        for container, content in self.containers:
            _refill(container, content)


def _bare(value: Any) -> list[Any]:
    """Return the plain containers behind a value; TensorFlow wraps those of its trackable objects."""
    if issubclass(type(value), dict | set):
        return [value]
    if issubclass(type(value), list):
        storage = vars(value).get("_storage") if hasattr(value, "__dict__") else None
        return [value, storage] if type(storage) is list else [value]
    wrapped = getattr(value, "__wrapped__", None) if isinstance(value, dict | list) else None
    return [wrapped] if issubclass(type(wrapped), dict | list) else []


def _inside(value: Any) -> Iterable[Any]:
    return dict.values(value) if issubclass(type(value), dict) else ()


def _content(container: Any) -> Any:
    if isinstance(container, list):
        return list.copy(container)
    return dict(dict.items(container)) if isinstance(container, dict) else set.copy(container)


def _refill(container: Any, content: Any) -> None:
    """Restore a container's content without calling overridden methods."""
    if isinstance(container, list):
        if len(container) != len(content) or any(a is not b for a, b in zip(container, content, strict=True)):
            list.__setitem__(container, slice(None), content)
    elif isinstance(container, dict):
        kind = OrderedDict if isinstance(container, OrderedDict) else dict
        same = list(kind.keys(container)) == list(content)
        if not same or any(kind.__getitem__(container, key) is not value for key, value in content.items()):
            kind.clear(container)
            kind.update(container, content)
    elif container != content:
        set.clear(container)
        set.update(container, content)
