"""The arrays that stand in the statement that failed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from shapeinspect.plugin_api.programs.places import places_of
from shapeinspect.plugin_api.programs.trace import Trace

_NAMED = (ast.Name, ast.Attribute, ast.Subscript)


def arrays(trace: Trace) -> list[ast.expr]:
    """Return the names, attributes and items of the innermost statement that failed which are arrays.

    What an operation among them was worth is not looked at: it may be that of an earlier call.

    Args:
        trace: the script, as it failed.
    """
    steps = places_of(trace)
    statement = trace.statement(steps[0].node) if steps else None
    return [*_outermost(trace, statement)] if statement is not None else []


def _outermost(trace: Trace, node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        found: Any = child
        loaded = isinstance(getattr(child, "ctx", ast.Load()), ast.Load)
        if isinstance(child, ast.stmt):  # the body of a loop is another statement
            continue
        if isinstance(child, _NAMED) and loaded and trace.shape(found) is not None:
            yield found
        else:
            yield from _outermost(trace, child)
