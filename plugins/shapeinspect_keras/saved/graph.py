"""From a configuration to calls and values: every layer in the order in which the model runs it."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Call, Frozen, Value
from shapeinspect_keras.saved.arguments import item, keeps_first, ordered
from shapeinspect_keras.saved.config import Inbound, Node, Recorded, Tensor, dtype_of, recorded
from shapeinspect_keras.saved.node_kinds import Described, described
from shapeinspect_keras.saved.symbols import BATCH, input_shape, names, open_shape
from shapeinspect_keras.saved.weight_lists import Path

#: What a ``TimeDistributed`` does to the axes around the layer inside it.
FOLD, UNFOLD = "(fold time into batch)", "(unfold)"
#: How many calls may come of running models inside a model again: they multiply one another.
_REPEATS = 100_000
#: Characters of the path that stands before the names of everything in a model.
_LONGEST_PATH = 8192


@dataclass(slots=True)
class Graph:
    """What a walk through a configuration finds.

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
    values: dict[str, Value] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def build(model: Node, label: str) -> Graph:
    """Walk through a model's configuration.

    Args:
        model: a functional or sequential model.
        label: the file, for errors.

    Raises:
        UnreadableFileError: if its layers are called in a circle, or on layers that it has not.
    """
    graph = Graph(label)
    walk = _Walk(graph)
    graph.inputs = walk.entrances(model)
    first = graph.values[graph.inputs[0]].shape if graph.inputs else None
    walk.batch = first[0] if first else BATCH
    graph.outputs = walk.model(model, (), graph.inputs)
    walk.idle(model, ())
    return graph


class _Walk:
    """Fills a graph; one method a form of node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.batch: Dim = BATCH
        self.folded = 0
        self.numbers: dict[str, int] = {}
        self.entered: set[Path] = set()
        self.repeated = 0

    # Values

    def value(self, path: Path, shape: Shape | None, dtype: str | None, index: int = 0) -> str:
        stem = name = "/".join(path) + (f":{index}" if index else "")
        while name in self.graph.values:
            self.numbers[stem] = self.numbers.get(stem, 1) + 1
            name = f"{stem}#{self.numbers[stem]}"
        self.graph.values[name] = Value(name, shape, dtype)
        return name

    def entrances(self, model: Node) -> tuple[str, ...]:
        """Make the values of the outermost model's inputs."""
        axes = names(model)
        listed = [child for child in model.children if child.is_input]
        if model.form == "functional" and model.inputs:
            by_name = {child.name: child for child in model.children}
            listed = [by_name[ref.layer] for ref in model.inputs]
        open_inputs = sum(None in (input_shape(child) or ())[1:] for child in listed)
        found = []
        for child in listed:
            shape = input_shape(child)
            suffix = f"_{child.name}" if open_inputs > 1 else ""
            opened = None if shape is None else open_shape(shape, axes.get(child.name, ()), suffix)
            found.append(self.value((child.name,), opened, dtype_of(child.config.get("dtype"))))
        if not listed and model.form == "sequential":
            shape, first = sequential_input(model), model.children[:1]
            named = names(model).get(first[0].name, ()) if first else ()
            opened = None if shape is None else open_shape(shape, named, "")
            found.append(self.value((f"{first[0].name}_input" if first else "input",), opened, None))
        return tuple(found)

    # Forms

    def model(self, node: Node, path: Path, inputs: Sequence[str]) -> tuple[str, ...]:
        self.bounded(path)
        self.repeated += len(node.children) if path in self.entered else 0
        self.entered.add(path)
        if self.repeated > _REPEATS:
            raise UnreadableFileError(self.graph.label, "its models call one another too often")
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
            after = [one for one in node.children[index + 1 : index + 2] if trusted]
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
        """Execute one layer once, and return the values it makes."""
        layer = self.register(node, path)
        name = "/".join(path)
        if node.form in ("functional", "sequential"):
            made = self.model(node, path, _by_name(node, inbound, inputs))
            self.refine(made, inputs, outs, node, layer)
            self.graph.calls.append(Call(name, tuple(inputs), made))
            return made
        attributes: Mapping[str, Any] = {}
        if node.own and node.class_name == "GetItem":
            layer, attributes = self.item(path, layer, inbound, inputs)
        kept = self.keeps_batch(node, layer, inputs)
        count = max(1, layer.outputs, *(index + 1 for index in outs))
        told = [outs.get(index, (None, None)) for index in range(count)]
        made = tuple(
            self.value(path, _opened(shape, kept), dtype, index) for index, (shape, dtype) in enumerate(told)
        )
        if node.form == "distributed":
            self.distributed(node, path, inputs, made)
        else:
            self.graph.calls.append(Call(name, ordered(node, inbound, inputs), made, Frozen(attributes)))
        return made

    def item(
        self, path: Path, layer: Described, inbound: Inbound, inputs: Sequence[str]
    ) -> tuple[Described, Mapping[str, Any]]:
        """Describe one ``x[key]`` by its key."""
        shape = self.graph.values[inputs[0]].shape if inputs else None
        kind, attributes = item(inbound, None if shape is None else len(shape))
        self.graph.layers[path] = replace(layer, kind=kind, attributes=attributes)
        return self.graph.layers[path], attributes

    def distributed(self, node: Node, path: Path, inputs: Sequence[str], made: tuple[str, ...]) -> None:
        """Run the layer inside a ``TimeDistributed`` once on all steps: batch and time as one axis."""
        child, name = node.children[0], "/".join(path)
        outer = self.graph.values[inputs[0]].shape if inputs else None
        fold, unfold = (*path, FOLD), (*path, UNFOLD)
        batch = outer[0] if outer else UNKNOWN if self.folded else self.batch
        sizes = (batch, UNKNOWN if batch == UNKNOWN else -1)
        steps = None if outer is None or len(outer) < 2 else (outer[0] * outer[1], *outer[2:])
        self.graph.layers.setdefault(fold, Described(node, "flatten", {"start_axis": 0, "end_axis": 1}))
        folded = (self.value(fold, steps, None),)
        self.graph.calls.append(Call("/".join(fold), tuple(inputs[:1]), folded))
        self.folded += 1
        inner = self.call(child, (*path, child.name), Inbound((Tensor("0", "", 0, 0),)), folded, {})
        self.folded -= 1
        self.graph.layers.setdefault(unfold, Described(node, "unflatten", {"axis": 0, "sizes": sizes}))
        self.graph.calls.append(Call("/".join(unfold), inner[:1], made[:1]))
        self.graph.calls.append(Call(name, tuple(inputs), made))

    # Facts

    def register(self, node: Node, path: Path) -> Described:
        if path not in self.graph.layers:
            self.graph.layers[path] = described(node)
        return self.graph.layers[path]

    def bounded(self, path: Path) -> None:
        """Refuse a path that is too long to stand before many names."""
        if sum(map(len, path)) > _LONGEST_PATH:
            raise UnreadableFileError(
                self.graph.label, f"the path of a model in it has over {_LONGEST_PATH:,} characters"
            )

    def idle(self, node: Node, path: Path) -> None:
        """Add the layers that no call reaches."""
        self.bounded(path if node.children else ())
        for child in node.children:
            self.register(child, (*path, child.name))
            self.idle(child, (*path, child.name))

    def fits(self, shape: Recorded | None, value: str) -> bool:
        """Tell whether a value has the shape that a model was built for, open axes aside."""
        have = self.graph.values[value].shape
        if shape is None or have is None or len(shape) != len(have):
            return False
        return all(
            length is None or not isinstance(dim, int) or length == dim
            for length, dim in zip(shape, have, strict=True)
        )

    def keeps_batch(self, node: Node, layer: Described, inputs: Sequence[str]) -> bool:
        shapes = [self.graph.values[name].shape for name in inputs]
        first = [shape[0] for shape in shapes if shape]
        if ".ops." in node.module or (not node.module and layer.operation):
            ranks = [len(shape) for shape in shapes if shape]
            batch = any(dim == BATCH for dim in first)
            return batch and keeps_first(layer.kind, layer.attributes, max(ranks, default=1))
        return all(dim == BATCH for dim in first)

    def refine(
        self,
        made: Sequence[str],
        inputs: Sequence[str],
        outs: Mapping[int, tuple[Recorded | None, str | None]],
        node: Node,
        layer: Described,
    ) -> None:
        """Give a nested model's outputs the shapes that the outer model records for them."""
        kept = self.keeps_batch(node, layer, inputs)
        for index, (shape, dtype) in outs.items():
            if index >= len(made):
                continue
            value = self.graph.values[made[index]]
            opened = _opened(shape, kept)
            self.graph.values[value.name] = replace(
                value, shape=opened if value.shape is None else value.shape, dtype=value.dtype or dtype
            )


def _opened(shape: Recorded | None, kept: bool) -> Shape | None:
    if shape is None:
        return None

    def one(index: int, length: int | None) -> Dim:
        return length if length is not None else BATCH if kept and index == 0 else UNKNOWN

    return tuple(one(index, length) for index, length in enumerate(shape))


def _by_name(node: Node, inbound: Inbound, inputs: Sequence[str]) -> Sequence[str]:
    """Match a dict of inputs by its keys, as Keras does, anything else by position."""
    given = {tensor.slot: value for tensor, value in zip(inbound.tensors, inputs, strict=False)}
    for wanted in ([ref.slot for ref in node.inputs], [ref.layer for ref in node.inputs]):
        if len(given) == len(inputs) and set(wanted) == set(given) and len(wanted) == len(inputs):
            return [given[slot] for slot in wanted]
    return inputs


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
        self.made: dict[tuple[str, int], tuple[str, ...]] = {}
        self.trusted = True
        refs = node.inputs or tuple(
            Tensor("0", child.name, 0, 0) for child in node.children if child.is_input
        )
        for ref, value in zip(refs, inputs, strict=False):
            child = self.children[ref.layer]
            self.made[ref.layer, 0] = (value,)
            self.trusted = self.trusted and walk.fits(input_shape(child), value)
            where = (*path, child.name)
            walk.register(child, where)
            walk.graph.calls.append(Call("/".join(where), (), (value,)))
        self.shapes = self._recorded()

    def run(self) -> tuple[str, ...]:
        ready, waiting, readers = self._plan()
        while ready:
            order = heapq.heappop(ready)
            child, number = self._calls[order]
            inbound = child.inbound[number]
            inputs = [self._value(tensor, self._key(tensor, inbound.old)) for tensor in inbound.tensors]
            outs = self.shapes.get((child.name, number), {})
            where = (*self.path, child.name)
            self.made[child.name, number] = self.walk.call(child, where, inbound, inputs, outs)
            for after in readers.get((child.name, number), ()):
                waiting[after] -= 1
                if not waiting[after]:
                    heapq.heappush(ready, after)
        if len(self.made) < self._total:
            raise UnreadableFileError(self.walk.graph.label, "its layers are called in a circle")
        return tuple(self._value(ref, self._key(ref, self._old_ends(ref))) for ref in self.node.outputs)

    def _plan(self) -> tuple[list[int], dict[int, int], dict[tuple[str, int], list[int]]]:
        self._calls = [
            (child, number)
            for child in self.node.children
            for number in range(len(child.inbound))
            if (child.name, number) not in self.made
        ]
        self._total = len(self._calls) + len(self.made)
        waiting: dict[int, int] = {}
        readers: dict[tuple[str, int], list[int]] = {}
        for order, (child, number) in enumerate(self._calls):
            inbound = child.inbound[number]
            needed = {self._key(tensor, inbound.old) for tensor in inbound.tensors} - self.made.keys()
            waiting[order] = len(needed)
            for key in needed:
                readers.setdefault(key, []).append(order)
        return [order for order, count in waiting.items() if not count], waiting, readers

    def _key(self, ref: Tensor, from_one: bool) -> tuple[str, int]:
        """Return which call a reference means; a nested model's calls may be counted from 1."""
        child = self.children.get(ref.layer)
        if child is None:
            raise UnreadableFileError(
                self.walk.graph.label, f"a layer is called on {ref.layer!r}, which its model has not"
            )
        if child.is_input or ((ref.layer, 0) in self.made and not child.inbound):
            return ref.layer, 0
        nested = child.form in ("functional", "sequential")
        for number in (ref.node - 1, ref.node) if from_one and nested else (ref.node, ref.node - 1):
            if 0 <= number < len(child.inbound):
                return ref.layer, number
        raise UnreadableFileError(
            self.walk.graph.label, f"call {ref.node} of layer {ref.layer!r} is read, which is not made"
        )

    def _old_ends(self, ref: Tensor) -> bool:
        # Source: ``Functional.get_config`` of keras 3.15: the outputs of a functional model inside this
        # one are counted from 1, its inbound tensors from 0; Keras 2 counts both from 1.
        child = self.children.get(ref.layer)
        old = any(call.old for one in self.node.children for call in one.inbound)
        return old or (child is not None and child.form == "functional")

    def _value(self, ref: Tensor, key: tuple[str, int]) -> str:
        values = self.made.get(key, ())
        if ref.index >= len(values):
            raise UnreadableFileError(
                self.walk.graph.label, f"output {ref.index} of layer {ref.layer!r} is read, which is not made"
            )
        return values[ref.index]

    def _recorded(self) -> dict[tuple[str, int], dict[int, tuple[Recorded | None, str | None]]]:
        """Collect what the file says of each call's outputs: the shapes, if the input is as recorded."""
        found: dict[tuple[str, int], dict[int, tuple[Recorded | None, str | None]]] = {}
        for child in self.node.children:
            for call in child.inbound:
                for tensor in call.tensors:
                    shape = tensor.shape if self.trusted else None
                    outs = found.setdefault(self._key(tensor, call.old), {})
                    outs[tensor.index] = (shape, tensor.dtype)
        for ref in self.node.outputs:
            found.setdefault(self._key(ref, self._old_ends(ref)), {}).setdefault(ref.index, (None, None))
        return found
