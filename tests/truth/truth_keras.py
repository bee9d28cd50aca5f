"""What the Keras cases share: one real call of a model, and the model in several forms."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject

ALL = ("keras", "h5", "live")


def recorded(model: Any, feed: Any) -> tuple[dict[str, list[list[tuple[int, ...]]]], list[tuple[int, ...]]]:
    """The shapes of all that every layer gave in one real call, by the layer's name."""
    import keras

    told: dict[str, list[list[tuple[int, ...]]]] = {}
    depth: list[str] = []
    original = keras.Layer.__call__
    plain = keras.Operation.__call__

    def watch(call: Callable[..., Any]) -> Callable[..., Any]:
        def around(self: Any, *args: Any, **kwargs: Any) -> Any:
            inside = bool(depth) and depth[-1] == self.name
            depth.append(self.name)
            try:
                out = call(self, *args, **kwargs)
            finally:
                depth.pop()
            flat = keras.tree.flatten(out)
            with contextlib.suppress(Exception):
                shapes = [tuple(int(n) for n in leaf.shape) for leaf in flat if leaf is not None]
                if not inside and not isinstance(self, keras.Variable):
                    told.setdefault(self.name, []).append(shapes)
            return out

        return around

    keras.Layer.__call__ = watch(original)
    keras.Operation.__call__ = watch(plain)
    try:
        out = model(feed)
    finally:
        keras.Layer.__call__ = original
        keras.Operation.__call__ = plain
    return told, [tuple(int(n) for n in leaf.shape) for leaf in keras.tree.flatten(out)]


def subjects(
    folder: Path,
    model: Any,
    feed: Any,
    files: Sequence[str] = ALL,
    params: int | None = None,
    **more: Any,
) -> Iterator[Subject]:
    """The model in several forms, held against one call of it on `feed` (an array, a list or a dict)."""
    import keras

    told, outputs = recorded(model, feed)
    direct = {layer.name for layer in getattr(model, "layers", [])}
    operations = {op.name for op in getattr(model, "operations", [])}
    layers = {name: calls for name, calls in told.items() if name in direct | operations}
    layers.pop(model.name, None)
    if isinstance(feed, dict):
        fed = {name: tuple(a.shape) for name, a in feed.items()}
    else:
        arrays = keras.tree.flatten(feed)
        names = (
            [tensor.name for tensor in keras.tree.flatten(model.inputs or [])]
            if getattr(model, "inputs", None)
            else []
        )
        fed = {
            n: tuple(a.shape)
            for n, a in zip(names or [f"x{k}" for k in range(len(arrays))], arrays, strict=True)
        }
    total = model.count_params() if params is None else params
    trained = sum(int(np.prod(w.shape)) for w in {id(w): w for w in model.trainable_weights}.values())
    for form in files:
        if form == "live":
            source: Any = model
        else:
            source = folder / f"{model.name}.{form}"
            model.save(source)
        yield Subject(
            f"{model.name}.{form}",
            source,
            fed,
            layers=layers,
            outputs=outputs,
            params=total,
            trainable=trained if form == "live" else None,
            **more,
        )


def floats(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def tokens(*shape: int, high: int = 9) -> Any:
    return np.random.default_rng(0).integers(1, high, size=shape).astype("int32")
