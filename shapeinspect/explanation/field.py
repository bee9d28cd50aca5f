"""Receptive fields over the whole graph: what one place of a value sees of the model's inputs.

An op that mixes an axis (a softmax, a mean, attention, the statistics of a layer, group or instance
norm) sees all of it. A batch norm does not: in use it has stored statistics. Where an op reads at places
that are numbers of the data (a gather, RoI extraction), nothing is said of what lies behind it.
"""

from __future__ import annotations

from typing import TypeAlias

from shapeinspect.dims import Shape
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.reach import Link, followed, mixed, reaches
from shapeinspect.explanation.values import FieldFact
from shapeinspect.ir import Call
from shapeinspect.rules.receptive import OPEN, SAME, Reach, through, union

_SPATIAL = frozenset("DHWLT")
# An axis of a model's input, and for each axis of a value the one it runs along and its reach on it.
_Key: TypeAlias = "tuple[str, int]"
_Fields: TypeAlias = "dict[int, tuple[_Key, Reach]]"
_Places: TypeAlias = "dict[_Key, tuple[int, int]]"


class Fields:
    """The receptive field of every value of a graph.

    Args:
        graph: the graph.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._found: dict[str, _Fields] = {}
        self._whole: dict[str, frozenset[_Key]] = {}
        self._fixed: dict[str, _Places] = {}
        self._open: set[str] = set()
        for name in graph.model.inputs:
            shape = graph.shape(name)
            if shape is not None:
                self._found[name] = {
                    axis: ((name, axis), SAME)
                    for axis in range(len(shape))
                    if graph.letter(name, axis) in _SPATIAL
                }
        for call in graph.model.calls:
            layer = graph.layers.get(call.layer)
            if layer is not None and layer.kind not in ("module", "input", "constant", "shape_of"):
                self._walk(call)

    def of(self, name: str) -> tuple[FieldFact, ...]:
        """Return what one place of a value sees, an entry for each axis of the model's inputs.

        Args:
            name: the value's name.
        """
        facts: dict[_Key, FieldFact] = {}
        for key, (low, high) in self._fixed.get(name, {}).items():
            size = high - low + 1
            facts[key] = self._fact(key, size, "0", low, size)
        for key, reach in self._found.get(name, {}).values():
            if reach.start <= OPEN // 2:
                facts[key] = self._fact(key, None, str(reach.jump), None, None, reach.highs[0])
            else:
                facts[key] = self._fact(key, reach.size, str(reach.jump), reach.start, reach.least)
        for key in self._whole.get(name, frozenset()):
            facts[key] = self._fact(key, None, None, None, None)
        return tuple(facts[key] for key in sorted(facts))

    def _fact(
        self,
        key: _Key,
        size: int | None,
        jump: str | None,
        start: int | None,
        least: int | None,
        last: int | None = None,
    ) -> FieldFact:
        source, axis = key
        letter = self._graph.letter(source, axis) or str(axis)
        length = (self._graph.shape(source) or ())[axis]
        return FieldFact(source, letter, size, jump, start, least, length, last)

    def _keys(self, name: str) -> frozenset[_Key]:
        running = frozenset(key for key, _ in self._found.get(name, {}).values())
        return running | self._whole.get(name, frozenset()) | frozenset(self._fixed.get(name, {}))

    def _walk(self, call: Call) -> None:
        graph, sources = self._graph, self._graph.sources(call)
        known = [bool(self._keys(name)) for name in sources]
        if self._open.intersection(sources) or not followed(graph, call, known):
            self._open.update(call.outputs)
            return
        if not any(known):
            return
        whole = frozenset[_Key]().union(*(self._whole.get(name, frozenset()) for name in sources))
        for place, name in enumerate(call.outputs):
            shape = graph.shape(name)
            if shape is None:
                self._open.add(name)
                continue
            fields, gone = self._output(call, place, shape)
            fixed, both = self._one_place(call, fields)
            self._found[name], self._fixed[name] = fields, fixed
            self._whole[name] = whole | both | (gone - frozenset(fixed))

    def _output(self, call: Call, place: int, shape: Shape) -> tuple[_Fields, frozenset[_Key]]:
        """Return what runs along the axes of an output, and what it sees as a whole."""
        graph, sources = self._graph, self._graph.sources(call)
        inputs = graph.inputs(call)
        own = reaches(graph, call, place, shape)
        blocked = mixed(graph, call, place, shape)
        found: _Fields = {}
        lost: set[int] = set()
        kept: set[Link] = set()
        for source, axis, output, other in graph.naming(call).links:
            if output != place or source >= len(sources) or other in lost or other >= len(shape):
                continue
            before = self._found.get(sources[source], {}).get(axis)
            given = inputs[source] if source < len(inputs) else None
            if before is None or given is None or (source, axis) in blocked:
                continue
            step = own.get((source, axis), SAME if given[axis] == shape[other] else None)
            key, reach = before
            joined = None if step is None else through(reach, step)
            if joined is not None and other in found:
                joined = union(found[other][1], joined) if found[other][0] == key else None
            if joined is None:
                lost.add(other)
                found.pop(other, None)
                kept = {one for one in kept if one[2] != other}
            else:
                found[other] = (key, joined)
                kept.add((source, axis, other))
        carried = {(source, axis) for source, axis, _ in kept}
        gone = frozenset(
            key
            for source, name in enumerate(sources)
            for axis, (key, _) in self._found.get(name, {}).items()
            if (source, axis) not in carried
        )
        runs = [key for key, _ in found.values()]  # an input's axis on two output axes is no longer local
        return found, gone | frozenset(key for key in runs if runs.count(key) > 1 and key in gone)

    def _one_place(self, call: Call, fields: _Fields) -> tuple[_Places, frozenset[_Key]]:
        """Return the axes that are seen at fixed places only, and those that are so no longer."""
        graph, sources = self._graph, self._graph.sources(call)
        fixed: _Places = {}
        for name in sources:
            for key, (low, high) in self._fixed.get(name, {}).items():
                have = fixed.get(key, (low, high))
                fixed[key] = (min(have[0], low), max(have[1], high))
        layer, attributes = graph.layers[call.layer], graph.attributes(call)
        if layer.kind == "index" and isinstance(attributes.get("index"), int) and len(sources) == 1:
            shape = graph.inputs(call)[0]
            axis = attributes["axis"] % len(shape) if shape else 0
            before = self._found.get(sources[0], {}).get(axis)
            length = shape[axis] if shape else None
            place = attributes["index"]
            if before is not None and (place >= 0 or isinstance(length, int)):
                place = place if place >= 0 or not isinstance(length, int) else place + length
                end = (graph.shape(before[0][0]) or ())[before[0][1]]
                low, high = before[1].range(place)
                if isinstance(end, int):
                    fixed[before[0]] = (max(low, 0), min(high, end - 1))
        running = frozenset(key for key, _ in fields.values())
        both = frozenset(fixed) & running
        return {key: places for key, places in fixed.items() if key not in both}, both
