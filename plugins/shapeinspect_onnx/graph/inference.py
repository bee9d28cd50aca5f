"""Runs onnx's shape inference on the inputs that the user asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from shapeinspect import dims
from shapeinspect.dims import Dim, Shape, Unknown
from shapeinspect.errors import UsageError
from shapeinspect.ir import Note, Value
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect_onnx.dtypes import name as dtype_name
from shapeinspect_onnx.graph.isolated import Worker
from shapeinspect_onnx.graph.symbolic import formula
from shapeinspect_onnx.reading import guards
from shapeinspect_onnx.reading.subgraphs import subgraphs
from shapeinspect_onnx.vocabulary.ops import DEFAULT_DOMAINS

#: The most types within each other that are read.
_DEEPEST = 8
#: A node of more bytes holds something long, such as a text or the trees of a forest.
_LONG_NODE = 1 << 16
#: The names that onnx's data propagation invents for unknown lengths.
_MADE_UP = re.compile(r"unk__\d+")
#: What exporters write for any variable length: two of them need not be equal.
_NAMELESS = frozenset({"?", "-1", "none", "dynamic", "unknown", "unk", "undefined", "any", "*"})


def real_inputs(graph: Any) -> list[Any]:
    """Return a graph's inputs without the initializers, which IR version 3 lists among them.

    Args:
        graph: the GraphProto.
    """
    stored = {tensor.name for tensor in graph.initializer}
    stored.update(sparse.values.name for sparse in graph.sparse_initializer)
    return [entry for entry in graph.input if entry.name not in stored]


def set_inputs(graph: Any, specs: Iterable[InputSpec]) -> None:
    """Set the asked-for shapes of the graph's inputs and drop the recorded ones, in place.

    Args:
        graph: the small GraphProto.
        specs: what the user asked for.

    Raises:
        UsageError: if an input is unknown or has another rank, or there are more shapes than inputs.
    """
    specs = tuple(specs)
    if not specs:
        return
    inputs = {entry.name: entry for entry in real_inputs(graph)}
    listing = ", ".join(f'"{name}"' for name in inputs) or "none"
    named = {spec.name for spec in specs if spec.name is not None}
    unnamed = iter([name for name in inputs if name not in named])
    for spec in specs:
        name = spec.name if spec.name is not None else next(unnamed, None)
        if name is None:
            raise UsageError("more --input shapes than the model has inputs", expected=f"inputs {listing}")
        if name not in inputs:
            raise UsageError(f'the model has no input "{name}"', expected=f"one of {listing}")
        tensor = inputs[name].type.tensor_type
        own = dtype_name(tensor.elem_type)
        if spec.dtype is not None and own is not None and spec.dtype != own:
            raise UsageError(f'input "{name}" has a fixed dtype', expected=own, got=spec.dtype)
        _check_rank(name, tensor, spec.shape)
        _set(tensor, spec.shape)
    _forget(graph)


def _check_rank(name: str, tensor: Any, shape: Shape) -> None:
    if not tensor.HasField("shape") or len(tensor.shape.dim) == len(shape):
        return
    declared = [str(dim.dim_value or dim.dim_param or "?") for dim in tensor.shape.dim]
    raise UsageError(
        f'input "{name}" has {len(declared)} axes',
        expected=f"({', '.join(declared)})",
        got=f"({', '.join(map(str, shape))})",
    )


def _set(tensor: Any, shape: Shape) -> None:
    tensor.ClearField("shape")
    tensor.shape.SetInParent()
    for dim in shape:
        entry = tensor.shape.dim.add()
        if isinstance(dim, int):
            entry.dim_value = dim
        elif not isinstance(dim, Unknown):
            entry.dim_param = str(dim)


def _forget(graph: Any) -> None:
    """Drop every recorded shape except those of the inputs."""
    del graph.value_info[:]
    for entry in graph.output:
        if entry.type.HasField("tensor_type"):
            entry.type.tensor_type.ClearField("shape")
    for node in graph.node:
        for _, inner in subgraphs(node):
            _forget(inner)


def mend(graph: Any) -> bool:
    """Clear lengths of 0 or below, which some exporters write for an unknown batch.

    Args:
        graph: the small GraphProto, changed in place.

    Returns:
        whether anything was changed.
    """
    changed = False
    for entry in graph.input:
        lengths = entry.type.tensor_type.shape.dim
        for axis, dim in enumerate(lengths):
            empty = (
                dim.dim_value == 0 and axis == 0 and len(lengths) > 1
            )  # a one-dimensional tensor may be empty
            if dim.HasField("dim_value") and (dim.dim_value < 0 or empty):
                dim.Clear()
                changed = True
    if changed:
        _forget(graph)
    return changed


def name_lengths(graph: Any) -> None:
    """Give each input length that the file leaves open a symbol of its own, in place.

    Args:
        graph: the small GraphProto.
    """
    inputs = real_inputs(graph)
    taken = {dim.dim_param for entry in graph.input for dim in entry.type.tensor_type.shape.dim}
    for entry in inputs:
        for axis, dim in enumerate(entry.type.tensor_type.shape.dim):
            if dim.HasField("dim_value") or (dim.dim_param and dim.dim_param.lower() not in _NAMELESS):
                continue
            name = f"{re.sub(r'[^0-9A-Za-z_]', '_', entry.name)}_dim_{axis}"
            name = name if name.isidentifier() else f"input_{name}"
            while name in taken:
                name += "_"
            taken.add(name)
            dim.dim_param = name


def infer(model: Any, worker: Worker) -> tuple[Any, tuple[Note, ...]]:
    """Run onnx's shape inference with data propagation.

    Args:
        model: the small ModelProto.
        worker: the process that does it.

    Returns:
        the model with shapes, and a note if inference failed.
    """
    hidden = guards.hide(model.graph)
    named = {entry.domain for entry in model.opset_import}
    for domain in sorted(
        _domains(model.graph) - named - (DEFAULT_DOMAINS if named & DEFAULT_DOMAINS else set())
    ):
        model.opset_import.add(domain=domain, version=1)  # inference fails where one is missing
    answer, problem = worker.infer(model.SerializeToString(), _unread(model))
    notes: tuple[Note, ...] = ()
    if answer is not None:
        model = type(model).FromString(answer)
    else:
        text = f"onnx's shape inference gave up ({problem}); only recorded shapes and our own rules are used"
        notes = (Note(text),)
    if hidden:
        guards.show(model.graph)
    return model, notes


def _unread(model: Any) -> int:
    """Return the bytes of long nodes without graphs: inference moves them, and computes nothing with them."""
    nodes = chain(model.graph.node, *(function.node for function in model.functions))
    sizes = ((node, node.ByteSize()) for node in nodes)
    return sum(size for node, size in sizes if size > _LONG_NODE and not any(subgraphs(node)))


def _domains(graph: Any) -> set[str]:
    """Return the domains of all nodes."""
    domains = {node.domain for node in graph.node}
    return domains.union(*(_domains(inner) for node in graph.node for _, inner in subgraphs(node)))


#: Who says a shape that the file does not state.
ONNX_INFERENCE = "onnx's shape inference"
#: Who says the shapes that the file states: exporters mostly wrote down what onnx inferred, and onnxruntime
#: computes its own.
VALUE_INFO, DECLARED = "the file's value_info", "the file's declaration"


def stated(graph: Any) -> dict[str, str]:
    """Return who says the shape of each value that a file states, by its name.

    Args:
        graph: the small GraphProto, before inference.
    """
    sources = {
        entry.name: who
        for who, entries in ((VALUE_INFO, graph.value_info), (DECLARED, graph.output))
        for entry in entries
        if entry.type.tensor_type.HasField("shape")
    }
    for node in graph.node:
        for _, inner in subgraphs(node):
            for name, who in stated(inner).items():
                sources.setdefault(name, who)
    return sources


class Shapes:
    """Turns types into values, reading each symbolic length once.

    Args:
        inputs: the graph's inputs, whose shapes are what the framework is given.
        sources: who says the shape of each value that the file states.
    """

    def __init__(self, inputs: Iterable[Any], sources: Mapping[str, str]) -> None:
        self._sources = sources
        self._seen: dict[str, Dim] = {}
        inputs = list(inputs)
        self._inputs = frozenset(entry.name for entry in inputs)
        for entry in inputs:
            for dim in entry.type.tensor_type.shape.dim:
                if dim.dim_param:
                    self._seen[dim.dim_param] = read_symbol(dim.dim_param)

    def value(self, name: str, kind: Any, own: str) -> Value:
        """Return the value that a TypeProto describes.

        Args:
            name: its name in the model.
            kind: the TypeProto, or None.
            own: its name in the file.
        """
        if kind is None:
            return Value(name)
        field = kind.WhichOneof("value")
        if field not in ("tensor_type", "sparse_tensor_type"):
            return self._container(name, kind)
        tensor = getattr(kind, field)
        shape = tuple(map(self._dim, tensor.shape.dim)) if tensor.HasField("shape") else None
        by = None if name in self._inputs else self._sources.get(own, ONNX_INFERENCE)
        return Value(name, shape, dtype_name(tensor.elem_type), inferred_by=by)

    def _container(self, name: str, kind: Any) -> Value:
        """Return the value of a sequence, an optional or a map: its type, and the shape of what it holds."""
        inner, text = kind, "{}"
        for _ in range(_DEEPEST):
            field = inner.WhichOneof("value")
            if field not in ("sequence_type", "optional_type"):
                break
            text = text.format(f"{field.removesuffix('_type')}({{}})")
            inner = getattr(inner, field).elem_type
        field = inner.WhichOneof("value")
        if field == "map_type":
            key = dtype_name(inner.map_type.key_type)
            of = self.dtype(inner.map_type.value_type)
            return Value(name, dtype=text.format(f"map({key or '?'}, {of or '?'})"))
        if field != "tensor_type":
            return Value(name)
        held = self.value(name, inner, name)
        return Value(name, dtype=text.format(held.dtype or "?"), element=held.shape)

    def dtype(self, kind: Any) -> str | None:
        """Return the element type in the TypeProto of a tensor.

        Args:
            kind: the TypeProto, or None.
        """
        tensor = kind is not None and kind.WhichOneof("value") == "tensor_type"
        return dtype_name(kind.tensor_type.elem_type) if tensor else None

    def _dim(self, dim: Any) -> Dim:
        if dim.HasField("dim_value"):
            return int(dim.dim_value) if dim.dim_value >= 0 else dims.UNKNOWN
        text = dim.dim_param
        if not text:
            return dims.UNKNOWN
        if text not in self._seen:
            self._seen[text] = dims.UNKNOWN if _MADE_UP.fullmatch(text) else read_symbol(text)
        return self._seen[text]


def read_symbol(text: str) -> Dim:
    """Read a symbolic length: a name, a formula, or any other text as it is.

    Args:
        text: the text in the file.

    Example:
        >>> read_symbol("batch"), read_symbol("2*H + 1"), read_symbol("Addout_dim_0 / 2"), read_symbol("?")
        (batch, 2*H + 1, Addout_dim_0 / 2, ?)
    """
    if text.lower() in _NAMELESS:
        return dims.UNKNOWN
    if text.isidentifier() or len(text) > 1000:
        return dims.symbol(text)
    length = formula(text)
    return dims.symbol(text) if length is None else length
