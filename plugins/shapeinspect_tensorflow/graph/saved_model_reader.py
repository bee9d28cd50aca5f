"""Reads a SavedModel as a model: the graph of one signature, and the variables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import prod

from shapeinspect.binary.window import Window
from shapeinspect.dims import Shape, known
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Note
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_tensorflow.graph import saved_objects
from shapeinspect_tensorflow.graph.flow import CALLS, Flow, Ref, variable_path
from shapeinspect_tensorflow.graph.frames.whole import functional
from shapeinspect_tensorflow.graph.graph_model import build
from shapeinspect_tensorflow.graph.graphdef_reader import reader
from shapeinspect_tensorflow.graph.nodes import Function, Graph
from shapeinspect_tensorflow.graph.parts import Facts, Parts
from shapeinspect_tensorflow.graph.saved_objects import Meta, Signature, TensorInfo
from shapeinspect_tensorflow.signature_names import asked_signature, further_signatures
from shapeinspect_tensorflow.tables import objects, saved_values
from shapeinspect_tensorflow.tables.saved_values import SavedValues
from shapeinspect_tensorflow.tables.variables import Variable, layers
from shapeinspect_tensorflow.vocabulary import dtypes

_DEFAULT = "serving_default"
_INIT = "__saved_model_init_op"
_FILE = "saved_model.pb"
#: Keras's export tracks every variable in these, and a copy of each in the second.
_FIRST, _COPY = "variables", "_all_variables"


def read(source: Source) -> Model:
    """Read a SavedModel.

    Args:
        source: its directory, or the ``saved_model.pb`` in it.

    Raises:
        UnreadableFileError: if the file is truncated, corrupt or not a SavedModel.
    """
    file = source.sibling(_FILE) if source.is_directory else source
    notes: list[Note] = []
    with Window.open(file) as window:
        meta, others = saved_objects.read(window)
        if others:
            notes.append(Note("it holds further graphs, with the tags: " + "; ".join(map(repr, others))))
        stored = saved_values.read(file, meta.nodes, notes)
        variables = _variables(window, meta, stored, notes)
        chosen = _choose(meta.signatures, source)
        parts = Parts()
        if chosen is None:
            notes.append(Note("it holds no signature, so only its variables are shown"))
        elif meta.graph is not None:
            graph = functional(Graph(window, meta.graph.start, meta.graph.end))
            parts = _graph(
                Flow(graph, file.label), graph, meta, meta.signatures[chosen], variables, stored, file
            )
    further = [name for name in meta.signatures if name not in (_INIT, chosen)]
    if further and chosen is not None:
        notes.append(further_signatures(chosen, further))
    notes.extend(parts.notes)
    rest = [item for item in variables.values() if item.name not in parts.variables]
    unused = layers(dict.fromkeys(rest))
    if unused and parts.layers:
        notes.append(
            Note(f"the signature {chosen!r} has no use for {many(len(set(rest)), 'variable')}, shown last")
        )
    metadata = {f"signature {name}": _text(item) for name, item in meta.signatures.items() if name != _INIT}
    metadata |= {"tensorflow": meta.version} if meta.version else {}
    return Model(
        source.label, "tensorflow-saved-model", "tensorflow", "tensorflow-saved-model",
        (*parts.layers, *_apart(unused, parts)), tuple(parts.calls), Frozen(parts.values), parts.inputs,
        parts.outputs, tuple(notes), Frozen(metadata), blocks=tuple(parts.blocks),
        described=("TensorFlow SavedModel", *(f"saved by tensorflow {by}" for by in [meta.version] if by)),
    )  # fmt: skip


def _apart(unused: tuple[Layer, ...], parts: Parts) -> list[Layer]:
    """Return the layers of unused variables under paths that no operator has."""
    taken = {layer.path for layer in parts.layers}
    renamed = []
    for layer in unused:
        path, inner = layer.path, layer.parts
        while path in taken:
            path, inner = f"variables/{path}", ("variables", *inner)
        taken.add(path)
        renamed.append(replace(layer, path=path, parts=inner))
    return renamed


def _choose(signatures: Mapping[str, Signature], source: Source) -> str | None:
    if source.signature:
        return asked_signature(source, [name for name in signatures if name != _INIT])
    if _DEFAULT in signatures:
        return _DEFAULT
    return next((name for name, signature in signatures.items() if name != _INIT and signature.outputs), None)


def _text(signature: Signature) -> str:
    sides = (signature.inputs, signature.outputs)
    return " -> ".join(", ".join(_value_text(name, info) for name, info in side.items()) for side in sides)


def _value_text(name: str, info: TensorInfo) -> str:
    shape = "?" if info.shape is None else f"({', '.join(map(str, info.shape))})"
    return f"{name} {shape} {dtypes.name(info.dtype) or '?'}"


def _variables(window: Window, meta: Meta, values: SavedValues, notes: list[Note]) -> dict[int, Variable]:
    """Return the variables by the numbers of their objects; a copy is replaced by its original."""
    named, optimizer = objects.names(window, meta.nodes)
    kept = [number for number in meta.variables if str(number) in named]
    kept.sort(key={int(key): place for place, key in enumerate(named)}.__getitem__)
    same = _copies(meta, named, kept)
    if same:
        notes.append(Note(f"{many(len(same), 'variable')} stored twice, as Keras's export does, count once"))
    if optimizer:
        notes.append(
            Note(f"besides the model it holds an optimizer's state: {many(len(optimizer), 'variable')}")
        )
    kept = [number for number in kept if number not in same]
    full = [meta.variables[number].name for number in kept]
    good = all("/" in name.strip("/") for name in full)
    if len(set(full)) < len(full):  # a number tells nothing else than a name that is there twice
        good = good and all(named[str(number)].path[:1] in ((_FIRST,), (_COPY,)) for number in kept)
        taken = Counter[str]()
        for place, name in enumerate(full):
            full[place] = f"{name}#{taken[name]}" if taken[name] else name
            taken[name] += 1
    names = dict(zip(kept, full, strict=True))
    by_number: dict[int, Variable] = {}
    for number in kept:
        stored, path = meta.variables[number], named[str(number)].path
        split = tuple(names[number].split("/")) if good else path
        by_number[number] = Variable(
            names[number] if good else "/".join(path),
            split[:-1],
            split[-1] if split else stored.name,
            stored.dtype,
            stored.shape,
            _size(stored.dtype, stored.shape),
            stored.trainable,
            values=values.of(number, stored.dtype, stored.shape),
        )
    return {**by_number, **{copy: by_number[first] for copy, first in same.items()}}


def _size(dtype: int, shape: Shape) -> int | None:
    return dtypes.nbytes(dtype, prod(dim for dim in shape if isinstance(dim, int))) if known(shape) else None


def _copies(meta: Meta, named: Mapping[str, objects.Named], kept: list[int]) -> dict[int, int]:
    """Return the variables that Keras's export stores a second time."""

    def identity(number: int) -> tuple[object, ...]:
        variable = meta.variables[number]
        return (variable.name, variable.dtype, variable.shape)

    roots = {number: named[str(number)].path[:1] for number in kept}
    firsts = [number for number in kept if roots[number] == (_FIRST,)]
    counts = Counter(identity(number) for number in firsts)
    known_firsts = {identity(number): number for number in firsts}
    return {
        number: known_firsts[identity(number)]
        for number in kept
        if roots[number] == (_COPY,) and counts[identity(number)] == 1
    }


def _graph(
    flow: Flow,
    graph: Graph,
    meta: Meta,
    signature: Signature,
    variables: Mapping[int, Variable],
    stored: SavedValues,
    file: Source,
) -> Parts:
    inputs = {key: flow.resolve(flow.root, info.name) for key, info in signature.inputs.items()}
    outputs = {key: flow.resolve(flow.root, info.name) for key, info in signature.outputs.items()}
    refs = [ref for ref in outputs.values() if ref is not None]
    paths = {step.path for step in flow.steps(refs, {})}
    names: dict[Ref, str] = {}
    for side, word in ((inputs, "input"), (outputs, "output")):
        for key, ref in side.items():
            if ref is not None and ref not in names:
                free = key not in paths and key not in names.values()
                names[ref] = key if free or key == ref.path else f"{key} ({word})"
    bound = _bound(graph, meta, variables)
    facts = Facts(
        names,
        {ref: info.shape for (key, info), ref in zip(signature.inputs.items(), inputs.values(), strict=True)
         if ref is not None and info.shape is not None},
        {path: bool(variable.trainable) for path, variable in bound.items()},
        {path: variable.name for path, variable in bound.items()},
        reader(file),
        {path: variable.values for path, variable in bound.items() if variable.values is not None},
        stored.named, bool(meta.nodes),
    )  # fmt: skip
    parts = build(
        flow, list(dict.fromkeys(ref for ref in inputs.values() if ref)), list(dict.fromkeys(refs)), facts
    )
    for info, ref in zip(signature.outputs.values(), outputs.values(), strict=True):
        name = names.get(ref) if ref is not None else None
        if name in parts.values and parts.values[name].shape is None:
            parts.values[name] = replace(parts.values[name], shape=info.shape)
    missing = [key for key, ref in (*inputs.items(), *outputs.items()) if ref is None]
    if missing:
        parts.notes.append(
            Note(f"the signature names values that the graph does not have: {', '.join(missing)}")
        )
    return parts


def _bound(graph: Graph, meta: Meta, variables: Mapping[int, Variable]) -> dict[str, Variable]:
    """Return the variable of each handle in the graph; functions list the objects they capture."""
    handles: dict[str, Variable] = {}
    by_name = {
        variable.name: variables[number] for number, variable in meta.variables.items() if number in variables
    }
    for name, node in graph.nodes.items():
        shared = node.attributes.get("shared_name")
        if node.op == "VarHandleOp" and shared in by_name:
            handles[variable_path(name)] = by_name[shared]
    for node in graph.nodes.values():
        function = node.attributes.get("f")
        if node.op not in CALLS or not isinstance(function, Function) or not graph.has(function.name):
            continue
        captured = meta.captured.get(function.name, ())
        count = len(graph.body(function.name).arguments)
        if count != len(node.inputs) or len(captured) > count:
            continue
        for number, text in zip(captured, node.inputs[count - len(captured) :], strict=True):
            if number in variables:
                handles[variable_path(text.partition(":")[0])] = variables[number]
    return handles
