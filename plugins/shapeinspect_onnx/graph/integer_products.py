"""Finds the scales of weights that a graph multiplies in behind an integer product or a lookup.

``DynamicQuantizeLinear -> MatMulInteger -> Cast -> Mul(cast, Mul(input's scale, weight's scale))`` is what
onnxruntime's quantizer writes: the last scale belongs to the stored matrix of the product. A table of
integers is looked up before its rows are dequantized, or multiplied as the input of such a product.

Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_PRODUCTS = frozenset({"MatMulInteger", "ConvInteger"})
_READERS = _PRODUCTS | {"DequantizeLinear"}
#: The most readers of a value that are looked at; a quantizer writes one.
_MOST_READERS = 16


@dataclass(frozen=True, slots=True)
class Found:
    """The scale of one stored tensor of integers.

    Args:
        weight: the tensor's name.
        scale: the scale's name.
        zero: the zero point's name; empty for 0.
        axis: the axis of the tensor along which they vary, if they are not scalars.
    """

    weight: str
    scale: str
    zero: str
    axis: int


class _Graph:
    """Who makes and who reads each value of a graph."""

    def __init__(self, graph: Any, constants: Mapping[str, Any]) -> None:
        self.constants = constants
        self.makers = {name: node for node in graph.node for name in node.output if name}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in filter(None, node.input):
                self.readers.setdefault(name, []).append(node)

    def stored(self, name: str) -> bool:
        return self.constants.get(name) is not None

    def factors(self, product: Any) -> tuple[str, str] | None:
        """Return the two scales whose product a product's output is multiplied by."""
        for cast in self._readers_of(product, "Cast"):
            for multiplied in self._readers_of(cast, "Mul"):
                for source in multiplied.input:
                    both = self.makers.get(source)
                    if both is not None and both.op_type == "Mul" and len(both.input) == 2:
                        return both.input[0], both.input[1]
        return None

    def _readers_of(self, node: Any, op_type: str) -> list[Any]:
        """Return the first readers of a node's output that are of one type."""
        name = node.output[0] if node.output else ""
        return [reader for reader in self.readers.get(name, ())[:_MOST_READERS] if reader.op_type == op_type]


def scales(graph: Any, constants: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the scale of each stored tensor of integers whose scale stands behind its reader.

    Args:
        graph: the GraphProto.
        constants: the constants by name.
    """
    if not any(node.op_type in _READERS for node in graph.node):
        return
    whole = _Graph(graph, constants)
    for node in graph.node:
        if node.op_type in _PRODUCTS and len(node.input) > 1:
            yield from _of_product(node, whole)
        elif node.op_type == "DequantizeLinear" and len(node.input) > 1:
            table = _table(whole.makers.get(node.input[0]), whole)
            if table and whole.stored(node.input[1]):
                yield Found(table, node.input[1], _named(node, 2, whole), 1)


def _of_product(node: Any, whole: _Graph) -> Iterator[Found]:
    factors = whole.factors(node)
    if factors is None:
        return
    maker = whole.makers.get(node.input[0])
    dynamic = maker is not None and maker.op_type == "DynamicQuantizeLinear" and len(maker.output) > 1
    first, second = factors
    if dynamic and maker is not None and second == maker.output[1]:
        second = first
    if whole.stored(second) and whole.stored(node.input[1]):
        yield Found(node.input[1], second, _named(node, 3, whole), 0 if node.op_type == "ConvInteger" else 1)
    table = _table(maker, whole)
    if table and whole.stored(first):
        yield Found(table, first, _named(node, 2, whole), 1)


def _table(maker: Any, whole: _Graph) -> str:
    """Return the name of the table that a lookup reads; empty for anything else."""
    if maker is None or maker.op_type != "Gather" or not maker.input or not whole.stored(maker.input[0]):
        return ""
    return str(maker.input[0])


def _named(node: Any, slot: int, whole: _Graph) -> str:
    name = str(node.input[slot]) if slot < len(node.input) else ""
    return name if name and whole.stored(name) else ""
