"""Reads the nodes of a GraphDef and of its functions, without their weights.

Source: tensorflow/core/framework/{graph,node_def,attr_value,tensor,function,op_def}.proto
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from shapeinspect.binary.protobuf import (
    BYTES,
    FIXED32,
    VARINT,
    Budget,
    Field,
    fields,
    integers,
    need,
    signed,
    text,
)
from shapeinspect.binary.window import Window
from shapeinspect.dims import Shape, Unknown
from shapeinspect_tensorflow.tables.shapes import shape
from shapeinspect_tensorflow.vocabulary import dtypes

#: Of all functions, too. A block of a transformer has about 200 nodes, and 400 with its gradients: 200,000
#: are 500 blocks in training.
_MAX_NODES = 200_000
_MAX_ATTRIBUTES = 800_000
#: A list of more entries does not concern shapes.
_MAX_LIST = 100_000
#: Integer tensors of up to this many elements may be settings; their values are read.
_FEW = 1024
_INTEGERS = {3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 17: "H", 22: "I", 23: "Q"}
#: The types of the attributes that are read; one of another type belongs to another operator.
_TYPES: dict[str, type] = {
    **dict.fromkeys(("T", "dtype", "DstT", "output_type", "out_type", "Tparams"), int),
    **dict.fromkeys(("axis", "num_split", "num", "N", "batch_dims", "depth_radius", "block_size"), int),
    **dict.fromkeys(("window_size", "stride", "dct_coefficient_count"), int),
    **dict.fromkeys(("pad_per_class", "pad_to_max_output_size", "exclusive", "reverse"), bool),
    **dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), int),
    **dict.fromkeys(("transpose_a", "transpose_b", "adj_x", "adj_y", "keep_dims", "align_corners"), bool),
    **dict.fromkeys(("padding", "data_format", "mode", "equation", "shared_name"), str),
    **dict.fromkeys(("epsilon", "alpha", "beta", "bias"), float),
}
_LISTS = frozenset({"strides", "dilations", "ksize", "ksizes", "rates", "explicit_paddings", "squeeze_dims"})
#: The floating-point types, and the formats of their values.
_FLOATS = {1: "f", 2: "d", 19: "e"}
#: The fields of ``float_val`` and ``double_val``, and their formats.
_FLOAT_VALUES = {5: "f", 6: "d"}
#: The types of those: where a constant has no value, all of its values are 0.
#: Source: ``tensorflow/core/framework/tensor.cc``, ``FromProtoField``.
_ALL_ZERO = frozenset({1, 2})
#: The fields of integer values outside ``tensor_content``.
_VALUES = frozenset({7, 10, 11, 16, 17})
_CONTENT = 4
#: The field of functions in a list of values.
_LISTED_FUNCTION = 9


@dataclass(frozen=True, slots=True)
class Tensor:
    """A constant of the graph; its values stay in the file.

    Args:
        dtype: the code of its element type.
        shape: its lengths.
        start: the first byte of its values in the file.
        end: the byte after them; ``start`` if they are not contiguous.
        numbers: its values, where they are few integers.
        scalar: its value, where it is one floating-point number.
        repeated: the floating-point number that all of its values are, where the file stores it once.
    """

    dtype: int
    shape: tuple[int, ...]
    start: int = 0
    end: int = 0
    numbers: tuple[int, ...] | None = None
    scalar: float | None = None
    repeated: float | None = None

    @property
    def nbytes(self) -> int | None:
        """The size of its values in bytes."""
        return dtypes.nbytes(self.dtype, prod(self.shape))


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function, as the value of an attribute."""

    name: str


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph or function.

    Args:
        name: its name there.
        op: its operator.
        inputs: the names of its inputs, without control inputs.
        attributes: its settings; shapes, numbers, texts, :class:`Tensor`, :class:`Function`, tuples.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Body:
    """The contents of a function.

    Args:
        name: its name.
        arguments: the names of its inputs.
        outputs: the names of its outputs, in order.
        nodes: its nodes by name.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: Mapping[str, Node]


class Graph:
    """A GraphDef: its nodes, and its functions, which are read on demand.

    Args:
        window: the file.
        start: the message's first byte.
        end: the byte after it.

    Raises:
        UnreadableFileError: if it is malformed.
    """

    def __init__(self, window: Window, start: int, end: int) -> None:
        self._window = window
        self._nodes = Budget(window, "nodes", _MAX_NODES)
        self._attributes = Budget(window, "attributes", _MAX_ATTRIBUTES)
        self._places: dict[str, Field] = {}
        self._bodies: dict[str, Body] = {}
        self.nodes: dict[str, Node] = {}
        for field in fields(window, start, end):
            if field.number == 1:
                self._add(self.nodes, field)
            elif field.number == 2:
                need(window, field)
                self._library(field)

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of its functions."""
        return tuple(self._places)

    def has(self, name: str) -> bool:
        """Tell whether it has a function.

        Args:
            name: the function's name.
        """
        return name in self._places or name in self._bodies

    def put(self, nodes: Mapping[str, Node], bodies: Iterable[Body]) -> None:
        """Put other nodes in the place of its own, and add the functions that these run.

        Args:
            nodes: the nodes by name.
            bodies: the functions.
        """
        self.nodes = dict(nodes)
        self._bodies.update((body.name, body) for body in bodies)

    def body(self, name: str) -> Body:
        """Read a function.

        Args:
            name: one of ``functions``.

        Raises:
            UnreadableFileError: if it is malformed.
        """
        if name not in self._bodies:
            self._bodies[name] = self._function(name, self._places[name])
        return self._bodies[name]

    def _library(self, outer: Field) -> None:
        window = self._window
        for field in fields(window, outer.start, outer.end):
            if field.number != 1:
                continue
            need(window, field)
            self._nodes.spend()
            signature = next(
                (part for part in fields(window, field.start, field.end) if part.number == 1), None
            )
            if signature is not None:
                need(window, signature)
                names = (part for part in fields(window, signature.start, signature.end) if part.number == 1)
                name = next((text(window, part) for part in names), "")
                self._places[name] = field

    def _function(self, name: str, outer: Field) -> Body:
        window = self._window
        arguments: list[str] = []
        order: list[str] = []
        nodes: dict[str, Node] = {}
        returned: dict[str, str] = {}
        for field in fields(window, outer.start, outer.end):
            if field.number == 1:
                need(window, field)
                for part in fields(window, field.start, field.end):
                    if part.number in (2, 3):
                        (arguments if part.number == 2 else order).append(_first_text(window, part))
            elif field.number == 3:
                self._add(nodes, field)
            elif field.number == 4:
                key, value = pair(window, field)
                returned[key] = text(window, value) if value else ""
        return Body(name, tuple(arguments), tuple(returned.get(argument, "") for argument in order), nodes)

    def _add(self, nodes: dict[str, Node], field: Field) -> None:
        need(self._window, field)
        self._nodes.spend()
        node = self._node(field)
        if node.name in nodes:
            raise self._window.fail(f"two nodes are called {node.name!r}", field.start)
        nodes[node.name] = node

    def _node(self, outer: Field) -> Node:
        window = self._window
        name = op = ""
        inputs: list[str] = []
        attributes: dict[str, Any] = {}
        for field in fields(window, outer.start, outer.end):
            if field.number == 1:
                name = text(window, field)
            elif field.number == 2:
                op = text(window, field)
            elif field.number == 3:
                self._attributes.spend()
                source = text(window, field)
                if not source.startswith("^"):
                    inputs.append(source)
            elif field.number == 5:
                self._attributes.spend()
                key, value = pair(window, field)
                if value is not None:
                    decoded = self._value(value)
                    if _fits(key, decoded):
                        attributes[key] = decoded
        return Node(name, op, tuple(inputs), attributes)

    def _value(self, outer: Field) -> Any:
        """Read an AttrValue; None for one that is not used."""
        decoded = None
        for field in fields(self._window, outer.start, outer.end):
            if field.number == 1:
                need(self._window, field)
                decoded = self._list(field)
            elif field.number in _READERS:
                decoded = _READERS[field.number](self._window, field)
        return decoded

    def _list(self, outer: Field) -> tuple[Any, ...]:
        window = self._window
        items: list[Any] = []
        for field in fields(window, outer.start, outer.end):
            if field.number in (3, 5, 6):
                items.extend(integers(window, field))
            elif field.number == 4 and field.wire == BYTES:
                data = window.span(field.start, min(field.end, field.start + 4 * _MAX_LIST))
                items.extend(struct.unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4]))
            elif field.number == _LISTED_FUNCTION:
                items.append(_function(window, field))
            elif field.number in _READERS:
                items.append(_READERS[field.number](window, field))
            if len(items) > _MAX_LIST:
                raise window.fail(f"an attribute lists more than {_MAX_LIST:,} values", outer.start)
        self._attributes.spend(len(items))
        return tuple(items)


def _fits(name: str, value: Any) -> bool:
    """Tell whether an attribute has the expected type."""
    if name in _TYPES:
        return type(value) is _TYPES[name]
    if name in _LISTS:
        return isinstance(value, tuple) and all(type(item) is int for item in value)
    if name == "shape":
        return value is None or (
            isinstance(value, tuple) and all(type(item) is int or isinstance(item, Unknown) for item in value)
        )
    if name == "_output_shapes":
        return isinstance(value, tuple) and all(item is None or isinstance(item, tuple) for item in value)
    return True


def pair(window: Window, outer: Field) -> tuple[str, Field | None]:
    """Read an entry of a map: its key, and the field of its value.

    Args:
        window: the file.
        outer: the entry.

    Raises:
        UnreadableFileError: if it is malformed.
    """
    need(window, outer)
    key, value = "", None
    for field in fields(window, outer.start, outer.end):
        if field.number == 1 and field.wire == BYTES:
            key = text(window, field)
        elif field.number == 2:
            need(window, field)
            value = field
    return key, value


def _first_text(window: Window, outer: Field) -> str:
    need(window, outer)
    named = (field for field in fields(window, outer.start, outer.end) if field.number == 1)
    return next((text(window, field) for field in named), "")


def _text(window: Window, field: Field) -> str | None:
    # Texts may be whole serialized programs, which are not read.
    return text(window, field) if field.end - field.start <= 4096 else None


def _integer(window: Window, field: Field) -> int:
    need(window, field, VARINT)
    return signed(field.value)


def _float(window: Window, field: Field) -> float:
    need(window, field, FIXED32)
    return float(struct.unpack("<f", window.span(field.start, field.end))[0])


def _bool(window: Window, field: Field) -> bool:
    need(window, field, VARINT)
    return bool(field.value)


def _shape(window: Window, field: Field) -> Shape | None:
    need(window, field)
    return shape(window, field.start, field.end)


def _function(window: Window, field: Field) -> Function:
    return Function(_first_text(window, field))


def _tensor(window: Window, outer: Field) -> Tensor:
    need(window, outer)
    dtype = 0
    dims: tuple[int, ...] = ()
    content: Field | None = None
    values: list[Field] = []
    single: float | None = None
    lists = 0
    for field in fields(window, outer.start, outer.end):
        if field.number == 1:
            need(window, field, VARINT)
            dtype = field.value
        elif field.number == 2:
            lengths = _shape(window, field)
            dims = () if lengths is None else tuple(dim for dim in lengths if isinstance(dim, int))
            if lengths is None or len(dims) != len(lengths):
                raise window.fail("a constant without a whole shape", field.start)
        elif field.number == _CONTENT:
            need(window, field)
            content = field
        elif field.number in _VALUES:
            values.append(field)
            if len(values) > _FEW and prod(dims) <= _FEW:
                raise window.fail("a constant holds more values than its shape", field.start)
        elif field.number in _FLOAT_VALUES:
            single, lists = _single(window, field, _FLOAT_VALUES[field.number]), lists + 1
    single = single if lists == 1 else 0.0 if not lists and dtype in _ALL_ZERO else None
    scalar = None if dims else single
    tensor = Tensor(dtype, dims, scalar=scalar, repeated=single)
    few = dtype in _INTEGERS and prod(dims) <= _FEW
    if content is None:
        return Tensor(dtype, dims, numbers=_spread(window, values, prod(dims))) if few else tensor
    if tensor.nbytes is not None and tensor.nbytes != content.end - content.start:
        reason = f"a constant takes {content.end - content.start:,} bytes, its shape makes {tensor.nbytes:,}"
        raise window.fail(reason, content.start)
    numbers = None
    if few:
        numbers = struct.unpack(f"<{prod(dims)}{_INTEGERS[dtype]}", window.span(content.start, content.end))
    if not dims and dtype in _FLOATS:
        scalar = float(struct.unpack(f"<{_FLOATS[dtype]}", window.span(content.start, content.end))[0])
    return Tensor(dtype, dims, content.start, content.end, numbers, scalar)


def _single(window: Window, field: Field, code: str) -> float | None:
    """Read the only floating-point number of a list, packed or not; None if there are others."""
    if field.end - field.start != struct.calcsize(code):
        return None
    return float(struct.unpack(f"<{code}", window.span(field.start, field.end))[0])


def _spread(window: Window, values: list[Field], count: int) -> tuple[int, ...] | None:
    """Read a list of integers; the last one stands for all that follow."""
    listed: list[int] = []
    for field in values:
        listed.extend(integers(window, field, 10 * _FEW))
    if len(listed) > count:
        return None
    last = listed[-1] if listed else 0
    return (*listed, *(last for _ in range(count - len(listed))))


_READERS: dict[int, Callable[[Window, Field], Any]] = {
    2: _text,
    3: _integer,
    4: _float,
    5: _bool,
    6: _integer,
    7: _shape,
    8: _tensor,
    10: _function,
}
