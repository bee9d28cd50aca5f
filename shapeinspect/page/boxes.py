"""A model as nested boxes in the order of execution, with the values that flow between them.

A leaf is one call of a layer; a container is one box for each time that it is entered. Where a container and
its neighbors feed one another in turns, as the lists of a U-Net do, it becomes several boxes, so that every
block is a graph without circles and can be read from its top to its bottom.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shapeinspect.ir import Call, Layer, Model, Weight
from shapeinspect.page.leaves import Leaf, adopt, leaves
from shapeinspect.progress import report
from shapeinspect.render import cells
from shapeinspect.render.tree import FOLD_BLOCKS, FOLD_LAYERS, is_next, numbered

#: The ends of an edge that leaves its block: the block's own input and output.
ENTRY, EXIT = -1, -2

#: How often a level is arranged anew, so that containers inside of one that is parted stay whole.
_TRIES = 6
#: How many differences between repetitions are listed.
_MOST_DIFFERENCES = 12


@dataclass(frozen=True, slots=True)
class Edge:
    """A value that flows between two boxes of one block.

    Args:
        source: the index of the box that gives it, or ``ENTRY``.
        target: the index of the box that reads it, or ``EXIT``.
        value: its name.
    """

    source: int
    target: int
    value: str


@dataclass(frozen=True, slots=True)
class Box:
    """One box: a call of a layer, a container, or an end of the model.

    Args:
        own: the part of its path that tells it from its neighbors; ``0–11`` where it stands for several.
        path: the path of its layer; of a container without one, the parts of its path joined.
        kind: the canonical op; ``module`` for a container; ``input``, ``output`` or ``parameter``.
        layer: its layer, or None.
        call: the execution that it shows, or None.
        turn: which of several executions of one layer it is, from 1; 0 where there is one.
        kids: the boxes inside, in the order of execution.
        edges: what flows between them.
        members: the boxes that it stands for where equal neighbors share one; itself is the first.
        differences: where these differ: the layer and what each has.
        signature: what has to be equal for two boxes to share one.
        rest: the parts behind, of a container that holds nothing but one box.
    """

    own: str
    path: str
    kind: str
    layer: Layer | None = None
    call: Call | None = None
    turn: int = 0
    kids: tuple[Box, ...] = ()
    edges: tuple[Edge, ...] = ()
    members: tuple[Box, ...] = ()
    differences: tuple[str, ...] = ()
    signature: int = 0
    rest: str = ""

    @property
    def name(self) -> str:
        """What it is called in its block."""
        return self.own + self.rest

    @property
    def count(self) -> int:
        """How many boxes it stands for."""
        return len(self.members) or 1

    def walk(self) -> Iterator[Box]:
        """Yield this box and all inside of it, those that it stands for left out."""
        stack = [self]
        while stack:
            box = stack.pop()
            yield box
            stack.extend(reversed(box.kids))

    def leaves(self) -> Iterator[Box]:
        """Yield every leaf inside, also those of the boxes that it stands for."""
        stack = [self]
        while stack:
            box = stack.pop()
            if box.members:
                stack.extend(reversed(box.members))
            elif box.kids:
                stack.extend(reversed(box.kids))
            else:
                yield box


@dataclass(slots=True)
class _Group:
    """The leaves of one box of a level."""

    key: tuple[str, int]
    leaves: list[int] = field(default_factory=list)
    after: set[int] = field(default_factory=set)  # the groups that read what this one gives


def boxes(model: Model, data: Mapping[str, object] | None = None) -> Box:
    """Arrange a model as nested boxes.

    Args:
        model: a model that went through ``infer``.
        data: what is known of layers besides, by their paths: blocks in which it differs share no box.

    Returns:
        the box of the whole model; its boxes begin with the inputs and end with the outputs.

    Example:
        >>> layers = tuple(Layer(f"b.{n}", "relu", "ReLU", ("b", str(n))) for n in (0, 1))
        >>> calls = (Call("b.0", ("x",), ("y",)), Call("b.1", ("y",), ("z",)))
        >>> whole = boxes(Model("m", "f", "f", "a", layers, calls, inputs=("x",), outputs=("z",)))
        >>> [box.name for box in whole.walk()], whole.edges[0]
        (['m', 'x', 'b', '0', '1', 'z'], Edge(source=0, target=1, value='x'))
    """
    return _Builder(model, data or {}).whole()


class _Builder:
    def __init__(self, model: Model, data: Mapping[str, object]) -> None:
        self._model = model
        self._data = data
        self._graph = bool(model.calls)
        self._leaves: list[Leaf] = []
        most = len(model.calls) + len(model.layers)
        for leaf in leaves(model):
            report(len(self._leaves), most, "ordering layers")
            self._leaves.append(leaf)
        report(most, most, "ordering layers")
        adopt(self._leaves)
        self._containers = {layer.parts: layer for layer in model.layers if layer.kind == "module"}
        self._ends = frozenset(model.inputs), frozenset(model.outputs)
        self._producers: dict[str, int] = {}
        readers: dict[str, list[int]] = {}
        for index, leaf in enumerate(self._leaves):
            for value in leaf.gives:
                self._producers.setdefault(value, index)
            for value in leaf.reads:
                readers.setdefault(value, []).append(index)
        self._readers = readers
        self._level = [0] * len(self._leaves)  # the number of the deepest level that holds a leaf
        self._numbers: dict[object, int] = {}
        self._boxed = 0

    def whole(self) -> Box:
        model = self._model
        kids, edges = self._inside(list(range(len(self._leaves))), 0, [0])
        report(len(self._leaves), len(self._leaves), "grouping layers")
        ends = dict.fromkeys(edge.value for edge in edges if edge.source == ENTRY)
        inputs = [name for name in model.inputs if self._graph or name in ends]
        first = {name: place for place, name in enumerate(inputs)}
        last = {name: len(inputs) + len(kids) + place for place, name in enumerate(model.outputs)}
        moved = []
        for edge in edges:
            source = first.get(edge.value) if edge.source == ENTRY else edge.source + len(inputs)
            target = last.get(edge.value) if edge.target == EXIT else edge.target + len(inputs)
            if source is not None and target is not None:
                moved.append(Edge(source, target, edge.value))
        moved += [Edge(first[name], last[name], name) for name in model.outputs if name in first]
        return Box(
            model.source,
            "",
            "module",
            kids=(
                *(Box(name, name, "input") for name in inputs),
                *kids,
                *(Box(name, name, "output") for name in model.outputs),
            ),
            edges=tuple(moved),
        )

    def _inside(self, leaves: list[int], depth: int, counter: list[int]) -> tuple[list[Box], list[Edge]]:
        counter[0] += 1
        level = counter[0]
        for leaf in leaves:
            self._level[leaf] = level
        groups = self._grouped(leaves, depth, level)
        place = {leaf: index for index, group in enumerate(groups) for leaf in group.leaves}
        edges = self._edges(leaves, place, level)
        kids = [self._box(group, depth, counter) for group in groups]
        return self._folded(kids, edges)

    def _grouped(self, leaves: list[int], depth: int, level: int) -> list[_Group]:
        """Put the leaves of one level into its boxes, so that no two boxes feed one another in turns.

        Where a container has to become several, it is parted between the containers inside of it.
        """
        parted: set[tuple[object, object]] = set()
        for _ in range(_TRIES):
            groups = self._grouping(leaves, depth, level, parted)
            homes: dict[tuple[object, object], set[int]] = {}
            for index, group in enumerate(groups):
                for leaf in group.leaves:
                    if len(self._leaves[leaf].around) > depth + 1:
                        homes.setdefault((group.key, self._leaves[leaf].around[depth + 1]), set()).add(index)
            torn = {inner for inner, found in homes.items() if len(found) > 1} - parted
            if not torn:
                break
            parted |= torn
        return groups

    def _grouping(
        self, leaves: list[int], depth: int, level: int, parted: Container[tuple[object, object]]
    ) -> list[_Group]:
        groups: list[_Group] = []
        begun: set[tuple[int, object]] = set()
        latest: dict[tuple[str, int], int] = {}
        of_leaf: dict[int, int] = {}
        for leaf in leaves:
            item = self._leaves[leaf]
            is_leaf = len(item.around) <= depth
            key = (item.name, -1 - leaf) if is_leaf else item.around[depth]
            before = {of_leaf[p] for p in self._sources(item, level) if p in of_leaf}
            index = latest.get(key)
            inner = item.around[depth + 1] if len(item.around) > depth + 1 else None
            if index is not None and (key, inner) in parted and (index, inner) not in begun:
                index = None
            if index is not None and _reaches(groups, index, before - {index}):
                index = None
            if index is None:
                index = latest[key] = len(groups)
                groups.append(_Group(key))
            groups[index].leaves.append(leaf)
            begun.add((index, inner))
            of_leaf[leaf] = index
            for source in before - {index}:
                groups[source].after.add(index)
        return groups

    def _sources(self, leaf: Leaf, level: int) -> Iterator[int]:
        for value in leaf.reads:
            producer = self._producers.get(value)
            if producer is not None and self._level[producer] == level:
                yield producer

    def _edges(self, leaves: list[int], place: dict[int, int], level: int) -> list[Edge]:
        found: dict[Edge, None] = {}
        inputs, outputs = self._ends
        for leaf in leaves:
            item, here = self._leaves[leaf], place[leaf]
            for value in item.reads:
                producer = self._producers.get(value)
                if producer is not None and self._level[producer] == level:
                    if place[producer] < here:
                        found[Edge(place[producer], here, value)] = None
                elif producer is not None or value in inputs:
                    found[Edge(ENTRY, here, value)] = None
            for value in item.gives:
                outside = any(self._level[reader] != level for reader in self._readers.get(value, ()))
                if outside or value in outputs:
                    found[Edge(here, EXIT, value)] = None
        return list(found)

    def _box(self, group: _Group, depth: int, counter: list[int]) -> Box:
        first = self._leaves[group.leaves[0]]
        if group.key[1] < 0:
            path = first.layer.path
            report(self._boxed, len(self._leaves), "grouping layers")
            self._boxed += 1
            box = Box(first.name, path, first.kind or first.layer.kind, first.layer, first.call, first.turn)
            return replace(box, signature=self._number((_facts(self._model, box), self._data.get(path))))
        kids, edges = self._inside(group.leaves, depth + 1, counter)
        parts = tuple(name for name, _ in first.around[: depth + 1])
        layer = self._containers.get(parts)
        name = parts[-1]
        if len(kids) == 1:
            only = kids[0]
            separator = "/" if "/" in only.path else "."
            return replace(only, own=name, rest=f"{separator}{only.name}")
        path = layer.path if layer is not None else _stem(kids, ".".join(parts))
        signature = self._number(
            (
                layer.type if layer else "",
                tuple((kid.name, kid.signature, kid.count) for kid in kids),
                tuple((edge.source, edge.target) for edge in edges),
            )
        )
        return Box(name, path, "module", layer, kids=tuple(kids), edges=tuple(edges), signature=signature)

    def _number(self, facts: object) -> int:
        return self._numbers.setdefault(facts, len(self._numbers) + 1)

    def _folded(self, kids: list[Box], edges: list[Edge]) -> tuple[list[Box], list[Edge]]:
        runs = _runs(kids, edges, self._graph)
        if len(runs) == len(kids):
            return kids, edges
        place = {index: number for number, run in enumerate(runs) for index in run}
        folded = [_joined([kids[index] for index in run]) for run in runs]
        moved: dict[Edge, None] = {}
        for edge in edges:
            source, target = place.get(edge.source, edge.source), place.get(edge.target, edge.target)
            if source != target:
                moved[Edge(source, target, edge.value)] = None
        return folded, list(moved)


def _reaches(groups: Sequence[_Group], start: int, goals: set[int]) -> bool:
    """Tell whether something that a group gives comes to one of the goals."""
    if not goals:
        return False
    seen, stack = {start}, [start]
    while stack:
        for following in groups[stack.pop()].after:
            if following in goals:
                return True
            if following not in seen:
                seen.add(following)
                stack.append(following)
    return False


def _stem(kids: Iterable[Box], otherwise: str) -> str:
    """Return the path of a container that has no layer: what the paths inside of it have in common."""
    paths = [kid.path for kid in kids]
    first, last = min(paths), max(paths)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    found = re.search(r"^.*(?=[./])", first[:length], re.DOTALL)
    return found[0] if found and found[0] and len(paths) > 1 else otherwise


def _facts(model: Model, box: Box) -> object:
    """Return what has to be equal for two leaves to share a box: what they are, and every shape."""
    layer, call = box.layer, box.call
    shapes: list[object] = []
    for name in (*call.inputs, "", *call.outputs) if call else ():
        value = model.values.get(name)
        shapes.append(None if value is None else value.shape)
    stored: list[object] = []
    if call is None and layer is not None:
        stored = [(weight.role, weight.shape) for weight in layer.weights]
    return (box.kind, layer.type if layer else "", bool(call), tuple(shapes), tuple(stored), box.turn > 0)


def _runs(kids: Sequence[Box], edges: Sequence[Edge], graph: bool) -> list[list[int]]:
    """Return the boxes of a block, equal ones with consecutive numbers together."""
    runs: list[list[int]] = []
    for index, kid in enumerate(kids):
        if runs and _follows(kids[runs[-1][-1]], kid):
            runs[-1].append(index)
        else:
            runs.append([index])
    if all(len(run) == 1 for run in runs):
        return runs
    readers: dict[int, set[int]] = {}
    for edge in edges:
        readers.setdefault(edge.source, set()).add(edge.target)
    kept: list[list[int]] = []
    for run in runs:
        least = FOLD_BLOCKS if kids[run[0]].kids else (FOLD_LAYERS if not graph else len(kids) + 1)
        if len(run) >= least and _is_row(run, readers):
            kept.append(run)
        else:
            kept += [[index] for index in run]
    return kept


def _is_row(run: list[int], readers: dict[int, set[int]]) -> bool:
    """Tell whether only the last of a run is read elsewhere, or all of them by the same boxes."""
    inside = set(run)
    outside = [frozenset(readers.get(index, set()) - inside) for index in run]
    return not any(outside[:-1]) or len(set(outside)) == 1


def _follows(before: Box, box: Box) -> bool:
    if before.signature != box.signature or not box.signature or before.turn or box.turn:
        return False
    return before.rest == box.rest and is_next(before.own, box.own)


def _joined(run: list[Box]) -> Box:
    if len(run) == 1:
        return run[0]
    first, last = run[0], run[-1]
    return replace(
        first,
        own=f"{first.own}–{numbered(last.own)[1]}",
        members=tuple(run),
        differences=tuple(_differences(run)),
    )


def _differences(run: Sequence[Box]) -> Iterator[str]:
    """Say where repetitions differ: the settings and weights of their layers, side by side."""
    walks = [[box for box in member.walk() if box.layer is not None and not box.kids] for member in run]
    found = 0
    for together in zip(*walks, strict=False):
        texts = [_told(box) for box in together]
        if len(set(texts)) < 2:
            continue
        found += 1
        if found > _MOST_DIFFERENCES:
            yield "and more"
            return
        inner = together[0].path.removeprefix(run[0].path).lstrip("./")
        groups: dict[str, list[str]] = {}
        for member, text in zip(run, texts, strict=True):
            groups.setdefault(text, []).append(numbered(member.own)[1] or member.name)
        told = "; ".join(f"{', '.join(names)}: {text or 'none'}" for text, names in groups.items())
        yield f"{inner or together[0].name}: {told}"


def _told(box: Box) -> str:
    layer = box.layer
    if layer is None:
        return ""
    settings = cells.settings(layer)
    others = " ".join(
        f"{name}={value}" for name, value in layer.attributes.items() if isinstance(value, int | float | str)
    )
    weights = " ".join(_weight(weight) for weight in layer.weights)
    return " ".join(text for text in (settings, others, weights) if text)


def _weight(weight: Weight) -> str:
    return f"{weight.role} {'×'.join(map(str, weight.shape))} {weight.type or ''}".rstrip()
