"""Reads a TFLite file as a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from shapeinspect.binary.window import Window
from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Block, Body, Call, Layer, Model, Note, Value, Weight
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect.rules.shape_values import MOST
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_tensorflow.graph.evaluate import Evaluator, one_number
from shapeinspect_tensorflow.graph.input_symbols import opened
from shapeinspect_tensorflow.graph.node_view import Held, View, merged, put_at
from shapeinspect_tensorflow.graph.ops import UNKNOWN_OP, Op
from shapeinspect_tensorflow.graph.rounds import UNCOUNTED
from shapeinspect_tensorflow.graph.settings.conv import product_flags
from shapeinspect_tensorflow.signature_names import asked_signature, further_signatures
from shapeinspect_tensorflow.tflite import file as lite_file
from shapeinspect_tensorflow.tflite.computed import producers, shape_computations, sources
from shapeinspect_tensorflow.tflite.convolutions import biased, dilated, is_filled, narrow
from shapeinspect_tensorflow.tflite.file import LiteFile, Operator, Subgraph, Tensor
from shapeinspect_tensorflow.tflite.norms import normed
from shapeinspect_tensorflow.tflite.ops import JOINED, OPS, SETTINGS
from shapeinspect_tensorflow.tflite.packed import unpacked
from shapeinspect_tensorflow.tflite.quantized import quantization, scales_by_role, values
from shapeinspect_tensorflow.tflite.recurrent import recurrent
from shapeinspect_tensorflow.tflite.rounds import rounds
from shapeinspect_tensorflow.tflite.unrolled import unrolled
from shapeinspect_tensorflow.vocabulary.layouts import TABLE

#: Kinds whose stored tensors are weights only; those of other kinds are inputs as well.
_OWN = frozenset(
    {"conv", "conv_transpose", "linear", "embedding", "elementwise", "concat", "prelu", "layer_norm"}
    | {"lstm", "gru", "rnn", "conv_lstm"}
)
#: The options that name another graph.
_BODIES = ("cond", "body", "then_branch", "else_branch", "init")
#: How the name of the last of several operators ends that were joined to a convolution.
_ENDS = re.compile(r"/(BatchToSpaceND|Squeeze)\d*$")
#: A tensor of more bytes is no state that a loop begins with.
_MOST_ZEROS = 1 << 22
#: The types of what is never trained.
_COUNTS = frozenset({"bool", "int32", "int64", "uint32", "uint64"})
#: How many settings may be computed from one another.
_MAX_DEPTH = 50
#: The names of the layouts of a GRU whose reset gate stands before the product.
_BEFORE = {
    "WHILE:GRU": "WHILE:GRU(candidate_apart)", "WHILE:GRU(gates_apart)": "WHILE:GRU(gates_apart, before)",
}  # fmt: skip
_STARTS = frozenset({"WHILE", "ASSIGN_VARIABLE", "CONCATENATION"})
_LOOPS = frozenset({"WHILE", "IF", "STABLEHLO_WHILE", "STABLEHLO_CASE"})


def read(source: Source) -> Model:
    """Read a TFLite file.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    with Window.open(source) as window:
        file = lite_file.read(window)

    def zero(tensor: Tensor) -> bool:
        if not 0 < tensor.nbytes <= _MOST_ZEROS:
            return False
        with Window.open(source) as window:
            return not any(window.span(tensor.start, tensor.start + tensor.nbytes))

    named = {number for graph in file.subgraphs for number in _bodies(graph)}

    plain = tuple(map(unpacked, file.subgraphs))

    def layers(graph: Subgraph) -> Subgraph:
        stepped = unrolled(graph, zero, lambda tensor: values(source, tensor))
        return narrow(recurrent(dilated(normed(stepped)), plain, zero))

    graphs = tuple(map(layers, plain))
    file = replace(file, subgraphs=graphs)
    builder, first = _Builder(source, zero, file), _first(source, file)
    called = _called(file, first, named)
    for number in called:
        builder.add(number, main=number == first)
    notes = builder.notes()
    if len(called) > 1:
        notes.append(Note(f"it holds {len(called)} graphs: the first is the network, the others follow it"))
    shown = next((name for name, number in file.signatures if number == first), "")
    further = [name for name, number in file.signatures if number != first]
    if further:
        notes.append(further_signatures(shown, further))
    main = file.subgraphs[first]
    return Model(
        source.label, "tflite", "tflite", "tflite", tuple(builder.layers), tuple(builder.calls),
        Frozen(builder.values), builder.ends(main.inputs), builder.ends(main.outputs), tuple(notes),
        Frozen(_metadata(file, main)), blocks=tuple(builder.blocks),
        described=(f"TFLite {file.version}", *filter(None, [file.description])),
    )  # fmt: skip


def _first(source: Source, file: LiteFile) -> int:
    """Return the number of the graph that is asked for; the first one by default."""
    if not source.signature:
        return 0
    numbers = dict(file.signatures)
    return numbers[asked_signature(source, list(numbers))]


def _called(file: LiteFile, first: int, named: set[int]) -> list[int]:
    """Return the graphs that a graph runs, itself first; those of other signatures are not among them."""
    found, stack = {first: None}, [first]
    while stack:
        for number in _bodies(file.subgraphs[stack.pop()]):
            if 0 <= number < len(file.subgraphs) and number not in found:
                found[number] = None
                stack.append(number)
    if len(file.signatures) < 2:  # a graph that nothing in the file names is shown, too
        found.update(dict.fromkeys(number for number in range(len(file.subgraphs)) if number not in named))
    return list(found)


def _bodies(graph: Subgraph) -> list[int]:
    """Return the graphs that the loops and branches of a graph name."""
    options = [operator.options or {} for operator in graph.operators]
    numbers = [one.get(name) for one in options for name in _BODIES]
    return [number for number in numbers if isinstance(number, int)]


def _metadata(file: LiteFile, main: Subgraph) -> dict[str, str]:
    metadata = {"version": str(file.version)}
    if file.description:
        metadata["description"] = file.description
    if file.signatures:
        metadata["signatures"] = ", ".join(name for name, _ in file.signatures)
    for word, numbers in (("input", main.inputs), ("output", main.outputs)):
        for number in numbers:
            tensor = main.tensors[number]
            if tensor.quantization is not None and tensor.quantization.scale:
                scale, zero = tensor.quantization.scale, tensor.quantization.zero_point
                metadata[f"{word} {tensor.name}"] = (
                    f"scale {scale[0]:.9g}, zero point {zero[0] if zero else 0}"
                )
    return metadata


@dataclass(slots=True)
class _Names:
    """Gives out unique names."""

    taken: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        candidate = name
        while candidate in self.taken:
            self.counts[name] = self.counts.get(name, 0) + 1
            candidate = f"{name}#{self.counts[name]}"
        self.taken.add(candidate)
        return candidate


@dataclass(slots=True)
class _Part:
    """One graph of the file while it is read.

    Args:
        graph: the graph.
        prefix: what its paths and names begin with.
        names: the name of each tensor.
        shapes: the shape of each tensor, as recorded.
        computed: the shapes whose open lengths were computed.
        evaluator: computes the numbers in small tensors.
        hidden: the places of the operators that only compute settings, as long as they are not shown.
        producers: the place of the operator that computes each tensor.
        biased: the tensors to which a bias is added by an operator of its own.
        inputs: the tensors that the graph is given.
    """

    graph: Subgraph
    prefix: str
    names: tuple[str, ...]
    shapes: list[Shape | None]
    computed: dict[int, Shape | None]
    evaluator: Evaluator[int]
    hidden: set[int]
    producers: Mapping[int, int]
    biased: frozenset[int]
    inputs: frozenset[int]

    def shape(self, index: int) -> Shape | None:
        return self.computed.get(index, self.shapes[index])

    def view(self, operator: Operator) -> View:
        tensors = [self.graph.tensors[index] if index >= 0 else None for index in operator.inputs]
        shapes = [self.shape(index) if index >= 0 else None for index in operator.inputs]
        return _view(operator, tensors, shapes, self.evaluator)

    def computing(self, index: int) -> list[int]:
        """Return the operators that compute a setting and are not shown yet, in their order."""
        found: set[int] = set()
        stack = [index]
        while stack:
            place = self.producers.get(stack.pop())
            if place in self.hidden and place is not None and place not in found:
                found.add(place)
                stack.extend(self.graph.operators[place].operands(SETTINGS))
        return sorted(found)

    def fill(self, operator: Operator) -> None:
        """Compute the open lengths of an operator's outputs, which later operators read settings from."""
        op, view = _op(operator), self.view(operator)
        kind, attributes = op.kind_of(view), op.read(view)
        if not has_rule(kind):
            return
        kept = kind in ("elementwise", "concat")
        given = tuple(
            view.shape(slot)
            for slot, index in enumerate(operator.inputs)
            if not {slot, slot - len(operator.inputs)} & op.fixed
            and (kept or not (index >= 0 and self.graph.tensors[index].stored and slot in op.params))
        )
        try:
            outputs = output_shapes(kind, attributes, given)
        except ShapeMismatchError:
            return
        for index, shape in zip(operator.outputs, outputs, strict=False):
            if index >= 0:
                self.computed[index] = merged(self.shapes[index], shape)


class _Builder:
    def __init__(self, source: Source, zero: Callable[[Tensor], bool], file: LiteFile) -> None:
        self._source = source
        self._zero = zero
        self._file = file
        self._added: dict[int, Body] = {}
        self._paths = _Names()
        self._prefixes = _Names()
        self._value_names = _Names()
        self._main: tuple[str, ...] = ()
        self._external: set[str] = set()
        self._sparse = 0
        self._left_out = 0
        self._uncounted: list[str] = []
        self.layers: list[Layer] = []
        self.calls: list[Call] = []
        self.values: dict[str, Value] = {}
        self.blocks: list[Block] = []

    def add(self, number: int, around: str = "", *, main: bool = False) -> None:
        """Add one graph, if it is not there yet; its names begin with its own, behind those around it."""
        if number in self._added:
            return
        graph = self._file.subgraphs[number]
        name = "" if main else self._prefixes.unique(around + (graph.name or f"subgraph{number}"))
        prefix = f"{name}/" if name else ""
        names = tuple(
            self._value_names.unique(prefix + (tensor.name or f"tensor{index}"))
            for index, tensor in enumerate(graph.tensors)
        )
        shapes = [_shape(tensor) for tensor in graph.tensors]
        if main:  # what a loop or branch receives is as long as what is computed, which has no name
            for place, index in enumerate(graph.inputs):
                shapes[index] = opened(shapes[index], place, len(graph.inputs))
        for index in (*graph.inputs, *graph.outputs):
            self.values[names[index]] = Value(names[index], shapes[index], graph.tensors[index].dtype)
        if main:
            self._main = names
        ends = (tuple(names[index] for index in indices) for indices in (graph.inputs, graph.outputs))
        self._added[number] = Body(name, *ends)
        computed: dict[int, Shape | None] = {}
        evaluator = Evaluator(sources(graph), lambda index: computed.get(index, shapes[index]))
        given = frozenset(graph.inputs)
        hidden, makers = set(shape_computations(graph)), producers(graph)
        part = _Part(graph, prefix, names, shapes, computed, evaluator, hidden, makers, biased(graph), given)
        for place, operator in enumerate(graph.operators):
            if place in part.hidden:
                part.fill(operator)
            else:
                self._show(part, operator)
        self._left_out += len(part.hidden)

    def ends(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        """Return the names of the network's inputs or outputs."""
        return tuple(self._main[number] for number in numbers)

    def _show(self, part: _Part, operator: Operator, depth: int = 0) -> None:
        """Add an operator, or those that it replaces, where nothing proves that they are one."""
        parted = operator.instead and _op(operator).kind_of(part.view(operator)) == "unknown"
        for one in operator.instead if parted else (operator,):
            self._layer(part, one, depth)
            place = len(self.layers) - 1
            if one.op in ("WHILE", "IF") and self._block(part, one, self.layers[place].path):
                self.layers[place] = replace(self.layers[place], kind="module")

    def _layer(self, part: _Part, operator: Operator, depth: int = 0) -> None:
        graph, names, shapes = part.graph, part.names, part.shapes
        tensors = [graph.tensors[index] if index >= 0 else None for index in operator.inputs]
        op, view = _op(operator), part.view(operator)
        kind, attributes = op.kind_of(view), dict(op.read(view))
        places = op.computed(kind, attributes, view) if depth < _MAX_DEPTH else {}
        for slot in places:
            for place in part.computing(operator.inputs[slot]):
                if place in part.hidden:
                    part.hidden.discard(place)
                    self._show(part, graph.operators[place], depth + 1)
        path = self._paths.unique(part.prefix + _path(operator, graph))
        inputs: list[str] = []
        weights: list[Weight] = []
        for slot, (index, tensor) in enumerate(zip(operator.inputs, tensors, strict=True)):
            if {slot, slot - len(tensors)} & op.fixed:
                continue
            role = op.params.get(slot)
            if tensor is None:
                if role is None:
                    inputs.append("")
                continue
            stored = tensor.stored and index not in part.inputs
            # Zeros that a loop or a variable begins with, or that fill up a list, are no parameters.
            start = operator.op in _STARTS and stored and self._zero(tensor)
            weight = stored and (role is not None or not _is_setting(tensor)) and not start
            if weight:
                weights.append(self._weight(operator, op, slot, tensor, view, part.biased))
            # The axes of an operand count, and so does a number that lengths are computed with.
            number = stored and not weight and (bool(tensor.shape) or tensor.numbers is not None)
            if (not stored and not (role and tensor.variable)) or (stored and kind not in _OWN) or number:
                inputs.append(names[index])
                value = Value(names[index], shapes[index], tensor.dtype, constant=_constant(tensor))
                self.values.setdefault(names[index], value)
        put_at(inputs, {place: names[operator.inputs[slot]] for slot, place in places.items()})
        outputs = [names[index] if index >= 0 else "" for index in operator.outputs]
        made = (index for index in operator.outputs if index >= 0)
        self.values.update(
            (names[index], Value(names[index], shapes[index], graph.tensors[index].dtype)) for index in made
        )
        part.fill(operator)
        quantized = scales_by_role(weights, tensors, op.params)
        if quantized:
            attributes["quantization"] = quantized
        while inputs and not inputs[-1]:
            inputs.pop()
        self.layers.append(
            Layer(
                path,
                kind,
                operator.custom or operator.op,
                tuple(path.split("/")),
                Frozen(attributes),
                tuple(weights),
            )
        )
        self.calls.append(Call(path, tuple(inputs), tuple(outputs)))

    def _block(self, part: _Part, operator: Operator, path: str) -> bool:
        """Add the graphs of a loop or a branch behind it, and how it runs them, if that is known."""
        names = ("cond", "body") if operator.op == "WHILE" else ("then_branch", "else_branch")
        numbers = [(operator.options or {}).get(name) for name in names]
        graphs = [one for one in numbers if isinstance(one, int) and 0 <= one < len(self._file.subgraphs)]
        fresh = len({*graphs}) == 2 and self._added.keys().isdisjoint(graphs)
        first = len(self.blocks)  # a block stands before those inside of it
        for number in graphs:
            self.add(number, part.prefix)
        inputs = tuple(part.names[index] if index >= 0 else "" for index in operator.inputs)
        outputs = tuple(part.names[index] if index >= 0 else "" for index in operator.outputs)
        if not fresh:
            return False
        bodies = [self._added[number] for number in graphs]
        if operator.op == "IF":
            self.blocks.insert(first, Block(path, "if", tuple(bodies), inputs, outputs))
            return True
        condition, body = (self._file.subgraphs[number] for number in graphs)
        if not len(operator.inputs) == len(body.inputs) == len(body.outputs):
            return False  # the loop and its graph do not carry the same values
        count = rounds(operator, condition, body, lambda index: one_number(part.evaluator.numbers(index)))
        name = "" if count is None else f"{path} (rounds)"
        if count is None:
            self._uncounted.append(path)
        else:
            self.values[name] = Value(name, (), "int32", constant=count)
        inner = replace(bodies[1], inputs=("", "", *bodies[1].inputs), outputs=("", *bodies[1].outputs))
        given = (name, "", *inputs)
        self.blocks.insert(
            first, Block(path, "loop", (inner,), given, outputs, len(inputs), counted=count is not None)
        )
        return True

    def _weight(
        self, operator: Operator, op: Op, slot: int, tensor: Tensor, view: View, biases: frozenset[int]
    ) -> Weight:
        role = op.params.get(slot) or f"input{slot}"
        shape = tensor.shape or ()
        kernels = (held.name for at, held in enumerate(view.held) if held and op.params.get(at) == "filter")
        filled = role == "bias" and is_filled(
            tensor, next(kernels, ""), self._zero, biased=not biases.isdisjoint(operator.outputs[:1])
        )
        if tensor.external:
            self._external.add(tensor.name)
        self._sparse += tensor.sparse
        return Weight(
            tensor.name, role, shape, tensor.dtype, tensor.nbytes if not tensor.external else None, False,
            _layout(operator, role, shape, view),
            storage=None if tensor.external else f"buffer {tensor.buffer}",
            values=values(self._source, tensor), quantization=quantization(tensor), buffer=filled,
        )  # fmt: skip

    def notes(self) -> list[Note]:
        """Return notes about what is not shown."""
        texts = []
        others = sorted({layer.type for layer in self.layers if layer.kind == "unknown"} - _LOOPS)
        if others:
            shown = ", ".join(others[:8]) + (" and others" if len(others) > 8 else "")
            texts.append(Note(f"operators without a kind here: {shown}"))
        opened = {block.layer for block in self.blocks}
        texts += [Note(UNCOUNTED, path) for path in self._uncounted]
        if any(layer.type in _LOOPS and layer.path not in opened for layer in self.layers):
            texts.append(Note("the work of a graph that several loops or branches run is counted once"))
        if self._left_out:
            texts.append(Note(f"left out: {many(self._left_out, 'operator')} that only compute shapes"))
        if self._external:
            texts.append(Note(f"the values of {many(len(self._external), 'tensor')} stand in other files"))
        if self._sparse:
            texts.append(
                Note(f"of {many(self._sparse, 'tensor')} only the values that are not zero are stored")
            )
        return texts


def _constant(tensor: Tensor) -> tuple[int, ...] | int | None:
    """Return the numbers of a stored tensor that lengths may be computed with."""
    numbers = tensor.numbers
    if numbers is None or len(numbers) > MOST or tensor.shape is None or len(tensor.shape) > 1:
        return None
    return numbers if tensor.shape else numbers[0]


def _op(operator: Operator) -> Op:
    return OPS.get(operator.op) or JOINED.get(operator.op, UNKNOWN_OP)


def _shape(tensor: Tensor) -> Shape | None:
    if tensor.shape is None:
        return None
    free = tensor.signature or tensor.shape
    return tuple(UNKNOWN if want < 0 else length for want, length in zip(free, tensor.shape, strict=True))


def _path(operator: Operator, graph: Subgraph) -> str:
    """Return the name of an operator's output; converters join the names of all fused operators."""
    first = next((graph.tensors[index].name for index in operator.outputs if index >= 0), "")
    name = first.partition(";")[0]
    return (_ENDS.sub("", name) if operator.instead else name) or operator.op.lower()


def _view(
    operator: Operator, tensors: list[Tensor | None], shapes: list[Shape | None], evaluator: Evaluator[int]
) -> View:
    stored = tuple(
        Held(tensor.name, tensor.shape or (), tensor.shape or (), 0)
        if tensor is not None and tensor.stored else None
        for tensor in tensors
    )  # fmt: skip

    def evaluate(slot: int) -> tuple[Dim, ...] | None:
        return None if tensors[slot] is None else evaluator.numbers(operator.inputs[slot])

    return View(operator.op, operator.options or {}, stored, tuple(shapes), evaluate, len(operator.outputs))


def _is_setting(tensor: Tensor) -> bool:
    """Tell whether a stored operand is no weight: a mask, a table of indices, one number."""
    counts = tensor.dtype in _COUNTS and tensor.quantization is None
    return counts or tensor.numbers is not None or prod(tensor.shape or ()) <= 1


def _layout(operator: Operator, role: str, shape: tuple[int, ...], view: View) -> Any:
    kind, sizes = operator.op, {}
    if operator.op == "FULLY_CONNECTED" and view.get("weights_format"):
        return None  # shuffled for one processor
    if operator.op == "BATCH_MATMUL":
        kind = "BatchMatMul:transpose_b" if product_flags(view)[1] else "BatchMatMul"
    kind = kind.replace("UNROLLED:", "WHILE:")
    if view.get("reset_after") is False:
        kind = _BEFORE.get(kind, kind)
    if "DEPTHWISE" in operator.op and role == "filter":
        channels = _op(operator).read(view).get("groups")
        if not channels:
            return None
        sizes = {"c": channels}
    return TABLE.bind(kind, role, len(shape), sizes)
