"""What the statement that failed gets instead, after an edit with which a script runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from shapeinspect.plugin_api.evidence.edit import Edit, number_of, shortened, shown
from shapeinspect.plugin_api.programs.trace import Trace, shape_of

#: What stands between an operand and the expression that it is an operand of.
_BETWEEN = (ast.keyword, ast.Starred, ast.Tuple, ast.List, ast.Dict)


def effect(edit: Edit) -> str:
    """Say what an operand of the failed statement is with an edit, and what it was; empty for unknown.

    Only what the edited run had one value of is told, so that a call in a loop is not taken for another.

    Args:
        edit: the edit, the only one of its script.
    """
    if edit.after is None:
        return ""
    partner = _partners(edit.trace, edit.after)
    for node in operands(edit.trace):
        other = partner.get(node)
        before = edit.trace.last(node)
        worths = () if other is None else edit.after.values(other)
        if len(worths) != 1 or before == worths[0] or _holds(node, edit.old):
            continue
        change = _change(before, worths[0])
        if change:
            return f"with {new_code(edit)}, {edit.code(node)} is {change}, {edit.trace.line(node)}"
    return ""


def new_code(edit: Edit) -> str:
    """Write what stands there now, cut where it is long.

    Args:
        edit: the edit.
    """
    number = number_of(edit.new)
    return shortened(ast.unparse(edit.new)) if number is None else str(number)


def operands(trace: Trace) -> Iterator[ast.expr]:
    """Yield the arrays that the failed statements read, those of the innermost one first.

    Args:
        trace: the script, as it failed.
    """
    for file, line in reversed(trace.ended.places):
        for node in ast.walk(trace.tree(file)) if file in trace.texts else ():
            if isinstance(node, ast.expr) and trace.shape(node) is not None and _is_at(trace, node, line):
                outer = trace.parents.get(node)
                while isinstance(outer, _BETWEEN):
                    outer = trace.parents.get(outer)
                if not isinstance(outer, ast.expr) or trace.last(outer) is None:
                    yield node


def _is_at(trace: Trace, node: ast.expr, line: int) -> bool:
    """Tell whether an expression is read in the statement at a line; the body of a loop is not."""
    around = trace.statement(node)
    if around is None or isinstance(getattr(node, "ctx", None), ast.Store):
        return False
    body = getattr(around, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) and body else around.end_lineno or around.lineno
    return around.lineno <= line <= max(last, around.lineno)


def _holds(outer: ast.AST, inner: Any) -> bool:
    return any(one is inner for one in ast.walk(outer))


def _change(before: Any, after: Any) -> str:
    """Write both values where both are arrays that differ in shape, or else in dtype."""
    had, has = shape_of(before), shape_of(after)
    if had is None or has is None:
        return ""
    if had != has:
        return f"{shown(has)} instead of {shown(had)}"
    return f"of {after[2]} instead of {before[2]}"


def _partners(before: Trace, after: Trace) -> dict[ast.AST, ast.AST]:
    """Return the expressions of the edited script that stand where those of the script as it was do."""
    found: dict[ast.AST, ast.AST] = {}
    for file in before.texts:
        if file in after.texts:
            found.update(_alike(before.tree(file), after.tree(file)))
    return found


def _alike(old: Any, new: Any) -> Iterator[tuple[ast.AST, ast.AST]]:
    if type(old) is not type(new):
        return
    if isinstance(old, ast.expr):
        yield old, new
    for name in old._fields:
        first, second = getattr(old, name, None), getattr(new, name, None)
        if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
            pairs = [*zip(first, second, strict=True)]
        else:
            pairs = [(first, second)]
        for a, b in pairs:
            if isinstance(a, ast.AST) and isinstance(b, ast.AST):
                yield from _alike(a, b)
