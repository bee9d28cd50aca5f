"""Replaces the steps of a recurrent layer that stand one behind the other by one step of the graph.

Source: ``rnn`` of ``keras.src.backend.tensorflow.rnn`` with ``unroll=True``: ``Unpack`` takes the data apart,
``Pack`` joins the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect_tensorflow.graph.flow import VARIABLES, Flow, Ref, Step
from shapeinspect_tensorflow.graph.nodes import Node, Tensor
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
from shapeinspect_tensorflow.graph.recurrence.gates import Cell, has_parts
from shapeinspect_tensorflow.graph.recurrence.loops import Unrolled, is_zero, swapped_axes


def unrolled(
    flow: Flow,
    known: Unrolled,
    outputs: Iterable[Ref],
    zero: Callable[[Tensor], bool],
    numbers: Callable[[Tensor], Callable[[], Any] | None],
) -> Unrolled:
    """Find the recurrent layers whose steps are written one by one.

    Args:
        flow: resolves the inputs of nodes.
        known: the steps, with each loop that is a recurrent layer as one.
        outputs: the outputs of the graph.
        zero: tells whether all values of a constant are 0.
        numbers: returns a function that reads a constant.
    """
    outputs = list(outputs)
    work = Work()
    for _ in range(MOST_LAYERS):
        if not any(step.node.op == "Unpack" for step in known.steps):
            break
        finder = _Finder(flow, known, [known.at(ref) for ref in outputs], zero, numbers)
        found = chain(finder.net(), work)
        if found is None:
            break
        known = finder.replaced(found)
    return known


class _Finder:
    def __init__(
        self,
        flow: Flow,
        known: Unrolled,
        outputs: Sequence[Ref],
        zero: Callable[[Tensor], bool],
        numbers: Callable[[Tensor], Callable[[], Any] | None],
    ) -> None:
        self._flow, self._known, self._outputs = flow, known, outputs
        self._zero, self._read = zero, numbers
        self._by_path = {step.path: step for step in known.steps}

    def net(self) -> Net:
        """Return the graph as it is looked at."""
        return Net(
            self._known.steps, frozenset(self._outputs), self._row, self._step, self._is_zero, self._numbers,
            self._fits, self._sides,
        )  # fmt: skip

    def _at(self, ref: Ref) -> Step:
        step = self._by_path.get(ref.path)
        return self._known.renamed(self._flow.step(ref)) if step is None else step

    def _row(self, ref: Ref) -> Row | None:
        step = self._by_path.get(ref.path)
        if step is None or step.node.op != "Unpack" or len(step.inputs) != 1 or step.inputs[0] is None:
            return None
        axis, count = step.node.attributes.get("axis") or 0, step.node.attributes.get("num")
        if not isinstance(count, int) or not 0 <= ref.index < count:
            return None
        return Row(step.path, step.inputs[0], ref.index, count, axis)

    def _step(self, ref: Ref) -> Step:
        tensor = self._constant(ref)
        zeros = tensor is not None and len(tensor.shape) > 1 and self._zero(tensor)
        return stand_in(ref, self._row(ref), zeros=zeros) or self._at(ref)

    def _is_zero(self, ref: Ref) -> bool:
        return is_zero(ref, self._at, self._zero)

    def _constant(self, ref: Ref) -> Tensor | None:
        value = self._at(ref).node.attributes.get("value") if ref.path else None
        return value if isinstance(value, Tensor) else None

    def _numbers(self, ref: Ref) -> Any:
        tensor = self._constant(ref)
        read = None if tensor is None else self._read(tensor)
        return None if read is None else read()

    def _sides(self, ref: Ref) -> tuple[int, int] | None:
        tensor = self._constant(ref)
        shape = self._at(ref).node.attributes.get("shape") if tensor is None else tensor.shape
        return (shape[-2], shape[-1]) if shape is not None and len(shape) > 1 else None

    def _fits(self, cell: Cell, row: Row) -> bool:
        weights = [ref for ref in cell.weights if ref is not None]
        ops = {self._at(ref).node.op for ref in weights}
        if has_parts(cell) or not ops <= {"Const", *VARIABLES}:
            return False
        return cell.op != "ConvLSTM" or self._data(row)[1]  # a layer of maps has the batch first

    def replaced(self, found: Chain) -> Unrolled:
        """Return the steps with one in the place of those of a layer."""
        number_of, last = found.by_value, len(found.outputs) - 1
        data, batch_first = self._data(found.data)
        path = self._path(found)
        rest = [step for step in self._known.steps if step.path not in found.inner]
        read = {ref for step in rest for ref in step.inputs if ref is not None} | {*self._outputs}
        whole = any(number_of[ref] != last for ref in number_of if ref in read)
        alias: dict[Ref, Ref] = {}
        if whole:
            alias = self._together(rest, number_of, path, axis=int(batch_first))
            rows = f"{path}/unstack"
            alias.update((ref, Ref(rows, number)) for ref, number in number_of.items())
            single = {ref for step in rest if step.node.op != "Pack" for ref in step.inputs} | {
                *self._outputs
            }
            if not single & (number_of.keys() - {found.outputs[-1]}):
                alias[found.outputs[-1]] = Ref(path, 1)  # the state that the layer returns
        else:
            alias.update((ref, Ref(path)) for ref, number in number_of.items() if number == last)
        if found.memory is not None:
            alias[found.memory] = Ref(path, 2)
        shape = self._recorded(found.outputs[-1])
        steps = [self._layer(found, path, data, batch_first, shape, whole=whole)]
        if whole:
            shapes = (shape,) * (last + 1)
            attributes = {"axis": int(batch_first), "num": last + 1, "_output_shapes": shapes}
            steps.append(Step(f"{path}/unstack", Node("unstack", "Unpack", (), attributes), (Ref(path),)))
        return self._joined([*rest, *steps], alias, path)

    def _layer(
        self, found: Chain, path: str, data: Ref, batch_first: bool, shape: object, *, whole: bool
    ) -> Step:
        first = self._by_path[found.outputs[-1].path]
        settings: dict[str, Any] = {
            **dict(found.cell.settings), "batch_first": batch_first, "return_sequences": whole,
            **({"direction": "reverse"} if found.reverse else {}),
            **({"initial_states": len(found.initial)} if found.initial else {}),
            "_output_shapes": (None if whole else shape, shape, shape), "T": first.node.attributes.get("T"),
        }  # fmt: skip
        stride = settings.get("stride")
        op = f"{found.cell.op}{len(stride)}D" if isinstance(stride, tuple) else found.cell.op
        node = Node(first.node.name, op, (), settings)
        return Step(path, node, (data, *found.cell.weights, *found.initial))

    def _joined(self, steps: list[Step], alias: Mapping[Ref, Ref], path: str) -> Unrolled:
        """Return the steps that outputs are computed from, in an order of execution."""
        known = self._known
        before = {old: alias.get(new, new) for old, new in known.alias.items()}
        made = Unrolled(steps, {**before, **alias}, known.layers)
        by_path = {step.path: made.renamed(step) for step in steps}
        order: dict[str, Step] = {}
        stack = [(made.at(ref).path, False) for ref in reversed(self._outputs)]
        seen: set[str] = set()
        while stack:
            name, ready = stack.pop()
            if ready:
                order[name] = by_path[name]
            elif name in by_path and name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((ref.path, False) for ref in reversed(by_path[name].inputs) if ref is not None)
        states = {ref for step in order.values() for ref in step.inputs} | set(map(made.at, self._outputs))
        returned = any(Ref(path, index) in states for index in (1, 2))
        layer = order[path]
        attributes = {**layer.node.attributes, "return_state": returned}
        order[path] = replace(layer, node=replace(layer.node, attributes=attributes))
        made.steps = list(order.values())
        kept = {*known.layers, path, f"{path}/unstack"}
        made.layers = {name: step for name, step in order.items() if name in kept}
        return made

    def _data(self, row: Row) -> tuple[Ref, bool]:
        """Return the data, and whether the batch is its first axis."""
        if row.axis == 1:
            return row.data, True
        step = self._by_path.get(row.data.path)
        if row.axis == 0 and step is not None and self._swaps(step) and step.inputs[0] is not None:
            return step.inputs[0], True
        return row.data, False

    def _together(
        self, steps: Sequence[Step], number_of: Mapping[Ref, int], path: str, *, axis: int
    ) -> dict[Ref, Ref]:
        """Return the values that are all outputs, with the time at an axis."""
        found: dict[Ref, Ref] = {}
        every = list(range(max(number_of.values()) + 1))
        for step in steps:
            numbers = [None if ref is None else number_of.get(ref) for ref in step.inputs]
            if step.node.op != "Pack" or numbers != every:
                continue
            given = step.node.attributes.get("axis") or 0
            if given == axis:
                found[Ref(step.path)] = Ref(path)
            elif given == 0:
                readers = [one for one in steps if one.inputs[:1] == (Ref(step.path),) and self._swaps(one)]
                found.update((Ref(one.path), Ref(path)) for one in readers)
        return found

    def _swaps(self, step: Step) -> bool:
        """Tell whether a step swaps the first two axes."""
        if step.node.op != "Transpose" or len(step.inputs) != 2 or step.inputs[1] is None:
            return False
        tensor = self._constant(step.inputs[1])
        return tensor is not None and tensor.numbers == swapped_axes(len(tensor.numbers or ()))

    def _path(self, found: Chain) -> str:
        """Return a new name, which is what the paths of all outputs begin with."""
        path = common_scope([ref.path for ref in found.outputs]) or found.cell.op.lower()
        while path in self._by_path:
            path += "'"
        return path

    def _recorded(self, ref: Ref) -> object:
        shapes = self._by_path[ref.path].node.attributes.get("_output_shapes")
        return shapes[ref.index] if isinstance(shapes, tuple) and ref.index < len(shapes) else None
