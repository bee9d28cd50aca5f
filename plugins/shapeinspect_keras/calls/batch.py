"""The batch: which calls keep the first axis of their input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import Dim, Expr, Shape, Unknown, symbol

#: The batch axis of every Keras model.
BATCH = symbol("N")

#: Kinds of operations that keep the first axis whatever their settings.
_KEEPING = frozenset(
    {"activation", "avg_pool", "cast", "conv", "dropout", "elementwise", "identity", "layer_norm", "max_pool",
     "normalize", "rms_norm", "softmax"}
)  # fmt: skip
#: Kinds that act on the axes named in their settings; some insert them.
_INSERTING = frozenset({"one_hot", "stack", "unsqueeze"})
_ACTING = _INSERTING | {
    "argmax", "concat", "gather", "index", "reduce", "repeat", "slice", "split", "squeeze", "topk",
    "transpose2", "unstack",
}  # fmt: skip
#: Kinds that keep the first axis from some rank on; below that rank they act on it.
_RANKS = {"matmul": 3, "resize": 4}
_AXES = ("axis", "axes", "axis0", "axis1")


def open_batch(shape: Shape) -> Shape:
    """Name an open first axis of an input the batch.

    Args:
        shape: the input's lengths.

    Example:
        >>> from shapeinspect.dims import UNKNOWN
        >>> open_batch((UNKNOWN, UNKNOWN, 3))
        (N, ?, 3)
    """
    return (BATCH, *shape[1:]) if shape and isinstance(shape[0], Unknown) else shape


def kept_batch(
    kind: str,
    attributes: Mapping[str, Any],
    shapes: Sequence[Shape | None],
    *,
    operation: bool,
    default: Dim | None = None,
) -> Dim | None:
    """Return the batch that stays the first axis of a call's outputs, or None.

    Args:
        kind: the kind of the layer or operation.
        attributes: its settings.
        shapes: the shape of each input.
        operation: whether it is an operation of ``keras.ops``; a layer always keeps the batch.
        default: the batch that a layer keeps if no input's shape is known.

    Example:
        >>> kept_batch("reduce", {"axes": (1,)}, [(BATCH, 5, 7)], operation=True)
        N
    """
    known = [shape for shape in shapes if shape]
    if not known:
        return None if operation else default
    if not operation:
        first = known[0][0]
        return first if isinstance(first, Expr) and all(shape[0] == first for shape in known) else None
    # The operand of the highest rank has the batch; the others are broadcast to it.
    widest = max(known, key=len)
    batch = widest[0] if keeps_first(kind, attributes, len(widest)) else None
    return batch if isinstance(batch, Expr) else None


def keeps_first(kind: str, attributes: Mapping[str, Any], rank: int) -> bool:
    """Return whether an operation keeps the first axis.

    Args:
        kind: its kind.
        attributes: its settings.
        rank: the rank of its input.

    Example:
        >>> keeps_first("reduce", {"axes": (1, -1)}, 3), keeps_first("reduce", {"axes": (-3,)}, 3)
        (True, False)
        >>> keeps_first("reduce", {"axes": None}, 3)
        False
    """
    if kind in _KEEPING:
        return True
    if kind == "permute":
        axes = attributes.get("axes")
        return isinstance(axes, tuple) and axes[:1] in ((0,), (-rank,))
    if kind in _RANKS:
        return rank >= _RANKS[kind]
    if kind not in _ACTING:
        return False
    named = [attributes[name] for name in _AXES if attributes.get(name) is not None]
    axes = [axis for value in named for axis in (value if isinstance(value, tuple) else (value,))]
    if kind == "slice" and not axes:
        return True
    span = rank + len(axes) if kind in _INSERTING else rank
    return bool(axes) and all(type(axis) is int and axis not in (0, -span) for axis in axes)
