"""Replaces the steps of a recurrent layer that stand one behind the other by one operator.

Source: what TFLite's converter makes of Keras's recurrent layers with ``unroll=True``: ``UNPACK`` takes the
data apart, ``PACK`` joins the outputs, and the first step is computed as far as its states are zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from shapeinspect_tensorflow.graph.flow import Ref, Step
from shapeinspect_tensorflow.graph.recurrence.chains import (
    MOST_LAYERS,
    Chain,
    Net,
    Row,
    Work,
    chain,
    common_scope,
    stand_in,
)
from shapeinspect_tensorflow.graph.recurrence.gates import Cell
from shapeinspect_tensorflow.graph.recurrence.loops import swapped_axes
from shapeinspect_tensorflow.tflite.file import Operator, Subgraph, Tensor
from shapeinspect_tensorflow.tflite.steps import Steps, cell_settings, operator_name, pruned

#: A tensor of more bytes is no bias.
_MOST_BYTES = 1 << 22


def unrolled(
    graph: Subgraph, zero: Callable[[Tensor], bool], numbers: Callable[[Tensor], Callable[[], Any] | None]
) -> Subgraph:
    """Return a graph in which recurrent layers whose steps are written one by one are one operator each.

    Args:
        graph: one graph of the file.
        zero: tells whether all values of a stored tensor are 0.
        numbers: returns a function that reads a stored tensor.

    Example:
        >>> unrolled(Subgraph("g", (), (), (), ()), lambda _tensor: True, lambda _tensor: None).operators
        ()
    """
    work = Work()
    for _ in range(MOST_LAYERS):
        if not any(operator.op == "UNPACK" for operator in graph.operators):
            break
        finder = _Finder(graph, zero, numbers)
        found = chain(finder.net(), work)
        if found is None:
            break
        graph = finder.replaced(found)
    return graph


class _Finder:
    def __init__(
        self,
        graph: Subgraph,
        zero: Callable[[Tensor], bool],
        numbers: Callable[[Tensor], Callable[[], Any] | None],
    ) -> None:
        self._graph, self._zero, self._read = graph, zero, numbers
        self._steps = Steps(graph, zero)
        self._first: dict[object, int] = {}

    def net(self) -> Net:
        """Return the graph as steps, one for each tensor that an operator computes and something reads."""
        read = {index for one in self._graph.operators for index in one.inputs} | {*self._graph.outputs}
        steps = [
            Step(str(index), self._steps.step(Ref(str(index))).node, _refs(operator.inputs))
            for operator in self._graph.operators
            for index in operator.outputs
            if index in read and index >= 0
        ]
        kept = frozenset(_refs(self._graph.outputs))
        return Net(
            steps, kept, self._row, self._step, self._is_zero, self._numbers, self._fits, self._sides
        )  # fmt: skip

    def _row(self, ref: Ref) -> Row | None:
        maker = self._steps.makers.get(int(ref.path))
        if maker is None or maker.op != "UNPACK" or len(maker.inputs) != 1:
            return None
        axis = (maker.options or {}).get("axis") or 0
        place = maker.outputs.index(int(ref.path))
        data = Ref(str(maker.inputs[0]))
        return Row(str(min(maker.outputs)), data, place, len(maker.outputs), axis)

    def _step(self, ref: Ref) -> Step:
        """Return the step of a value, in which equal stored tensors are one."""
        tensor = self._tensor(ref)
        zeros = tensor is not None and len(tensor.shape or ()) > 1 and self._zero(tensor)
        found = stand_in(ref, self._row(ref), zeros=zeros)
        if found is not None:
            return found
        step = self._steps.step(ref)
        return replace(step, inputs=tuple(None if one is None else self._same(one) for one in step.inputs))

    def _same(self, ref: Ref) -> Ref:
        """Return the first tensor with the values of a stored one."""
        tensor = self._graph.tensors[int(ref.path)]
        if not tensor.stored or tensor.external:
            return ref
        first = self._first.setdefault((tensor.buffer, tensor.shape, tensor.dtype), int(ref.path))
        return Ref(str(first))

    def _tensor(self, ref: Ref) -> Tensor | None:
        tensor = self._graph.tensors[int(ref.path)] if ref.path else None
        return tensor if tensor is not None and tensor.stored else None

    def _fits(self, cell: Cell, row: Row) -> bool:
        """Return whether all weights of a cell are stored; a layer of maps has the batch first."""
        weights = [ref for ref in self._steps.weights(cell) if ref is not None]
        stored = all(self._tensor(ref) is not None for ref in weights)
        return stored and (cell.op != "ConvLSTM" or self._data(row)[1])

    def _is_zero(self, ref: Ref) -> bool:
        tensor = self._tensor(ref)
        return tensor is not None and self._zero(tensor)

    def _numbers(self, ref: Ref) -> Any:
        tensor = self._tensor(ref)
        read = self._read(tensor) if tensor is not None and tensor.nbytes <= _MOST_BYTES else None
        return None if read is None else read()

    def _sides(self, ref: Ref) -> tuple[int, int] | None:
        tensor = self._tensor(ref)
        shape = () if tensor is None else tensor.shape or ()
        if len(shape) < 2:
            return None
        return (shape[3], shape[4]) if len(shape) == 5 else (shape[-1], shape[0])

    def replaced(self, found: Chain) -> Subgraph:
        """Return the graph with one operator in the place of the steps."""
        graph = self._graph
        tensors, number_of = list(graph.tensors), {int(ref.path): at for ref, at in found.by_value.items()}
        (data, batch_first), last = self._data(found.data), len(found.outputs) - 1
        weights = [-1 if ref is None else int(ref.path) for ref in self._steps.weights(found.cell)]
        first = graph.tensors[int(found.outputs[0].path)]
        rest = [one for one in graph.operators if {*map(str, one.outputs)}.isdisjoint(found.inner)]
        read = {index for one in rest for index in one.inputs} | {*graph.outputs}
        shown = {index for index in number_of if index in read}
        whole = any(number_of[index] != last for index in shown)
        added: list[Operator] = []
        if whole:
            same, packs = self._together(rest, number_of, axis=int(batch_first))
            ends = [index for index in same if index in graph.outputs]
            made = ends[0] if ends else len(tensors)
            tensors.append(self._sequence(found, first, axis=int(batch_first)))
            rest = [_unpacking(one, packs, made, axis=int(batch_first)) for one in rest]
            rest = _reading(rest, same - set(ends[1:]), made, {*graph.outputs})
            read = {index for one in rest for index in one.inputs} | {*graph.outputs}
            added = self._apart(found, shown & read, made, tensors, axis=int(batch_first))
        else:
            made = int(found.outputs[-1].path)
            if made not in graph.outputs:
                tensors[made] = replace(tensors[made], name=self._name(found))
        states = [int(found.outputs[-1].path) if whole and not added else -1]
        if found.memory is not None:
            states.append(int(found.memory.path))
        states = [index if index in read else -1 for index in states]
        given = [int(ref.path) for ref in found.initial]
        space = len(first.shape or ()) - 2
        options = {
            **cell_settings(found.cell, space), "batch_first": batch_first,
            **({"initial_states": len(given)} if given else {}),
            **({"direction": "reverse"} if found.reverse else {}),
            "return_sequences": whole, "return_state": any(index >= 0 for index in states),
        }  # fmt: skip
        name = operator_name(found.cell, space)
        layer = Operator(f"UNROLLED:{name}", "", (data, *weights, *given), (made, *states), options)
        operators = _ordered(rest, [layer, *added])
        return pruned(replace(graph, tensors=tuple(tensors), operators=operators))

    def _data(self, row: Row) -> tuple[int, bool]:
        """Return the data, and whether the batch is its first axis."""
        index = int(row.data.path)
        maker = self._steps.makers.get(index)
        if row.axis == 1:
            return index, True
        if row.axis == 0 and maker is not None and maker.op == "TRANSPOSE" and _swaps(self._graph, maker):
            return maker.inputs[0], True
        return index, False

    def _name(self, found: Chain) -> str:
        """Return what the names of all outputs begin with."""
        names = [self._graph.tensors[int(ref.path)].name.partition(";")[0] for ref in found.outputs[:-1]]
        scope = common_scope(names)
        return (scope if len(names) > 1 else scope.rpartition("/")[0]) or found.cell.op.lower()

    def _sequence(self, found: Chain, one: Tensor, *, axis: int) -> Tensor:
        """Return the tensor of all outputs."""
        shape, count = one.shape or (), len(found.outputs)
        free = one.signature or shape
        signature = (*free[:axis], count, *free[axis:])
        return Tensor(self._name(found), (*shape[:axis], count, *shape[axis:]), signature, one.dtype, 0)

    def _apart(
        self, found: Chain, shown: Set[int], made: int, tensors: list[Tensor], *, axis: int
    ) -> list[Operator]:
        """Return what takes the tensor of all outputs apart, where single ones are read."""
        end, rows = int(found.outputs[-1].path), dict[int, int]()
        for ref, number in found.by_value.items():
            if int(ref.path) in shown:
                rows[number] = int(ref.path)
        if set(rows.values()) <= {end}:
            return []  # the last one is the state that the layer returns
        one = self._graph.tensors[end]
        for number in range(len(found.outputs)):
            if number not in rows:
                rows[number] = len(tensors)
                tensors.append(replace(one, name=f"{self._name(found)}/row_{number}"))
        outputs = tuple(rows[number] for number in sorted(rows))
        return [Operator("UNPACK", "", (made,), outputs, {"axis": axis, "num": len(outputs)})]

    def _together(
        self, operators: Sequence[Operator], number_of: Mapping[int, int], *, axis: int
    ) -> tuple[set[int], dict[int, int]]:
        """Return the tensors that are all outputs, with the time at an axis, and those with it at others."""
        found, packs = set[int](), dict[int, int]()
        every = list(range(max(number_of.values()) + 1))
        for operator in operators:
            if operator.op != "PACK" or [number_of.get(index) for index in operator.inputs] != every:
                continue
            given = (operator.options or {}).get("axis") or 0
            if given == axis:
                found.add(operator.outputs[0])
                continue
            packs[operator.outputs[0]] = given
            if given == 0:
                readers = [one for one in operators if one.inputs[:1] == operator.outputs[:1]]
                found.update(one.outputs[0] for one in readers if _swaps(self._graph, one))
        return found, packs


def _unpacking(operator: Operator, packs: Mapping[int, int], made: int, *, axis: int) -> Operator:
    """Let an operator that takes the outputs apart at once do so with the tensor of all outputs."""
    options = operator.options or {}
    given = packs.get(operator.inputs[0]) if operator.op == "UNPACK" and operator.inputs else None
    if given is None or given != (options.get("axis") or 0):
        return operator
    return replace(operator, inputs=(made,), options={**options, "axis": axis})


def _reading(operators: Sequence[Operator], same: Set[int], made: int, ends: Set[int]) -> list[Operator]:
    """Return operators that read one tensor instead of others, without those that compute the others."""
    kept = [
        replace(one, inputs=tuple(made if index in same else index for index in one.inputs))
        for one in operators
        if not one.outputs or one.outputs[0] not in same
    ]
    read = {index for one in kept for index in one.inputs} | ends
    return [one for one in kept if one.op != "PACK" or one.outputs[0] in read]


def _refs(indices: Sequence[int]) -> tuple[Ref, ...]:
    return tuple(Ref(str(index)) for index in indices if index >= 0)


def _swaps(graph: Subgraph, operator: Operator) -> bool:
    """Tell whether an operator swaps the first two axes."""
    if operator.op != "TRANSPOSE" or len(operator.inputs) != 2:
        return False
    numbers = graph.tensors[operator.inputs[1]].numbers
    return numbers is not None and numbers == swapped_axes(len(numbers))


def _ordered(operators: Sequence[Operator], added: Sequence[Operator]) -> tuple[Operator, ...]:
    """Return all operators, each behind those whose outputs it reads, and else in their order."""
    makers = {index: one for one in (*operators, *added) for index in one.outputs if index >= 0}
    done: set[int] = set()
    order: list[Operator] = []
    for last in (*operators, *added):
        stack = [(last, False)]
        while stack:
            operator, ready = stack.pop()
            if ready:
                order.append(operator)
            elif id(operator) not in done:
                done.add(id(operator))
                stack.append((operator, True))
                stack.extend((makers[index], False) for index in reversed(operator.inputs) if index in makers)
    return tuple(order)
