"""Evaluates the integer tensors that a graph computes shapes with, as far as they are known."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from math import prod
from operator import add, floordiv, mod, mul, sub
from typing import Any, Generic, TypeVar

from shapeinspect.dims import UNKNOWN, Dim, Shape, Unknown, product
from shapeinspect.rules.lengths import larger, smaller
from shapeinspect.rules.tensor import Tensor

Numbers = tuple[Dim, ...]


def one_number(numbers: Numbers | None) -> Dim | None:
    """Return the number of a value of one; None where it is not known.

    Args:
        numbers: the integers that a value is, as far as they are known.

    Example:
        >>> one_number((3,)), one_number((UNKNOWN,)), one_number((3, 5)), one_number(None)
        (3, None, None, None)
    """
    one = numbers[0] if numbers is not None and len(numbers) == 1 else None
    return None if isinstance(one, Unknown) else one


#: The type of the names of a graph's values.
K = TypeVar("K", bound=Hashable)

_MAX_DEPTH = 40
#: A tensor of more elements is not a shape.
_MAX_NUMBERS = 1024
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "Add": add, "AddV2": add, "Sub": sub, "Mul": mul, "FloorDiv": floordiv, "Maximum": larger,
    "Minimum": smaller, "FloorMod": mod,
}  # fmt: skip


_OTHERS = frozenset(
    {"Pack", "ConcatV2", "Cast", "StridedSlice", "Reshape", "Prod", "GatherV2", "Gather", "Range"}
)


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
        (3, 4, ?)
    """

    def __init__(self, source_of: Callable[[K], Source[K]], shape_of: Callable[[K], Shape | None]) -> None:
        self._source_of = source_of
        self._shape_of = shape_of
        self._known: dict[K, Numbers | None] = {}

    def numbers(self, ref: K, depth: int = 0) -> Numbers | None:
        """Return the elements of a value: integers, or expressions of the symbols of the inputs.

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

    def _tensor(self, ref: K, depth: int) -> Tensor | None:
        """Return the elements of a value with its lengths; a value of unknown lengths is a vector."""
        flat, shape = self.numbers(ref, depth), self._shape_of(ref)
        if flat is None:
            return None
        if shape is None:
            source = self._source_of(ref)
            parts = [None if part is None else self.numbers(part, depth) for part in source.inputs]
            if source.op == "Pack" and any(part is None or len(part) != 1 for part in parts):
                return None
            shape = (len(flat),)
        lengths = tuple(length for length in shape if isinstance(length, int))
        return Tensor(lengths, flat) if len(lengths) == len(shape) and prod(lengths) == len(flat) else None

    def _compute(self, step: Source[K], depth: int) -> Numbers | None:
        op, inputs = step.op, step.inputs
        if step.numbers is not None:
            return step.numbers
        if op == "Shape" and inputs and inputs[0] is not None:
            return self._shape_of(inputs[0])
        if op == "Rank" and inputs and inputs[0] is not None:
            shape = self._shape_of(inputs[0])
            return None if shape is None else (len(shape),)
        if op not in _ARITHMETIC and op not in _OTHERS:
            return None
        parts = [None if ref is None else self.numbers(ref, depth + 1) for ref in inputs]
        if op == "Pack":
            return _packed(parts)
        if op in ("Cast", "Reshape"):
            return parts[0] if parts else None
        if op == "Prod":
            return None if not parts or parts[0] is None else (product(parts[0]),)
        if op in ("GatherV2", "Gather"):
            return _picked(parts)
        if op == "ConcatV2":
            return _joined(parts[:-1])
        if op == "Range":
            return _counted(parts)
        if op == "StridedSlice":
            whole = None if not inputs or inputs[0] is None else self._tensor(inputs[0], depth + 1)
            return None if whole is None else _cut(step.attributes, whole, parts[1:])
        return _combined(_ARITHMETIC[op], parts)


def _picked(parts: list[Numbers | None]) -> Numbers | None:
    """Return the entries of a vector at some indices."""
    if len(parts) < 2 or parts[0] is None or parts[1] is None:
        return None
    places = [place for place in parts[1] if isinstance(place, int) and 0 <= place < len(parts[0])]
    return tuple(parts[0][place] for place in places) if len(places) == len(parts[1]) else None


def _counted(parts: list[Numbers | None]) -> Numbers | None:
    """Return the numbers from the first to before the second, in steps of the third."""
    ends = [part[0] for part in parts if part is not None and len(part) == 1 and isinstance(part[0], int)]
    if len(ends) != 3 or len(parts) != 3 or not ends[2]:
        return None
    counted = range(*(end for end in ends if isinstance(end, int)))
    return None if counted[_MAX_NUMBERS:] else tuple(counted)  # its length may be no integer of C


def _packed(parts: list[Numbers | None]) -> Numbers | None:
    """Join numbers, or rows of one length."""
    lengths = {len(part) for part in parts if part is not None}
    if len(lengths) != 1:
        return None
    (length,) = lengths
    return tuple(entry for part in parts for entry in (part or (UNKNOWN,) * length))


def _joined(parts: list[Numbers | None]) -> Numbers | None:
    joined: list[Dim] = []
    for part in parts:
        if part is None:
            return None
        joined.extend(part)
    return tuple(joined)


def _combined(operation: Callable[[Any, Any], Any], parts: list[Numbers | None]) -> Numbers | None:
    sides = [part for part in parts if part is not None]
    if len(sides) != 2 or len(parts) != 2:
        return None
    left, right = sides
    count = max(len(left), len(right))
    if {len(left), len(right)} - {1, count}:
        return None
    left, right = (side * count if len(side) == 1 else side for side in sides)
    if operation in (floordiv, mod) and any(not isinstance(b, int) or b < 1 for b in right):
        return (UNKNOWN,) * count  # only a length divided by a number is surely rounded as a shape is
    return tuple(operation(a, b) for a, b in zip(left, right, strict=True))


def _cut(masks: Mapping[str, Any], whole: Tensor, parts: list[Numbers | None]) -> Numbers | None:
    """Slice the first axes of a value."""
    cuts = [part for part in parts if part is not None]
    if len(cuts) != 3 or masks.get("ellipsis_mask") or masks.get("new_axis_mask"):
        return None
    begin, end, single = (int(masks.get(f"{name}_mask") or 0) for name in ("begin", "end", "shrink_axis"))
    for axis, (first, last, pace) in enumerate(zip(*cuts, strict=False)):
        if (
            axis >= len(whole.shape)
            or not all(isinstance(one, int) for one in (first, last, pace))
            or pace == 0
        ):
            return None
        length = whole.shape[axis]
        if single >> axis & 1:
            if not isinstance(first, int) or not -length <= first < length:
                return None
            whole = whole.select(axis, (first % length,))
            continue
        bounds = (None if begin >> axis & 1 else first, None if end >> axis & 1 else last, pace)
        whole = whole.select(axis, range(length)[slice(*bounds)])
    return whole.flat
