"""Calls that join arrays, and are given one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

_JOINS = frozenset({"cat", "concat", "concatenate", "hstack", "vstack", "dstack", "Concatenate"})


def lone_joins(trace: Trace) -> Iterator[str]:
    """Yield a sentence for each call of the script that joins a written row of one array.

    Args:
        trace: the script, as it failed.
    """
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            row = node.args[0] if isinstance(node, ast.Call) and node.args else None
            if (
                not isinstance(row, ast.Tuple | ast.List)
                or len(row.elts) != 1
                or callee_of(node) not in _JOINS
            ):
                continue
            shape = None if isinstance(row.elts[0], ast.Starred) else trace.shape(row.elts[0])
            if shape is not None:
                name = shortened(trace.source(row.elts[0]))
                yield f"{callee_of(node)} at {trace.line(node)} is given one array, {name} of {shown(shape)}"
