"""Collects the user's statements that led to a failed backward into a module that runs them again.

From the statement that calls ``backward`` up, every statement is taken that computes, or writes to, a
tensor that the loss depends on, as long as it calls only modules, optimizers and torch. The values
of all others are read from the user's frame.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.user_code.frames import syntax_tree
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_torch.debug.code.user_code import (
    UNKNOWN,
    is_harmless,
    is_method_of_tensors,
    step_module,
    touches_nothing_else,
    value_of,
)

_BUILTINS = frozenset((
    "len", "int", "float", "tuple", "list", "dict", "max", "min", "range", "zip", "sum", "abs", "enumerate",
    "reversed", "sorted", "isinstance", "bool", "round", "slice", "print",
))  # fmt: skip
_CONTAINERS = frozenset(("append", "extend", "insert", "items", "keys", "values", "get", "pop", "copy"))
_FORBIDDEN = (
    ast.Lambda, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Import, ast.ImportFrom, ast.Return,
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Global, ast.Nonlocal, ast.Try, ast.Delete,
)  # fmt: skip
_COMPOUND = (ast.For, ast.While, ast.If, ast.With)
#: The name given to the loss of the failed statement.
LOSS = "__loss"


@dataclass(frozen=True, slots=True)
class Replay:
    """The user's statements that can be run again.

    Args:
        statements: the statements; the last of them fails.
        again: the next iteration of the loop around them, up to the failed statement; empty for none.
        outer: what they read besides tensors, by name.
        inputs: the tensors that they read.
        modules: the modules that they call, by name.
        file: the file they are in.
    """

    statements: tuple[ast.stmt, ...]
    again: tuple[ast.stmt, ...]
    outer: dict[str, Any]
    inputs: dict[str, Any]
    modules: dict[str, Any]
    file: str

    def module(self, statements: Sequence[ast.stmt]) -> Any:
        """Return a module that runs some statements on its keyword arguments, and returns the loss.

        Args:
            statements: the statements to run, possibly edited.
        """
        return step_module(statements, self.file, LOSS, self.outer, self.modules)


def replay_of(frame: FrameType, line: int) -> Replay | None:
    """Return the statements that lead to a line, and what they read.

    Args:
        frame: the user's frame.
        line: the line at which the statement failed.

    Returns:
        The statements; None where the source is not available, or the failed statement calls other
        functions than torch's.
    """
    tree = syntax_tree(frame.f_code, frame.f_globals)
    if tree is None:
        return None
    levels = list(_levels(_body(tree, frame), line))
    if not levels:
        return None
    block, position, _ = levels[-1]
    slicer = _Slicer({**frame.f_globals, **frame.f_locals})
    if not slicer.take(block[position]):
        return None
    kept = [_with_loss(block[position])]
    for statements, index, _ in reversed(levels):
        kept[:0] = slicer.above(statements[:index])
    again: list[ast.stmt] = []
    if levels[-1][2]:
        again = [*slicer.above(block[position + 1 :]), *slicer.above(block[:position]), kept[-1]]
    return Replay(
        tuple(kept), tuple(again), slicer.outer, slicer.inputs, slicer.modules, frame.f_code.co_filename
    )


def _body(tree: ast.Module, frame: FrameType) -> list[ast.stmt]:
    """Return the statements of the function that a frame runs."""
    name, first = frame.f_code.co_name, frame.f_code.co_firstlineno
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            starts = {node.lineno, *(decorator.lineno for decorator in node.decorator_list)}
            if first in starts:
                return node.body
    return tree.body


def _levels(body: list[ast.stmt], line: int) -> Iterator[tuple[list[ast.stmt], int, bool]]:
    """Yield the blocks around a line, outermost first: block, index in it, whether it loops."""
    loops = False
    while True:
        found = [
            position
            for position, inner_block in enumerate(body)
            if inner_block.lineno <= line <= (inner_block.end_lineno or inner_block.lineno)
        ]
        if not found:
            return
        # of several statements on a line the one that calls backward
        index = next((position for position in found if _is_backward(body[position])), found[0])
        yield body, index, loops
        inner = body[index]
        blocks = [getattr(inner, name, []) for name in ("body", "orelse", "finalbody")]
        body = next(
            (
                inner_block
                for inner_block in blocks
                if inner_block and inner_block[0].lineno <= line <= _end(inner_block)
            ),
            [],
        )
        loops = isinstance(inner, (ast.For, ast.While))
        if not body:
            return


def _is_backward(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward"
        for node in ast.walk(statement)
    )


def _end(block: list[ast.stmt]) -> int:
    return block[-1].end_lineno or block[-1].lineno


def _with_loss(statement: ast.stmt) -> ast.stmt:
    """Assign what ``backward`` is called on to a name."""
    for node in ast.walk(statement):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "backward"
        ):
            named = ast.NamedExpr(ast.Name(LOSS, ast.Store()), node.func.value)
            call = ast.Call(ast.Attribute(named, "backward", ast.Load()), node.args, node.keywords)
            return ast.copy_location(ast.Expr(call), statement)
    return statement


@dataclass(slots=True)
class _Slicer:
    """Collects statements from the last one up."""

    names: dict[str, Any]
    needed: set[str] = field(default_factory=set)
    outer: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)

    def above(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return the statements that matter, in order."""
        kept = [
            statement
            for statement in reversed(statements)
            if self._matters(statement) and self.take(statement)
        ]
        return kept[::-1]

    def take(self, statement: ast.stmt) -> bool:
        """Tell whether a statement can be run again; record what it reads."""
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        if not touches_nothing_else(statement, self.names):
            return False
        for node in ast.walk(statement):
            if isinstance(node, _FORBIDDEN) or (
                isinstance(node, ast.Call) and not self._may_call(node.func, own)
            ):
                return False
        for name in names:
            self._read(name.id)
        return True

    def _matters(self, statement: ast.stmt) -> bool:
        if isinstance(statement, _COMPOUND):
            inside = [
                part for part in ast.walk(statement) if isinstance(part, ast.stmt) and part is not statement
            ]
            return any(self._matters(part) for part in inside if not isinstance(part, _COMPOUND))
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                for node in ast.walk(target):
                    if isinstance(node, ast.Name) and node.id in self.needed:
                        written = isinstance(target, (ast.Subscript, ast.Attribute))
                        return written or _has_grown(self.names.get(node.id, _MISSING))
        if not isinstance(statement, ast.Expr):
            return False
        return any(self._writes(node) for node in ast.walk(statement.value) if isinstance(node, ast.Call))

    def _writes(self, call: ast.Call) -> bool:
        """Tell whether a call changes something needed: a tensor, a list of tensors, or weights."""
        function = call.func
        name = callee_of(call)
        if name in ("step", "zero_grad") and isinstance(function, ast.Attribute):
            return _is_optimizer(value_of(function.value, self.names))
        if name == "backward":
            return True
        read = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
        positions = name in ("append", "extend", "insert")
        in_place = (name.endswith("_") and not name.endswith("__")) or any(
            keyword.arg == "inplace" for keyword in call.keywords
        )
        return (positions or in_place) and not read.isdisjoint(self.needed)

    def _read(self, name: str) -> None:
        import torch

        self.needed.add(name)
        value = self.names.get(name, _MISSING)
        if value is _MISSING:
            return
        if isinstance(value, torch.nn.Module):
            self.modules.setdefault(name, value)
        elif isinstance(value, torch.Tensor):
            self.inputs[name] = value
        else:
            self.outer[name] = value

    def _may_call(self, function: ast.expr, own: set[str]) -> bool:
        import torch

        if isinstance(function, ast.Call):  # a layer that is built and called in one expression
            function = function.func
        called = value_of(function, self.names)
        if isinstance(called, torch.nn.Module):
            if isinstance(function, ast.Attribute) and not isinstance(
                value_of(function.value, self.names), torch.nn.Module
            ):
                self.modules.setdefault(ast.unparse(function), called)
            return True
        if isinstance(function, ast.Attribute):
            owner = value_of(function.value, self.names)
            if isinstance(owner, torch.nn.Module):
                return True
            if _is_optimizer(owner):
                return function.attr in ("step", "zero_grad")
        if called is not UNKNOWN:
            return is_harmless(called, _BUILTINS)
        if isinstance(function, ast.Attribute):
            return is_method_of_tensors(function, self.names, _CONTAINERS)
        return isinstance(function, ast.Name) and function.id in own and function.id not in self.names


_MISSING = object()


def _is_optimizer(value: Any) -> bool:
    import torch

    return isinstance(value, torch.optim.Optimizer)


def _has_grown(value: Any) -> bool:
    """Tell whether a value was computed with gradients, so that it has to be computed again."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.grad_fn is not None
    if isinstance(value, (list, tuple)):
        return any(_has_grown(item) for item in value)
    if isinstance(value, dict):
        return any(_has_grown(item) for item in value.values())
    return value is _MISSING
