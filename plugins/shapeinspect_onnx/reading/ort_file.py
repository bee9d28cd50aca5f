"""Converts ONNX Runtime's own format to a ModelProto without its weights.

The format is a flatbuffer whose tables correspond to ONNX's messages; each slot below is the index of
a field in its table.

Source: https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/flatbuffers/schema/ort.fbs
"""

from __future__ import annotations

import os
from math import prod
from typing import Any

from shapeinspect.binary.flatbuffer import Buffer, Table
from shapeinspect.binary.protobuf import MAX_DEPTH
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_onnx.dtypes import INTEGERS
from shapeinspect_onnx.reading.messages import messages
from shapeinspect_onnx.reading.order import sort
from shapeinspect_onnx.reading.wire import KEEP_BYTES, KEEP_INTEGERS, KEEP_OTHERS, Stored

#: Stands for the file with a tensor's values, which the format does not name.
ELSEWHERE = "a file that the model does not name"
_SESSION_MODEL = 1
_TENSOR, _SEQUENCE, _MAP = 1, 2, 3
_VALUE, _PARAMETER = 1, 2
_STRING = 8
#: The fields of an attribute by its type: the slot, how it is read, and the field of AttributeProto.
_ATTRIBUTES = {
    1: (3, "real", "f"),
    2: (4, "number", "i"),
    3: (5, "text", "s"),
    4: (6, "tensor", "t"),
    5: (7, "graph", "g"),
    6: (8, "reals", "floats"),
    7: (9, "numbers", "ints"),
    8: (10, "texts", "strings"),
    9: (11, "tensors", "tensors"),
    10: (12, "graphs", "graphs"),
}


def load(source: Source) -> tuple[Any, dict[str, Stored]]:
    """Read everything in a file except the values of its large tensors.

    Args:
        source: the file.

    Returns:
        The ModelProto, and the ranges of the values that it lacks, by the mark in ``doc_string``.

    Raises:
        UnreadableFileError: if the file is cut off, corrupt, or holds no model.
    """
    with Window.open(source) as window:
        reader = _Reader(window)
        try:
            return reader.model(), reader.stored
        except ValueError as error:  # protobuf refuses a number out of range
            raise UnreadableFileError(source.label, f"a field holds {error}") from None


class _Reader:
    """One pass over one file."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.proto = messages()
        self.stored: dict[str, Stored] = {}
        self.mark = os.urandom(8).hex()

    def model(self) -> Any:
        session = Buffer(self.window).root()
        table = session.table(_SESSION_MODEL)
        graph = None if table is None else table.table(7)
        if table is None or graph is None:
            raise self.window.fail("it holds no graph", 0)
        model = self.proto.ModelProto(
            ir_version=table.number(0, "q"),
            producer_name=table.text(2),
            producer_version=table.text(3),
            domain=table.text(4),
            model_version=table.number(5, "q"),
        )
        for entry in table.tables(1):
            model.opset_import.add(domain=entry.text(0), version=entry.number(1, "q"))
        for entry in table.tables(9):
            model.metadata_props.add(key=entry.text(0), value=entry.text(1))
        self.graph(graph, model.graph, 1)
        if not model.graph.node and not model.graph.output:
            raise self.window.fail("it holds no graph", graph.offset)
        return model

    def graph(self, table: Table, graph: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self.window.fail(f"graphs are nested deeper than {MAX_DEPTH}", table.offset)
        for entry in table.tables(0):
            self.tensor(entry, graph.initializer.add())
        for entry in table.tables(7):
            self.sparse(entry, graph.sparse_initializer.add())
        types: dict[str, Any] = {}
        for entry in table.tables(1):
            info = types[entry.text(0)] = self.proto.ValueInfoProto(name=entry.text(0))
            kind = entry.table(2)
            if kind is not None:
                self.type(kind, info.type, depth)
        ends = (table.texts(5), table.texts(6))
        for names, field in zip(ends, (graph.input, graph.output), strict=True):
            field.extend(types.get(name) or self.proto.ValueInfoProto(name=name) for name in names)
        outer = {name for names in ends for name in names} | {tensor.name for tensor in graph.initializer}
        graph.value_info.extend(
            info for name, info in types.items() if name and name not in outer and info.HasField("type")
        )
        nodes = [(self.node(entry, depth), entry.texts(12)) for entry in table.tables(2)]
        ordered = sort(nodes)
        if ordered is None:
            raise self.window.fail("its nodes depend on one another in a cycle", table.offset)
        graph.node.extend(ordered)

    def node(self, table: Table, depth: int) -> Any:
        node = self.proto.NodeProto(
            name=table.text(0),
            domain=table.text(2),
            op_type=table.text(5),
            input=table.texts(8),
            output=table.texts(9),
        )
        for entry in table.tables(10):
            self.attribute(entry, node.attribute.add(name=entry.text(0), type=entry.number(2, "i")), depth)
        return node

    def attribute(self, table: Table, attribute: Any, depth: int) -> None:
        row = _ATTRIBUTES.get(attribute.type)
        if row is None:
            return
        slot, form, field = row
        if form == "real":
            attribute.f = table.real(slot)
        elif form == "number":
            attribute.i = table.number(slot, "q")
        elif form == "text":
            attribute.s = table.text(slot).encode()
        elif form == "reals":
            attribute.floats.extend(table.numbers(slot, "f"))
        elif form == "numbers":
            attribute.ints.extend(table.integers(slot, "q"))
        elif form == "texts":
            attribute.strings.extend(text.encode() for text in table.texts(slot))
        elif form.endswith("s"):
            for entry in table.tables(slot):
                self._inner(entry, getattr(attribute, field).add(), form, depth)
        else:
            inner = table.table(slot)
            if inner is not None:
                self._inner(inner, getattr(attribute, field), form, depth)

    def _inner(self, table: Table, message: Any, form: str, depth: int) -> None:
        if form.startswith("graph"):
            self.graph(table, message, depth + 1)
        else:
            self.tensor(table, message)

    def tensor(self, table: Table, tensor: Any) -> None:
        """Copy a tensor; the values of a large one stay in the file."""
        dims, code = table.integers(2, "q"), table.number(3, "i")
        if any(dim < 0 for dim in dims) or len(dims) > 1000:
            raise self.window.fail(f"a tensor has the lengths {dims[:8]}", table.offset)
        tensor.name, tensor.data_type = table.text(0), code
        tensor.dims.extend(dims)
        if code == _STRING:
            tensor.string_data.extend(text.encode() for text in table.texts(5))
            return
        external_offset = table.number(6, "q", -1)
        start, nbytes = table.vector(4, 1) or (0, 0)
        if external_offset >= 0:
            tensor.data_location = 1
            for key, value in (("location", ELSEWHERE), ("offset", str(external_offset))):
                tensor.external_data.add(key=key, value=value)
        elif prod(dims) <= (KEEP_INTEGERS if code in INTEGERS else KEEP_OTHERS) and nbytes <= KEEP_BYTES:
            tensor.raw_data = self.window.span(start, start + nbytes)
        else:
            tensor.doc_string = f"{self.mark}{len(self.stored)}"
            self.stored[tensor.doc_string] = Stored(
                dims, code, start, start + nbytes, start, nbytes, raw=True
            )

    def sparse(self, table: Table, sparse: Any) -> None:
        for slot, tensor in ((0, sparse.values), (1, sparse.indices)):
            inner = table.table(slot)
            if inner is None:
                raise self.window.fail("a sparse tensor lacks its values or indices", table.offset)
            self.tensor(inner, tensor)
        sparse.dims.extend(table.integers(2, "q"))

    def type(self, table: Table, kind: Any, depth: int) -> None:
        """Copy the type of a value; the contents of a map have no shape to show."""
        value, type_code = table.table(2), table.number(1, "B")
        if value is None or depth > MAX_DEPTH:
            return
        if type_code == _TENSOR:
            kind.tensor_type.elem_type = value.number(0, "i")
            shape = value.table(1)
            if shape is not None:
                self.lengths(shape, kind.tensor_type.shape)
        elif type_code == _SEQUENCE:
            inner = value.table(0)
            if inner is not None:
                self.type(inner, kind.sequence_type.elem_type, depth + 1)
        elif type_code == _MAP:
            kind.map_type.key_type = value.number(0, "i")

    def lengths(self, table: Table, shape: Any) -> None:
        shape.SetInParent()
        for entry in table.tables(0):
            dim, value = shape.dim.add(), entry.table(0)
            dim_code = 0 if value is None else value.number(0, "b")
            if value is not None and dim_code == _VALUE:
                dim.dim_value = value.number(1, "q")
            elif value is not None and dim_code == _PARAMETER:
                dim.dim_param = value.text(2)
