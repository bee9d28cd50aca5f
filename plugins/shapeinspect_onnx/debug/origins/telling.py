"""Says where the sizes of a node that refuses, or of an array that is fed, are written in the script."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened
from shapeinspect.plugin_api.origins.arrays import Axes
from shapeinspect.plugin_api.origins.numbers import Origin
from shapeinspect.plugin_api.origins.words import Words
from shapeinspect.plugin_api.programs.lineage import lineage
from shapeinspect.plugin_api.programs.places import places_of
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect_onnx.debug.origins.following import Found, Made
from shapeinspect_onnx.debug.origins.graph import Graph, Window
from shapeinspect_onnx.debug.origins.pairs import Pair, compared
from shapeinspect_onnx.reading.node import attributes

#: A longer piece of code is not repeated.
_LONGEST = 60
#: Rows of so many entries are too common.
_FEW = 2
#: Of each side at most so many nodes are told.
_WINDOWS = 2
#: What is said of a node that makes a new length.
_SETTINGS = ("strides", "pads", "axis")
#: A text in the source, and what is filled into it.
_TEXT, _HOLE = re.compile(r"[\"']([^\"']+)[\"']"), re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Telling:
    """What a second run tells of a graph.

    Args:
        graph: the graph.
        found: what the second run has found out.
        words: writes where numbers come from.
        trace: what the script's expressions were worth.
    """

    graph: Graph
    found: Found
    words: Words
    trace: Trace

    def of_node(self, node: Any) -> Iterator[str]:
        """Yield where the sizes of a node that refuses come from.

        Args:
            node: the node.
        """
        told: set[str] = set()
        for pair in compared(self.graph, node):
            apart = [*self._apart(pair)]
            yield from (self._window(one) for one in apart if one.name not in told)
            told |= {one.name for one in apart}
            for value, axis in () if apart else (pair.one, pair.other):
                yield self._length(value, axis)
        if node.op_type == "Reshape":
            yield from self._row(node.input[1])

    def of_fed(self, name: str, axis: int) -> Iterator[str]:
        """Yield where a declared length, and that of the array that was fed, come from.

        Args:
            name: the input.
            axis: the axis on which they differ.
        """
        declared = self.found.declared.get(name)
        if declared is not None:
            yield self._number(declared.axes, axis) or self._made(f'"{name}" is declared in', declared)
        fed = self.found.fed.get(name, ())
        yield self._number(fed, axis)
        origin = fed[axis] if axis < len(fed) else None
        yield from self._of_row(0 if origin is None else origin.value)

    def _of_row(self, length: int) -> Iterator[str]:
        """Say which row behind the failing line has as many entries."""
        read = sorted(
            lineage(self.trace, [step.node for step in places_of(self.trace)]).items(),
            key=lambda one: -one[1],
        )
        for node, _ in read if length > _FEW else ():
            made = isinstance(node, ast.BinOp | ast.Call | ast.Subscript)
            if made and self.trace.last(node) == ("sized", length):
                yield f"{shortened(self.trace.source(node))} at {self.trace.line(node)} has {length} entries"
                return

    def _length(self, value: str, axis: int) -> str:
        """Say where a length of a value is written."""
        end, shape = self.graph.end(value, axis), self.graph.shape(value)
        length = shape[axis] if -len(shape) <= axis < len(shape) else "?"
        if end is None:
            return ""
        if end.kind == "input":
            declared = self.found.declared.get(end.name)
            fed = self._number(self.found.fed.get(end.name, ()), end.axis)
            return fed or (self._number(declared.axes, end.axis) if declared else "")
        if end.kind == "node":
            maker = self.found.nodes.get(end.name)
            return "" if maker is None else self._made(f'"{end.name}" makes {length},', maker)
        made = self.found.tensors.get(end.name)
        if made is None:
            return ""
        if end.kind == "row":
            numbers, part = made.contents or (), "an entry"
        else:
            numbers, part = made.axes, "a length"
        return self._number(numbers, end.axis) or self._made(f'{length} is {part} of "{end.name}",', made)

    def _apart(self, pair: Pair) -> Iterator[Window]:
        """Yield the nodes that only one of two spatial lengths ran through."""
        paths = [self.graph.windows(*one) for one in (pair.one, pair.other)]
        for path, other in (paths, paths[::-1]):
            names = {one.name for one in other}
            yield from [one for one in path if one.name not in names][:_WINDOWS]

    def _window(self, window: Window) -> str:
        """Say what a node makes of a length, where it is written, and by which settings."""
        node, made = self.graph.node(window.name), self.found.nodes.get(window.name)
        if made is None or node is None:
            return ""
        given = attributes(node)
        names = [name for name in _SETTINGS if name in given]
        settings = ", ".join(f"{name}={_written(given[name])}" for name in names)
        does = f"keeps {window.of}" if window.makes == window.of else f"makes {window.makes} of {window.of}"
        said = self._made(f'"{window.name}"{f" with {settings}" if settings else ""} {does},', made)
        origins = [one for name in names[:1] for one in made.settings.get(name, ())[:1] if one is not None]
        return "; ".join((said, *(f"{names[0]}: {self.words.told(one)}" for one in origins)))

    def _row(self, name: str) -> Iterator[str]:
        """Say where the numbers are written that a reshape asks for."""
        made = self.found.tensors.get(name)
        for place, number in enumerate(self.graph.numbers(name)):
            if made is not None and made.contents and number > 1:
                yield self._number(made.contents, place)
        if made is not None and not any(made.contents or ()):
            yield self._made(f'"{name}" is made in', made)

    def _number(self, numbers: Axes, place: int) -> str:
        origin: Origin | None = numbers[place] if -len(numbers) <= place < len(numbers) else None
        return "" if origin is None else self.words.told(origin)

    def _made(self, begin: str, made: Made) -> str:
        """Say at which line something is made, with its source."""
        file, line = _line_of(made)
        code = shortened(linecache.getline(file, line).rstrip().rstrip(","), _LONGEST)
        return f"{begin} {self.words.line(file, line)}: {code}"


def _written(value: Any) -> str:
    """Write a setting as a script gives it: rows in brackets."""
    return str([*value] if isinstance(value, tuple) else value)


def _line_of(made: Made) -> tuple[str, int]:
    """Return the line that names what is made: the innermost one that writes it, or a part of its name."""
    for file, line in made.lines:
        for text in _TEXT.findall(linecache.getline(file, line)):
            if any(part and part in made.name for part in _HOLE.split(text)):
                return file, line
    return made.lines[0]
