"""Arrays that have more axes in one sample than in another, and where the script gives them these."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.trace import Trace

_Shape = tuple[int, ...]


def varying(trace: Trace) -> Iterator[str]:
    """Yield where an array gets more axes in one sample than in another, a sentence each.

    Args:
        trace: the script, as it failed.
    """
    told: set[tuple[Any, str]] = set()
    for _, node in sorted(trace.by_place.items()):
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        shapes = _shapes(trace, node)
        scope = trace.function(node)
        if len({len(shape) for shape in shapes}) < 2 or scope is None or (scope, node.id) in told:
            continue
        told.add((scope, node.id))
        values = [*_assigned(scope, node.id, node.lineno)]
        if any(len({len(shape) for shape in _shapes(trace, one)}) > 1 for one in values):
            continue  # it is so from further back
        if len(values) == 1:
            code = shortened(trace.source(values[0]))
            made = f"{node.id}, which {code} gives at {trace.line(values[0])}"
            yield f"{made}, is {shown(shapes[0])} in one sample and {shown(shapes[-1])} in another"
        for one in values if len(values) > 1 else ():
            now = _shapes(trace, one)
            sources = [shape for part in _parts(one) for shape in _shapes(trace, part)]
            if now and sources and all(len(shape) != len(now[-1]) for shape in sources):
                yield (
                    f"{shortened(trace.source(one))}, {trace.line(one)}, makes {shown(now[-1])} of "
                    f"{shown(sources[0])}, and does not always run"
                )


def _shapes(trace: Trace, node: Any) -> list[_Shape]:
    """Return the shapes that an expression has had, those of fewer axes first."""
    return sorted(trace.shapes(node), key=len)


def _assigned(scope: ast.AST, name: str, line: int) -> Iterator[ast.expr]:
    """Yield what a name is set to above a line."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and node.lineno < line:
            stored = [one for target in node.targets for one in ast.walk(target)]
            if any(isinstance(one, ast.Name) and one.id == name for one in stored):
                yield node.value


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    yield from (one for one in ast.walk(node) if isinstance(one, ast.Name) and one is not node)
