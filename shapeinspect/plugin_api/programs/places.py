"""The expressions through which an error passed, and the tensors that they read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import running_node

_OPERATION = (ast.Call, ast.BinOp, ast.AugAssign, ast.Subscript, ast.Compare)


@dataclass(frozen=True, slots=True)
class Step:
    """A frame of the user's that the error passed through.

    Args:
        node: the expression or statement that was running.
        file: its file.
        line: its line.
        frame: the frame that ran it; None where it has run in another process.
    """

    node: ast.AST
    file: str
    line: int
    frame: FrameType | None


def steps_of(trace: Trace, traceback: TracebackType | None) -> list[Step]:
    """Return the user's expressions that were running, the innermost first.

    Args:
        trace: the script.
        traceback: the exception's ``__traceback__``.
    """
    found: list[Step] = []
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file in trace.texts:
            node = _running(trace, file, traceback)
            if node is not None:
                found.append(Step(node, file, traceback.tb_lineno, traceback.tb_frame))
        traceback = traceback.tb_next
    return found[::-1]


def places_of(trace: Trace) -> list[Step]:
    """Return the expressions at which the traced run of a script has ended, the innermost first.

    Args:
        trace: the script.
    """
    found: list[Step] = []
    for file, line in trace.ended.places:
        inside = [
            node
            for node in ast.walk(trace.tree(file))
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)
        ]
        if inside:
            statement = max(inside, key=lambda node: (node.lineno, -(node.end_lineno or 0)))
            found.append(Step(_unfinished(trace, statement), file, line, None))
    return found[::-1]


def _unfinished(trace: Trace, statement: ast.stmt) -> ast.AST:
    """Return the operation of a statement that has no value, though all that it reads has one."""
    for node in ast.walk(statement):
        stored = isinstance(getattr(node, "ctx", None), ast.Store) or isinstance(node, ast.AugAssign)
        if isinstance(node, _OPERATION) and not stored and not trace.ran(node):
            called = _object(node)
            parts = [one for one in _read(node) if isinstance(one, (ast.Name, ast.Attribute, *_OPERATION))]
            parts = [one for one in parts if one is not called]  # an object has no value
            if all(trace.ran(part) for part in parts):
                return node
    return statement


def _object(node: ast.AST) -> ast.expr | None:
    """Return the name of what a call is a method of."""
    method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    named: Any = node.func.value if method else None  # type: ignore[attr-defined]  # of a method
    return named if isinstance(named, ast.Name | ast.Attribute) else None


def _running(trace: Trace, file: str, step: TracebackType) -> ast.AST | None:
    """Return the operation that was running, else the statement."""
    found = running_node(trace.tree(file), step, _OPERATION)
    for node in ast.walk(trace.tree(file)) if found is None else ():
        if isinstance(node, ast.stmt) and node.lineno <= step.tb_lineno <= (node.end_lineno or 0):
            found = node  # the innermost one comes last
    return found


def _read(node: Any) -> Iterator[ast.AST]:
    """Yield the expressions that one is made of."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield node.func.value
        yield from (*node.args, *(keyword.value for keyword in node.keywords))
    elif isinstance(node, ast.Assign):
        stored = [one for one in node.targets if isinstance(one, ast.Subscript)]
        yield from (node.value, *(part for one in stored for part in (one.slice, one.value)))
    else:
        for name in ("left", "right", "comparators", "value", "slice"):
            part = getattr(node, name, None)
            yield from part if isinstance(part, list) else () if part is None else (part,)


def operands(trace: Trace, node: ast.AST) -> Iterator[ast.expr]:
    """Yield the tensors that an expression reads, those that it names directly.

    Args:
        trace: the script.
        node: the expression.
    """
    todo = [*_read(node)]
    while todo:
        one = todo.pop(0)
        if isinstance(one, ast.Tuple | ast.List):
            todo[:0] = one.elts
        elif isinstance(one, ast.Starred):
            todo.insert(0, one.value)
        elif isinstance(one, ast.expr) and trace.shape(one) is not None:
            yield one
        elif isinstance(one, ast.expr) and not isinstance(
            one, ast.Call | ast.Name | ast.Attribute | ast.Constant
        ):
            todo += [child for child in ast.iter_child_nodes(one) if isinstance(child, ast.expr)]


def assigned(trace: Trace, node: ast.expr) -> ast.expr | None:
    """Return the expression that a plain name was last assigned before it is read, in the same function.

    Args:
        trace: the script.
        node: the name.
    """
    if not isinstance(node, ast.Name):
        return None
    scope = trace.function(node) or trace.tree(trace.homes[node])
    found = [
        one
        for one in ast.walk(scope)
        if isinstance(one, ast.Assign)
        and one.lineno < node.lineno
        and any(isinstance(target, ast.Name) and target.id == node.id for target in one.targets)
    ]
    last = max(found, key=lambda one: one.lineno, default=None)
    return None if last is None else last.value
