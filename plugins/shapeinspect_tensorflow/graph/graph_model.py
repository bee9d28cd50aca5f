"""The steps of a graph as layers, calls and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from math import prod
from typing import Any

from shapeinspect.dims import Dim, Shape, known
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Note, Value, Weight
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect_tensorflow.graph import lists
from shapeinspect_tensorflow.graph.bodies import Bodies
from shapeinspect_tensorflow.graph.evaluate import Evaluator, Source
from shapeinspect_tensorflow.graph.flow import CHOICES, LOOPS, VARIABLES, Flow, Ref, Step
from shapeinspect_tensorflow.graph.folding import folded
from shapeinspect_tensorflow.graph.input_symbols import opened
from shapeinspect_tensorflow.graph.node_view import Held, View, merged, put_at
from shapeinspect_tensorflow.graph.nodes import Tensor
from shapeinspect_tensorflow.graph.ops import OPS, SETTINGS, UNKNOWN_OP, Op
from shapeinspect_tensorflow.graph.output_dtypes import dtype
from shapeinspect_tensorflow.graph.parts import Facts, Parts
from shapeinspect_tensorflow.graph.recurrence.loops import recurrent
from shapeinspect_tensorflow.graph.recurrence.unrolled import unrolled
from shapeinspect_tensorflow.graph.settings.conv import product_flags
from shapeinspect_tensorflow.graph.state import State
from shapeinspect_tensorflow.vocabulary import dtypes
from shapeinspect_tensorflow.vocabulary.layouts import TABLE

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "_Arg"})
#: Operators that read a stored tensor without changing it.
_READS = frozenset({"ReadVariableOp", "Cast", "Enter", "RefEnter"})
_RESHAPES = frozenset({"Reshape", "Squeeze", "ExpandDims"})
#: Kinds with a state, which stands behind their weights.
_STATES = frozenset({"lstm", "gru", "rnn", "conv_lstm"})
#: Kinds whose stored tensors are weights only; those of other kinds are inputs as well.
_OWN = frozenset(
    {
        "conv",
        "conv_transpose",
        "linear",
        "batch_norm",
        "layer_norm",
        "embedding",
        "elementwise",
        "concat",
        "unary",
    }
    | {"lstm", "gru", "rnn", "conv_lstm"}
)
#: The operators that run graphs of their own, with those of TensorFlow 1, whose graphs are not opened.
_INNER = LOOPS | CHOICES | {"Enter", "Switch"}
#: A constant of more bytes is no state that a loop begins with.
_MOST_ZEROS = 1 << 22
#: How many settings may be computed from one another.
_MAX_DEPTH = 50
#: The role of an operand that has no other name.
_OPERAND = re.compile(r"input\d+")


def build(flow: Flow, inputs: Sequence[Ref], outputs: Sequence[Ref], facts: Facts) -> Parts:
    """Turn everything that outputs are computed from into layers.

    Args:
        flow: resolves the inputs of nodes.
        inputs: the graph's inputs, in order.
        outputs: the graph's outputs, in order.
        facts: what other parts of the file say.
    """
    return _Builder(flow, facts).build(inputs, outputs)


class _Builder:
    def __init__(self, flow: Flow, facts: Facts) -> None:
        self._flow, self._facts = flow, facts
        self._state = State(flow, facts, dict(facts.names))
        self._parts = self._state.parts
        self._depth = 0
        self._evaluator = Evaluator(self._source, self._state.shape)
        self._bodies = Bodies(self._state, self._evaluator.numbers, self._add)

    def build(self, inputs: Sequence[Ref], outputs: Sequence[Ref]) -> Parts:
        parts = self._parts
        steps, outputs = self._prepared(outputs)
        for place, ref in enumerate(inputs):
            self._input(self._state.at(ref), place, len(inputs))
        for step in steps:
            self._step(step)
        parts.inputs = tuple(self._state.value(ref) for ref in inputs)
        parts.outputs = tuple(self._state.value(ref) for ref in outputs)
        if parts.variables or self._facts.listed:
            parts.layers[:] = [_apart(layer, parts.variables) for layer in parts.layers]
        self._remark()
        return parts

    def _prepared(self, outputs: Sequence[Ref], within: str = "") -> tuple[list[Step], list[Ref]]:
        """Return the steps of a graph, and its outputs, with recurrent layers as one step each."""
        loops = recurrent(self._flow, self._flow.steps(outputs, SETTINGS, within), outputs, self._zero)
        found = unrolled(self._flow, loops, outputs, self._zero, self._facts.reader)
        self._state.unrolled.alias.update(found.alias)
        self._state.unrolled.layers.update(found.layers)
        outputs = [found.at(ref) for ref in outputs]
        for old, new in found.alias.items():
            if old in self._facts.names:
                self._state.names[new] = self._facts.names[old]
        steps = [self._state.unrolled.renamed(step) for step in folded(found.steps, outputs, self._flow)]
        read = {*outputs, *(ref for step in steps for ref in step.inputs if ref is not None)}
        self._state.read |= read
        for ref in read:
            self._state.used[ref.path] = max(self._state.used.get(ref.path, 0), ref.index)
        return steps, outputs

    def _add(self, outputs: Sequence[Ref], within: str) -> None:
        """Add the layers that compute some values in the graph of a loop or a branch."""
        for step in self._prepared(outputs, within)[0]:
            self._step(step)

    def _zero(self, tensor: Tensor) -> bool:
        """Return whether all values of a constant are known to be 0."""
        if tensor.repeated is not None:
            return tensor.repeated == 0
        if tensor.numbers is not None:
            return not any(tensor.numbers)
        read = self._facts.reader(tensor) if tensor.end - tensor.start <= _MOST_ZEROS else None
        return read is not None and not read().any()

    def _step(self, step: Step) -> None:
        ref = Ref(step.path)
        if self._state.has(ref) or not step.node.op:
            return
        op = step.node.op
        if op in PLACEHOLDERS:
            self._input(step)
            return
        if step.instead and OPS[op].kind_of(self._view(step)) == "unknown":
            for one in step.instead:
                self._step(one)
            return
        if self._bodies.add(step):
            return
        stored = self._hold(step)
        if stored is not None:
            self._state.held[ref] = stored
        else:
            self._layer(step)

    def _input(self, step: Step, place: int = 0, count: int = 0) -> None:
        """Add an input; its unknown lengths become symbols."""
        ref = Ref(step.path)
        shape = self._facts.shapes.get(ref, self._state.recorded(step, 0))
        if shape is None and "shape" in step.node.attributes:
            shape = step.node.attributes["shape"]
        shape = opened(shape, place, count) if count else shape
        name = self._state.value(ref)
        self._state.fed.add(ref)
        self._state.shapes[ref] = self._state.named[name] = shape
        code = step.node.attributes.get("dtype")
        self._parts.values[name] = Value(name, shape, dtypes.name(code) if isinstance(code, int) else None)

    def _hold(self, step: Step) -> Held | None:
        """Return the stored tensor that a node is, or returns as it is."""
        node, first = step.node, step.inputs[0] if step.inputs else None
        if node.op == "Const":
            tensor = node.attributes.get("value")
            if isinstance(tensor, Tensor):
                return Held(step.path, tensor.shape, tensor.shape, tensor.dtype, tensor=tensor)
            return None
        if node.op in VARIABLES:
            shape, code = node.attributes.get("shape"), node.attributes.get("dtype")
            if shape is None:
                return None
            name = self._facts.variables.get(step.path) or node.attributes.get("shared_name") or node.name
            trainable = self._facts.trainable.get(step.path)
            dtype = code if isinstance(code, int) else 0
            values = self._facts.values.get(step.path) or self._facts.named(name, dtype, shape)
            return Held(name, shape, shape, dtype, True, trainable, values=values)
        stored = self._state.held.get(first) if first is not None else None
        if stored is None or node.op not in _READS | _RESHAPES:
            return None
        if node.op in _READS:
            return stored
        view = self._view(step)
        try:
            reshaped = output_shapes(OPS[node.op].kind_of(view), OPS[node.op].read(view), (stored.used,))[0]
        except ShapeMismatchError:
            return None
        # Leading axes of length 1 change nothing where a tensor is broadcast.
        same = reshaped is not None and known(reshaped) and _trimmed(reshaped) == _trimmed(stored.used)
        return replace(stored, used=reshaped) if same and reshaped is not None else None

    def _view(self, step: Step) -> View:
        inputs = step.inputs

        def evaluate(slot: int) -> tuple[Dim, ...] | None:
            ref = inputs[slot]
            return None if ref is None else self._evaluator.numbers(ref)

        return View(
            step.node.op, step.node.attributes,
            tuple(None if ref is None else self._state.held.get(ref) for ref in inputs),
            tuple(None if ref is None else self._state.shape(ref) for ref in inputs),
            evaluate, self._state.used.get(step.path, 0) + 1,
        )  # fmt: skip

    def _source(self, ref: Ref) -> Source[Ref]:
        step = self._state.at(ref)
        tensor = step.node.attributes.get("value") if step.node.op == "Const" else None
        numbers = tensor.numbers if isinstance(tensor, Tensor) else None
        return Source(step.node.op, step.inputs, step.node.attributes, numbers)

    def _layer(self, step: Step) -> None:
        op, view = OPS.get(step.node.op, UNKNOWN_OP), self._view(step)
        kind, attributes = op.kind_of(view), dict(op.read(view))
        places = op.computed(kind, attributes, view) if self._depth < _MAX_DEPTH else {}
        self._depth += 1
        for slot in places:
            self._compute(step.inputs[slot])
        self._depth -= 1
        names, weights = self._operands(step, op, view, kind)
        put_at(
            names,
            {place: self._state.value(ref) for slot, place in places.items() if (ref := step.inputs[slot])},
        )
        count = self._count(step, kind, attributes)
        outputs = [self._state.value(Ref(step.path, index)) for index in range(count)]
        recorded = [self._state.recorded(step, index) for index in range(count)]
        if step.node.op in lists.MAKERS:
            recorded[0] = None  # its tensors have shapes, not the list
            self._state.listed.add(outputs[0])
        if step.node.op == "TensorListStack":
            entries = lists.entries(step.inputs[0] if step.inputs else None, self._state.at, self._flow.loop)
            recorded[0] = self._stacked(entries, recorded[0])
            stored = entries in self._state.held and not recorded[0]
            if entries is not None and (stored or entries in self._state.shapes):
                names.append(self._state.value(entries))
        computed = self._computed(kind, attributes, names, weights, count)
        for index, name in enumerate(outputs):
            shape = merged(recorded[index], computed[index])
            self._state.shapes[Ref(step.path, index)] = self._state.named[name] = shape
            self._parts.values[name] = Value(name, recorded[index], dtype(step, index))
        layer = Layer(step.path, kind, step.node.op, _parts(step.path), Frozen(attributes), tuple(weights))
        self._parts.layers.append(layer)
        self._parts.calls.append(Call(step.path, tuple(names), tuple(outputs)))

    def _stacked(self, entries: Ref | None, recorded: Shape | None) -> Shape | None:
        """Return the recorded shape of a stacked list with the number of its entries."""
        count = None if entries is None else self._evaluator.numbers(entries)
        if not recorded or count is None or len(count) != 1:
            return recorded
        return merged(recorded, (*count, *recorded[1:]))

    def _compute(self, target: Ref | None) -> None:
        """Add the steps that compute a setting, which nothing else reads."""
        if target is None:
            return
        stack: list[tuple[Ref, bool]] = [(target, False)]
        seen: set[str] = set()
        while stack:
            ref, ready = stack.pop()
            if ready:
                self._step(self._state.at(ref))
            elif ref.path not in seen and not self._state.has(Ref(ref.path)):
                seen.add(ref.path)
                step = self._state.at(ref)
                self._state.used[ref.path] = max(self._state.used.get(ref.path, 0), ref.index)
                stack.append((ref, True))
                stack.extend((source, False) for source in step.operands(SETTINGS))

    def _operands(self, step: Step, op: Op, view: View, kind: str) -> tuple[list[str], list[Weight]]:
        """Return what a node reads: values, and stored tensors as weights or settings."""
        names: list[str] = []
        weights: list[Weight] = []
        count = len(step.inputs)
        for slot, ref in enumerate(step.inputs):
            if ref is None or {slot, slot - count} & op.fixed:
                continue
            stored = view.held[slot]
            if stored is None:
                names.append(self._state.value(ref))
                continue
            role = op.params.get(slot)
            setting = not stored.variable and (
                stored.numbers is not None or prod(_integers(stored.shape)) <= 1
            )
            if role is not None and 0 in stored.shape:
                continue  # it stands for nothing, such as the statistics of a norm in training
            if role is not None or not setting:
                weight = self._weight(step, stored, role or f"input{slot}", view)
                state = kind in _STATES and role is None and not stored.trainable
                weights.append(_initial(weight, slot - len(op.params) - 1) if state else weight)
            operand = kind in ("elementwise", "concat") and (setting or stored.used != stored.shape)
            if kind not in _OWN or operand:
                # Further axes of length 1 count in the result, as do numbers that lengths are computed from.
                names.append(self._state.value(ref))
                self._state.named[names[-1]] = stored.used
        return names, weights

    def _weight(self, step: Step, stored: Held, role: str, view: View) -> Weight:
        kind = step.node.op
        if role == "b" and product_flags(view)[1]:
            kind = f"{'MatMul' if kind == 'MatMul' else 'BatchMatMul'}:transpose_b"
        if stored.variable:
            self._parts.variables.add(stored.name)
        size = prod(_integers(stored.shape)) if known(stored.shape) else None
        # A filter has as many axes as the operator slides it over; the further ones are 1 long.
        shape = stored.used if role == "filter" and stored.variable else stored.shape
        return Weight(
            stored.name, role, shape, dtypes.name(stored.dtype),
            None if size is None else dtypes.nbytes(stored.dtype, size), stored.trainable,
            TABLE.bind(kind, role, len(shape)), storage=stored.name,
            values=self._values(stored, shape),
        )  # fmt: skip

    def _values(self, stored: Held, shape: Shape) -> Callable[[], Any] | None:
        read = stored.values if stored.tensor is None else self._facts.reader(stored.tensor)
        if read is None or shape == stored.shape or not known(shape):
            return read
        return lambda: read().reshape(shape)

    def _count(self, step: Step, kind: str, attributes: Mapping[str, Any]) -> int:
        count = self._state.used.get(step.path, 0) + 1
        if kind in ("split", "unstack"):
            declared = step.node.attributes.get("num_split") or step.node.attributes.get("num")
            recorded = step.node.attributes.get("_output_shapes")
            if isinstance(declared, int) and isinstance(recorded, tuple) and declared == len(recorded):
                count = max(count, declared)
            elif "sizes" in attributes:
                count = max(count, len(attributes["sizes"]))
        return min(count, 10_000)

    def _computed(
        self,
        kind: str,
        attributes: Mapping[str, Any],
        names: Sequence[str],
        weights: Sequence[Weight],
        count: int,
    ) -> list[Shape | None]:
        """Compute the output shapes for the settings that later nodes read from them."""
        nothing: list[Shape | None] = [None] * count
        if not has_rule(kind):
            return nothing
        shapes = [self._state.named.get(name) for name in names]
        stored = [weight.shape for weight in weights] if kind in ("elementwise", "concat") else []
        try:
            outputs = output_shapes(kind, attributes, (*shapes, *stored))
        except ShapeMismatchError:
            return nothing
        return [outputs[index] if index < len(outputs) else None for index in range(count)]

    def _remark(self) -> None:
        opened = {block.layer for block in self._parts.blocks}
        loops = [layer for layer in self._parts.layers if layer.type in _INNER and layer.path not in opened]
        if loops:
            text = f"what happens inside loops and branches ({len(loops)}) is not shown"
            self._parts.notes.append(Note(text))
        others = sorted(_unknown_ops(self._parts))
        if others:
            shown = ", ".join(others[:8]) + (" and others" if len(others) > 8 else "")
            self._parts.notes.append(Note(f"operators without a kind here: {shown}"))


def _initial(weight: Weight, place: int) -> Weight:
    """Return the state that a layer goes on with, which is none of its parameters."""
    return replace(
        weight, role=("initial_h", "initial_c")[place] if place in (0, 1) else weight.role, buffer=True
    )


def _apart(layer: Layer, variables: Set[str]) -> Layer:
    """Count a constant apart where the graph has variables: then these alone are its parameters.

    Where it has none, a matrix or a kernel that is a constant may still be one.
    """
    weights = tuple(
        weight
        if weight.name in variables or not (variables or _OPERAND.fullmatch(weight.role))
        else replace(weight, buffer=True)
        for weight in layer.weights
    )
    return replace(layer, weights=weights)


def _unknown_ops(parts: Parts) -> frozenset[str]:
    return frozenset(layer.type for layer in parts.layers if layer.kind == "unknown") - _INNER


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _trimmed(shape: Shape) -> Shape:
    place = 0
    while place < len(shape) and shape[place] == 1:
        place += 1
    return shape[place:]


def _integers(shape: Sequence[Dim]) -> list[int]:
    return [dim for dim in shape if isinstance(dim, int)]
