"""Replaces each loop that is a recurrent layer by one operator, with the weights in the loop's body.

Source: the operators that TFLite's converter writes for Keras's recurrent layers; a list that the loop writes
is one tensor, of which a step replaces one row (``CONCATENATION`` of what is before and behind it), or whose
only row it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect_tensorflow.graph.flow import Ref
from shapeinspect_tensorflow.graph.recurrence.cells import stacked_cells
from shapeinspect_tensorflow.graph.recurrence.gates import Cell
from shapeinspect_tensorflow.graph.recurrence.loops import swapped_axes
from shapeinspect_tensorflow.graph.recurrence.terms import Term, Terms
from shapeinspect_tensorflow.tflite.file import Operator, Subgraph, Tensor
from shapeinspect_tensorflow.tflite.loop_lists import parted
from shapeinspect_tensorflow.tflite.steps import Steps, cell_settings, flat_bias, operator_name, pruned

#: How many operators are looked at in one file for the sake of loops: each loop looks at its whole graph.
_MOST_WORK = 5_000_000
_RESHAPES = frozenset({"RESHAPE", "EXPAND_DIMS"})
_CUTS = frozenset({"SLICE", "STRIDED_SLICE"})


def recurrent(graph: Subgraph, graphs: Sequence[Subgraph], zero: Callable[[Tensor], bool]) -> Subgraph:
    """Return a graph in which loops that are recurrent layers are one operator each.

    Args:
        graph: one graph of the file.
        graphs: all of them, of which loops name their bodies.
        zero: tells whether all values of a stored tensor are 0.

    Example:
        >>> recurrent(Subgraph("g", (), (), (), ()), (), lambda _tensor: True).operators
        ()
    """
    work, parts = 0, parted(graph)
    graph = parts.graph
    for operator in graph.operators:
        number = (operator.options or {}).get("body")
        if operator.op != "WHILE" or not isinstance(number, int) or not 0 <= number < len(graphs):
            continue
        body = graphs[number]
        work += len(graph.operators) + len(graph.tensors) + len(body.operators)
        if work > _MOST_WORK:
            break
        whole = min((*operator.inputs, *operator.outputs), default=-1) >= 0
        if whole and len(body.inputs) == len(body.outputs) == len(operator.inputs) == len(operator.outputs):
            graph = _Loop(graph, body, operator, zero).replaced() or graph
    return parts.joined(graph)


@dataclass(frozen=True, slots=True)
class _End:
    """What is read of a loop's outputs.

    Args:
        tensor: the value.
        whole: whether it is every step.
        maker: what computes it now; None for the list itself, which has the time first.
    """

    tensor: int
    whole: bool
    maker: Operator | None = None


class _Loop:
    def __init__(
        self, graph: Subgraph, body: Subgraph, loop: Operator, zero: Callable[[Tensor], bool]
    ) -> None:
        self._graph, self._body, self._loop, self._zero = graph, body, loop, zero
        self._steps = Steps(body, zero)
        self._inner = self._steps.makers
        self._outer = graph.makers()

    def replaced(self) -> Subgraph | None:
        """Return the graph with the layers in the loop's place; None where it is no known one."""
        units, place = self._cells()
        if not units:
            return None
        inputs = [[self._body.inputs.index(int(ref.path)) for ref in unit.states] for unit in units]
        listed = self._loop.outputs[place]
        first = self._body.inputs.index(int(units[0].data.path))
        (data, moved), reverse = self._data(self._loop.inputs[first])
        steps = (self._graph.tensors[data].shape or ())[:1]
        end = self._end(listed, steps)
        if moved is None and isinstance(end, _End) and end.whole:
            end = self._listed(listed, steps)
        if end is False:
            return None
        bare = isinstance(end, _End) and end.whole and end.maker is None
        if units[0].op == "ConvLSTM" and (moved is None or bare):
            return None  # a recurrent layer of maps has the batch first
        swapped = moved is not None and not bare
        states = {self._loop.outputs[number] for own in inputs for number in own}
        if not self._read().isdisjoint({*self._loop.outputs} - {*states, listed}):
            return None  # something reads what the layer does not return, such as a counter
        data = moved if moved is not None and swapped else data
        tensors, layers = list(self._graph.tensors), list[Operator]()
        order: dict[str, Any] = {"batch_first": swapped, **({"direction": "reverse"} if reverse else {})}
        for number, (unit, own) in enumerate(zip(units, inputs, strict=True)):
            top = number == len(units) - 1
            made = (end.tensor if isinstance(end, _End) else -1) if top else len(tensors)
            if not top:
                tensors.append(self._between(tensors[data], self._loop.inputs[own[0]], number))
            whole = {"return_sequences": isinstance(end, _End) and end.whole if top else True}
            layers.append(self._layer(unit, own, (data, made), {**order, **whole}, tensors))
            data = made
        gone = [end.maker] if isinstance(end, _End) and end.maker is not None else []
        operators = [
            layer
            for one in self._graph.operators
            if all(one is not x for x in gone)
            for layer in (layers if one is self._loop else (one,))
        ]
        return pruned(replace(self._graph, tensors=tuple(tensors), operators=tuple(operators)))

    def _layer(
        self,
        unit: Cell,
        places: list[int],
        ends: tuple[int, int],
        order: dict[str, Any],
        tensors: list[Tensor],
    ) -> Operator:
        """Return one layer, whose weights are added to the tensors."""
        read, initial = self._read(), [self._loop.inputs[number] for number in places]
        given = [] if all(map(self._is_zero, initial)) else initial
        weights = []
        for ref in self._steps.weights(unit):
            weights.append(-1 if ref is None else len(tensors))
            if ref is not None:
                tensors.append(flat_bias(self._body.tensors[int(ref.path)], len(weights)))
        space = len(self._graph.tensors[initial[0]].shape or ()) - 2
        states = [self._loop.outputs[number] for number in places]
        options: dict[str, Any] = {
            **cell_settings(unit, space), **({"initial_states": len(given)} if given else {}), **order,
            "return_state": any(index in read for index in states),
        }  # fmt: skip
        outputs = (ends[1], *(index if index in read else -1 for index in states))
        name = operator_name(unit, space)
        return Operator(f"WHILE:{name}", "", (ends[0], *weights, *given), outputs, options)

    def _between(self, data: Tensor, state: int, number: int) -> Tensor:
        """Return what one cell gives to the next in all steps."""
        width = (self._graph.tensors[state].shape or (-1,))[-1:]
        name = self._graph.tensors[self._loop.outputs[0]].name.rpartition("/while")[0] or "while"
        signature = (*data.signature[:2], *width) if data.signature else ()
        shape = None if data.shape is None else (*data.shape[:2], *width)
        return Tensor(f"{name}/cell_{number}", shape, signature, data.dtype, 0)

    def _cells(self) -> tuple[tuple[Cell, ...], int]:
        body = self._body
        changing = [
            (index, output)
            for index, output in zip(body.inputs, body.outputs, strict=True)
            if index != output
        ]
        terms = Terms(self._steps.step, frozenset(Ref(str(index)) for index, _ in changing))
        written = {place: self._written(index, output) for place, (index, output) in enumerate(changing)}
        states = [
            (Ref(str(index)), terms.of(Ref(str(output))))
            for place, (index, output) in enumerate(changing)
            if written[place] is None
        ]
        for place, made in written.items():
            found = () if made is None else self._matched(terms.of(Ref(str(made))), states)
            if found:
                return found, body.inputs.index(changing[place][0])
        return (), 0

    def _matched(self, made: Term, states: list[tuple[Ref, Term]]) -> tuple[Cell, ...]:
        found = stacked_cells(made, states)
        if not found or not found[0].data.path.isdecimal():
            return ()
        known = int(found[0].data.path) in self._body.inputs
        refs = [ref for unit in found for ref in self._steps.weights(unit) if ref is not None]
        maps = len(found) > 1 and any(unit.op == "ConvLSTM" for unit in found)
        stored = all(self._body.tensors[int(ref.path)].stored for ref in refs)
        return found if known and stored and not maps else ()

    def _written(self, index: int, output: int) -> int | None:
        """Return what a step writes into a list; None for a value that is no list."""
        listed, maker = self._body.tensors[index], self._inner.get(output)
        if maker is None or listed.shape is None or len(listed.shape) < 3 or not maker.inputs:
            return None
        if maker.op in _RESHAPES and listed.shape[0] == 1:
            return maker.inputs[0]
        if maker.op != "CONCATENATION" or len(maker.inputs) != 3 or (maker.options or {}).get("axis") != 0:
            return None
        first, middle, last = (self._inner.get(one) for one in maker.inputs)
        if middle is None or middle.op not in _RESHAPES or first is None or last is None:
            return None
        cuts = all(one.op in _CUTS and one.inputs[:1] == (index,) for one in (first, last))
        return middle.inputs[0] if cuts and middle.inputs else None

    def _data(self, index: int) -> tuple[tuple[int, int | None], bool]:
        """Return the input with the time first, the same before that, and whether its time is reversed."""
        maker, reverse = self._outer.get(index), False
        if maker is not None and maker.op == "REVERSE_V2" and self._second(maker) == (0,):
            index, reverse = maker.inputs[0], True
            maker = self._outer.get(index)
        moved = maker is not None and self._swaps(maker, index)
        return (index, maker.inputs[0] if maker is not None and moved else None), reverse

    def _listed(self, listed: int, steps: tuple[int, ...]) -> _End | bool:
        """Return the list itself, if it has a row for every step."""
        shape = self._graph.tensors[listed].shape or ()
        return _End(listed, True) if steps and shape[:1] == steps else False

    def _swaps(self, maker: Operator, output: int) -> bool:
        """Tell whether an operator swaps the first two axes; a reshape does where one of them is 1 long."""
        if not maker.inputs or maker.inputs[0] < 0:
            return False
        before, after = self._graph.tensors[maker.inputs[0]].shape, self._graph.tensors[output].shape
        if before is None or after is None or len(before) < 3:
            return False
        if maker.op == "TRANSPOSE":
            return self._second(maker) == swapped_axes(len(before))
        swapped = (before[1], before[0], *before[2:])
        return maker.op == "RESHAPE" and 1 in before[:2] and after == swapped

    def _end(self, listed: int, steps: tuple[int, ...]) -> _End | bool | None:
        """Return what is read of the list; None for nothing, False for what is not known.

        A list of one row holds the last step, which is every step where there is only one.
        """
        readers = [one for one in self._graph.operators if listed in one.inputs]
        if not readers and listed not in self._graph.outputs:
            return None
        if len(readers) != 1 or listed in self._graph.outputs:
            return self._listed(listed, steps)
        (reader,) = readers
        if not reader.outputs or reader.outputs[0] < 0 or reader.inputs[0] != listed:
            return self._listed(listed, steps)
        output, shape = reader.outputs[0], self._graph.tensors[listed].shape or ()
        if self._swaps(reader, output):
            return _End(output, True, reader) if shape[:1] == steps or shape[:1] != (1,) else False
        options = reader.options or {}
        start = self._second(reader)
        last = reader.op == "STRIDED_SLICE" and start is not None and start[:1] == (-1,)
        if (
            last
            and options.get("shrink_axis_mask") == 1
            and options.get("begin_mask") == options.get("end_mask") == (1 << len(shape)) - 2
        ):
            return _End(output, False, reader)
        if (
            reader.op in ("RESHAPE", "SQUEEZE")
            and shape[:1] == (1,)
            and self._graph.tensors[output].shape == shape[1:]
        ):
            return _End(output, False, reader)
        return self._listed(listed, steps)

    def _read(self) -> set[int]:
        read = {index for one in self._graph.operators if one is not self._loop for index in one.inputs}
        return read | set(self._graph.outputs)

    def _second(self, operator: Operator) -> tuple[int, ...] | None:
        """Return the numbers that an operator has as its second input."""
        index = operator.inputs[1] if len(operator.inputs) > 1 else -1
        return self._graph.tensors[index].numbers if index >= 0 else None

    def _is_zero(self, index: int) -> bool:
        tensor = self._graph.tensors[index]
        return tensor.stored and self._zero(tensor)
