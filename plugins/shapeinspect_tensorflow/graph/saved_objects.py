"""The objects in a SavedModel's file: variables, captured inputs, signatures.

Source: tensorflow/core/protobuf/{saved_model,meta_graph,saved_object_graph}.proto
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shapeinspect.binary.protobuf import Budget, Field, fields, integers, need, text
from shapeinspect.binary.window import Window
from shapeinspect.dims import Shape
from shapeinspect_tensorflow.graph.nodes import pair
from shapeinspect_tensorflow.tables import objects
from shapeinspect_tensorflow.tables.shapes import shape

_MAX_OBJECTS = 2_000_000
_MAX_SIGNATURES = 10_000
_SERVE = "serve"


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a signature.

    Args:
        name: the value in the graph, such as ``serving_default_x:0``.
        dtype: the code of its element type.
        shape: its lengths; None for an unknown rank.
    """

    name: str = ""
    dtype: int = 0
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature: a named function of the model.

    Args:
        inputs: by name.
        outputs: by name.
    """

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True, slots=True)
class SavedVariable:
    """A variable of the graph of objects.

    Args:
        name: its own name.
        dtype: the code of its element type.
        shape: its lengths.
        trainable: whether it is trained.
    """

    name: str
    dtype: int
    shape: Shape
    trainable: bool


@dataclass(slots=True)
class Meta:
    """One of the graphs of a SavedModel.

    Args:
        graph: the extent of its GraphDef.
        tags: its purposes.
        version: the version of TensorFlow that wrote it.
        signatures: its signatures.
        nodes: its objects.
        variables: the variables among them, by number.
        captured: for each function the objects that it reads besides its arguments.
    """

    graph: Field | None = None
    tags: list[str] = field(default_factory=list)
    version: str = ""
    signatures: dict[str, Signature] = field(default_factory=dict)
    nodes: list[objects.Node] = field(default_factory=list)
    variables: dict[int, SavedVariable] = field(default_factory=dict)
    captured: dict[str, tuple[int, ...]] = field(default_factory=dict)


def read(window: Window) -> tuple[Meta, tuple[str, ...]]:
    """Read the graph for serving, or else the first one.

    Args:
        window: the file.

    Returns:
        the graph, and the tags of the others.

    Raises:
        UnreadableFileError: if the file is malformed, or not a SavedModel.
    """
    graphs = []
    for entry in fields(window, 0, window.size):
        if entry.number == 2:
            need(window, entry)
            graphs.append((entry, _tags(window, entry)))
    if not graphs:
        raise window.fail("it holds no graph of a SavedModel")
    chosen = next((pair for pair in graphs if _SERVE in pair[1]), graphs[0])
    return _meta(window, chosen[0]), tuple(
        ", ".join(tags) for extent, tags in graphs if extent is not chosen[0]
    )


def _tags(window: Window, outer: Field) -> list[str]:
    for info in fields(window, outer.start, outer.end):
        if info.number == 1:
            need(window, info)
            return [
                text(window, entry) for entry in fields(window, info.start, info.end) if entry.number == 4
            ]
    return []


def _meta(window: Window, outer: Field) -> Meta:
    meta = Meta(tags=_tags(window, outer))
    for entry in fields(window, outer.start, outer.end):
        if entry.number == 1:
            versions = [part for part in fields(window, entry.start, entry.end) if part.number == 5]
            meta.version = text(window, versions[0]) if versions else ""
        elif entry.number == 2:
            need(window, entry)
            meta.graph = entry
        elif entry.number == 5:
            key, value = pair(window, entry)
            if value is not None:
                meta.signatures[key] = _signature(window, value)
            if len(meta.signatures) > _MAX_SIGNATURES:
                raise window.fail(f"it claims more than {_MAX_SIGNATURES:,} signatures", entry.start)
        elif entry.number == 7:
            need(window, entry)
            _objects(window, entry, meta)
    return meta


def _signature(window: Window, outer: Field) -> Signature:
    sides: tuple[dict[str, TensorInfo], dict[str, TensorInfo]] = ({}, {})
    for entry in fields(window, outer.start, outer.end):
        if entry.number in (1, 2):
            key, value = pair(window, entry)
            sides[entry.number - 1][key] = _info(window, value) if value is not None else TensorInfo()
    return Signature(*sides)


def _info(window: Window, outer: Field) -> TensorInfo:
    name, dtype, dims = "", 0, None
    for entry in fields(window, outer.start, outer.end):
        if entry.number == 1:
            name = text(window, entry)
        elif entry.number == 2:
            dtype = entry.value
        elif entry.number == 3:
            need(window, entry)
            dims = shape(window, entry.start, entry.end)
    return TensorInfo(name, dtype, dims)


def _objects(window: Window, outer: Field, meta: Meta) -> None:
    budget = Budget(window, "objects", _MAX_OBJECTS)
    for entry in fields(window, outer.start, outer.end):
        need(window, entry)
        budget.spend()
        if entry.number == 1:
            _object(window, entry, meta)
        elif entry.number == 2:
            key, value = pair(window, entry)
            if value is not None:
                meta.captured[key] = tuple(
                    number
                    for part in fields(window, value.start, value.end)
                    if part.number == 2
                    for number in integers(window, part, 1 << 22)
                )


def _object(window: Window, outer: Field, meta: Meta) -> None:
    node, number = objects.Node(), len(meta.nodes)
    for entry in fields(window, outer.start, outer.end):
        if entry.number == 1:
            node.children.append(objects.child(window, entry))
        elif entry.number == 3:
            node.has_slots = True
        elif entry.number == 7:
            need(window, entry)
            variable = _variable(window, entry)
            if variable is not None:
                meta.variables[number] = variable
                node.attributes.append((variable.name, str(number)))
    meta.nodes.append(node)


def _variable(window: Window, outer: Field) -> SavedVariable | None:
    name, dtype, trainable = "", 0, False
    dims: Shape | None = ()
    for entry in fields(window, outer.start, outer.end):
        if entry.number == 1:
            dtype = entry.value
        elif entry.number == 2:
            need(window, entry)
            dims = shape(window, entry.start, entry.end)
        elif entry.number == 3:
            trainable = bool(entry.value)
        elif entry.number == 6:
            name = text(window, entry)
    return None if dims is None else SavedVariable(name, dtype, dims, trainable)
