"""Arrays that have more axes in one sample than in another, and where the script gives them these."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shown
from shapeinspect.plugin_api.programs.trace import Trace

#: A longer piece of code is cut.
_LONGEST = 44
_Shape = tuple[int, ...]


def varying(trace: Trace) -> Iterator[str]:
    """Yield where an array gets more axes in one sample than in another, a sentence each.

    Args:
        trace: the script, as it failed.
    """
    told: set[tuple[Any, str]] = set()
    for place, node in sorted(trace.by_place.items()):
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
        file = trace.of_file(trace.files[place[0]])
        if len(values) == 1:
            made = f"{node.id}, which {_code(trace, values[0])} gives at line {values[0].lineno}{file}"
            yield f"{made}, is {shown(shapes[0])} in one sample and {shown(shapes[-1])} in another"
        for one in values if len(values) > 1 else ():
            now = _shapes(trace, one)
            sources = [shape for part in _parts(one) for shape in _shapes(trace, part)]
            if now and sources and all(len(shape) != len(now[-1]) for shape in sources):
                yield (
                    f"{_code(trace, one)}, line {one.lineno}{file}, makes {shown(now[-1])} of "
                    f"{shown(sources[0])}, and does not always run"
                )


def _shapes(trace: Trace, node: Any) -> list[_Shape]:
    """Return the shapes that an expression has had, those of fewer axes first."""
    values = (value for value in trace.values(node) if isinstance(value, tuple) and len(value) == 3)
    return sorted((value[1] for value in values if value[0] == "tensor"), key=len)


def _assigned(scope: ast.AST, name: str, line: int) -> Iterator[ast.expr]:
    """Yield what a name is set to above a line."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and node.lineno < line:
            stored = [one for target in node.targets for one in ast.walk(target)]
            if any(isinstance(one, ast.Name) and one.id == name for one in stored):
                yield node.value


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    yield from (one for one in ast.walk(node) if isinstance(one, ast.Name) and one is not node)


def _code(trace: Trace, node: ast.expr) -> str:
    text = " ".join(trace.source(node).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"
