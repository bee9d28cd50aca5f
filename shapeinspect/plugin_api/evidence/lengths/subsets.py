"""A list of names that is a part of another one, where the whole one would give the wanted length."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened
from shapeinspect.plugin_api.programs.trace import Trace


def subsets(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield that a list holds a part of the names of another one, by as many too few as a length is.

    Args:
        trace: the script, as it failed.
        pairs: the length that is wanted and the one that is there, of each pair.
    """
    lists = [*_lists(trace)]
    for part, few in lists:
        for whole, many in lists:
            if not few < many or not trace.ran(part):
                continue
            for one, other in (pair for a, b in pairs for pair in ((a, b), (b, a))):
                if one - other == len(many) - len(few):
                    code, name = shortened(trace.source(part)), _name(trace, whole)
                    yield (
                        f"{code}, {trace.line(part)}, holds {len(few)} of the {len(many)} names in {name}; "
                        f"with all of them {other} would be {one}"
                    )
                    return


def _lists(trace: Trace) -> Iterator[tuple[Any, frozenset[Any]]]:
    """Yield the lists of different texts that are written in the script."""
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            if isinstance(node, ast.List | ast.Tuple | ast.Set) and len(node.elts) > 1:
                texts = [one.value for one in node.elts if isinstance(one, ast.Constant)]
                if len(texts) == len(node.elts) == len({*texts}) and all(
                    isinstance(one, str) for one in texts
                ):
                    yield node, frozenset(texts)


def _name(trace: Trace, node: ast.expr) -> str:
    """Name a list by what it is assigned to, with its line."""
    outer = trace.parents.get(node)
    named = isinstance(outer, ast.Assign) and isinstance(outer.targets[0], ast.Name)
    code = outer.targets[0].id if named else shortened(trace.source(node))  # type: ignore[union-attr]  # a name
    return f"{code}, {trace.line(node)}"
