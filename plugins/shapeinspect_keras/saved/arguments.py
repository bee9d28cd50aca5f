"""What the arguments of a call tell: the order of an attention's inputs, the key of ``x[...]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect_keras.containers.jsontext import mapping
from shapeinspect_keras.saved.config import Inbound, Node

#: The positional arguments of layers whose inputs have an order of their own.
#: Source: ``call`` of keras/src/layers/attention/multi_head_attention.py and
#: grouped_query_attention.py, 3.15, and ``_unpack`` of attention.py: query, value, then key.
_NAMED = frozenset({"MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention"})
_LISTED = frozenset({"Attention", "AdditiveAttention"})
_POSITIONS = ("query", "value", "key")
_ORDER = ("query", "key", "value")


def ordered(node: Node, call: Inbound, values: Sequence[str]) -> tuple[str, ...]:
    """Put a call's inputs into the common order; for an attention query, key, value.

    Args:
        node: the layer.
        call: how it is called.
        values: the value that each tensor of the call is.

    Example:
        >>> from shapeinspect_keras.saved.config import Tensor
        >>> mha = Node("a", "MultiHeadAttention", "", True, {}, {})
        >>> ordered(mha, Inbound((Tensor("0", "x", 0, 0), Tensor("1", "y", 0, 0))), ("x", "y"))
        ('x', 'y', 'y')
    """
    if not node.own or node.class_name not in _NAMED | _LISTED:
        return tuple(values)
    found: dict[str, str] = {}
    for place, (tensor, value) in enumerate(zip(call.tensors, values, strict=True)):
        spot = place if node.class_name in _LISTED or call.old else _position(tensor.slot)
        slot = tensor.slot if tensor.slot in _POSITIONS else None
        if slot is None and spot is not None and spot < len(_POSITIONS):
            slot = _POSITIONS[spot]
        if slot is not None and tensor.slot not in ("query_mask", "value_mask", "key_mask", "attention_mask"):
            found.setdefault(slot, value)
    if "query" not in found or "value" not in found:
        return tuple(values)
    found.setdefault("key", found["value"])
    return tuple(found[slot] for slot in _ORDER)


def _position(slot: str) -> int | None:
    return int(slot) if slot.isdecimal() and slot.isascii() and len(slot) < 4 else None


def item(call: Inbound, rank: int | None) -> tuple[str, dict[str, Any]]:
    """Say what ``x[key]`` does: a slice, one index, or something of its own.

    Args:
        call: the call of the operation.
        rank: the rank of ``x``, if known.

    Example:
        >>> whole = {"class_name": "__slice__", "config": {}}
        >>> item(Inbound((), ({}, [whole, 0])), 3)
        ('index', {'axis': 1, 'index': 0})
        >>> item(Inbound((), ({}, [whole, {"class_name": "__slice__", "config": {"stop": 7}}])), 3)
        ('slice', {'starts': (0,), 'ends': (7,), 'axes': (1,), 'steps': (1,)})
    """
    key = (call.kwargs or {}).get("key", call.args[1] if len(call.args) > 1 else None)
    parts = key if isinstance(key, list) else [key]
    if "..." in parts or any(mapping(part).get("class_name") == "__ellipsis__" for part in parts):
        return "unknown", {}
    if rank is not None and len(parts) > rank:
        return "unknown", {}
    numbers = [(axis, part) for axis, part in enumerate(parts) if type(part) is int]
    cuts = [(axis, _cut(part)) for axis, part in enumerate(parts) if type(part) is not int]
    if any(cut is None for _, cut in cuts):
        return "unknown", {}
    kept = [(axis, cut) for axis, cut in cuts if cut is not None and cut != (0, None, 1)]
    if len(numbers) == 1 and not kept:
        return "index", {"axis": numbers[0][0], "index": numbers[0][1]}
    if numbers:
        return "unknown", {}
    return "slice", {
        "starts": tuple(cut[0] for _, cut in kept),
        "ends": tuple(2**63 - 1 if cut[1] is None else cut[1] for _, cut in kept),
        "axes": tuple(axis for axis, _ in kept),
        "steps": tuple(cut[2] for _, cut in kept),
    }


def _cut(part: Any) -> tuple[int, int | None, int] | None:
    if mapping(part).get("class_name") != "__slice__":
        return None
    config = mapping(mapping(part).get("config"))
    start, stop, step = (config.get(name) for name in ("start", "stop", "step"))
    if any(value is not None and type(value) is not int for value in (start, stop, step)):
        return None
    if type(step) is int and step < 1:
        return None
    return (start or 0, stop, 1 if step is None else step)


_KEEPING = frozenset({"elementwise", "activation", "softmax", "dropout", "identity", "cast"})
_ON_AXES = frozenset({"index", "slice", "reduce", "argmax", "concat", "squeeze", "repeat", "split", "gather"})
_INSERTING = frozenset({"stack", "unsqueeze", "one_hot"})


def keeps_first(kind: str, attributes: Mapping[str, Any], rank: int) -> bool:
    """Tell whether a bare operation leaves the first axis what it was; a Keras layer always does.

    Args:
        kind: its kind.
        attributes: its settings.
        rank: the rank of its input.

    Example:
        >>> keeps_first("reduce", {"axes": (1, -1)}, 3), keeps_first("reduce", {"axes": (-3,)}, 3)
        (True, False)
    """
    if kind in _KEEPING:
        return True
    if kind == "permute":
        axes = attributes.get("axes")
        return isinstance(axes, tuple) and axes[:1] == (0,)
    if kind not in _ON_AXES | _INSERTING:
        return False
    axes = attributes.get("axes", attributes.get("axis"))
    listed = axes if isinstance(axes, tuple) else (axes,)
    span = rank + len(listed) if kind in _INSERTING else rank
    return all(type(axis) is int and -span <= axis < span and axis % span != 0 for axis in listed)
