"""The operators of a TFLite graph that compute settings, such as the shape of a reshape."""

from __future__ import annotations

from collections.abc import Callable

from shapeinspect_tensorflow.graph.evaluate import Source as Origin
from shapeinspect_tensorflow.tflite.file import Subgraph
from shapeinspect_tensorflow.tflite.ops import SETTINGS

#: The operators that shapes are computed with.
_TENSORFLOW = {
    "PACK": "Pack", "SHAPE": "Shape", "STRIDED_SLICE": "StridedSlice", "CONCATENATION": "ConcatV2",
    "CAST": "Cast", "RESHAPE": "Reshape", "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "FLOOR_DIV": "FloorDiv",
    "MAXIMUM": "Maximum", "MINIMUM": "Minimum", "FLOOR_MOD": "FloorMod",
}  # fmt: skip


def sources(graph: Subgraph) -> Callable[[int], Origin[int]]:
    """Return a function for the operator that computes a tensor, by TensorFlow's name.

    Args:
        graph: the graph.
    """
    makers = graph.makers()

    def of(index: int) -> Origin[int]:
        numbers, operator = graph.tensors[index].numbers, makers.get(index)
        if numbers is not None or operator is None:
            return Origin("", numbers=numbers)
        inputs = tuple(number if number >= 0 else None for number in operator.inputs)
        if operator.op == "CONCATENATION":
            inputs = (*inputs, None)  # the axis, which is an option in TFLite
        return Origin(_TENSORFLOW.get(operator.op, ""), inputs, operator.options or {})

    return of


def producers(graph: Subgraph) -> dict[int, int]:
    """Return the place of the operator that computes each tensor.

    Args:
        graph: the graph.

    Example:
        >>> producers(Subgraph("g", (), (), (), ()))
        {}
    """
    return {index: place for place, operator in enumerate(graph.operators) for index in operator.outputs}


def shape_computations(graph: Subgraph) -> frozenset[int]:
    """Return the places of the operators whose outputs are only read as settings.

    Args:
        graph: the graph.
    """
    makers = producers(graph)
    read: set[int] = set()
    needed = {makers[index] for index in graph.outputs if index in makers}
    for operator in graph.operators:
        read.update(operator.inputs)
    # An output that is not read is not a setting either.
    needed |= {place for place, operator in enumerate(graph.operators) if read.isdisjoint(operator.outputs)}
    stack = list(needed)
    while stack:
        for index in graph.operators[stack.pop()].operands(SETTINGS):
            place = makers.get(index)
            if place is not None and place not in needed:
                needed.add(place)
                stack.append(place)
    return frozenset(range(len(graph.operators))) - needed
