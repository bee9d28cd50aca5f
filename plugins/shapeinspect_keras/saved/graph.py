"""The calls and values of a configuration, in the order in which the model runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call
from shapeinspect_keras.calls import distributed
from shapeinspect_keras.calls.batch import BATCH, kept_batch, open_batch
from shapeinspect_keras.calls.by_call import call_steps
from shapeinspect_keras.calls.call_settings import call_settings
from shapeinspect_keras.calls.indexing import Step
from shapeinspect_keras.calls.open_axes import named_axes
from shapeinspect_keras.calls.order import running_order
from shapeinspect_keras.calls.outputs import output_count, output_shape
from shapeinspect_keras.calls.steps import chained
from shapeinspect_keras.calls.values import Values
from shapeinspect_keras.saved.arguments import arguments
from shapeinspect_keras.saved.config import Inbound, Node, Recorded, Tensor, dtype_of, input_shape, recorded
from shapeinspect_keras.saved.node_kinds import Described, described
from shapeinspect_keras.saved.weight_lists import Path

#: The most calls that repeated nested models may expand to: repeats multiply.
_REPEATS = 20_000
#: The most characters of the path that prefixes all names in a model.
_LONGEST_PATH = 8192


@dataclass(slots=True)
class Graph:
    """The layers, calls and values of a configuration.

    Args:
        label: the file, for errors.
        layers: every layer by its path, containers first, in the order of execution.
        calls: their executions.
        values: what flows between them.
        inputs: the names of the model's inputs.
        outputs: the names of its outputs.
    """

    label: str
    layers: dict[Path, Described] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    values: Values = field(default_factory=Values)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def build(model: Node, label: str) -> Graph:
    """Walk through a model's configuration.

    Args:
        model: a functional or sequential model.
        label: the file, for errors.

    Raises:
        UnreadableFileError: if its calls form a cycle or read layers that do not exist.
    """
    graph = Graph(label)
    walk = _Walk(graph)
    graph.inputs = walk.entrances(model)
    first = graph.values.shape(graph.inputs[0]) if graph.inputs else None
    walk.batch = first[0] if first else BATCH
    graph.outputs = walk.model(model, (), graph.inputs)
    walk.idle(model, ())
    layers = {"/".join(path): layer for path, layer in graph.layers.items()}
    shapes = {name: graph.values.shape(name) or () for name in graph.inputs}
    for name, shape in named_axes(shapes, graph.calls, layers).items():
        if shape:
            graph.values.reshape(name, shape)
    return graph


class _Walk:
    """Fills a graph; one method per form of node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.batch: Dim = BATCH
        self.folded = 0
        self.entered: set[Path] = set()
        self.repeated = 0

    def value(self, path: Path, shape: Shape | None, dtype: str | None, index: int = 0) -> str:
        return self.graph.values.add("/".join(path), shape, dtype, index)

    def shapes(self, names: Sequence[str]) -> list[Shape | None]:
        return [self.graph.values.shape(name) for name in names]

    def entrances(self, model: Node) -> tuple[str, ...]:
        """Add the values of the outermost model's inputs."""
        listed = [child for child in model.children if child.is_input]
        if model.form == "functional" and model.inputs:
            by_name = {child.name: child for child in model.children}
            listed = [by_name[ref.layer] for ref in model.inputs]
        result = []
        for child in listed:
            shape = _opened(input_shape(child), None)
            dtype = dtype_of(child.config.get("dtype"))
            result.append(self.value((child.name,), shape and open_batch(shape), dtype))
        if not listed and model.form == "sequential":
            shape, first = _opened(sequential_input(model), None), model.children[:1]
            name = f"{first[0].name}_input" if first else "input"
            result.append(self.value((name,), shape and open_batch(shape), None))
        return tuple(result)

    # Forms

    def model(self, node: Node, path: Path, inputs: Sequence[str]) -> tuple[str, ...]:
        self.bounded(path)
        self.repeated += len(node.children) if path in self.entered else 0
        self.entered.add(path)
        if self.repeated > _REPEATS:
            raise UnreadableFileError(self.graph.label, "its nested models expand to too many calls")
        if node.form == "functional":
            return _Functional(self, node, path, inputs).run()
        return self.sequential(node, path, inputs)

    def sequential(self, node: Node, path: Path, inputs: Sequence[str]) -> tuple[str, ...]:
        current = tuple(inputs)
        trusted = self.fits(sequential_input(node), current[0]) if current else False
        for index, child in enumerate(node.children):
            where = (*path, child.name)
            if child.is_input:
                self.register(child, where)
                self.graph.calls.append(Call("/".join(where), (), current))
                continue
            after = [item for item in node.children[index + 1 : index + 2] if trusted]
            shape = recorded(after[0].build.get("input_shape")) if after else None
            tensor = Tensor("0", "", 0, 0)
            current = self.call(child, where, Inbound((tensor,)), current[:1], {0: (shape, None)})
        return current

    def call(
        self,
        node: Node,
        path: Path,
        inbound: Inbound,
        inputs: Sequence[str],
        outs: Mapping[int, tuple[Recorded | None, str | None]],
    ) -> tuple[str, ...]:
        """Execute one layer once, and return its outputs."""
        layer = self.register(node, path)
        name = "/".join(path)
        given = arguments(inbound, inputs)
        settings: dict[str, Any] = {}
        if node.form in ("functional", "sequential"):
            entering = given.entering([ref.slot for ref in node.inputs], [ref.layer for ref in node.inputs])
            outputs = self.model(node, path, entering)
            self.refine(outputs, entering, outs, layer)
            self.graph.calls.append(Call(name, entering, outputs))
            return outputs
        steps = None
        if layer.operation:
            operands = self.graph.values.operands(name, given.operands(node.class_name))
            steps = call_steps(node.class_name, node.config, given, self.shapes(operands))
            layer = self.stepped(path, layer, steps)
        else:
            operands = given.inputs(node.class_name) if node.own else tuple(inputs)
            settings = call_settings(node.class_name, given) if node.own else {}
        shapes = self.shapes(operands)
        kept = self.kept(layer, shapes)
        attributes = {**layer.attributes, **settings}
        count = max(1, output_count(layer.kind, attributes, shapes), *(index + 1 for index in outs))
        outputs = tuple(
            self.value(
                path, _opened(shape, kept) or output_shape(layer.kind, layer.attributes, shapes), dtype, i
            )
            for i, (shape, dtype) in enumerate(outs.get(index, (None, None)) for index in range(count))
        )
        if node.form == "distributed":
            self.distributed(node, path, operands, outputs)
        elif steps is not None and len(steps) > 1:
            self.chain(path, layer, steps, operands, outputs)
        else:
            called = Frozen(layer.attributes if steps else settings)
            self.graph.calls.append(Call(name, operands, outputs, called))
        return outputs

    def stepped(self, path: Path, layer: Described, steps: tuple[Step, ...] | None) -> Described:
        """Describe an operation by one of its calls."""
        if steps is None:
            return layer
        kind, attributes = steps[0] if len(steps) == 1 else ("module", {})
        self.graph.layers[path] = replace(layer, kind=kind, attributes=attributes)
        return self.graph.layers[path]

    def chain(
        self,
        path: Path,
        layer: Described,
        steps: tuple[Step, ...],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
    ) -> None:
        """Add the steps of a call, and the call itself."""
        for inner, kind, attributes, call in chained(path, steps, inputs, outputs, self.graph.values):
            self.graph.layers.setdefault(inner, replace(layer, kind=kind, attributes=attributes))
            self.graph.calls.append(call)
        self.graph.calls.append(Call("/".join(path), inputs, outputs))

    def distributed(self, node: Node, path: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        """Run the layer inside a ``TimeDistributed`` once on all steps: batch and time as one axis."""
        child = node.children[0]
        outer = self.graph.values.shape(inputs[0]) if inputs else None
        fold, unfold = (*path, distributed.FOLD), (*path, distributed.UNFOLD)
        sizes = distributed.unfold_settings(outer, UNKNOWN if self.folded else self.batch)
        self.graph.layers.setdefault(fold, Described(node, "flatten", distributed.FOLD_SETTINGS))
        steps = (self.value(fold, distributed.folded(outer), None),)
        self.graph.calls.append(Call("/".join(fold), inputs[:1], steps))
        self.folded += 1
        inner = self.call(child, (*path, child.name), Inbound((Tensor("0", "", 0, 0),)), steps, {})
        self.folded -= 1
        self.graph.layers.setdefault(unfold, Described(node, "unflatten", sizes))
        self.graph.calls.append(Call("/".join(unfold), inner[:1], outputs[:1]))
        self.graph.calls.append(Call("/".join(path), inputs, outputs))

    # Facts

    def register(self, node: Node, path: Path) -> Described:
        if path not in self.graph.layers:
            self.graph.layers[path] = described(node)
        return self.graph.layers[path]

    def bounded(self, path: Path) -> None:
        """Refuse a path that is too long to prefix many names."""
        if sum(map(len, path)) > _LONGEST_PATH:
            raise UnreadableFileError(
                self.graph.label, f"the path of a nested model has more than {_LONGEST_PATH:,} characters"
            )

    def idle(self, node: Node, path: Path) -> None:
        """Add the layers that are never called."""
        self.bounded(path if node.children else ())
        for child in node.children:
            self.register(child, (*path, child.name))
            self.idle(child, (*path, child.name))

    def fits(self, shape: Recorded | None, value: str) -> bool:
        """Tell whether a value has the shape that a model was built for, ignoring open axes."""
        have = self.graph.values.shape(value)
        if shape is None or have is None or len(shape) != len(have):
            return False
        return all(
            length is None or not isinstance(dim, int) or length == dim
            for length, dim in zip(shape, have, strict=True)
        )

    def kept(self, layer: Described, shapes: Sequence[Shape | None]) -> Dim | None:
        """Return the batch that a call passes on, or None."""
        default = None if self.folded else self.batch
        return kept_batch(layer.kind, layer.attributes, shapes, operation=layer.operation, default=default)

    def refine(
        self,
        outputs: Sequence[str],
        inputs: Sequence[str],
        outs: Mapping[int, tuple[Recorded | None, str | None]],
        layer: Described,
    ) -> None:
        """Set a nested model's output shapes to those that the outer model records."""
        kept = self.kept(layer, self.shapes(inputs))
        for index, (shape, dtype) in outs.items():
            if index < len(outputs):
                self.graph.values.refine(outputs[index], _opened(shape, kept), dtype)


def _opened(shape: Recorded | None, batch: Dim | None) -> Shape | None:
    """Convert a recorded shape to lengths; an open first one is the batch, if that is kept."""
    if shape is None:
        return None
    lengths = tuple(UNKNOWN if length is None else length for length in shape)
    return (batch, *lengths[1:]) if batch is not None and lengths[:1] == (UNKNOWN,) else lengths


def sequential_input(node: Node) -> Recorded | None:
    """Return the shape that a sequential model was built for.

    Args:
        node: the model.
    """
    first = input_shape(node.children[0]) if node.children else None
    built = recorded(node.config.get("build_input_shape")) or recorded(node.build.get("input_shape"))
    own = recorded(node.children[0].build.get("input_shape")) if node.children else None
    return first or built or own


class _Functional:
    """One execution of a functional model."""

    def __init__(self, walk: _Walk, node: Node, path: Path, inputs: Sequence[str]) -> None:
        self.walk, self.node, self.path = walk, node, path
        self.children = {child.name: child for child in node.children}
        self.returned: dict[tuple[str, int], tuple[str, ...]] = {}
        self.trusted = True
        refs = node.inputs or tuple(
            Tensor("0", child.name, 0, 0) for child in node.children if child.is_input
        )
        for ref, value in zip(refs, inputs, strict=False):
            child = self.children[ref.layer]
            self.returned[ref.layer, 0] = (value,)
            self.trusted = self.trusted and walk.fits(input_shape(child), value)
            where = (*path, child.name)
            walk.register(child, where)
            walk.graph.calls.append(Call("/".join(where), (), (value,)))
        self.trusted = self.trusted and self._input_records_fit()
        self.shapes = self._recorded()

    def _input_records_fit(self) -> bool:
        """Tell whether those who read the inputs record the shapes that these have: a file may be edited."""
        return all(
            self.walk.fits(tensor.shape, self.returned[tensor.layer, 0][0])
            for child in self.node.children
            for call in child.inbound
            for tensor in call.tensors
            if tensor.shape is not None and (tensor.layer, 0) in self.returned
        )

    def run(self) -> tuple[str, ...]:
        calls = [
            (child, number)
            for child in self.node.children
            for number in range(len(child.inbound))
            if (child.name, number) not in self.returned
        ]
        needs = [
            [self._key(tensor, child.inbound[number].old) for tensor in child.inbound[number].tensors]
            for child, number in calls
        ]
        order = running_order([(child.name, number) for child, number in calls], needs)
        if len(order) < len(calls):
            raise UnreadableFileError(self.walk.graph.label, "the calls of its layers form a cycle")
        for index in order:
            child, number = calls[index]
            tensors = child.inbound[number].tensors
            inputs = [self._value(tensor, key) for tensor, key in zip(tensors, needs[index], strict=True)]
            outs = self.shapes.get((child.name, number), {})
            where = (*self.path, child.name)
            self.returned[child.name, number] = self.walk.call(
                child, where, child.inbound[number], inputs, outs
            )
        return tuple(self._value(ref, self._key(ref, self._old_ends(ref))) for ref in self.node.outputs)

    def _key(self, ref: Tensor, from_one: bool) -> tuple[str, int]:
        """Return the call that a reference names; a nested model's calls may be counted from 1."""
        child = self.children.get(ref.layer)
        if child is None:
            raise UnreadableFileError(
                self.walk.graph.label, f"a layer reads {ref.layer!r}, which is not in its model"
            )
        if child.is_input or ((ref.layer, 0) in self.returned and not child.inbound):
            return ref.layer, 0
        nested = child.form in ("functional", "sequential")
        for number in (ref.node - 1, ref.node) if from_one and nested else (ref.node, ref.node - 1):
            if 0 <= number < len(child.inbound):
                return ref.layer, number
        raise UnreadableFileError(
            self.walk.graph.label,
            f"a layer reads call {ref.node} of layer {ref.layer!r}, which does not exist",
        )

    def _old_ends(self, ref: Tensor) -> bool:
        # Source: ``Functional.get_config`` of keras 3.15: the outputs of a functional model inside this
        # one are counted from 1, its inbound tensors from 0; Keras 2 counts both from 1.
        child = self.children.get(ref.layer)
        old = any(call.old for item in self.node.children for call in item.inbound)
        return old or (child is not None and child.form == "functional")

    def _value(self, ref: Tensor, key: tuple[str, int]) -> str:
        values = self.returned.get(key, ())
        if ref.index >= len(values):
            raise UnreadableFileError(
                self.walk.graph.label,
                f"a layer reads output {ref.index} of layer {ref.layer!r}, which does not exist",
            )
        return values[ref.index]

    def _recorded(self) -> dict[tuple[str, int], dict[int, tuple[Recorded | None, str | None]]]:
        """Collect the recorded outputs of each call; shapes only if the inputs are as recorded."""
        result: dict[tuple[str, int], dict[int, tuple[Recorded | None, str | None]]] = {}
        for child in self.node.children:
            for call in child.inbound:
                for tensor in call.tensors:
                    shape = tensor.shape if self.trusted else None
                    outs = result.setdefault(self._key(tensor, call.old), {})
                    outs[tensor.index] = (shape, tensor.dtype)
        for ref in self.node.outputs:
            result.setdefault(self._key(ref, self._old_ends(ref)), {}).setdefault(ref.index, (None, None))
        return result
