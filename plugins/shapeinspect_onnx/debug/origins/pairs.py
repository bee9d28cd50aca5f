"""Which lengths of what a node of a graph is given have to be equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect_onnx.debug.origins.graph import RECURRENT, Graph
from shapeinspect_onnx.reading.node import attributes

_BROADCASTING = (
    "Add", "Sub", "Mul", "Div", "Pow", "Where", "Max", "Min", "PRelu", "And", "Or", "Equal", "Less",
    "Greater",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lengths that have to be equal: the value and the axis of each.

    Args:
        one: one of them.
        other: the other one.
    """

    one: tuple[str, int]
    other: tuple[str, int]


def compared(graph: Graph, node: Any) -> Iterator[Pair]:
    """Yield the lengths that have to be equal for a node, and are not.

    Args:
        graph: the graph.
        node: the node that refuses.
    """
    pairs = _PAIRS.get(node.op_type)
    for pair in pairs(graph, node) if pairs else ():
        lengths = [_length(graph, *one) for one in (pair.one, pair.other)]
        if None not in lengths and lengths[0] != lengths[1]:
            yield pair


def _length(graph: Graph, name: str, axis: int) -> int | None:
    shape = graph.shape(name)
    length = shape[axis] if -len(shape) <= axis < len(shape) else None
    return length if isinstance(length, int) else None


def _matmul(graph: Graph, node: Any) -> Iterator[Pair]:
    a, b = node.input[:2]
    yield Pair((a, -1), (b, -2 if len(graph.shape(b)) > 1 else -1))


def _gemm(graph: Graph, node: Any) -> Iterator[Pair]:
    a, b, *bias = node.input
    given = attributes(node)
    columns = 0 if given.get("transB") else 1
    yield Pair((a, 0 if given.get("transA") else 1), (b, 1 - columns))
    for one in bias:
        if _length(graph, one, -1) != 1:
            yield Pair((one, -1), (b, columns))


def _conv(graph: Graph, node: Any) -> Iterator[Pair]:
    x, kernel, *bias = node.input
    if attributes(node).get("group", 1) == 1:
        yield Pair((x, 1), (kernel, 1))
    yield from (Pair((one, 0), (kernel, 0)) for one in bias)


def _recurrent(graph: Graph, node: Any) -> Iterator[Pair]:
    yield Pair((node.input[0], -1), (node.input[1], -1))


def _batch_norm(graph: Graph, node: Any) -> Iterator[Pair]:
    yield from (Pair((node.input[0], 1), (one, 0)) for one in node.input[1:])


def _layer_norm(graph: Graph, node: Any) -> Iterator[Pair]:
    yield from (Pair((node.input[0], -1), (one, -1)) for one in node.input[1:])


def _aligned(graph: Graph, node: Any) -> Iterator[Pair]:
    """Yield the axes of operands that are combined, or joined along another axis."""
    first, *others = filter(None, node.input)
    joined = attributes(node).get("axis")
    for other in others:
        ranks = [len(graph.shape(one)) for one in (first, other)]
        for back in range(1, min(ranks) + 1):
            if joined is not None and (joined - ranks[0] if joined >= 0 else joined) == -back:
                continue
            lengths = [_length(graph, one, -back) for one in (first, other)]
            if joined is not None or 1 not in lengths:
                yield Pair((first, -back), (other, -back))


_PAIRS: dict[str, Callable[[Graph, Any], Iterator[Pair]]] = {
    "MatMul": _matmul, "Gemm": _gemm, "Conv": _conv, "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    **dict.fromkeys(RECURRENT, _recurrent), **dict.fromkeys((*_BROADCASTING, "Concat"), _aligned),
}  # fmt: skip
