"""A length that is read from one axis of an array, where another axis of it has the length that is wanted."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import number_of, shortened, shown
from shapeinspect.plugin_api.evidence.lengths.reading import arrays
from shapeinspect.plugin_api.programs.lineage import lineage
from shapeinspect.plugin_api.programs.trace import Trace

#: Smaller lengths are those of many axes.
_SMALLEST = 3


def read_axes(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield which axis of an array one of two lengths is read from, and which one has the other length.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not.
    """
    along = lineage(trace, arrays(trace))
    for node, _ in sorted(along.items(), key=lambda pair: pair[1]):
        found = _read(node)
        if found is None:
            continue
        array, axis = found
        shape = trace.shape(array)
        if shape is None or not -len(shape) <= axis < len(shape):
            continue
        value = shape[axis]
        for one, other in (pair for a, b in pairs for pair in ((a, b), (b, a))):
            if value == one and min(one, other) >= _SMALLEST and shape.count(other) == shape.count(one) == 1:
                code, name = shortened(trace.source(node)), shortened(trace.source(array))
                yield (
                    f"{code}, {trace.line(node)}, reads axis {axis % len(shape)} of {name}, {shown(shape)}: "
                    f"{one}; its axis {shape.index(other)} is {other}"
                )
                return


def _read(node: Any) -> tuple[Any, int] | None:
    """Return the array and the axis whose length an expression reads; None for another expression."""
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "shape"
    ):
        axis = number_of(node.slice)
        return None if axis is None else (node.value.value, axis)
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and node.func.attr == "size" and len(node.args) == 1:
        axis = number_of(node.args[0])
        return None if axis is None else (node.func.value, axis)
    counts = isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1
    return (node.args[0], 0) if counts else None
