"""Names the axes of activations: what ops prove, carried along axes that play the same role.

Every axis of every value is a node. Ops link nodes of the same role (an activation, each axis of its
input to the same axis of its output; a convolution, the batch and the space), linked nodes form a
class, and the best proof in a class names it all: forward, backward and across branches in one pass.
A flattened axis is named after the axes it merges, as in ``(C H W)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from shapeinspect.dims import Expr, Shape
from shapeinspect.infer.facts import CallFacts
from shapeinspect.ir import Axes, Model
from shapeinspect.rules import Naming

# How good a proof is: the source's own name, what an op demands, the parts of a flattened axis, usage.
_GIVEN: Final = 0
_PROVEN: Final = 1
_USUAL: Final = 3

# The symbols by which exporters and people call a batch.
_BATCH_SYMBOLS = frozenset({"N", "batch", "batch_size"})


def name_axes(
    model: Model, facts: Iterable[CallFacts], shapes: Mapping[str, Shape | None]
) -> dict[str, Axes | None]:
    """Return the names of the axes of every value; None for an axis without proof.

    Names that the source gave stay as they are.

    Args:
        model: the model.
        facts: the facts of the calls whose kind has arithmetic, in their order.
        shapes: the shape of every value.

    Example:
        >>> name_axes(Model("m", "onnx", "onnx", "onnx"), (), {})
        {}
    """
    classes = _Classes(shapes)
    for name, value in model.values.items():
        classes.seed(name, value.axes, _GIVEN)
    for name in model.inputs:
        shape = shapes.get(name)
        if shape and isinstance(shape[0], Expr) and str(shape[0]) in _BATCH_SYMBOLS:
            classes.seed(name, ("N",) + (None,) * (len(shape) - 1), _PROVEN)
    merges = []
    for fact in facts:
        outputs = fact.call.outputs
        classes.add(fact.naming, fact.names, outputs)
        for source, merged, output, axis in fact.naming.merges:
            nodes = [classes.node(_name(fact.names, source), part) for part in merged]
            merges.append((nodes, classes.node(_name(outputs, output), axis)))
    for nodes, target in merges:
        classes.merge(nodes, target)
    return {name: _prefer_given(value.axes, classes.names(name)) for name, value in model.values.items()}


def _prefer_given(given: Axes | None, result: Axes | None) -> Axes | None:
    if given is None or result is None:
        return result if given is None else given
    if len(given) != len(result):
        return result
    return tuple(have or new for have, new in zip(given, result, strict=True))


def _name(names: tuple[str, ...], index: int) -> str:
    return names[index] if index < len(names) else ""


class _Classes:
    """Nodes joined into classes of one role each, and the best name of each class so far."""

    def __init__(self, shapes: Mapping[str, Shape | None]) -> None:
        self._start: dict[str, int] = {}
        self._rank: dict[str, int] = {}
        total = 0
        for name, shape in shapes.items():
            if name and shape is not None:
                self._start[name], self._rank[name] = total, len(shape)
                total += len(shape)
        self._parent = list(range(total))
        self._best: list[tuple[int, int, str] | None] = [None] * total
        self._order = 0

    def node(self, name: str, axis: int) -> int | None:
        """Return the number of one axis of a value, or None if the value has no such axis."""
        return self._start[name] + axis if 0 <= axis < self._rank.get(name, 0) else None

    def root(self, node: int) -> int:
        """Return the representative of a node's class."""
        parent = self._parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def seed(self, name: str, axes: Axes | None, level: int) -> None:
        """Name the axes of a value, with proofs of one level."""
        if axes is None or self._rank.get(name) != len(axes):
            return
        for axis, label in enumerate(axes):
            if label:
                usual = label[-1] == "?"
                self._name(
                    self._start[name] + axis, _USUAL if usual else level, label[:-1] if usual else label
                )

    def _name(self, node: int, level: int, label: str) -> None:
        self._order += 1
        root, proof = self.root(node), (level, self._order, label)
        best = self._best[root]
        if best is None or proof < best:
            self._best[root] = proof

    def add(self, naming: Naming, sources: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        """Add what one call proves."""
        for name, axes in zip(sources, naming.inputs, strict=False):
            self.seed(name, axes, _PROVEN)
        for name, axes in zip(outputs, naming.outputs, strict=False):
            self.seed(name, axes, _PROVEN)
        start, rank = self._start, self._rank
        for source, axis, output, to in naming.links:
            read, written = _name(sources, source), _name(outputs, output)
            if axis < rank.get(read, 0) and to < rank.get(written, 0):
                self._link(start[read] + axis, start[written] + to)

    def _link(self, a: int, b: int) -> None:
        low, high = self.root(a), self.root(b)
        if low == high:
            return
        if low > high:
            low, high = high, low
        self._parent[high] = low
        best, proof = self._best[low], self._best[high]
        if proof is not None and (best is None or proof < best):
            self._best[low] = proof

    def merge(self, nodes: list[int | None], target: int | None) -> None:
        """Name a flattened axis after the axes it merges, unless something better is proven."""
        if target is None or None in nodes:
            return
        best = self._best[self.root(target)]
        if best is not None and best[0] < _USUAL:
            return
        labels = [self._label(node) for node in nodes if node is not None]
        if all(labels):
            parts = " ".join(label.removeprefix("(").removesuffix(")") for label in labels if label)
            self._best[self.root(target)] = (_USUAL - 1, 0, f"({parts})")

    def _label(self, node: int) -> str | None:
        best = self._best[self.root(node)]
        return None if best is None else best[2]

    def names(self, name: str) -> Axes | None:
        """Return the names of a value's axes, or None if none is known."""
        rank = self._rank.get(name)
        if rank is None:
            return None
        result = tuple([self._label(self._start[name] + axis) for axis in range(rank)])
        return result if any(result) else None
