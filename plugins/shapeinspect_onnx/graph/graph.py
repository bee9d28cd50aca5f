"""Walks the graphs of a small model and turns their nodes into layers, calls and values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen, changed
from shapeinspect.ir import Block, Call, Layer, Layout, Value, Weight
from shapeinspect.progress import counted
from shapeinspect_onnx.graph.blocks import block_of_node, body_of
from shapeinspect_onnx.graph.constants import Constants, Scoped, collect, dtype_of, is_state, is_weight
from shapeinspect_onnx.graph.functions import Container
from shapeinspect_onnx.graph.inference import Shapes
from shapeinspect_onnx.graph.inputs import names as input_names
from shapeinspect_onnx.graph.naming import parts_of, path_parts, tidy
from shapeinspect_onnx.reading.codes import Coded
from shapeinspect_onnx.reading.constant_tensors import ConstantTensor, Store
from shapeinspect_onnx.reading.node import AttributeErrors, Node, attributes
from shapeinspect_onnx.reading.quantized import bias
from shapeinspect_onnx.reading.subgraphs import subgraphs
from shapeinspect_onnx.vocabulary import ops
from shapeinspect_onnx.vocabulary.layouts import LAYOUTS
from shapeinspect_onnx.vocabulary.row import Op, Stored, no_settings

_RECURRENT = frozenset({"RNN", "LSTM", "GRU", "DynamicQuantizeLSTM"})
#: The opset since which a group norm has a scale for each channel.
_SCALED_BY_CHANNEL = 21
#: Ops with subgraphs.
_BLOCKS = frozenset({"If", "Loop", "Scan", "SequenceMap"})

#: Ops that measure lengths, and ops that compute lengths from lengths.
_MEASURES = frozenset({"Shape", "Size"})
_COUNTS = frozenset(
    {
        *("Abs", "Add", "Cast", "Ceil", "Concat", "Div", "Equal", "Flatten", "Floor", "Gather", "Greater"),
        *("Identity", "Less", "Max", "Min", "Mod", "Mul", "Neg", "ReduceMax", "ReduceMin", "ReduceProd"),
        *("ReduceSum", "Reshape", "Round", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Unsqueeze", "Where"),
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that the nodes of one graph can read.

    Args:
        constants: the constants, by their names in the file.
        names: the model's name for each value of this graph and the ones around it.
        types: the TypeProto of each value, by its name in the file.
        values: the prefix of the model's names of this graph's own values.
    """

    constants: Constants
    names: Scoped[str]
    types: Scoped[Any]
    values: str


@dataclass(slots=True)
class Walk:
    """The state and the results of one walk over a model.

    Args:
        store: turns TensorProtos into constants.
        shapes: turns types into values.
        versions: the opset of each domain.
        openings: the function calls that begin at a node.
        origins: the name in the file of every node whose path differs.
        lengths: the values that are computed from the lengths of others alone.
        used: the keys of the constants that some node uses.
        blocks: the nodes that run graphs of their own.
        conditional: whether the walk is in a branch that may not be taken.
        learned: whether single numbers keep the names of parameters, as PyTorch's exporters write them.
    """

    store: Store
    shapes: Shapes
    versions: Mapping[str, int]
    openings: Mapping[str, list[Container]]
    origins: Mapping[str, str]
    layers: list[Layer] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lengths: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)
    learned: bool = False
    conditional: bool = False
    unused: dict[str, ConstantTensor] = field(default_factory=dict)

    def graph(self, proto: Any, outer: Scope | None, path: str) -> Scope:
        """Walk one graph, and the graphs inside its nodes.

        Args:
            proto: the GraphProto.
            outer: the scope of the graph around it; None for the model's own.
            path: the prefix of the names of this graph's values; empty for the model's own.
        """
        known: Scoped[ConstantTensor | None] = outer.constants.tensors if outer else Scoped()
        constants = collect(proto, known, self.store, path)
        # Names of outer graphs are looked up in them: copying would cost all of them for each graph.
        names: Scoped[str] = outer.names.new_child() if outer else Scoped()
        types: Scoped[Any] = outer.types.new_child() if outer else Scoped()
        own = [entry.name for entry in (*proto.input, *proto.initializer)]
        own += [name for node in proto.node for name in node.output if name]
        names.update({name: path + name for name in own})
        types.update(dict.fromkeys(own))
        for entry in (*proto.input, *proto.value_info, *proto.output):
            if entry.name in types:
                types[entry.name] = entry.type
        scope = Scope(constants, names, types, path)
        for tensor in proto.initializer:
            stored = constants.tensors[tensor.name]
            if stored is not None:
                self.unused[path + tensor.name] = stored
        for node in counted(proto.node, "nodes"):
            self._node(node, scope)
        for entry in proto.output:
            self.value(entry.name, scope)
        return scope

    def value(self, name: str, scope: Scope) -> str:
        """Add a value that a call, an input or an output names; return its name in the model.

        Args:
            name: its name in the file, or an empty one.
            scope: the graph's.
        """
        if not name:
            return ""
        full = scope.names.get(name, name)
        if full not in self.values:
            constant = scope.constants.tensors.get(name)
            self.values[full] = (
                self.shapes.value(full, scope.types.get(name), name)
                if constant is None
                else _constant(full, constant, self.shapes.dtype(scope.types.get(name)))
            )
            if constant is not None:
                self.used.add(constant.key)
        return full

    def _node(self, node: Any, scope: Scope) -> None:
        for container in self.openings.get(node.name, ()):
            self._container(container.path, container.type, node, container.inputs, container.outputs, scope)
        outputs = [name for name in node.output if name]
        if outputs and all(name in scope.constants.silent for name in outputs):
            constants = map(scope.constants.tensors.get, node.input)
            self.used.update(constant.key for constant in constants if constant is not None)
            return
        path = node.name
        place = len(self.blocks)
        if node.op_type in _BLOCKS and node.domain in ops.DEFAULT_DOMAINS:
            self._container(path, node.op_type, node, node.input, node.output, scope)
        else:
            with AttributeErrors(self.store.source.label, node):
                self._layer(node, path, scope)
        around, self.conditional = self.conditional, self.conditional or node.op_type == "If"
        bodies = [
            body_of(self.graph(inner, scope, f"{path}/{name}/").names, f"{path}/{name}", inner)
            for name, inner in subgraphs(node)
        ]
        self.conditional = around
        if bodies and node.domain in ops.DEFAULT_DOMAINS:
            names = [self.value(name, scope) for name in node.input]
            outputs = [self.value(name, scope) for name in node.output]
            with AttributeErrors(self.store.source.label, node):
                block = block_of_node(
                    node, bodies, names, outputs, scope.constants.tensors, self.versions.get("", 1)
                )
            if block is not None:
                self.blocks.insert(place, block)

    def _container(self, path: str, kind: str, node: Any, inputs: Any, outputs: Any, scope: Scope) -> None:
        """Add a layer that contains others: a function call, or an op with subgraphs."""
        slots = [(index, scope.constants.tensors.get(name)) for index, name in enumerate(inputs)]
        block = kind in _BLOCKS and path == node.name
        weights = tuple(
            part
            for index, constant in slots
            if block and constant is not None and is_state(constant)
            for part in self._weights(constant, _role(node, index, self.versions), None)
        )
        read = tuple(
            "" if constant is not None else self.value(inputs[index], scope) for index, constant in slots
        )
        written = tuple(self.value(name, scope) for name in outputs)
        self.layers.append(Layer(path, "module", kind, weights=weights, origin=self.origins.get(path)))
        self.calls.append(Call(path, read, written))
        self.parts[path] = parts_of(node) if block else path_parts(path)

    def _layer(self, node: Any, path: str, scope: Scope) -> None:
        domain = "" if node.domain in ops.DEFAULT_DOMAINS else node.domain
        op = ops.find(domain, node.op_type)
        view = self._view(node, scope)
        kind = op.kind_of(view)
        settings = {key: value for key, value in op.settings(view).items() if value is not None}
        read, weights = self._operands(node, op, view, kind, settings, scope)
        weights += [part for row in op.stored for part in _stored(row, view, path)]
        inputs = [read.pop(slot) for slot in op.operands if slot in read]
        inputs += [] if op.alone else read.values()
        while inputs and not inputs[-1]:
            inputs.pop()
        outputs = tuple(self.value(name, scope) for name in node.output)
        native = f"{domain}.{node.op_type}" if domain else node.op_type
        self.layers.append(
            Layer(
                path,
                kind,
                native,
                attributes=Frozen(settings),
                weights=tuple(weights),
                origin=self.origins.get(path),
            )
        )
        self.calls.append(Call(path, tuple(inputs), outputs, conditional=self.conditional))
        self.parts[path] = parts_of(node)

    def _operands(
        self, node: Any, op: Op, view: Node, kind: str, settings: dict[str, Any], scope: Scope
    ) -> tuple[dict[int, str], list[Weight]]:
        """Return the values that a node reads, by slot, and its weights; add settings among its inputs."""
        weights: list[Weight] = []
        read: dict[int, str] = {}
        coded = _coded(op, view)
        counts = kind != "embedding" and self._counts(node, view, scope) and node.op_type in _COUNTS
        companions = {slot for slots in op.quantized if slots.weight in coded for slot in slots.companions}
        placed = op.placed and any(
            node.input[slot] and view.constant(slot) is None for slot in op.fixed if slot < len(node.input)
        )
        for slot, name in enumerate(node.input):
            constant = view.constants[slot]
            if constant is None and not name and slot in op.params:
                continue
            if constant is None or name in scope.constants.scales:
                read[slot] = self.value(name, scope)
            elif (
                slot in companions
                or (slot in coded and constant.dims)
                or (not counts and is_weight(constant, op, slot, kind, learned=self.learned))
            ):
                found = self._parameter(node, constant, slot, kind, view, coded.get(slot))
                # A scale or zero point is no parameter.
                weights += [replace(part, buffer=True) for part in found] if slot in companions else found
                # An empty input keeps the positions of the others; a table has no position.
                if slot not in op.params and slot not in companions and kind != "embedding":
                    read[slot] = ""
            elif slot in op.fixed and (not placed or _whole(constant) is None):
                self.used.add(constant.key)
                if placed:
                    read[slot] = ""
                else:
                    settings |= _fixed(node, constant, slot, settings, self.versions)
            else:
                read[slot] = self.value(name, scope)
        return read, weights

    def _parameter(
        self, node: Any, constant: ConstantTensor, slot: int, kind: str, view: Node, coded: Coded | None
    ) -> tuple[Weight, ...]:
        """Return a stored input as a weight, behind it the scale and zero point of a DequantizeLinear."""
        role = _role(node, slot, self.versions)
        sizes = {"g": view.get("group", 1)}
        if view.op.startswith("MatMulNBits") and view.get("N"):
            sizes["o"] = view.get("N")
        dims = constant.dims if coded is None else coded.shape
        layout = _layout(node, constant, dims, role, sizes, kind, view)
        weight, *rest = self._weights(constant, role, layout)
        if coded is not None:
            weight = replace(weight, shape=coded.shape, quantization=coded.how, values=coded.values)
        return (weight, *rest)

    def _counts(self, node: Any, view: Node, scope: Scope) -> bool:
        """Tell whether a node computes lengths from lengths, so that its constants are no weights."""
        names = [name for slot, name in enumerate(node.input) if name and view.constants[slot] is None]
        known = bool(names) and all(scope.names.get(name, name) in self.lengths for name in names)
        if node.op_type in _MEASURES or (known and node.op_type in _COUNTS):
            self.lengths.update(scope.names.get(name, name) for name in node.output)
        return known

    def _view(self, node: Any, scope: Scope) -> Node:
        constants = tuple(scope.constants.tensors.get(name) if name else None for name in node.input)
        return Node(
            node.op_type,
            self.versions.get("" if node.domain in ops.DEFAULT_DOMAINS else node.domain, 1),
            attributes(node),
            constants,
            tuple(
                constant.shape if constant is not None else self._shape(name, scope)
                for name, constant in zip(node.input, constants, strict=True)
            ),
            tuple(map(bool, node.input)),
            tuple(node.output),
            tuple(self._shape(name, scope) for name in node.output),
        )

    def _shape(self, name: str, scope: Scope) -> Shape | None:
        return self.values[self.value(name, scope)].shape if name else None

    def _weights(self, constant: ConstantTensor, role: str, layout: Layout | None) -> tuple[Weight, ...]:
        for part in (constant, constant.scale, constant.zero):
            if part is not None:
                self.used.add(part.key)
        return constant.weights(role, layout)

    def finish(self) -> tuple[Layer, ...]:
        """Return the layers with tidy parts, and storage keys only where weights are tied."""
        parts = tidy(self.parts, {layer.path: layer.type for layer in self.layers})
        shared = Counter([weight.storage for layer in self.layers for weight in layer.weights])
        return tuple(
            [
                changed(
                    layer,
                    parts=parts[layer.path],
                    weights=tuple(
                        [
                            weight if shared[weight.storage] > 1 else changed(weight, storage=None)
                            for weight in layer.weights
                        ]
                    ),
                )
                for layer in self.layers
            ]
        )


def _stored(row: Stored, node: Node, path: str) -> tuple[Weight, ...]:
    """Return the numbers that a node keeps in an attribute as a weight."""
    numbers, shape = node.get(row.attribute), row.shape(node)
    if not numbers or shape is None:
        return ()

    def read() -> Any:
        import numpy as np

        return np.asarray(numbers, np.float32).reshape(shape)

    layout = LAYOUTS.bind(node.op, row.attribute, len(shape), {})
    name = f"{path}.{row.attribute}"
    return (Weight(name, row.attribute, shape, "float32", 4 * len(numbers), layout=layout, values=read),)


def _whole(constant: ConstantTensor) -> tuple[int, ...] | None:
    """Return the values of a small constant if all are integers, as those of shapes."""
    numbers = constant.numbers()
    if numbers is None or len(numbers) > 64:
        return None
    if not all(
        isinstance(number, int) or (isinstance(number, float) and number.is_integer()) for number in numbers
    ):
        return None
    return tuple(map(int, numbers))


def _constant(name: str, constant: ConstantTensor, dtype: str | None) -> Value:
    few = _few(constant)
    single = few is not None and not constant.dims and len(few) == 1
    return Value(name, constant.shape, dtype or dtype_of(constant), None, few[0] if single and few else few)


def _few(constant: ConstantTensor) -> tuple[int | float, ...] | None:
    """Return the values of a small constant if they may be lengths or factors of lengths."""
    numbers = constant.numbers()
    if numbers is None or len(numbers) > 64:
        return None
    if not all(isinstance(number, int | float) and isfinite(number) for number in numbers):
        return None
    return tuple(
        int(number) if isinstance(number, int) or number.is_integer() else number for number in numbers
    )


def _role(node: Any, slot: int, versions: Mapping[str, int]) -> str:
    domain = "" if node.domain in ops.DEFAULT_DOMAINS else node.domain
    names = input_names(node.op_type, versions.get(domain, 1), domain)
    if slot < len(names) and not (slot == len(names) - 1 and len(node.input) > len(names)):
        return names[slot]
    return f"{names[-1]}_{slot - len(names) + 1}" if names else f"input_{slot}"


def _prelu(dims: tuple[int, ...]) -> str:
    """Name the variant by where the channels stand: first, or second; empty where several axes vary."""
    varying = [axis for axis, dim in enumerate(dims) if dim != 1]
    return {(): "PRelu", (0,): "PRelu", (1,): "PRelu(batched)"}.get(tuple(varying), "")


def _layout(
    node: Any,
    constant: ConstantTensor,
    dims: tuple[int, ...],
    role: str,
    sizes: Mapping[str, int],
    kind: str,
    view: Node,
) -> Layout | None:
    """Find the row for a weight; a variant of the type is spelled in parentheses."""
    native = node.op_type
    if native == "Gather" and kind != "embedding":
        return None
    if native in ("Gemm", "FusedGemm") and role == "B":
        if bool(view.get("transB", 0)) != constant.transposed:
            native += "(transB)"
    elif native == "QGemm" and view.get("transB", 0):
        native += "(transB)"
    elif constant.transposed:
        native += "(transposed)"
    elif "MatMul" in native and view.get("transB", 0):
        native += "(transB)"
    elif native in _RECURRENT and view.get("direction", "forward") != "forward":
        native += f"({view.get('direction')})"
    elif native == "GroupNormalization" and view.version < _SCALED_BY_CHANNEL:
        native += "(groups)"
    if len(set(view.get("qkv_hidden_sizes") or ())) > 1:  # the three are concatenated with unequal widths
        return None
    if native == "PRelu":
        native = _prelu(dims)
    if role == "C" and len(constant.dims) == 2 and constant.dims[0] != 1:
        return None
    return LAYOUTS.bind(native, role, len(dims), sizes)


def _coded(op: Op, view: Node) -> dict[int, Coded]:
    """Return what is known of the quantized weights of a node, by their input slots."""
    found: dict[int, Coded | None] = {slots.weight: slots.read(view) for slots in op.quantized}
    found |= {slot: bias(view, slot, product) for slot, product in op.biases}
    return {slot: coded for slot, coded in found.items() if coded is not None}


def _fixed(
    node: Any, constant: ConstantTensor, slot: int, settings: Mapping[str, Any], versions: Mapping[str, int]
) -> dict[str, Any]:
    """Show a setting that the table does not read under the name of its input."""
    names = input_names(node.op_type, versions.get(node.domain, 1), node.domain)
    numbers = constant.numbers()
    if slot >= len(names) or names[slot] in settings or numbers is None or len(numbers) > 16:
        return {}
    plain = ops.find(node.domain, node.op_type).settings is no_settings
    if not plain and not names[slot].endswith(("scale", "zero_point")):
        return {}
    return {names[slot]: numbers[0] if not constant.dims and numbers else tuple(numbers)}
