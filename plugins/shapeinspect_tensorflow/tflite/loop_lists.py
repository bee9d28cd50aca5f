"""Puts back the transpositions that TFLite's converter leaves out between two loops.

One loop returns a list of steps, and the next reads it as it is: the swap of batch and time behind the one
and that before the other cancel out. With both of them each loop can be read by itself.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from shapeinspect_tensorflow.graph.recurrence.loops import swapped_axes
from shapeinspect_tensorflow.tflite.file import Operator, Subgraph, Tensor


@dataclass(frozen=True, slots=True)
class Parted:
    """A graph with transpositions that its file does not have.

    Args:
        graph: the graph.
        pairs: for each list, the two of them; the first one may be of the file.
    """

    graph: Subgraph
    pairs: tuple[tuple[Operator, Operator], ...]

    def joined(self, graph: Subgraph) -> Subgraph:
        """Return a graph without the pairs that are still there: no layer has taken one of them in.

        Args:
            graph: the graph, after loops were replaced.
        """
        there = {id(operator) for operator in graph.operators}
        gone: set[int] = set()
        renamed: dict[int, int] = {}
        for first, second in self.pairs:
            if id(first) not in there or id(second) not in there:
                continue
            gone.add(id(second))
            renamed[second.outputs[0]] = first.inputs[0]
            middle = first.outputs[0]
            readers = sum(middle in operator.inputs for operator in graph.operators)
            if readers == 1 and middle not in graph.outputs:
                gone.add(id(first))
        if not gone:
            return graph
        operators = tuple(
            replace(operator, inputs=tuple(renamed.get(index, index) for index in operator.inputs))
            for operator in graph.operators
            if id(operator) not in gone
        )
        return replace(graph, operators=operators)


def parted(graph: Subgraph) -> Parted:
    """Put two transpositions between a loop and the loop that reads a list of it.

    Args:
        graph: one graph of the file.

    Example:
        >>> parted(Subgraph("g", (), (), (), ())).pairs
        ()
    """
    lists = {
        index
        for operator in graph.operators
        for index in operator.outputs
        if operator.op == "WHILE" and index >= 0 and len(graph.tensors[index].shape or ()) >= 3
    }
    passed = {index for one in graph.operators if one.op == "WHILE" for index in one.inputs} & lists
    builder = _Builder(graph)
    for operator in graph.operators if passed else ():
        builder.add(operator, passed)
    return builder.parted() if passed else Parted(graph, ())


class _Builder:
    def __init__(self, graph: Subgraph) -> None:
        self._graph = graph
        self._tensors = list(graph.tensors)
        self._operators: list[Operator] = []
        self._pairs: list[tuple[Operator, Operator]] = []
        self._back: dict[int, int] = {}
        self._placed: set[int] = set()

    def parted(self) -> Parted:
        graph = replace(self._graph, tensors=tuple(self._tensors), operators=tuple(self._operators))
        return Parted(graph, tuple(self._pairs))

    def add(self, operator: Operator, passed: Set[int]) -> None:
        """Add an operator of the file, behind what a loop needs for each of the lists that it reads."""
        if operator.op == "WHILE":
            for listed in sorted(passed & {*operator.inputs} - self._back.keys()):
                self._part(listed)
            inputs = tuple(self._back.get(index, index) for index in operator.inputs)
            operator = replace(operator, inputs=inputs)
        self._place(operator)

    def _place(self, operator: Operator) -> None:
        if id(operator) not in self._placed:
            self._placed.add(id(operator))
            self._operators.append(operator)

    def _part(self, listed: int) -> None:
        given, order = self._graph.tensors[listed], len(self._tensors)
        axes = swapped_axes(len(given.shape or ()))
        # A start other than 0 says that its numbers are stored.
        self._tensors.append(Tensor("", (len(axes),), (), "int32", 0, 1, 4 * len(axes), numbers=axes))
        first = _swap(self._graph, listed)
        if first is None:
            name = given.name.rpartition("/while")[0] or given.name
            shape, signature = _swapped(given.shape or ()), _swapped(given.signature)
            made = replace(given, name=name, shape=shape, signature=signature)
            first = self._transpose(listed, order, made)
        else:
            self._place(first)
        second = self._transpose(first.outputs[0], order, given)
        self._pairs.append((first, second))
        self._back[listed] = second.outputs[0]

    def _transpose(self, source: int, order: int, result: Tensor) -> Operator:
        self._tensors.append(result)
        self._operators.append(Operator("TRANSPOSE", "", (source, order), (len(self._tensors) - 1,), {}))
        return self._operators[-1]


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[1], shape[0], *shape[2:]) if len(shape) > 1 else shape


def _swap(graph: Subgraph, listed: int) -> Operator | None:
    """Return the operator of the file that swaps batch and time of a list."""
    axes = swapped_axes(len(graph.tensors[listed].shape or ()))
    for operator in graph.operators:
        if operator.op == "TRANSPOSE" and operator.inputs[:1] == (listed,) and len(operator.inputs) == 2:
            order = operator.inputs[1]
            if order >= 0 and graph.tensors[order].numbers == axes and operator.outputs:
                return operator
    return None
