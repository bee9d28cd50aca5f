"""The data passed to ``fit`` and similar methods: arrays, or a ``tf.data`` pipeline of known shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: The data parameters of ``fit``, ``evaluate``, ``train_on_batch`` and the others, in order.
_POSITIONS = ("x", "y")


def given(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield inputs and targets: the training data, then the validation data.

    Args:
        args: positional arguments.
        kwargs: the others.
    """
    named = dict(zip(_POSITIONS, args, strict=False)) | dict(kwargs)
    yield _parts(named.get("x"), named.get("y"))
    validation = named.get("validation_data")
    if isinstance(validation, list | tuple):
        yield _parts(*(*validation, None)[:2])
    elif validation is not None:
        yield _parts(validation, None)


def _parts(x: Any, y: Any) -> tuple[Any, Any]:
    """Split a pipeline's specification as Keras splits its elements."""
    spec = getattr(x, "element_spec", None)
    if spec is None:
        return x, y
    if not isinstance(spec, tuple):
        return (spec if _whole(spec) else None), None
    inputs, targets = (*spec, None)[:2]
    return (inputs if _whole(inputs) else None), (targets if _whole(targets) else None)


def _whole(spec: Any) -> bool:
    """Return whether every tensor of a specification has a known rank."""
    import tensorflow as tf

    return all(
        isinstance(item, tf.TensorSpec) and item.shape.rank is not None for item in tf.nest.flatten(spec)
    )
