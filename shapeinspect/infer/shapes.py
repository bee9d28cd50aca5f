"""Walks the calls in order: fills in the shapes that are unknown, and checks those that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape, Unknown, symbols
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.frozen import changed
from shapeinspect.infer.blocks import Blocks
from shapeinspect.infer.doubts import Doubts, contradicts, is_recorded
from shapeinspect.infer.facts import CallFacts, facts_of
from shapeinspect.infer.kernels import check_kernel
from shapeinspect.infer.sequences import Sequences
from shapeinspect.ir import Call, Layer, Model, Note, Value
from shapeinspect.progress import counted
from shapeinspect.rules import Shapes, has_rule, output_shapes
from shapeinspect.rules.kinds.axes import taken_to_stay
from shapeinspect.rules.kinds.elementwise import taken_equal
from shapeinspect.rules.kinds.reshape import taken_for_one_size
from shapeinspect.rules.rounding import Product
from shapeinspect.rules.rule import show
from shapeinspect.rules.shape_values import contents, cut

#: How a note says that an op refuses its input.
REFUSAL = "does not fit its input"


def fill_shapes(
    model: Model, layers: Mapping[str, Layer], blocks: Blocks | None = None
) -> tuple[dict[str, Value], tuple[CallFacts, ...], tuple[Note, ...]]:
    """Return every value with its shape, and its numbers where the graph computes shapes with them.

    Args:
        model: the model.
        layers: its layers by path.
        blocks: what is known of its branches and loops; None for a model without any.

    Returns:
        the values by name, the facts of every call whose kind has arithmetic, and notes on mismatches.

    Example:
        >>> fill_shapes(Model("m", "onnx", "onnx", "onnx"), {})
        ({}, (), ())
    """
    walk = _Walk(model)
    sequences = walk.sequences
    facts: list[CallFacts] = []
    read: set[str] = set()
    late: set[str] = set()  # inputs that were read before another call changed them, as in a loop
    values = walk.values
    for index, call in enumerate(counted(model.calls, "computing shapes of calls")):
        if blocks is not None:
            blocks.before(index, walk)
        walk.distrust(call)
        layer = layers.get(call.layer)
        if layer is None or not has_rule(layer.kind):
            continue
        item = facts_of(layer, call, values, walk.shapes)
        facts.append(item)
        read.update(call.inputs)
        before = [values.get(name) for name in call.outputs]
        outputs = walk.outputs(item)
        if outputs is None:
            continue
        walk.fill(item, sequences.outputs(item, outputs, walk.number))
        walk.compute(item)
        for name, old in zip(call.outputs, before, strict=True):
            if name in read and values.get(name) is not old:
                late.add(name)
    if blocks is not None:
        blocks.before(len(model.calls), walk)
    if late:
        facts = [
            facts_of(fact.layer, fact.call, values, walk.shapes)
            if late.intersection(fact.call.inputs)
            else fact
            for fact in facts
        ]
    for item in facts:
        item.finish(walk.shapes)
    values.update(sequences.values(values))
    have = set(model.notes)
    return values, tuple(facts), tuple(note for note in walk.all_notes() if note not in have)


class _Walk:
    """The shapes, numbers and notes so far."""

    def __init__(self, model: Model) -> None:
        self.values = dict(model.values)
        self.shapes = {name: value.shape for name, value in self.values.items()}
        self._numbers: dict[str, Any] = {
            name: value.constant for name, value in self.values.items() if value.constant is not None
        }
        self.sequences = Sequences(model)
        self._declared = frozenset(model.outputs)
        self._given = frozenset().union(
            *(symbols(dim) for name in model.inputs if name in self.values for dim in self.shapes[name] or ())
        )
        self._notes: dict[Note, None] = {}
        self._doubts = Doubts()
        self._doubtful: set[str] = set()  # what an inference said wrongly, and what it computed from that
        self._equal: dict[frozenset[Dim], Note] = {}  # what broadcasts take to be equal, each noted once

    def distrust(self, call: Call) -> None:
        """Forget what an inference says of the outputs of a call that reads what it was wrong about."""
        if self._doubtful.isdisjoint(call.inputs):
            return
        for name in call.outputs:
            value = self.values.get(name)
            if value is not None and value.inferred_by is not None and value.shape is not None:
                self.values[name], self.shapes[name] = changed(value, shape=None), None
                self._doubtful.add(name)

    def outputs(self, fact: CallFacts) -> Shapes | None:
        """Return the shapes that a call's rule gives, or None, with a note, where it gives none."""
        layer = fact.layer
        try:
            check_kernel(layer)
            outputs = output_shapes(layer.kind, fact.attributes, fact.inputs)
        except ShapeMismatchError as error:
            if fact.call.conditional:
                return None
            if is_recorded(fact.call, self.values):
                self._doubts.refused(layer, error)
            else:
                self._notes[_refused(layer, error)] = None
            return None
        odd = next((shape for shape in outputs if shape and not all(map(_is_length, shape))), None)
        if odd is not None:
            self._notes[Note(f"its settings give {show(odd)}, which is not a shape", layer.path)] = None
            return None
        for pair in taken_equal(fact.inputs) if layer.kind == "elementwise" else ():
            text = f"it fits only where {pair[0]} = {pair[1]}"
            self._equal.setdefault(frozenset(pair), Note(text, layer.path))
        fixed = taken_for_one_size(fact.attributes, fact.inputs) if layer.kind == "reshape" else None
        if fixed is not None:
            text = f"it fits only where {fixed[0]} = {fixed[1]}: its lengths are fixed"
            self._equal.setdefault(frozenset(fixed), Note(text, layer.path))
        for length in taken_to_stay(fact.attributes, fact.inputs) if layer.kind == "squeeze" else ():
            text = f"it drops the axis of length {length} where {length} = 1"
            self._equal.setdefault(frozenset((length, 1)), Note(text, layer.path))
        return outputs

    def fill(self, fact: CallFacts, outputs: Shapes) -> None:
        """Decide between what a rule gives and what is said of each output."""
        for name, shape in zip(fact.call.outputs, outputs, strict=False):
            if not name or name not in self.shapes:
                continue
            value = self.values[name]
            if shape is not None and self._contradicted(value, shape):
                self._doubts.contradicted(value, shape, fact.layer)
                self._doubtful.add(name)
            self.shapes[name] = _decided(value, shape, self._given)
            if self.shapes[name] != value.shape:
                self.values[name] = changed(value, shape=self.shapes[name])

    def _contradicted(self, value: Value, ours: Shape) -> bool:
        """Tell whether a rule contradicts a shape, or shows that a length declared as fixed is not."""
        stated = value.shape
        if stated is None:
            return False
        if contradicts(stated, ours):
            return True
        fixed = value.inferred_by is not None and value.name in self._declared
        return fixed and any(
            isinstance(a, int) and isinstance(b, Expr) and symbols(b) <= self._given
            for a, b in zip(stated, ours, strict=True)
        )

    def shape(self, name: str) -> Shape | None:
        """Return the shape of a value so far."""
        return self.shapes.get(name)

    def number(self, name: str) -> Any:
        """Return the numbers of a value so far, or None."""
        return self._numbers.get(name)

    def settle(self, name: str, shape: Shape | None, numbers: Any = None) -> None:
        """Take what follows for a value, unless the framework records it."""
        value = self.values.get(name)
        if value is None:
            return
        self.shapes[name] = _decided(value, shape, self._given)
        if self.shapes[name] != value.shape:
            self.values[name] = changed(value, shape=self.shapes[name])
        if numbers is not None and name not in self._numbers:
            self._store(name, numbers)

    def hand_on(self, sources: Sequence[str], target: str) -> None:
        """Let a sequence hold what others do, of which it is one."""
        self.sequences.hand_on(sources, target)

    def compute(self, fact: CallFacts) -> None:
        """Store the numbers that a call computes from numbers."""
        call = fact.call
        if fact.layer.kind == "split" and fact.names:
            shapes = tuple([self.shapes.get(name) for name in call.outputs])
            pieces = cut(self._numbers.get(fact.names[0]), shapes)
            for name, piece in zip(call.outputs, pieces, strict=False):
                self._store(name, piece)
            return
        name = call.outputs[0] if len(call.outputs) == 1 else ""
        output = self.values.get(name)
        if output is None or output.constant is not None:
            return
        read = tuple([self._numbers.get(source) for source in fact.names])
        result = contents(fact.layer.kind, fact.attributes, fact.inputs, read, output.dtype)
        if result is not None:
            self._store(name, result)

    def _store(self, name: str, result: Any) -> None:
        self._numbers[name] = result
        output = self.values.get(name)
        if output is None:
            return
        kept = tuple(map(_number, result)) if isinstance(result, tuple) else _number(result)
        if not any(isinstance(n, bool) for n in (kept if isinstance(kept, tuple) else (kept,))):
            self.values[name] = changed(output, constant=kept)

    def all_notes(self) -> tuple[Note, ...]:
        """Return what does not fit, what is in doubt, and what is taken for granted."""
        return (*self._notes, *self._doubts.notes(), *self._equal.values())


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float | Expr | Product) else UNKNOWN


def _is_length(dim: object) -> bool:
    # A setting from a file may be anything, and a rule may hand it on; nothing counts beyond 64 bits.
    return isinstance(dim, Expr | Unknown) or (
        isinstance(dim, int) and not isinstance(dim, bool) and 0 <= dim < 2**63
    )


def _decided(value: Value, ours: Shape | None, given: frozenset[str]) -> Shape | None:
    """Return the shape that counts: the framework's record, then our rule, then what was inferred."""
    stated = value.shape
    if ours is None or stated is None:
        return stated if ours is None else ours
    inferred = value.inferred_by is not None
    if contradicts(stated, ours):
        return ours if inferred else stated
    tells_more = _comes_first if inferred else _tells_more
    return tuple(new if tells_more(new, old, given) else old for old, new in zip(stated, ours, strict=True))


def _comes_first(new: Dim, old: Dim, given: frozenset[str]) -> bool:
    """Tell whether a length that our rule computes comes before one that was inferred."""
    return isinstance(old, Unknown) or (isinstance(new, int | Expr) and symbols(new) <= given)


def _tells_more(new: Dim, old: Dim, given: frozenset[str]) -> bool:
    """Tell whether a length is computed that the source leaves open or records as a symbol."""
    if isinstance(old, Unknown):
        return True
    return (
        isinstance(old, Expr)
        and not symbols(old) <= given
        and isinstance(new, int | Expr)
        and symbols(new) <= given
    )


def _refused(layer: Layer, error: ShapeMismatchError) -> Note:
    text = f"this {layer.kind} {REFUSAL}: it expects {error.expected}, and got {error.got}"
    return Note(text, layer.path)
