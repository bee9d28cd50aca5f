"""What one call of a live Keras layer or operation tells beyond its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: ``call(query, value, key)``. Source: keras/src/layers/attention, 3.15.
_NAMED = frozenset({"MultiHeadAttention", "GroupedQueryAttention"})
_LISTED = frozenset({"Attention", "AdditiveAttention"})
_POSITIONS = ("query", "value", "key")


def attended(
    class_name: str | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Any, ...] | None:
    """Return an attention's query, key and value; None for every other layer.

    Args:
        class_name: the layer's class.
        args: the positional arguments.
        kwargs: the others.

    Example:
        >>> attended("MultiHeadAttention", ("q", "v"), {})
        ('q', 'v', 'v')
    """
    if class_name in _LISTED:
        args = args[0] if args and isinstance(args[0], list | tuple) else ()
    elif class_name not in _NAMED:
        return None
    found = {
        **dict(zip(_POSITIONS, args, strict=False)),
        **{key: kwargs[key] for key in _POSITIONS if key in kwargs},
    }
    if found.get("query") is None or found.get("value") is None:
        return None
    key = found["value"] if found.get("key") is None else found["key"]
    return found["query"], key, found["value"]


def item(key: Any, rank: int) -> tuple[str, dict[str, Any]]:
    """Say what ``x[key]`` does: a slice, one index, a new axis; unknown where it is several of these.

    Args:
        key: the key.
        rank: the rank of ``x``.

    Example:
        >>> item((slice(None), 0), 3)
        ('index', {'axis': 1, 'index': 0})
        >>> item((..., slice(1, None, 2)), 3)
        ('slice', {'axes': (2,), 'starts': (1,), 'ends': (9223372036854775807,), 'steps': (2,)})
        >>> item((slice(None), None), 3)
        ('unsqueeze', {'axes': (1,)})
    """
    spelled = list(key) if isinstance(key, tuple) else [key]
    fixed = sum(one is not None and one is not Ellipsis for one in spelled)
    if fixed > rank or sum(one is Ellipsis for one in spelled) > 1:
        return "unknown", {}
    if Ellipsis in [one for one in spelled if one is Ellipsis]:
        at = next(index for index, one in enumerate(spelled) if one is Ellipsis)
        spelled[at : at + 1] = [slice(None)] * (rank - fixed)
    acting = [
        (axis, one) for axis, one in enumerate(spelled) if not (isinstance(one, slice) and one == slice(None))
    ]
    if acting and all(one is None for _, one in acting):
        return "unsqueeze", {"axes": tuple(axis for axis, _ in acting)}
    if len(acting) == 1 and isinstance(acting[0][1], int) and not isinstance(acting[0][1], bool):
        return "index", {"axis": acting[0][0], "index": acting[0][1]}
    cuts = [(axis, *_cut(one)) for axis, one in acting if isinstance(one, slice)]
    if len(cuts) != len(acting) or any(None in cut for cut in cuts):
        return "unknown", {}
    axes, starts, ends, steps = (tuple(cut[place] for cut in cuts) for place in range(4))
    return "slice", {"axes": axes, "starts": starts, "ends": ends, "steps": steps}


def _cut(one: slice) -> tuple[int | None, int | None, int | None]:
    """Write a slice's limits out; None for one that is no plain number."""
    step = 1 if one.step is None else one.step
    start = (0 if step == 1 or step > 0 else None) if one.start is None else one.start
    stop = (2**63 - 1 if step > 0 else None) if one.stop is None else one.stop
    if all(isinstance(value, int) for value in (start, stop, step)):
        return start, stop, step
    return None, None, None


def constants(args: Any, kwargs: Any, symbolic: Callable[[Any], bool]) -> list[Any]:
    """List a call's tensors in order, symbolic ones and arrays.

    Args:
        args: the positional arguments.
        kwargs: the others.
        symbolic: tells a symbolic tensor.
    """
    import keras

    flat = keras.tree.flatten((list(args), dict(kwargs)))
    return [one for one in flat if symbolic(one) or (hasattr(one, "shape") and hasattr(one, "dtype"))]


#: Operations that leave the first axis alone whatever their settings.
_KEEPING = frozenset(
    {
        "activation",
        "elementwise",
        "softmax",
        "cast",
        "resize",
        "layer_norm",
        "rms_norm",
        "normalize",
        "one_hot",
    }
)
#: The settings that name the axes on which an operation acts.
_AXES = ("axis", "axes", "axis0", "axis1")
_ACTING = frozenset(
    {
        "index",
        "slice",
        "unsqueeze",
        "squeeze",
        "reduce",
        "argmax",
        "concat",
        "stack",
        "split",
        "transpose2",
        "repeat",
    }
)


def keeps_batch(kind: str, attributes: Mapping[str, Any], rank: int) -> bool:
    """Tell whether an operation's output begins with the first axis of its input.

    Args:
        kind: the operation's kind.
        attributes: its settings.
        rank: the rank of its input.

    Example:
        >>> keeps_batch("reduce", {"op": "mean", "axes": (1, -1)}, 3)
        True
        >>> keeps_batch("reduce", {"op": "mean", "axes": None}, 3)
        False
    """
    if kind in _KEEPING:
        return True
    if kind == "permute":
        axes = attributes.get("axes") or (None,)
        return axes[0] in (0, -rank)
    if kind == "matmul":
        return rank > 2
    if kind not in _ACTING:
        return False
    acting = [attributes[name] for name in _AXES if attributes.get(name) is not None]
    flat = [axis for one in acting for axis in (one if isinstance(one, tuple) else (one,))]
    lowest = rank + 1 if kind in ("unsqueeze", "stack") else rank
    return bool(flat) and all(isinstance(axis, int) and axis not in (0, -lowest) for axis in flat)
