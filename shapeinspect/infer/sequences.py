"""Follows the tensors of sequences and optionals, which have no shape of their own.

Of a sequence of a known number of tensors every one is followed, so that pieces of unequal lengths join
again; of any other what all of them have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.infer.facts import CallFacts
from shapeinspect.ir import Model, Value
from shapeinspect.rules import Shapes
from shapeinspect.rules.rule import normalize_axis

#: The exceptions of a setting of a wrong type or value; files may contain any.
_UNUSABLE: Final = (TypeError, ValueError, LookupError, ArithmeticError, ShapeMismatchError)
#: Longer sequences are followed by what their tensors have in common.
_MANY: Final = 256


@dataclass(frozen=True, slots=True)
class Items:
    """The tensors of a sequence or an optional.

    Args:
        each: the shape of every one; None if their number is not known.
        common: what all of them have in common.
    """

    each: tuple[Shape | None, ...] | None
    common: Shape | None


def common(shapes: Sequence[Shape | None]) -> Shape | None:
    """Return what some shapes have in common: the lengths that agree; None where their ranks differ.

    Args:
        shapes: the shapes.

    Example:
        >>> common(((2, 3), (2, 5)))
        (2, ?)
    """
    first = shapes[0] if shapes else None
    if first is None or any(shape is None or len(shape) != len(first) for shape in shapes):
        return None
    return tuple(
        length if all(shape is not None and shape[axis] == length for shape in shapes) else UNKNOWN
        for axis, length in enumerate(first)
    )


def _of(shapes: tuple[Shape | None, ...]) -> Items:
    return Items(shapes if len(shapes) <= _MANY else None, common(shapes))


class Sequences:
    """What is known of the tensors of every sequence so far.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self.given = model.values
        self.items: dict[str, Items] = {
            name: Items(None, value.element)
            for name, value in model.values.items()
            if value.element is not None
        }

    def values(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values that are sequences, with what their tensors have in common.

        Args:
            values: the values by name.
        """
        return {
            name: replace(values[name], element=items.common)
            for name, items in self.items.items()
            if name in values
        }

    def hand_on(self, sources: Sequence[str], target: str) -> None:
        """Let a sequence hold what others do, of which it is one; nothing where one of them is none.

        Args:
            sources: the names of the others.
            target: its own name.
        """
        found = [self.items[name] for name in sources if name in self.items]
        if found and len(found) == len(sources):
            known = [items.common for items in found if items.common is not None]
            self.items[target] = Items(None, common(known))

    def outputs(self, fact: CallFacts, rule: Shapes, numbers: Callable[[str], Any]) -> Shapes:
        """Run one op if it works on sequences; return the shapes of its outputs.

        Args:
            fact: the call.
            rule: the shapes that its rule gives.
            numbers: returns the numbers of a value, or None.
        """
        if fact.layer.kind == "identity":
            self._pass(fact)
        if fact.layer.kind != "sequence":
            return rule
        work = _WORK.get(str(fact.attributes.get("op")))
        try:
            result = work(self, fact, numbers) if work is not None else None
        except _UNUSABLE:
            return (None,)
        if isinstance(result, Items) and fact.call.outputs:
            self.items[fact.call.outputs[0]] = result
            return (None,)
        return (None,) if isinstance(result, Items) else (result,)

    def _pass(self, fact: CallFacts) -> None:
        """Hand on the tensors of a sequence that a call passes unchanged."""
        if fact.names and fact.call.outputs and fact.names[0] in self.items:
            self.items[fact.call.outputs[0]] = self.items[fact.names[0]]

    def _read(self, fact: CallFacts, slot: int = 0) -> Items:
        name = fact.names[slot] if slot < len(fact.names) else ""
        return self.items.get(name, Items(None, None))

    def _construct(self, fact: CallFacts, _numbers: Callable[[str], Any]) -> Items:
        """Make a sequence of some tensors."""
        return _of(fact.inputs)

    def _empty(self, _fact: CallFacts, _numbers: Callable[[str], Any]) -> Items:
        """Make a sequence of none."""
        return Items((), None)

    def _insert(self, fact: CallFacts, numbers: Callable[[str], Any]) -> Items:
        """Insert a tensor, at the end if no position is given."""
        read, tensor = self._read(fact), fact.inputs[1] if len(fact.inputs) > 1 else None
        place = _position(fact, 2, numbers)
        if read.each is None:
            return Items(None, common((read.common, tensor)))
        if place is None:
            return (
                _of((*read.each, tensor))
                if len(fact.names) < 3 and "index" not in fact.attributes
                else Items(None, common((*read.each, tensor)))
            )
        at = place if place >= 0 else place + len(read.each)
        if not 0 <= at <= len(read.each):
            return Items(None, None)
        return _of((*read.each[:at], tensor, *read.each[at:]))

    def _reserve(self, _fact: CallFacts, _numbers: Callable[[str], Any]) -> Items:
        """Make a sequence of places for tensors."""
        return Items(None, None)

    def _set(self, fact: CallFacts, _numbers: Callable[[str], Any]) -> Items:
        """Put a tensor in a place of a sequence whose tensors have one shape."""
        return Items(None, fact.inputs[1] if len(fact.inputs) > 1 else None)

    def _stack(self, fact: CallFacts, numbers: Callable[[str], Any]) -> Shape | None:
        """Stack a known number of tensors of one shape, of which one is given."""
        count = numbers(fact.names[1]) if len(fact.names) > 1 else None
        count = count[0] if isinstance(count, tuple) and len(count) == 1 else count
        length: Dim = count if isinstance(count, Expr) or (isinstance(count, int) and count >= 0) else UNKNOWN
        entry = self._read(fact).common
        return None if entry is None else (length, *entry)

    def _erase(self, fact: CallFacts, numbers: Callable[[str], Any]) -> Items:
        """Erase a tensor, the last one if no position is given."""
        read, place = self._read(fact), _position(fact, 1, numbers)
        if read.each is None or not read.each:
            return Items(None, read.common)
        if place is None:
            return _of(read.each[:-1]) if len(fact.names) < 2 else Items(None, read.common)
        at = normalize_axis(place, len(read.each))
        return _of((*read.each[:at], *read.each[at + 1 :]))

    def _at(self, fact: CallFacts, numbers: Callable[[str], Any]) -> Shape | None:
        """Take one tensor."""
        read, place = self._read(fact), _position(fact, 1, numbers)
        if read.each is not None and place is not None and -len(read.each) <= place < len(read.each):
            return read.each[place]
        return read.common

    def _number(self, _fact: CallFacts, _numbers: Callable[[str], Any]) -> Shape | None:
        """Make a single number."""
        return ()

    def _split(self, fact: CallFacts, numbers: Callable[[str], Any]) -> Items:
        """Split a tensor along one axis."""
        shape, attributes = fact.inputs[0] if fact.inputs else None, fact.attributes
        if shape is None or not shape:
            return Items(None, None)
        axis = normalize_axis(attributes.get("axis", 0), len(shape))
        sizes = attributes.get("split", numbers(fact.names[1]) if len(fact.names) > 1 else None)
        length, rest = shape[axis], shape[axis + 1 :]
        if sizes is None and len(fact.names) < 2:
            piece = (*shape[:axis], *((1,) if attributes.get("keepdims", True) else ()), *rest)
            return (
                _of((piece,) * length) if isinstance(length, int) and length <= _MANY else Items(None, piece)
            )
        if isinstance(sizes, int) and sizes > 0:
            if not isinstance(length, int) or length > _MANY * sizes:
                return Items(None, (*shape[:axis], 1 if sizes == 1 else UNKNOWN, *rest))
            sizes = tuple(min(sizes, length - start) for start in range(0, length, sizes))
        if not isinstance(sizes, tuple | list) or not all(map(_is_length, sizes)):
            return Items(None, (*shape[:axis], UNKNOWN, *rest))
        return _of(tuple((*shape[:axis], size, *rest) for size in sizes))

    def _concat(self, fact: CallFacts, _numbers: Callable[[str], Any]) -> Shape | None:
        """Join all tensors along one axis, or along a new one."""
        read, new = self._read(fact), fact.attributes.get("new_axis")
        shared = read.common
        if shared is None:
            return None
        axis = normalize_axis(fact.attributes.get("axis", 0), len(shared) + (1 if new else 0))
        if new:
            count: Dim = UNKNOWN if read.each is None else len(read.each)
            return (*shared[:axis], count, *shared[axis:])
        total: Dim = UNKNOWN if read.each is None else 0
        for shape in read.each or ():
            total = total + (UNKNOWN if shape is None else shape[axis])
        return (*shared[:axis], total, *shared[axis + 1 :])

    def _get(self, fact: CallFacts, _numbers: Callable[[str], Any]) -> Shape | Items | None:
        """Take what an optional holds: a tensor or a sequence; a tensor itself is handed on."""
        if self._holds_sequence(fact):
            return self._read(fact)
        if fact.names and fact.names[0] in self.items:
            return self._read(fact).common
        return fact.inputs[0] if fact.inputs else None

    def _holds_sequence(self, fact: CallFacts) -> bool:
        value = self.given.get(fact.names[0]) if fact.names else None
        return value is not None and (value.dtype or "").startswith(("optional(sequence", "sequence"))

    def _optional(self, fact: CallFacts, _numbers: Callable[[str], Any]) -> Items:
        """Make an optional of a tensor or a sequence."""
        if fact.names and fact.names[0] in self.items:
            return self._read(fact)
        return _of(fact.inputs[:1]) if fact.inputs else Items(None, None)


def _is_length(size: object) -> bool:
    return isinstance(size, Expr) or (isinstance(size, int) and size >= 0)


def _position(fact: CallFacts, slot: int, numbers: Callable[[str], Any]) -> int | None:
    place = fact.attributes.get("index")
    if place is None and slot < len(fact.names):
        place = numbers(fact.names[slot])
    if isinstance(place, tuple) and len(place) == 1:
        place = place[0]
    return place if isinstance(place, int) and not isinstance(place, bool) else None


_WORK: Mapping[str, Callable[[Sequences, CallFacts, Callable[[str], Any]], Any]] = {
    "construct": Sequences._construct,
    "empty": Sequences._empty,
    "insert": Sequences._insert,
    "reserve": Sequences._reserve,
    "set": Sequences._set,
    "stack": Sequences._stack,
    "erase": Sequences._erase,
    "at": Sequences._at,
    "length": Sequences._number,
    "has": Sequences._number,
    "split": Sequences._split,
    "concat": Sequences._concat,
    "get": Sequences._get,
    "optional": Sequences._optional,
}
