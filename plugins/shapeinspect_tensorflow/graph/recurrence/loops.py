"""Replaces each loop that is a recurrent layer, with the lists it reads and writes, by one step.

Source: https://www.tensorflow.org/api_docs/python/tf/raw_ops: ``While``, ``TensorListFromTensor``,
``TensorListStack``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect_tensorflow.graph.flow import LOOPS, VARIABLES, Flow, Loop, Ref, Step
from shapeinspect_tensorflow.graph.nodes import Node, Tensor
from shapeinspect_tensorflow.graph.recurrence.cells import stacked_cells
from shapeinspect_tensorflow.graph.recurrence.gates import Cell, has_parts
from shapeinspect_tensorflow.graph.recurrence.terms import Term, Terms, inside

_ZEROS = frozenset({"Fill", "ZerosLike", "Const", "Tile", "ExpandDims", "BroadcastTo", "Cast"})


@dataclass(slots=True)
class Unrolled:
    """The steps with each recurrent layer as one.

    Args:
        steps: in the order of execution.
        alias: for each output of a replaced step, the same value of the layer.
        layers: the layers by their paths.
    """

    steps: list[Step]
    alias: dict[Ref, Ref] = field(default_factory=dict)
    layers: dict[str, Step] = field(default_factory=dict)

    def at(self, ref: Ref) -> Ref:
        """Return the value that stands for another one.

        Args:
            ref: the value that the step read.
        """
        return self.alias.get(ref, ref)

    def renamed(self, step: Step) -> Step:
        """Return a step that reads what stands for its inputs.

        Args:
            step: the step.
        """
        inputs = tuple(None if ref is None else self.at(ref) for ref in step.inputs)
        return step if inputs == step.inputs else replace(step, inputs=inputs)


def recurrent(
    flow: Flow, steps: Sequence[Step], outputs: Iterable[Ref], zero: Callable[[Tensor], bool]
) -> Unrolled:
    """Find the loops that are recurrent layers.

    Args:
        flow: resolves the inputs of nodes.
        steps: in the order of execution.
        outputs: the outputs of the graph.
        zero: tells whether all values of a constant are 0.
    """
    result = Unrolled(list(steps))
    loops = [step for step in steps if step.node.op in LOOPS]
    if not loops:
        return result
    outputs = list(outputs)
    finder = _Finder(flow, steps, outputs, zero)
    by_loop: dict[str, list[Step]] = {}
    for loop in loops:
        layers, alias = finder.layers(loop, result.layers)
        if layers:
            by_loop[loop.path] = layers
            result.layers.update((layer.path, layer) for layer in layers)
            result.alias.update(alias)
    if result.layers:
        result.steps = [one for step in result.steps for one in by_loop.get(step.path, [step])]
        result.steps = _needed([result.renamed(step) for step in result.steps], map(result.at, outputs))
        result.layers = {step.path: step for step in result.steps if step.path in result.layers}
    return result


def _needed(steps: list[Step], outputs: Iterable[Ref]) -> list[Step]:
    """Return the steps that outputs are computed from."""
    by_path = {step.path: step for step in steps}
    needed: set[str] = set()
    stack = [ref.path for ref in outputs]
    while stack:
        path = stack.pop()
        if path in by_path and path not in needed:
            needed.add(path)
            stack.extend(ref.path for ref in by_path[path].inputs if ref is not None)
    return [step for step in steps if step.path in needed]


class _Finder:
    def __init__(
        self, flow: Flow, steps: Sequence[Step], outputs: Iterable[Ref], zero: Callable[[Tensor], bool]
    ) -> None:
        self._flow = flow
        self._zero = zero
        self._steps = {step.path: step for step in steps}
        self._outputs = set(outputs)
        self._kept = {ref.path for ref in self._outputs}
        self._readers: dict[Ref, list[Step]] = {}
        for step in steps:
            for ref in step.inputs:
                if ref is not None:
                    self._readers.setdefault(ref, []).append(step)

    def layers(self, loop: Step, taken: dict[str, Step]) -> tuple[list[Step], dict[Ref, Ref]]:
        """Return the layers that a loop is, each of which reads the one before it.

        Args:
            loop: the loop.
            taken: the layers so far, by their paths.

        Returns:
            the layers, none where it is no known one, and their outputs by those of the loop.
        """
        none: tuple[list[Step], dict[Ref, Ref]] = [], {}
        body = self._flow.loop(loop.path)
        units, place = ((), 0) if body is None else self._cells(body)
        if body is None or not units or any(map(has_parts, units)):
            return none
        data = self._data(loop, body, units[0])
        weights = [ref for unit in units for ref in unit.weights if ref is not None]
        states = [[body.values.index(ref) for ref in unit.states] for unit in units]
        if data is None or not all(map(self._is_stored, weights)):
            return none
        paths: list[str] = []
        for number in range(len(units)):
            path = (body.name or loop.path) + (f"/cell_{number}" if len(units) > 1 else "")
            while path in self._steps or path in taken:
                path += "'"
            paths.append(path)
        ends = self._ends(Ref(loop.path, place), paths[-1])
        if ends is None or self._read_besides(loop, {place, *(state for one in states for state in one)}):
            return none
        settings = self._order(data, ends, maps=any(unit.op == "ConvLSTM" for unit in units))
        if settings is None:
            return none
        made, alias = [], dict(ends.alias)
        data = settings.pop("data")
        for number, (unit, path, own) in enumerate(zip(units, paths, states, strict=True)):
            top = number == len(units) - 1
            step, names = self._made(loop, unit, path, own)
            attributes = {
                **step.node.attributes, **settings, "return_sequences": ends.whole if top else True,
                "_output_shapes": (ends.shape if top else None, *step.node.attributes["_output_shapes"]),
            }  # fmt: skip
            node = replace(step.node, attributes=attributes)
            made.append(replace(step, node=node, inputs=(data, *step.inputs)))
            alias.update(names)
            data = Ref(path)
        return made, alias

    def _data(self, loop: Step, body: Loop, unit: Cell) -> Ref | None:
        """Return the tensor whose rows a loop reads."""
        start = loop.inputs[body.values.index(unit.data)] if unit.data in body.values else unit.data
        source = None if start is None else self._steps.get(start.path)
        if source is None or source.node.op != "TensorListFromTensor" or not source.inputs:
            return None
        return source.inputs[0]

    def _order(self, data: Ref, ends: _Ends, *, maps: bool) -> dict[str, Any] | None:
        """Return the data with the order of its axes and of time; None where batch and time are not known."""
        swapped = self._swapped(data)
        if ends.swapped and swapped is not None:
            turned = {"direction": "reverse"} if swapped[1] else {}
            return {"data": swapped[0], "batch_first": True, **turned}
        if maps or (ends.swapped and ends.whole):
            return None  # a recurrent layer of maps has the batch first
        return {"data": data, "batch_first": False}

    def _made(self, loop: Step, unit: Cell, path: str, states: list[int]) -> tuple[Step, dict[Ref, Ref]]:
        """Return a layer without its data, and its states by those of the loop."""
        alias = {Ref(loop.path, state): Ref(path, 1 + number) for number, state in enumerate(states)}
        settings: dict[str, Any] = dict(unit.settings)
        settings["return_state"] = any(ref in self._readers or ref.path in self._kept for ref in alias)
        given = [ref for ref in (loop.inputs[state] for state in states) if ref is not None]
        initial = given if not all(map(self._is_zero, given)) else []
        if initial:
            settings["initial_states"] = len(initial)
        shapes = tuple(self._recorded(Ref(loop.path, state)) for state in states)
        attributes = {**settings, "_output_shapes": shapes, "T": loop.node.attributes.get("T")}
        stride = settings.get("stride")
        op = f"{unit.op}{len(stride)}D" if isinstance(stride, tuple) else unit.op
        node = Node(loop.node.name, op, loop.node.inputs, attributes)
        return Step(path, node, (*unit.weights, *initial)), alias

    def _is_stored(self, ref: Ref) -> bool:
        op = self._flow.step(ref).node.op
        return op == "Const" or op in VARIABLES

    def _read_besides(self, loop: Step, places: set[int]) -> bool:
        """Return whether anything reads outputs of a loop that the layer in its place does not have."""
        read = {*self._readers, *self._outputs}
        others = (place for place in range(-1, len(loop.inputs)) if place not in places)
        return any(Ref(loop.path, place) in read for place in others)

    def _cells(self, body: Loop) -> tuple[tuple[Cell, ...], int]:
        """Return the cells of a loop, and the place of the list of its outputs."""
        own = frozenset(ref for ref in body.values if ref is not None)
        terms = Terms(self._flow.step, own)
        states: list[tuple[Ref, Term]] = []
        lists: list[tuple[int, Term]] = []
        for place, (value, output) in enumerate(zip(body.values, body.outputs, strict=True)):
            term = terms.of(output)
            if value is not None and term[0] == "written":
                lists.append((place, inside(term)[1]))
            elif value is not None:
                states.append((value, term))
        for place, made in lists:
            found = stacked_cells(made, states)
            if found:
                return found, place
        return (), 0

    def _swapped(self, ref: Ref) -> tuple[Ref, bool] | None:
        """Return the value with the batch before the time, and whether its time is reversed."""
        step, turned = self._steps.get(ref.path), False
        if step is not None and step.node.op == "ReverseV2":
            source, turned = self._along(step, (0,)), True
            step = None if source is None else self._steps.get(source.path)
        if step is None or step.node.op != "Transpose":
            return None
        source = self._along(step, swapped_axes(len(self._numbers(step.inputs[-1]) or ())))
        return None if source is None else (source, turned)

    def _along(self, step: Step, axes: tuple[int, ...]) -> Ref | None:
        """Return what a step reverses or transposes, if it does so along exactly these axes."""
        if len(step.inputs) != 2 or self._numbers(step.inputs[1]) != axes:
            return None
        return step.inputs[0]

    def _numbers(self, ref: Ref | None) -> tuple[int, ...] | None:
        step = None if ref is None else self._flow.step(ref)
        value = None if step is None else step.node.attributes.get("value")
        return value.numbers if isinstance(value, Tensor) else None

    def _ends(self, listed: Ref, path: str) -> _Ends | None:
        """Return what is read of the list of outputs."""
        stacks = self._readers.get(listed, [])
        if any(step.node.op != "TensorListStack" for step in stacks) or listed in self._outputs:
            return None
        ends = _Ends()
        for stack in stacks:
            for reader in self._readers.get(Ref(stack.path), []):
                op, numbers = (
                    reader.node.op,
                    self._numbers(reader.inputs[1] if len(reader.inputs) > 1 else None),
                )
                if op == "Transpose" and numbers == swapped_axes(len(numbers or ())):
                    ends.whole = ends.swapped = True
                    ends.alias[Ref(reader.path)] = Ref(path)
                    ends.shape = self._recorded(Ref(reader.path))
                elif (
                    op == "StridedSlice"
                    and numbers == (-1,)
                    and reader.node.attributes.get("shrink_axis_mask") == 1
                ):
                    ends.last.append(Ref(reader.path))
                else:
                    return None
            if stack.path in self._kept:
                return None
        if ends.last and ends.whole:
            return None
        if ends.last:
            ends.swapped = True
            ends.alias = {ref: Ref(path) for ref in ends.last}
            ends.shape = self._recorded(ends.last[0])
        ends.swapped = ends.swapped or not stacks
        return ends

    def _recorded(self, ref: Ref) -> object:
        step = self._steps.get(ref.path)
        shapes = None if step is None else step.node.attributes.get("_output_shapes")
        return shapes[ref.index] if isinstance(shapes, tuple) and ref.index < len(shapes) else None

    def _is_zero(self, ref: Ref) -> bool:
        return is_zero(ref, self._flow.step, self._zero)


def is_zero(ref: Ref, step_of: Callable[[Ref], Step], zero: Callable[[Tensor], bool]) -> bool:
    """Return whether a value is filled with zeros.

    Args:
        ref: the value.
        step_of: returns the step that computes a value.
        zero: tells whether all values of a constant are 0.
    """
    for _ in range(8):
        step = step_of(ref)
        if step.node.op not in _ZEROS:
            return False
        if step.node.op == "ZerosLike":
            return True
        if step.node.op == "Const":
            value = step.node.attributes.get("value")
            return isinstance(value, Tensor) and zero(value)
        source = step.inputs[1 if step.node.op == "Fill" else 0] if len(step.inputs) > 1 else None
        if step.node.op == "Cast" and step.inputs:
            source = step.inputs[0]
        if source is None:
            return False
        ref = source
    return False


def swapped_axes(rank: int) -> tuple[int, ...]:
    """Return the permutation that swaps the first two axes.

    Args:
        rank: the number of axes, at least 2.

    Example:
        >>> swapped_axes(4)
        (1, 0, 2, 3)
    """
    return (1, 0, *range(2, rank))


@dataclass(slots=True)
class _Ends:
    """What is read of the outputs of a loop."""

    whole: bool = False
    swapped: bool = False
    shape: object = None
    alias: dict[Ref, Ref] = field(default_factory=dict)
    last: list[Ref] = field(default_factory=list)
