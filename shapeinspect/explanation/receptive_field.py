"""Receptive fields over the whole graph: what one position of a value sees of the model's inputs.

An op that mixes an axis (a softmax, a mean, attention, the statistics of a layer, group or instance
norm) sees all of it. A batch norm does not: at inference it uses stored statistics. Where an op reads at
positions that depend on the data (a gather, RoI extraction), the fields after it are unknown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from shapeinspect.dims import Shape
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.op_receptive_field import field_of, followed
from shapeinspect.explanation.values import FieldFact
from shapeinspect.ir import Call
from shapeinspect.rules import Attributes
from shapeinspect.rules.fields import JOINED, Field, Operation
from shapeinspect.rules.receptive import OPEN, SAME, Reach, through, union

_SPATIAL = frozenset("DHWLT")
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
        self._fields: dict[str, _Fields] = {}
        self._whole: dict[str, frozenset[_Key]] = {}
        self._fixed: dict[str, _Places] = {}
        self._open: set[str] = set()
        for name in graph.model.inputs:
            shape = graph.shape(name)
            if shape is not None:
                self._fields[name] = {
                    axis: (((name, axis), SAME),)
                    for axis in range(len(shape))
                    if graph.letter(name, axis) in _SPATIAL
                }
        for call in graph.model.calls:
            layer = graph.layers.get(call.layer)
            if layer is not None and field_of(layer.kind).traced:
                self._walk(call, field_of(layer.kind))

    def of(self, name: str) -> tuple[FieldFact, ...]:
        """Return what one position of a value sees, one entry for each axis of the model's inputs.

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
        return [entry for entries in self._fields.get(name, {}).values() for entry in entries]

    def _fact(
        self, key: _Key, size: int | None, jump: str | None, start: int | None, least: int | None
    ) -> FieldFact:
        source, axis = key
        letter = self._graph.letter(source, axis) or str(axis)
        length = (self._graph.shape(source) or ())[axis]
        return FieldFact(source, letter, size, jump, start, least, length)

    def _walk(self, call: Call, sees: Field) -> None:
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
        attributes, inputs, outputs = graph.attributes(call), graph.inputs(call), graph.outputs(call)
        naming = graph.naming(call)
        for index, name in enumerate(call.outputs):
            if outputs[index] is None:
                self._open.add(name)
                continue
            op = Operation(attributes, inputs, outputs, index, naming)
            fields, gone = self._output(sources, sees, op)
            fixed, both = self._one_place(call, fields)
            self._fields[name], self._fixed[name] = fields, fixed
            self._whole[name] = whole | both | (gone - frozenset(fixed))

    def _output(
        self, sources: tuple[str, ...], sees: Field, op: Operation
    ) -> tuple[_Fields, frozenset[_Key]]:
        """Return the input axes that run along the axes of an output, and those seen as a whole."""
        known = bool(op.inputs) and op.inputs[0] is not None
        result, carried = self._carried(sources, sees, op, known)
        linked = {axis for _, _, output, axis in op.naming.links if output == op.output}
        rest = [axis for axis, n in enumerate(op.shape) if axis not in linked and n != 1]
        if sees.regroups and rest:
            self._spread(sources, carried, rest, result)
            return result, frozenset()
        return result, self._lost_axes(sources, carried)

    def _carried(
        self, sources: tuple[str, ...], sees: Field, op: Operation, known: bool
    ) -> tuple[_Fields, set[tuple[int, int]]]:
        """Return what runs along the output axes that keep an input axis, and those input axes."""
        own = sees.reaches(op) if known or sees is JOINED else {}
        blocked = sees.whole(op) if known else frozenset()
        result: _Fields = {}
        carried: set[tuple[int, int]] = set()
        for source, axis, output, to in op.naming.links:
            if output != op.output or source >= len(sources) or to >= len(op.shape):
                continue
            before = self._fields.get(sources[source], {}).get(axis)
            given = op.inputs[source] if source < len(op.inputs) else None
            if before is None or given is None or (source, axis) in blocked:
                continue
            same = given[axis] == op.shape[to]
            if not same and op.shape[to] == 1 and (source, axis) not in own:
                continue  # one number for the whole axis
            step = own.get((source, axis), SAME if same else None)
            entries = tuple((key, _behind(reach, step)) for key, reach in before)
            result[to] = _met(result[to], entries) if to in result else entries
            carried.add((source, axis))
        return result, carried

    def _spread(
        self, sources: tuple[str, ...], carried: set[tuple[int, int]], rest: list[int], result: _Fields
    ) -> None:
        """Mark the reach of axes that are not kept as unknown along the regrouped axes."""
        for source, name in enumerate(sources):
            for axis, entries in self._fields.get(name, {}).items():
                if (source, axis) in carried:
                    continue
                vague = tuple((key, None) for key, _ in entries)
                for to in rest:
                    result[to] = _met(result.get(to, ()), vague)

    def _lost_axes(self, sources: tuple[str, ...], carried: set[tuple[int, int]]) -> frozenset[_Key]:
        """Return the input axes that no axis of the output runs along any more."""
        gone: set[_Key] = set()
        for source, name in enumerate(sources):
            fields = self._fields.get(name, {})
            for axis, entries in fields.items():
                if (source, axis) in carried:
                    continue
                elsewhere = {
                    key for kept_axis, kept in fields.items() if kept_axis != axis for key, _ in kept
                }
                gone |= {key for key, reach in entries if reach is not None or key not in elsewhere}
        return frozenset(gone)

    def _one_place(self, call: Call, fields: _Fields) -> tuple[_Places, frozenset[_Key]]:
        """Return the axes that are seen at fixed positions only, and those that no longer are."""
        graph, sources = self._graph, self._graph.sources(call)
        fixed: _Places = {}
        for name in sources:
            for key, (low, high) in self._fixed.get(name, {}).items():
                have = fixed.get(key, (low, high))
                fixed[key] = (min(have[0], low), max(have[1], high))
        if field_of(graph.layers[call.layer].kind).one_entry and len(sources) == 1:
            fixed |= self._indexed(graph.attributes(call), graph.inputs(call)[0] or (), sources[0])
        running = {key for entries in fields.values() for key, _ in entries}
        both = frozenset(key for key in fixed if key in running)
        return {key: positions for key, positions in fixed.items() if key not in both}, both

    def _indexed(self, attributes: Attributes, shape: Shape, name: str) -> _Places:
        """Return what the single entry selected by an index sees."""
        index, axis = attributes.get("index"), attributes["axis"] % max(len(shape), 1)
        length = shape[axis]
        if isinstance(index, int) and index < 0:
            index = index + length if isinstance(length, int) else None
        result: _Places = {}
        for (source, source_axis), reach in self._fields.get(name, {}).get(axis, ()):
            end = (self._graph.shape(source) or ())[source_axis]
            if reach is not None and isinstance(index, int) and isinstance(end, int):
                low, high = reach.range(index)
                result[source, source_axis] = (max(low, 0), min(high, end - 1))
        return result


def _behind(reach: Reach | None, step: Reach | None) -> Reach | None:
    return None if reach is None or step is None else through(reach, step)


def _met(left: tuple[_Entry, ...], right: tuple[_Entry, ...]) -> tuple[_Entry, ...]:
    """Combine what two branches run along on one axis."""
    result = dict(left)
    for key, reach in right:
        have = result.get(key, reach)
        result[key] = None if reach is None or have is None else union(have, reach)
    return tuple(result.items())
