"""The arguments of a call, decoded from the configuration; nothing in them is resolved or executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect_keras.calls.arguments import Arguments, Array, Given, rectangle
from shapeinspect_keras.containers.jsontext import mapping, text
from shapeinspect_keras.saved.config import Inbound, is_reference

_ARRAYS = ("__numpy__", "__tensor__")


def arguments(call: Inbound, values: Sequence[str]) -> Arguments:
    """Decode the arguments of a call.

    Args:
        call: the call in the file.
        values: the value that each tensor of the call is.

    Example:
        >>> arguments(Inbound((), ([{"class_name": "__slice__", "config": {"stop": 3}}, None, 4],)), ()).args
        ((slice(None, 3, None), None, 4),)
    """
    if call.old or not (call.args or call.kwargs):
        return _positional(call, values)
    names = {tensor.source: value for tensor, value in zip(call.tensors, values, strict=True)}
    args = tuple(_decoded(value, names) for value in call.args)
    return Arguments(args, {name: _decoded(value, names) for name, value in (call.kwargs or {}).items()})


def _positional(call: Inbound, values: Sequence[str]) -> Arguments:
    """Arrange the tensors of Keras 2, or of a sequential model, as arguments: one, or a list of several."""
    pairs = list(zip(call.tensors, values, strict=True))
    listed = [Given(value) for tensor, value in pairs if tensor.slot.isdecimal()]
    named = {tensor.slot: Given(value) for tensor, value in pairs if not tensor.slot.isdecimal()}
    return Arguments(tuple(listed) if len(listed) < 2 else (listed,), named)


def _decoded(value: Any, names: Mapping[tuple[str, int, int], str]) -> Any:
    """Decode one argument; lists become tuples, everything else stays unchanged."""
    if isinstance(value, list):
        return tuple(_decoded(item, names) for item in value)
    if not isinstance(value, dict):
        return value
    name, config = value.get("class_name"), mapping(value.get("config"))
    if name == "__keras_tensor__":
        history: Any = config.get("keras_history")
        return Given(names[tuple(history[:3])]) if is_reference(history) else value
    if name == "__slice__":
        return slice(config.get("start"), config.get("stop"), config.get("step"))
    if name == "__ellipsis__":
        return Ellipsis
    if name in _ARRAYS:
        lengths = rectangle(config.get("value"))
        return value if lengths is None else Array(lengths, text(config.get("dtype"), "?"))
    return {key: _decoded(item, names) for key, item in value.items()}
