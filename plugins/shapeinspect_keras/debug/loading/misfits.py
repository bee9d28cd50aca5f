"""What the weights that do not fit say: another number of outputs, or an axis of a normalization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shapeinspect_keras.debug.loading.attempt import key
from shapeinspect_keras.debug.loading.stored_file import Lengths

#: The name of a weight, its stored shape, and the one that the model has.
Row = tuple[str, Lengths, Lengths]


def is_head(reshaped: Sequence[Row], model: Any) -> bool:
    """Tell whether the last layer alone differs, and only in its number of outputs.

    Args:
        reshaped: the weights that do not fit.
        model: the model.
    """
    ends = {name.rpartition("/")[0] for name, _, _ in reshaped}
    last = {key(layer.weights[-1]).rpartition("/")[0] for layer in _outputs(model)}
    matrix = any(len(new) > 1 for _, _, new in reshaped)  # a normalization has no outputs of its own
    alike = all(len(old) == len(new) and old[:-1] == new[:-1] for _, old, new in reshaped)
    return len(ends) == 1 and ends <= last and matrix and alike


def _outputs(model: Any) -> list[Any]:
    """Return the layers that make a model's outputs, and the last one that has weights."""
    names = set(getattr(model, "output_names", None) or ())
    layers = [layer for layer in getattr(model, "layers", ()) if layer.weights]
    return [*(layer for layer in layers if layer.name in names), *layers[-1:]]


def other_axes(layers: Iterable[Any], reshaped: Sequence[Row]) -> tuple[str, ...]:
    """Say of layers which axis their weights follow, and which one the stored weights fit.

    Args:
        layers: the layers that do not fit.
        reshaped: their weights.

    Returns: A clause for each layer; none where one of them differs in another way.
    """
    told = []
    for layer in layers:
        axis, shape = getattr(layer, "axis", None), tuple(getattr(getattr(layer, "input", None), "shape", ()))
        rows = [(old, new) for name, old, new in reshaped if f"/{layer.name}/" in f"/{name}"]
        if type(axis) is not int or not rows or not -len(shape) <= axis < len(shape):
            return ()
        axis %= len(shape)
        lengths = {old for old, _ in rows}
        fits = [at for at in range(1, len(shape)) if lengths == {(shape[at],)} and at != axis]
        if len(fits) != 1 or {new for _, new in rows} != {(shape[axis],)}:
            return ()
        stored = f"what is stored fits axis {fits[0]}, of {shape[fits[0]]}"
        told.append(f'"{layer.name}" works along axis {axis}, of {shape[axis]}; {stored}')
    return tuple(told)
