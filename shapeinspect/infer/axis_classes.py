"""Classes of axes that play one role, and the best proof of a name in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from shapeinspect.dims import Dim, Shape
from shapeinspect.ir import Axes
from shapeinspect.rules import Naming

#: How good a proof is: the source's own name, what an op demands, what is usual.
GIVEN: Final = 0
PROVEN: Final = 1
_USUAL: Final = 2

#: The name of an axis along which something follows something, which may be one of space as well.
_SEQUENCE, _SPACE = "T", frozenset("DHWL")
_BATCH = "N"


class Classes:
    """Nodes joined into classes of one role each, and the names of each class.

    Where the proofs in a class contradict each other, as the channels of a map that is added to an
    embedding do, each node has the name of the closest one, or none.

    Args:
        shapes: the shape of every value; each axis becomes a node.
    """

    def __init__(self, shapes: Mapping[str, Shape | None]) -> None:
        self._start: dict[str, int] = {}
        self._rank: dict[str, int] = {}
        self._lengths: list[Dim] = []
        for name, shape in shapes.items():
            if name and shape is not None:
                self._start[name], self._rank[name] = len(self._lengths), len(shape)
                self._lengths.extend(shape)
        self._parent = list(range(len(self._lengths)))
        self._best: list[tuple[int, int, str] | None] = [None] * len(self._lengths)
        self._order = 0
        self._own: dict[int, str] = {}
        self._links: list[tuple[int, int]] = []
        self._closest: dict[int, str | None] = {}
        self._merged: dict[int, tuple[str | None, Dim]] = {}

    def node(self, name: str, axis: int) -> int | None:
        """Return the number of one axis of a value, or None if the value has no such axis.

        Args:
            name: the value.
            axis: the axis.
        """
        return self._start[name] + axis if 0 <= axis < self._rank.get(name, 0) else None

    def _root(self, node: int) -> int:
        parent = self._parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def seed(self, name: str, axes: Axes | None, level: int) -> None:
        """Name the axes of a value, with proofs of one level.

        Args:
            name: the value.
            axes: the names; those with a question mark are only usual.
            level: how good the proofs are.
        """
        if axes is None or self._rank.get(name) != len(axes):
            return
        for axis, label in enumerate(axes):
            bare = label.removesuffix("?") if label else ""
            if bare:
                self._name(self._start[name] + axis, level if bare == label else _USUAL, bare)

    def _name(self, node: int, level: int, label: str) -> None:
        self._order += 1
        root, proof = self._root(node), (level, self._order, label)
        best = self._best[root]
        if best is None or proof < best:
            self._best[root] = proof
        if level < _USUAL:
            self._own.setdefault(node, label)

    def add(self, naming: Naming, sources: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        """Add what one call proves.

        Args:
            naming: the proofs.
            sources: the names of its inputs.
            outputs: the names of its outputs.
        """
        for name, axes in zip(sources, naming.inputs, strict=False):
            self.seed(name, axes, PROVEN)
        for name, axes in zip(outputs, naming.outputs, strict=False):
            self.seed(name, axes, PROVEN)
        joined = {(*end, *target) for ends, *target in naming.joins for end in ends}
        for source, axis, output, to in naming.links:
            if joined and (source, axis, output, to) in joined:
                continue
            read = self.node(sources[source], axis) if source < len(sources) else None
            written = self.node(outputs[output], to) if output < len(outputs) else None
            if read is not None and written is not None:
                self._link(read, written)

    def _link(self, a: int, b: int) -> None:
        self._links.append((a, b))
        low, high = self._root(a), self._root(b)
        if low == high:
            return
        if low > high:
            low, high = high, low
        self._parent[high] = low
        best, proof = self._best[low], self._best[high]
        if proof is not None and (best is None or proof < best):
            self._best[low] = proof

    def settle(self) -> None:
        """Find the classes whose proofs contradict each other, and name each of their nodes by itself."""
        letters: dict[int, set[str]] = defaultdict(set)
        for node, label in self._own.items():
            letters[self._root(node)].add(label)
        torn = {root for root, found in letters.items() if len(found) > 1 and self._contradict(root, found)}
        if not torn:
            return
        around: dict[int, list[int]] = defaultdict(list)
        for a, b in self._links:
            if self._root(a) in torn:
                around[a].append(b)
                around[b].append(a)
        front = {node: {label} for node, label in self._own.items() if self._root(node) in torn}
        while front:
            self._closest.update(
                {node: min(found) if len(found) == 1 else None for node, found in front.items()}
            )
            reached: dict[int, set[str]] = defaultdict(set)
            for node, found in front.items():
                for other in around[node]:
                    if other not in self._closest:
                        reached[other] |= found
            front = reached

    def _contradict(self, root: int, letters: set[str]) -> bool:
        """Tell whether names cannot be those of one axis; a sequence may run along an axis of space."""
        best = self._best[root]
        if best is not None and best[0] == GIVEN:
            return False
        return len(letters - {_SEQUENCE} if letters & _SPACE else letters) > 1

    def merge(self, nodes: list[int | None], target: int | None) -> None:
        """Name a flattened axis after the axes it merges, unless something better is proven.

        What an op takes for its batch is not the model's where it holds several axes.

        Args:
            nodes: the axes, in their order.
            target: the axis that they become.
        """
        if target is None:
            return
        known = [node for node in nodes if node is not None]
        labels = [self._label(node) for node in known]
        whole = len(known) == len(nodes) and all(labels)
        parts = " ".join(label.removeprefix("(").removesuffix(")") for label in labels if label)
        name = f"({parts})" if whole else None
        best = self._best[self._root(target)]
        several = sum(self._lengths[node] != 1 for node in known) > 1
        # What merges the batch with another axis is neither the batch nor what an op usually takes.
        usual = best is not None and best[0] == _USUAL and _BATCH in labels
        no_batch = best is not None and several and (best[2] == _BATCH or usual)
        if no_batch or (whole and (best is None or best[0] == _USUAL)):
            self._rename(target, name)

    def split(self, node: int | None, targets: list[int | None]) -> None:
        """Take the name from the parts of a batch: none of them is the batch.

        Args:
            node: the axis that is taken apart.
            targets: the axes that it becomes, in their order.
        """
        if node is None or self._label(node) != _BATCH:
            return
        for target in targets:
            if target is not None and self._lengths[target] != 1 and self._label(target) == _BATCH:
                self._rename(target, None)

    def _rename(self, node: int, label: str | None) -> None:
        """Give the nodes of a class that are as long as one of them another name."""
        self._merged.setdefault(self._root(node), (label, self._lengths[node]))

    def join(self, nodes: list[int | None], target: int | None) -> None:
        """Give axes put one behind the other, and the result, the one plain name that some of them have.

        Args:
            nodes: the axes, in their order.
            target: the axis that holds them.
        """
        ends = [node for node in (*nodes, target) if node is not None]
        labels = [self._label(node) for node in ends]
        known = set(filter(None, labels))
        label = known.pop() if len(known) == 1 else ""
        for node, have in zip(ends, labels, strict=True):
            if label.isalpha() and have is None:
                self._name(node, _USUAL, label)

    def _label(self, node: int) -> str | None:
        if node in self._closest:
            return self._closest[node]
        root = self._root(node)
        if root in self._merged:
            label, length = self._merged[root]
            if self._lengths[node] == length:
                return label
        best = self._best[root]
        return None if best is None else best[2]

    def names(self, name: str) -> Axes | None:
        """Return the names of a value's axes, or None if none is known.

        Args:
            name: the value.
        """
        rank = self._rank.get(name)
        if rank is None:
            return None
        result = tuple([self._label(self._start[name] + axis) for axis in range(rank)])
        return result if any(result) else None
