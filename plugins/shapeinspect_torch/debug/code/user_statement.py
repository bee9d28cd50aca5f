"""Turns the user's failed statement, and the calls that computed what it reads, into a module.

A loss, a sum or a product outside of every module has no frame of torch with its arguments. What it
read is still in the user's frame, and the lines above show how that was computed. These lines are run
again, on meta copies, if they only call modules and torch.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.user_code.frames import syntax_tree
from shapeinspect_torch.debug.code.user_code import (
    UNKNOWN,
    is_harmless,
    is_method_of_tensors,
    step_module,
    touches_nothing_else,
    value_of,
)

_BUILTINS = ("len", "int", "float", "tuple", "list", "max", "min", "range", "zip", "sum", "abs")
_FORBIDDEN = (ast.Lambda, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.ListComp, ast.DictComp)
_RESULT = "__result"


def step_of(frame: FrameType, line: int) -> tuple[Any, dict[str, Any]] | None:
    """Return a module equivalent to the statement, and its inputs by name.

    Args:
        frame: the user's frame.
        line: the line at which the statement failed.

    Returns:
        The module and its tensors; None where the statement does more than call modules and torch.
    """
    tree = syntax_tree(frame.f_code, frame.f_globals)
    if tree is None:
        return None
    statement = _statement(tree, line)
    expression = None if statement is None else _expression(statement)
    if statement is None or expression is None:
        return None
    writer = _Writer(tree, {**frame.f_globals, **frame.f_locals})
    if not writer.takes(expression, statement.lineno):
        return None
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        return writer.written(statement, statement.targets[0], frame.f_code.co_filename)
    return writer.module(expression, frame.f_code.co_filename)


def _statement(tree: ast.AST, line: int) -> ast.stmt | None:
    statements = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return, ast.AugAssign))
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return min(statements, key=lambda node: (node.end_lineno or 0) - node.lineno, default=None)


def _expression(statement: ast.stmt) -> ast.expr | None:
    """Return the expression of a statement; for a backward, the expression it is called on."""
    value: ast.expr | None = getattr(statement, "value", None)
    if isinstance(statement, ast.AugAssign):
        return ast.BinOp(_loaded(statement.target), statement.op, statement.value)
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "backward"
    ):
        return value.func.value
    return value


def _loaded(target: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(target), mode="eval").body


class _Writer:
    """Collects the statements that compute what an expression reads."""

    def __init__(self, tree: ast.AST, names: dict[str, Any]) -> None:
        self._names = names
        self._assigned = [node for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.AugAssign))]
        self._kept: dict[int, ast.stmt] = {}
        self._inputs: dict[str, Any] = {}
        self._outer: dict[str, Any] = {}
        self._modules: dict[str, Any] = {}

    def takes(self, expression: ast.AST, line: int) -> bool:
        """Tell whether an expression can be run again; collect what it needs."""
        if not touches_nothing_else(expression, self._names):
            return False
        for node in ast.walk(expression):
            if isinstance(node, _FORBIDDEN):
                return False
            if isinstance(node, ast.Call) and not self._may_call(node.func):
                return False
        return all(
            self._name(node.id, line)
            for node in ast.walk(expression)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        )

    def module(self, expression: ast.expr, file: str) -> tuple[Any, dict[str, Any]]:
        """Return the module and its inputs."""
        body: list[ast.stmt] = [self._kept[line] for line in sorted(self._kept)]
        last = ast.Assign([ast.Name(_RESULT, ast.Store())], expression)
        ast.copy_location(last, expression)
        return step_module([*body, last], file, _RESULT, self._outer, self._modules), self._inputs

    def written(
        self, statement: ast.Assign, target: ast.Subscript, file: str
    ) -> tuple[Any, dict[str, Any]] | None:
        """Return the module of a statement that writes into a part of a tensor, or None."""
        import torch

        tensor, owner = value_of(target.value, self._names), target.value
        if not isinstance(tensor, torch.Tensor) or not self.takes(target.slice, statement.lineno):
            return None
        if isinstance(owner, ast.Name) and not self._name(owner.id, statement.lineno):
            return None
        if isinstance(owner, ast.Attribute):  # an attribute is no input of its own: its copy gets a name
            owner = ast.Name(owner.attr if owner.attr not in self._names else f"__{owner.attr}", ast.Load())
            self._inputs[owner.id] = tensor
        part = ast.Subscript(owner, target.slice, ast.Store())
        write = ast.copy_location(ast.Assign([part], statement.value), statement)
        result = ast.copy_location(ast.Assign([ast.Name(_RESULT, ast.Store())], owner), statement)
        body: list[ast.stmt] = [self._kept[line] for line in sorted(self._kept)]
        return step_module([*body, write, result], file, _RESULT, self._outer, self._modules), self._inputs

    def _name(self, name: str, line: int) -> bool:
        import torch

        value = self._names.get(name, getattr(builtins, name, None))
        if isinstance(value, torch.Tensor) or (name not in self._names and name not in dir(builtins)):
            assignment = self._assignment(name, line)
            if assignment is not None and self._calls_module(assignment, set()):
                self._kept[assignment.lineno] = assignment
                source = assignment.value
                below = assignment.lineno
                kept = self.takes(source, below)
                return kept and (not isinstance(assignment, ast.AugAssign) or self._name(name, below))
            if not isinstance(value, torch.Tensor):
                return False
            self._inputs[name] = value
            return True
        self._outer[name] = value
        if isinstance(value, torch.nn.Module):
            self._modules.setdefault(name, value)
        return True

    def _assignment(self, name: str, line: int) -> ast.Assign | ast.AugAssign | None:
        """Return the last assignment of a name above a line."""
        assignments = [node for node in self._assigned if node.lineno < line and name in _targets(node)]
        return max(assignments, key=lambda node: node.lineno, default=None)

    def _calls_module(self, statement: ast.Assign | ast.AugAssign, seen: set[int]) -> bool:
        import torch

        if statement.lineno in seen:
            return False
        seen.add(statement.lineno)
        names = [
            *_loads(statement.value),
            *(_targets(statement) if isinstance(statement, ast.AugAssign) else ()),
        ]
        for node in ast.walk(statement.value):
            if isinstance(node, ast.Call) and isinstance(value_of(node.func, self._names), torch.nn.Module):
                return True
        for name in names:
            assignment = self._assignment(name, statement.lineno)
            if assignment is not None and self._calls_module(assignment, seen):
                return True
        return False

    def _may_call(self, function: ast.expr) -> bool:
        import torch

        if isinstance(function, ast.Call):  # a layer that is built and called in one expression
            return self._may_call(function.func)
        called = value_of(function, self._names)
        if isinstance(called, torch.nn.Module):
            self._modules.setdefault(ast.unparse(function), called)
            return True
        if called is not UNKNOWN:
            return is_harmless(called, _BUILTINS)
        return is_method_of_tensors(function, self._names)


def _targets(statement: ast.Assign | ast.AugAssign) -> tuple[str, ...]:
    targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
    return tuple(
        node.id for target in targets for node in ast.walk(target)
        if isinstance(node, ast.Name) and not isinstance(target, (ast.Subscript, ast.Attribute))
    )  # fmt: skip


def _loads(expression: ast.expr) -> Iterator[str]:
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
