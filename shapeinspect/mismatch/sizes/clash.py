"""The lengths that clash: which axes of which operands do not fit, as far as the kind of the layer says."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.dims import Dim, Shape
from shapeinspect.ir import Layer
from shapeinspect.mismatch.sizes.requirements import Problem

#: Kinds that align their operands from the last axis, where lengths are equal or 1.
_BROADCASTING = frozenset({"elementwise", "where"})


def clashes(problem: Problem, layer: Layer) -> frozenset[tuple[int, int]]:
    """Return the axes that do not fit, each as the number of the operand and of its axis, from 0.

    Args:
        problem: what does not fit.
        layer: the layer that refused.

    Example:
        >>> cat = Layer("cat", "concat", "cat", attributes={"axis": 1})
        >>> sorted(clashes(Problem(None, None, None, ((2, 3, 33), (2, 5, 34))), cat))
        [(0, 2), (1, 2)]
    """
    demand = problem.demand
    if demand is not None:
        return frozenset({(demand.operand, demand.axis)})
    shapes = problem.shapes
    if layer.kind in ("concat", "stack"):
        return frozenset(_joined(shapes, layer))
    if layer.kind in _BROADCASTING:
        return frozenset(_aligned(shapes))
    if layer.kind == "matmul" and len(shapes) == 2:
        return frozenset(_multiplied(shapes[0], shapes[1]))
    return frozenset()


def _joined(shapes: tuple[Shape | None, ...], layer: Layer) -> Iterator[tuple[int, int]]:
    """Yield the axes of which the lengths are not all the same, the one along which is joined left out."""
    known = [(number, shape) for number, shape in enumerate(shapes) if shape is not None]
    if len({len(shape) for _, shape in known}) != 1:
        return
    rank = len(known[0][1])
    axis = layer.attributes.get("axis")
    along = axis % rank if layer.kind == "concat" and isinstance(axis, int) and rank else None
    for place in range(rank):
        if place != along and _differ([shape[place] for _, shape in known]):
            yield from ((number, place) for number, _ in known)


def _aligned(shapes: tuple[Shape | None, ...]) -> Iterator[tuple[int, int]]:
    known = [(number, shape) for number, shape in enumerate(shapes) if shape is not None]
    for back in range(1, max((len(shape) for _, shape in known), default=0) + 1):
        here = [(number, shape) for number, shape in known if len(shape) >= back and shape[-back] != 1]
        if _differ([shape[-back] for _, shape in here]):
            yield from ((number, len(shape) - back) for number, shape in here)


def _multiplied(a: Shape | None, b: Shape | None) -> Iterator[tuple[int, int]]:
    if not a or not b:
        return
    row = max(len(b) - 2, 0)
    if _differ([a[-1], b[row]]):
        yield from ((0, len(a) - 1), (1, row))


def _differ(lengths: list[Dim]) -> bool:
    """Tell whether two of some lengths are known to differ."""
    return len({length for length in lengths if isinstance(length, int)}) > 1
