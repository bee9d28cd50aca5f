"""Finds recurrent layers whose steps stand in a graph one behind the other, as ``unroll=True`` writes them.

The data is taken apart by one operator, and each of its rows enters one step. A value belongs to the latest
row that it depends on: what a step reads of the step before it are its states, and the terms of the step say
which cell it is. The first step may have been computed in part, where its states are zeros.

Source: ``rnn`` of ``keras.src.backend.tensorflow.rnn``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from shapeinspect_tensorflow.graph.flow import Ref, Step
from shapeinspect_tensorflow.graph.nodes import Node
from shapeinspect_tensorflow.graph.recurrence.cells import cell
from shapeinspect_tensorflow.graph.recurrence.first_step import begins_with_zeros
from shapeinspect_tensorflow.graph.recurrence.gates import Cell, has_gates_apart, value_of
from shapeinspect_tensorflow.graph.recurrence.terms import Term, Terms, inside

#: A graph with more recurrent layers than this is left as it is from there on.
MOST_LAYERS = 64
#: A step with more values that it reads of the one before it is no known cell.
_MOST_STATES = 12
#: How many values are tried for the last output, which no step reads.
_MOST_LAST = 60
#: How many steps may stand between a product with the state and the sum that it enters.
_MOST_BETWEEN = 8
#: How many steps are looked at for the sake of one graph: each list of rows looks at all of them.
_MOST_WORK = 3_000_000
_PRODUCTS = frozenset({"MatMul", "FULLY_CONNECTED", "Conv2D", "Conv3D"})


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a tensor that is taken apart.

    Args:
        key: what all rows of one operator have in common.
        data: the tensor.
        place: the number of the row.
        count: how many there are.
        axis: along which axis of the tensor.
    """

    key: str
    data: Ref
    place: int
    count: int
    axis: int


@dataclass(frozen=True, slots=True)
class Net:
    """A graph whose steps are looked at.

    Args:
        steps: in the order of execution.
        kept: the values that have to stay, such as the outputs of the graph.
        row: returns the row of a tensor that a value is; None for other values.
        step_of: returns the step that computes a value, for its term.
        zero: tells whether all numbers of a value are known to be 0.
        numbers: reads a small constant; None for other values.
        fits: tells whether there is an operator for a cell that reads these rows, and its weights are stored.
        sides: returns how many inputs and outputs a stored matrix or kernel has; None if it is unknown.
    """

    steps: Sequence[Step]
    kept: Set[Ref]
    row: Callable[[Ref], Row | None]
    step_of: Callable[[Ref], Step]
    zero: Callable[[Ref], bool]
    numbers: Callable[[Ref], Any]
    fits: Callable[[Cell, Row], bool]
    sides: Callable[[Ref], tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class Chain:
    """A recurrent layer.

    Args:
        cell: what each of its steps is.
        data: a row of the data.
        reverse: whether the last row comes first.
        outputs: the output of each step.
        memory: the other state behind the last step, if there is one.
        initial: the states before the first step; none where these are zeros.
        same: further values that equal the output of a step, by its number.
        inner: the paths of the steps of the graph that it stands for.
    """

    cell: Cell
    data: Row
    reverse: bool
    outputs: tuple[Ref, ...]
    memory: Ref | None
    initial: tuple[Ref, ...]
    same: Mapping[Ref, int]
    inner: frozenset[str]

    @property
    def by_value(self) -> dict[Ref, int]:
        """The number of the step that returns a value."""
        return {**self.same, **{ref: number for number, ref in enumerate(self.outputs)}}


@dataclass(slots=True)
class _State:
    """What is known behind one step: the values that are its output, and those that are its memory."""

    outputs: tuple[Ref, ...]
    memories: tuple[Ref, ...]
    terms: dict[Ref, Term] = field(default_factory=dict)


@dataclass(slots=True)
class Work:
    """How many steps may still be looked at.

    Args:
        left: their number.
    """

    left: int = _MOST_WORK


def stand_in(ref: Ref, row: Row | None, *, zeros: bool) -> Step | None:
    """Return the step of which a term is made in the place of the graph's own; None for that one itself.

    Args:
        ref: the value.
        row: the row of a tensor that it is, which is an element of the data.
        zeros: whether it is a stored tensor of zeros, which a converter may hold in several shapes.

    Example:
        >>> step = stand_in(Ref("h"), None, zeros=True)
        >>> (step.path, step.node.op) if step else None
        ('h', 'ZerosLike')
    """
    if row is not None:
        return Step(ref.path, Node("", "TensorListGetItem", (), {}), (row.data,))
    return Step(ref.path, Node("", "ZerosLike", (), {}), ()) if zeros else None


def chain(net: Net, work: Work) -> Chain | None:
    """Return a recurrent layer of a graph, the lowest one where there are several, or None.

    Args:
        net: the graph.
        work: what may still be done; it gets less.
    """
    rows: dict[str, Row] = {}
    for step in net.steps:
        for ref in step.inputs:
            row = None if ref is None else net.row(ref)
            if row is not None and row.count > 1:
                rows.setdefault(row.key, row)
    for row in rows.values():
        for reverse in (False, True):
            work.left -= len(net.steps)
            if work.left < 0:
                return None
            found = _Levels(net, row, reverse=reverse).chain()
            if found is not None:
                return found
    return None


class _Levels:
    """The steps of a graph by the latest row of one tensor that they depend on."""

    def __init__(self, net: Net, row: Row, *, reverse: bool) -> None:
        self._net, self._row, self._reverse = net, row, reverse
        self._level: dict[str, int] = {}
        self._crossing: list[dict[Ref, None]] = [{} for _ in range(row.count)]
        self._last: list[Ref] = []
        self._ops: dict[Ref, str] = {}
        for step in net.steps:
            levels = [self._of(ref) for ref in step.inputs if ref is not None]
            level = self._level[step.path] = max(levels, default=-1)
            for ref in step.inputs:
                if level > 0 and ref is not None and net.row(ref) is None and self._of(ref) == level - 1:
                    self._crossing[level - 1].setdefault(ref)
            if level == row.count - 1:
                self._last.append(Ref(step.path))
            self._ops[Ref(step.path)] = step.node.op
        self._by_path = {step.path: step for step in net.steps}
        self._crossing = [dict.fromkeys(map(self._multiplied, one)) for one in self._crossing]

    def _multiplied(self, ref: Ref) -> Ref:
        """Return what a value is a product of with a stored matrix, which the next step begins with."""
        source = ref
        for _ in range(_MOST_BETWEEN):
            step = self._by_path.get(source.path)
            inputs = (
                () if step is None else [one for one in step.inputs if one is not None and self._of(one) >= 0]
            )
            if step is None or len(inputs) != 1 or self._net.row(inputs[0]) is not None:
                break
            source = inputs[0]
            if step.node.op in _PRODUCTS:
                return source
        return ref

    def _of(self, ref: Ref) -> int:
        row = self._net.row(ref)
        if row is None:
            return self._level.get(ref.path, -1)
        if row.key != self._row.key:
            return -1
        return row.count - 1 - row.place if self._reverse else row.place

    def chain(self) -> Chain | None:
        if not all(0 < len(one) <= _MOST_STATES for one in self._crossing[:-1]):
            return None
        every = tuple(self._crossing[0])
        for found, second in self._matches(_State(every, every), 1, None):
            made = self._whole(found, second)
            if made is not None:
                return made
        return None

    def _whole(self, found: Cell, second: _State) -> Chain | None:
        states = [second]
        for number in range(2, self._row.count):
            before = states[-1]
            after = next((one for _, one in self._matches(before, number, found)), None)
            if after is None:
                return None
            states.append(after)
        output, memory = found.states[0], (*found.states[1:], None)[0]
        first = _State((output,), () if memory is None else (memory,))
        initial = self._initial(found, first, second)
        if initial is None:
            return None
        twins = tuple(ref for ref in self._crossing[0] if ref != output and self._alike(ref, output))
        states = [_State((output, *twins), first.memories), *states]
        return self._made(found, states, initial)

    def _alike(self, ref: Ref, output: Ref) -> bool:
        """Tell whether two values of the first step are one, but for what a masked step keeps."""
        terms = Terms(self._net.step_of, frozenset())
        return terms.of(ref) == terms.of(output)

    def _matches(self, before: _State, number: int, like: Cell | None) -> Iterator[tuple[Cell, _State]]:
        """Give each cell that computes a step from what is known before it.

        Args:
            before: the values before it, of which some may be its states.
            number: the number of the step.
            like: the cell of the steps before it, if it is known.
        """
        old = tuple(self._crossing[number - 1]) or before.outputs
        new, more = self._candidates(before, number, like)
        terms = Terms(self._net.step_of, frozenset(old))
        made = {ref: terms.of(ref) for ref in (*new, *more)}
        texts = {ref: repr(term) for ref, term in made.items()}
        element = repr(("element", ("value", self._row.data)))
        sums = [ref for ref in made if made[ref][0] == "sum" and element in texts[ref]]
        for output in new:
            if element not in texts[output]:
                continue
            for state in before.outputs:
                if repr(("value", state)) not in texts[output]:
                    continue
                for memory in (None, *(sums if before.memories else ())):
                    states = [(state, made[output])]
                    if memory is not None and memory != output:
                        states += [(ref, made[memory]) for ref in before.memories if ref != state]
                    found = cell(made[output], states)
                    if found is None or not self._is_one(found, like):
                        continue
                    outputs = (output, *(one for one in new if one != output and made[one] == made[output]))
                    memories = () if memory is None or len(found.states) < 2 else (memory,)
                    if len(found.states) > len(memories) + 1:
                        continue
                    yield found, _State(outputs, memories, made)
                    break

    def _is_one(self, found: Cell, like: Cell | None) -> bool:
        if like is not None:
            return _equal(found, like)
        return found.data == self._row.data and self._net.fits(found, self._row)

    def _candidates(self, before: _State, number: int, like: Cell | None) -> tuple[list[Ref], list[Ref]]:
        """Return the values that may be the output of a step, and those that may be its memory alone."""
        if number < self._row.count - 1:
            return list(self._crossing[number]), []
        ops = {self._ops.get(ref) for ref in before.outputs}
        last = [ref for ref in self._last if like is None or self._ops[ref] in ops]
        return last[:_MOST_LAST], self._last[:_MOST_LAST] if before.memories else []

    def _initial(self, found: Cell, first: _State, second: _State) -> tuple[Ref, ...] | None:
        """Return the states before the first step, nothing for zeros; None where they are not known."""
        net, nothing = self._net, Terms(self._net.step_of, frozenset())
        ends = (*first.outputs, *first.memories)
        inner, every = self._inside(ends), self._inside(ends, above=-2)
        steps = [step for step in net.steps if step.path in inner]
        stored = {ref for ref in found.weights if ref is not None}
        starts = self._before(
            step.inputs[0]
            for step in net.steps
            if step.path in every
            and step.node.op in _PRODUCTS
            and _stored_in(nothing.of(step.inputs[1])) in stored
        )
        others = self._before(ref for step in steps if step.node.op == "Mul" for ref in step.inputs)
        for start in starts:
            for other in others if first.memories else (None,):
                states = [start] if other is None else [start, other]
                terms = Terms(net.step_of, frozenset(states))
                values = [terms.of(ref) for ref in ends]
                again = cell(values[0], list(zip(states, values, strict=True)))
                if again is not None and _equal(again, found):
                    return () if all(map(net.zero, states)) else tuple(states)
        if starts:
            return None
        later = [second.terms[ref] for ref in (*second.outputs[:1], *second.memories)]
        early = [nothing.of(ref) for ref in ends]
        matrix = found.weights[4 if has_gates_apart(found) else 1]
        return () if begins_with_zeros(early, later, ends, matrix, net.numbers, net.sides) else None

    def _before(self, refs: Iterable[Ref | None]) -> list[Ref]:
        """Return the values among others that depend on no row."""
        found: dict[Ref, None] = {}
        for one in refs:
            ref = one
            while ref is not None and self._of(ref) == -1 and self._net.row(ref) is None:
                step = self._net.step_of(ref)
                if step.node.op != "ExpandDims":
                    found[ref] = None
                    break
                ref = step.inputs[0]
        return list(found)

    def _inside(self, ends: Sequence[Ref], above: int = -1) -> frozenset[str]:
        """Return the paths of the steps that values are computed from, and that depend on rows."""
        found: set[str] = set()
        stack = [ref.path for ref in ends]
        while stack:
            path = stack.pop()
            if path in found or self._level.get(path, -1) <= above or path not in self._by_path:
                continue
            found.add(path)
            stack.extend(
                ref.path
                for ref in self._by_path[path].inputs
                if ref is not None and self._net.row(ref) is None
            )
        return frozenset(found)

    def _made(self, found: Cell, states: list[_State], initial: tuple[Ref, ...]) -> Chain | None:
        """Return the layer, unless something else reads what is inside of it."""
        last = states[-1]
        same = {ref: number for number, one in enumerate(states) for ref in one.outputs[1:]}
        inner = self._inside([*last.outputs, *last.memories])
        seen = {*same, *last.memories, *(one.outputs[0] for one in states)}
        read = set(self._net.kept)
        for step in self._net.steps:
            if step.path not in inner:
                read.update(ref for ref in step.inputs if ref is not None)
        if any(ref.path in inner and ref not in seen for ref in read):
            return None
        outputs = tuple(one.outputs[0] for one in states)
        memory = last.memories[0] if last.memories else None
        return Chain(found, self._row, self._reverse, outputs, memory, initial, same, inner)


def common_scope(names: Sequence[str]) -> str:
    """Return the scope that all names begin with; empty if there is none.

    Args:
        names: names, each with its scopes before it.

    Example:
        >>> common_scope(["net/gru_1/cell_1/add", "net/gru_1/cell_12/add"])
        'net/gru_1'
    """
    parts = [name.split("/")[:-1] for name in names]
    shared = 0
    while parts and all(len(one) > shared and one[shared] == parts[0][shared] for one in parts):
        shared += 1
    return "/".join(parts[0][:shared]) if parts else ""


def _stored_in(term: Term) -> Ref | None:
    """Return the stored matrix that a term is, or is a part of."""
    return value_of(inside(term)[0]) if term[0] == "part" else value_of(term)


def _equal(one: Cell, other: Cell) -> bool:
    return (one.op, one.data, one.weights, one.settings, one.second, one.candidate) == (
        other.op, other.data, other.weights, other.settings, other.second, other.candidate
    )  # fmt: skip
