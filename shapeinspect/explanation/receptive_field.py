"""Receptive fields over the whole graph: what one place of a value sees of the model's inputs.

An op that mixes an axis (a softmax, a mean, attention, the statistics of a layer, group or instance
norm) sees all of it. A batch norm does not: in use it has stored statistics. Where an op reads at places
that are numbers of the data (a gather, RoI extraction), nothing is said of what lies behind it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from shapeinspect.dims import Shape
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.op_receptive_field import followed, mixed, reaches
from shapeinspect.explanation.values import FieldFact
from shapeinspect.ir import Call
from shapeinspect.rules import Attributes
from shapeinspect.rules.receptive import OPEN, SAME, Reach, through, union

_SPATIAL = frozenset("DHWLT")
#: What counts the same elements out to other axes: these run along the old ones in a way not followed.
_REGROUPS = frozenset({"reshape", "flatten", "unflatten", "unfold", "fold"})
# An axis of a model's input. An axis of a value runs along some of them: with a reach, or None where it
# does so in a way that is not followed.
_Key: TypeAlias = "tuple[str, int]"
_Entry: TypeAlias = "tuple[_Key, Reach | None]"
_Fields: TypeAlias = "dict[int, tuple[_Entry, ...]]"
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
                    axis: (((name, axis), SAME),)
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
        for key, reach in self._entries(name):
            if reach is None or (key in facts and facts[key].jump != "0"):
                facts[key] = replace(self._fact(key, None, None, None, None), followed=False)
            elif reach.start <= OPEN // 2:
                facts[key] = replace(self._fact(key, None, str(reach.jump), None, None), last=reach.highs[0])
            else:
                facts[key] = self._fact(key, reach.size, str(reach.jump), reach.start, reach.least)
        for key in self._whole.get(name, frozenset()):
            facts[key] = self._fact(key, None, None, None, None)
        return tuple(facts[key] for key in sorted(facts))

    def _entries(self, name: str) -> list[_Entry]:
        return [entry for entries in self._found.get(name, {}).values() for entry in entries]

    def _fact(
        self, key: _Key, size: int | None, jump: str | None, start: int | None, least: int | None
    ) -> FieldFact:
        source, axis = key
        letter = self._graph.letter(source, axis) or str(axis)
        length = (self._graph.shape(source) or ())[axis]
        return FieldFact(source, letter, size, jump, start, least, length)

    def _walk(self, call: Call) -> None:
        graph, sources = self._graph, self._graph.sources(call)
        known = [
            bool(self._entries(name) or self._whole.get(name) or self._fixed.get(name)) for name in sources
        ]
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
        carried: set[tuple[int, int]] = set()
        linked = {other for _, _, output, other in graph.naming(call).links if output == place}
        for source, axis, output, other in graph.naming(call).links:
            if output != place or source >= len(sources) or other >= len(shape):
                continue
            before = self._found.get(sources[source], {}).get(axis)
            given = inputs[source] if source < len(inputs) else None
            if before is None or given is None or (source, axis) in blocked:
                continue
            if given[axis] != shape[other] and shape[other] == 1 and (source, axis) not in own:
                continue  # one number of the whole axis
            step = own.get((source, axis), SAME if given[axis] == shape[other] else None)
            entries = tuple((key, _behind(reach, step)) for key, reach in before)
            found[other] = _met(found[other], entries) if other in found else entries
            carried.add((source, axis))
        gone: set[_Key] = set()
        regroups = graph.layers[call.layer].kind in _REGROUPS
        rest = [axis for axis in range(len(shape)) if axis not in linked and shape[axis] != 1]
        for source, name in enumerate(sources):
            fields = self._found.get(name, {})
            for axis, entries in fields.items():
                if (source, axis) in carried:
                    continue
                vague = tuple((key, None) for key, _ in entries)
                if regroups and rest:
                    for other in rest:
                        found[other] = _met(found.get(other, ()), vague)
                    continue
                elsewhere = {key for one, kept in fields.items() if one != axis for key, _ in kept}
                gone |= {key for key, reach in entries if reach is not None or key not in elsewhere}
        return found, frozenset(gone)

    def _one_place(self, call: Call, fields: _Fields) -> tuple[_Places, frozenset[_Key]]:
        """Return the axes that are seen at fixed places only, and those that are so no longer."""
        graph, sources = self._graph, self._graph.sources(call)
        fixed: _Places = {}
        for name in sources:
            for key, (low, high) in self._fixed.get(name, {}).items():
                have = fixed.get(key, (low, high))
                fixed[key] = (min(have[0], low), max(have[1], high))
        if graph.layers[call.layer].kind == "index" and len(sources) == 1:
            fixed |= self._taken(graph.attributes(call), graph.inputs(call)[0] or (), sources[0])
        running = {key for entries in fields.values() for key, _ in entries}
        both = frozenset(key for key in fixed if key in running)
        return {key: places for key, places in fixed.items() if key not in both}, both

    def _taken(self, attributes: Attributes, shape: Shape, name: str) -> _Places:
        """Return what the one entry sees that an index takes."""
        index, axis = attributes.get("index"), attributes["axis"] % max(len(shape), 1)
        length = shape[axis]
        if isinstance(index, int) and index < 0:
            index = index + length if isinstance(length, int) else None
        found: _Places = {}
        for (source, one), reach in self._found.get(name, {}).get(axis, ()):
            end = (self._graph.shape(source) or ())[one]
            if reach is not None and isinstance(index, int) and isinstance(end, int):
                low, high = reach.range(index)
                found[source, one] = (max(low, 0), min(high, end - 1))
        return found


def _behind(reach: Reach | None, step: Reach | None) -> Reach | None:
    return None if reach is None or step is None else through(reach, step)


def _met(one: tuple[_Entry, ...], other: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    """Join what two branches run along on one axis."""
    found = dict(one)
    for key, reach in other:
        have = found.get(key, reach)
        found[key] = None if reach is None or have is None else union(have, reach)
    return tuple(found.items())
