"""A graph read backwards: from a length of a value to the stored tensor, input or node that gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect_onnx.reading.node import attributes

#: So many nodes back a length is followed.
_STEPS = 24
#: Nodes whose output has the lengths of their operands.
_ALIKE = frozenset((
    "Add", "Sub", "Mul", "Div", "Pow", "Where", "Max", "Min", "Relu", "LeakyRelu", "Sigmoid", "Tanh",
    "Softmax", "LogSoftmax", "Identity", "Cast", "Dropout", "Clip", "Erf", "Gelu", "Exp", "Log", "Sqrt",
    "Neg", "Abs",
    "BatchNormalization", "LayerNormalization", "InstanceNormalization", "Elu", "HardSwish", "PRelu", "Not",
))  # fmt: skip
#: Nodes that make a new length of each spatial one.
_WINDOWED = frozenset(
    ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "Resize", "Pad", "Slice", "Upsample")
)
RECURRENT = frozenset(("GRU", "LSTM", "RNN"))


@dataclass(frozen=True, slots=True)
class End:
    """Where a length comes from.

    Args:
        kind: ``stored`` for a tensor that the graph holds, ``row`` for a number that it holds, ``input`` for
            one of its inputs, ``node`` for a node that makes the length.
        name: the tensor, the input or the node.
        axis: the axis there, or the number's place in a row.
    """

    kind: str
    name: str
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """A node that makes or keeps a spatial length.

    Args:
        name: the node.
        makes: the length that it makes.
        of: the one that it was given.
    """

    name: str
    makes: Any
    of: Any


@dataclass(frozen=True)
class Graph:
    """A graph of ONNX with what is known of the lengths of its values.

    Args:
        proto: the graph.
        shapes: the shapes that are known, by the name of the value.
    """

    proto: Any
    shapes: Mapping[str, Shape | None]

    @cached_property
    def makers(self) -> dict[str, Any]:
        """The node that makes each value."""
        return {name: node for node in self.proto.node for name in node.output}

    @cached_property
    def stored(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor that the graph holds."""
        return {one.name: tuple(one.dims) for one in self.proto.initializer}

    def shape(self, name: str) -> tuple[Any, ...]:
        """Return the shape of a value; empty where it is not known.

        Args:
            name: the value.
        """
        return self.stored.get(name) or tuple(self.shapes.get(name) or ())

    def numbers(self, name: str) -> list[int]:
        """Return the whole numbers that a stored row holds; none for another value, or one in another file.

        Args:
            name: the row.
        """
        from onnx import numpy_helper
        from onnx.external_data_helper import uses_external_data

        stored = (one for one in self.proto.initializer if not uses_external_data(one))
        found = next((one for one in stored if one.name == name), None)
        return [] if found is None else [int(one) for one in numpy_helper.to_array(found).reshape(-1)]

    def node(self, name: str) -> Any:
        """Return a node by its name, or by an output of it; None for none.

        Args:
            name: the name.
        """
        return next((one for one in self.proto.node if one.name == name), self.makers.get(name))

    def windows(self, name: str, axis: int) -> list[Window]:
        """Return the nodes that a spatial length ran through, the last one first.

        Args:
            name: the value.
            axis: its axis.
        """
        found: list[Window] = []
        for _ in range(_STEPS):
            node, shape = self.makers.get(name), self.shape(name)
            axis = axis + len(shape) if axis < 0 else axis
            if node is None or axis >= len(shape):
                break
            if node.op_type in _WINDOWED and axis > 1:
                name = node.input[0]
                has = self.shape(name)
                if len(has) != len(shape):
                    break
                found.append(Window(node.name or node.output[0], shape[axis], has[axis]))
            elif node.op_type in _ALIKE:
                same = (one for one in node.input if self.shape(one) == shape and one not in self.stored)
                name = next(same, "")
            else:
                break
        return found

    def end(self, name: str, axis: int, steps: int = _STEPS) -> End | None:
        """Follow a length back; None where it is lost.

        Args:
            name: the value.
            axis: its axis.
            steps: so many nodes back.
        """
        if name in self.stored:
            return End("stored", name, axis)
        node, shape = self.makers.get(name), self.shape(name)
        if node is None:
            return End("input", name, axis)
        axis = axis + len(shape) if axis < 0 else axis
        if not 0 <= axis < len(shape) or not steps:
            return None
        if node.op_type in _ALIKE:
            for operand in filter(None, node.input):
                has = self.shape(operand)
                at = axis - len(shape)
                if -at <= len(has) and has[at] == shape[axis] != 1:
                    return self.end(operand, at + len(has), steps - 1)
            return None
        rule = _RULES.get(node.op_type)
        found = rule(self, node, axis, shape) if rule else None
        if found is None:
            return End("node", node.name or name, axis)
        return found if isinstance(found, End) else self.end(*found, steps - 1)


#: The end itself, or the value and the axis that a length is followed to.
_Step: TypeAlias = "End | tuple[str, int] | None"


def _conv(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    turned = node.op_type == "ConvTranspose"
    if axis == 1:
        return (
            None if turned and attributes(node).get("group", 1) > 1 else (node.input[1], 1 if turned else 0)
        )
    return (node.input[0], 0) if axis == 0 else None


def _gemm(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    given = attributes(node)
    if axis == 1:
        return node.input[1], 0 if given.get("transB") else 1
    return node.input[0], 1 if given.get("transA") else 0


def _matmul(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    a, b = node.input[:2]
    ranks = [len(graph.shape(one)) for one in (a, b)]
    if 1 in ranks:  # a vector's only axis is gone
        return (b, axis if axis < ranks[1] - 2 else ranks[1] - 1) if ranks[0] == 1 else (a, axis)
    back = axis - len(shape)
    if back == -1:
        return b, ranks[1] - 1
    # of the axes before the last two, one operand may lack some, or have 1
    for one, rank in zip((a, b)[: 1 if back == -2 else 2], ranks, strict=False):
        if rank + back >= 0 and graph.shape(one)[back] == shape[axis]:
            return one, rank + back
    return None


def _transpose(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    order = attributes(node).get("perm", range(len(shape))[::-1])
    return node.input[0], order[axis]


def _reshape(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    asked = graph.numbers(node.input[1])
    if axis >= len(asked):
        return None
    if asked[axis] == 0:
        return node.input[0], axis
    return End("row", node.input[1], axis) if asked[axis] > 0 else None


def _gather(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    table, at = graph.shape(node.input[0]), attributes(node).get("axis", 0)
    at += len(table) if at < 0 else 0
    indices = len(shape) - len(table) + 1
    if axis < at:
        return node.input[0], axis
    return (node.input[1], axis - at) if axis < at + indices else (node.input[0], axis - indices + 1)


def _recurrent(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    if axis == len(shape) - 1:
        return node.input[2], 2
    kept = {0: 0, 1: 1} if attributes(node).get("layout") else {0: 0, 2: 1}
    return (node.input[0], kept[axis]) if len(shape) == 4 and axis in kept else None


def _squeezed(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    """Follow an axis that an axis of one length more or less does not change."""
    has = graph.shape(node.input[0])
    plain = [at for at, length in enumerate(has) if length != 1]
    mine = [at for at, length in enumerate(shape) if length != 1]
    same = [has[at] for at in plain] == [shape[at] for at in mine] and axis in mine
    return (node.input[0], plain[mine.index(axis)]) if same else None


def _kept(graph: Graph, node: Any, axis: int, shape: Sequence[Any]) -> _Step:
    """Follow an axis that a window or a cut leaves as it is."""
    has = graph.shape(node.input[0])
    return (node.input[0], axis) if len(has) == len(shape) and has[axis] == shape[axis] else None


_RULES: dict[str, Callable[[Graph, Any, int, Sequence[Any]], _Step]] = {
    "Conv": _conv, "ConvTranspose": _conv, "Gemm": _gemm, "MatMul": _matmul, "Transpose": _transpose,
    "Reshape": _reshape, "Gather": _gather, "Squeeze": _squeezed, "Unsqueeze": _squeezed,
    **dict.fromkeys(RECURRENT, _recurrent),
    **dict.fromkeys(("MaxPool", "AveragePool", "Resize", "Pad", "Slice", "Concat"), _kept),
}  # fmt: skip
