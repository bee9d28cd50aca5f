"""The inputs that a Keras layer declares: the number of axes, and the batch size of a stateful layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shapeinspect.plugin_api.facts import Refusal

#: The fewest axes of layers that declare them only in their exceptions.
#: Source: keras/src/layers, 3.15.
_FEWEST = {"TimeDistributed": 3}


def wanted(operation: Any, symbols: Sequence[Any]) -> Refusal | None:
    """Return the inputs that a layer expects if it refuses these shapes, else None.

    Args:
        operation: the layer or operation.
        symbols: the tensors that it is called on.

    Example:
        >>> wanted(object(), [])
    """
    import keras

    ranks = [len(item.shape) for item in symbols]
    specs = keras.tree.flatten(getattr(operation, "input_spec", None) or ())
    for spec, rank in zip(specs, ranks, strict=False):
        if spec.ndim is not None and rank != spec.ndim and not spec.allow_last_axis_squeeze:
            return Refusal("rank", f"{spec.ndim} axes", spec.ndim)
        if spec.min_ndim is not None and rank < spec.min_ndim:
            return Refusal("rank", f"at least {spec.min_ndim} axes")
        if spec.max_ndim is not None and rank > spec.max_ndim:
            return Refusal("rank", f"at most {spec.max_ndim} axes")
    fewest = _FEWEST.get(type(operation).__name__)
    if fewest is not None and ranks and ranks[0] < fewest:
        return Refusal("rank", f"at least {fewest} axes")
    return _batch(operation, symbols)


def _batch(operation: Any, symbols: Sequence[Any]) -> Refusal | None:
    """Return the refusal of a stateful layer that was built for another batch size."""
    states = getattr(operation, "states", None) if getattr(operation, "stateful", False) else None
    if not states or not symbols or not symbols[0].shape:
        return None
    import keras

    kept = keras.tree.flatten(states)[0].shape[0]
    if kept == symbols[0].shape[0]:
        return None
    return Refusal("stateful", f"a batch of {kept}, whose states it keeps (stateful=True)")
