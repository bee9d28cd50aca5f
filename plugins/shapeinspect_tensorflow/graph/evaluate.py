"""Evaluates the integer tensors that a graph computes shapes with, as far as they are known."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from operator import add, floordiv, mul, sub
from typing import Any, Generic, TypeVar

from shapeinspect.dims import Shape

Numbers = tuple["int | None", ...]
#: The type of the names of a graph's values.
K = TypeVar("K", bound=Hashable)

_MAX_DEPTH = 40
#: A tensor of more elements is not a shape.
_MAX_NUMBERS = 1024
_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "Add": add, "AddV2": add, "Sub": sub, "Mul": mul, "FloorDiv": floordiv, "Maximum": max, "Minimum": min,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source(Generic[K]):
    """The operator that computes a value.

    Args:
        op: the operator, by TensorFlow's name.
        inputs: what it reads.
        attributes: its settings.
        numbers: the value itself, where it is stored.
    """

    op: str
    inputs: tuple[K | None, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    numbers: tuple[int, ...] | None = None


class Evaluator(Generic[K]):
    """Evaluates the small integer tensors of one graph.

    Args:
        source_of: returns the operator that computes a value.
        shape_of: returns the shape of a value, or None.

    Example:
        >>> stored = {"a": Source("Const", numbers=(3,)), "b": Source("Const", numbers=(4,))}
        >>> graph = {**stored, "p": Source("Pack", ("a", "b", None))}
        >>> Evaluator(graph.__getitem__, lambda _name: None).numbers("p")
        (3, 4, None)
    """

    def __init__(self, source_of: Callable[[K], Source[K]], shape_of: Callable[[K], Shape | None]) -> None:
        self._source_of = source_of
        self._shape_of = shape_of
        self._known: dict[K, Numbers | None] = {}

    def numbers(self, ref: K, depth: int = 0) -> Numbers | None:
        """Return the elements of a value, None for each that is known only at run time.

        Args:
            ref: the value.
            depth: the number of values on the path to this one.

        Returns:
            None if their number is unknown.
        """
        if depth > _MAX_DEPTH:
            return None
        if ref not in self._known:
            self._known[ref] = None  # for a value that is computed from itself
            computed = self._compute(self._source_of(ref), depth)
            self._known[ref] = computed if computed is None or len(computed) <= _MAX_NUMBERS else None
        return self._known[ref]

    def _compute(self, step: Source[K], depth: int) -> Numbers | None:
        op, inputs = step.op, step.inputs
        if step.numbers is not None:
            return step.numbers
        if op == "Shape" and inputs and inputs[0] is not None:
            shape = self._shape_of(inputs[0])
            return None if shape is None else tuple(dim if isinstance(dim, int) else None for dim in shape)
        if op not in _ARITHMETIC and op not in ("Pack", "ConcatV2", "Cast", "StridedSlice", "Reshape"):
            return None
        parts = [None if ref is None else self.numbers(ref, depth + 1) for ref in inputs]
        if op == "Pack":
            return tuple(part[0] if part is not None and len(part) == 1 else None for part in parts)
        if op in ("Cast", "Reshape"):
            return parts[0] if parts else None
        if op == "ConcatV2":
            return _joined(parts[:-1])
        if op == "StridedSlice":
            return _cut(step, parts)
        return _combined(_ARITHMETIC[op], parts)


def _joined(parts: list[Numbers | None]) -> Numbers | None:
    joined: list[int | None] = []
    for part in parts:
        if part is None:
            return None
        joined.extend(part)
    return tuple(joined)


def _combined(operation: Callable[[int, int], int], parts: list[Numbers | None]) -> Numbers | None:
    sides = [part for part in parts if part is not None]
    if len(sides) != 2 or len(parts) != 2:
        return None
    left, right = sides
    count = max(len(left), len(right))
    if {len(left), len(right)} - {1, count}:
        return None
    left, right = (side * count if len(side) == 1 else side for side in sides)
    return tuple(
        None if a is None or b is None or (operation is floordiv and b == 0) else operation(a, b)
        for a, b in zip(left, right, strict=True)
    )


def _cut(step: Source[K], parts: list[Numbers | None]) -> Numbers | None:
    """Slice a one-dimensional value."""
    if len(parts) != 4 or any(part is None for part in parts):
        return None
    whole, *cuts = [part for part in parts if part is not None]
    if any(len(cut) != 1 or cut[0] is None for cut in cuts) or cuts[2][0] == 0:
        return None
    first, last, pace = (cut[0] for cut in cuts)
    masks = step.attributes
    if masks.get("ellipsis_mask") or masks.get("new_axis_mask"):
        return None
    if masks.get("shrink_axis_mask"):
        return (whole[first],) if first is not None and -len(whole) <= first < len(whole) else None
    begin = None if masks.get("begin_mask") else first
    return whole[begin : None if masks.get("end_mask") else last : pace]
