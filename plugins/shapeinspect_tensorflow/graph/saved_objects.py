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
    found = []
    for one in fields(window, 0, window.size):
        if one.number == 2:
            need(window, one)
            found.append((one, _tags(window, one)))
    if not found:
        raise window.fail("it holds no graph of a SavedModel")
    chosen = next((pair for pair in found if _SERVE in pair[1]), found[0])
    return _meta(window, chosen[0]), tuple(", ".join(tags) for place, tags in found if place is not chosen[0])


def _tags(window: Window, outer: Field) -> list[str]:
    for info in fields(window, outer.start, outer.end):
        if info.number == 1:
            need(window, info)
            return [text(window, one) for one in fields(window, info.start, info.end) if one.number == 4]
    return []


def _meta(window: Window, outer: Field) -> Meta:
    meta = Meta(tags=_tags(window, outer))
    for one in fields(window, outer.start, outer.end):
        if one.number == 1:
            versions = [part for part in fields(window, one.start, one.end) if part.number == 5]
            meta.version = text(window, versions[0]) if versions else ""
        elif one.number == 2:
            need(window, one)
            meta.graph = one
        elif one.number == 5:
            key, value = pair(window, one)
            if value is not None:
                meta.signatures[key] = _signature(window, value)
            if len(meta.signatures) > _MAX_SIGNATURES:
                raise window.fail(f"it claims more than {_MAX_SIGNATURES:,} signatures", one.start)
        elif one.number == 7:
            need(window, one)
            _objects(window, one, meta)
    return meta


def _signature(window: Window, outer: Field) -> Signature:
    sides: tuple[dict[str, TensorInfo], dict[str, TensorInfo]] = ({}, {})
    for one in fields(window, outer.start, outer.end):
        if one.number in (1, 2):
            key, value = pair(window, one)
            sides[one.number - 1][key] = _info(window, value) if value is not None else TensorInfo()
    return Signature(*sides)


def _info(window: Window, outer: Field) -> TensorInfo:
    name, dtype, dims = "", 0, None
    for one in fields(window, outer.start, outer.end):
        if one.number == 1:
            name = text(window, one)
        elif one.number == 2:
            dtype = one.value
        elif one.number == 3:
            need(window, one)
            dims = shape(window, one.start, one.end)
    return TensorInfo(name, dtype, dims)


def _objects(window: Window, outer: Field, meta: Meta) -> None:
    budget = Budget(window, "objects", _MAX_OBJECTS)
    for one in fields(window, outer.start, outer.end):
        need(window, one)
        budget.spend()
        if one.number == 1:
            _object(window, one, meta)
        elif one.number == 2:
            key, value = pair(window, one)
            if value is not None:
                meta.captured[key] = tuple(
                    number
                    for part in fields(window, value.start, value.end)
                    if part.number == 2
                    for number in integers(window, part, 1 << 22)
                )


def _object(window: Window, outer: Field, meta: Meta) -> None:
    node, number = objects.Node(), len(meta.nodes)
    for one in fields(window, outer.start, outer.end):
        if one.number == 1:
            node.children.append(objects.child(window, one))
        elif one.number == 3:
            node.has_slots = True
        elif one.number == 7:
            need(window, one)
            found = _variable(window, one)
            if found is not None:
                meta.variables[number] = found
                node.attributes.append((found.name, str(number)))
    meta.nodes.append(node)


def _variable(window: Window, outer: Field) -> SavedVariable | None:
    name, dtype, trainable = "", 0, False
    dims: Shape | None = ()
    for one in fields(window, outer.start, outer.end):
        if one.number == 1:
            dtype = one.value
        elif one.number == 2:
            need(window, one)
            dims = shape(window, one.start, one.end)
        elif one.number == 3:
            trainable = bool(one.value)
        elif one.number == 6:
            name = text(window, one)
    return None if dims is None else SavedVariable(name, dtype, dims, trainable)
