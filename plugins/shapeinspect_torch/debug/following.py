"""The statements behind the failed one: a fix whose output they refuse does not mend the program."""

from __future__ import annotations

import ast
from collections.abc import Iterator
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

#: What stands for the outputs that the failed call returns with a fix.
OUTPUTS = "outputs"
_RESULT = "__result"
_BUILTINS = ("len", "int", "float", "tuple", "list", "max", "min", "range", "zip", "sum", "abs")
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)
_FORBIDDEN = (
    ast.Lambda, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.ListComp, ast.DictComp, ast.SetComp,
    ast.GeneratorExp,
)  # fmt: skip
#: Methods of tensors that need their numbers, or have nothing to do with shapes.
_OF_NUMBERS = frozenset(("item", "tolist", "numpy", "backward", "cpu", "cuda", "to"))


@dataclass(frozen=True, slots=True)
class Following:
    """What follows a failed call, as far as it can be run again.

    Args:
        module: runs it on its keyword arguments.
        given: the argument that is what the failed call returns: the user's own name, where the statement
            assigns it to one.
        inputs: the other arguments.
        last: the last line that it runs.
        left: the first line behind it that uses one of its results and is not run; None for none.
    """

    module: Any
    given: str
    inputs: dict[str, Any]
    last: int
    left: int | None


def following(frame: FrameType, line: int, called: Any | None) -> Following | None:
    """Return the statements behind a failed one, in the same block.

    Args:
        frame: the user's frame.
        line: the line at which the statement failed.
        called: the module whose call failed; None where the whole statement is run again.

    Returns:
        The rest of the failed statement and those behind it; None where the call is not in the statement, or
        nothing follows that can be run.
    """
    tree = syntax_tree(frame.f_code, frame.f_globals)
    block, index = (None, 0) if tree is None else _block(tree, line)
    if block is None:
        return None
    writer = _Writer({**frame.f_globals, **frame.f_locals})
    first = writer.opened(block[index], called)
    if first is None or not writer.take(first):
        return None
    for statement in block[index + 1 :]:
        if isinstance(first, ast.Return) or not writer.follows(statement):
            break
    if not writer.uses:
        return None
    given, kept = writer.named()
    module = step_module(kept, frame.f_code.co_filename, _RESULT, writer.outer, writer.modules)
    return Following(module, given, writer.inputs, writer.kept[-1].end_lineno or line, writer.left)


def _block(tree: ast.AST, line: int) -> tuple[list[ast.stmt] | None, int]:
    """Return the innermost block with a simple statement at a line, and the statement's place in it."""
    found: tuple[list[ast.stmt] | None, int] = (None, 0)
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            for index, statement in enumerate(block if isinstance(block, list) else ()):
                if isinstance(statement, _SIMPLE) and statement.lineno <= line <= (statement.end_lineno or 0):
                    found = (block, index)
    return found


@dataclass(slots=True)
class _Writer:
    """Collects statements in their order."""

    names: dict[str, Any]
    kept: list[ast.stmt] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    outer: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    #: Names that depend on the outputs, and names that only a statement that is not run would assign.
    known: set[str] = field(default_factory=lambda: {OUTPUTS})
    lost: set[str] = field(default_factory=set)
    #: Whether anything is computed, and the first use of the outputs that is not run.
    uses: bool = False
    left: int | None = None

    def opened(self, statement: ast.stmt, called: Any | None) -> ast.stmt | None:
        """Return the failed statement with the outputs in the place of the call; None if it is not there."""
        copy = ast.parse(ast.unparse(statement)).body[0]
        for node in ast.walk(copy):
            if hasattr(node, "lineno"):
                node.lineno = node.end_lineno = statement.lineno  # type: ignore[attr-defined]  # it has one
        if called is None:
            if not isinstance(copy, ast.Assign | ast.AnnAssign | ast.AugAssign):
                return None
            target = copy.targets[0] if isinstance(copy, ast.Assign) else copy.target
            if isinstance(copy, ast.Assign) and isinstance(target, ast.Subscript):
                if not isinstance(target.value, ast.Name):
                    return None
                target = ast.Name(target.value.id, ast.Store())  # the outputs are the whole tensor
            assigned = ast.Assign([target], ast.Name(OUTPUTS, ast.Load()))
            return ast.fix_missing_locations(ast.copy_location(assigned, copy))
        calls = [
            node
            for node in ast.walk(copy)
            if isinstance(node, ast.Call) and value_of(node.func, self.names) is called
        ]
        if len(calls) != 1:
            return None
        replaced: ast.stmt = ast.fix_missing_locations(_Replaced(calls[0]).visit(copy))
        return replaced

    def named(self) -> tuple[str, list[ast.stmt]]:
        """Return the name of the outputs, and the statements, without one that only gives them that name."""
        first = self.kept[0]
        target = first.targets[0] if isinstance(first, ast.Assign) else None
        plain = isinstance(target, ast.Name) and isinstance(first.value, ast.Name)  # type: ignore[attr-defined]  # an Assign
        return (target.id, self.kept[1:]) if plain else (OUTPUTS, self.kept)  # type: ignore[union-attr]  # a Name

    def follows(self, statement: ast.stmt) -> bool:
        """Take a statement that can be run; tell whether those behind it are worth a look."""
        read = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        if isinstance(statement, _SIMPLE) and self.take(statement):
            return not isinstance(statement, ast.Return)
        if not isinstance(statement, _SIMPLE):
            self._leave(statement, read)
            return False
        numbers = [node for node in ast.walk(statement) if isinstance(node, ast.Attribute)]
        if not any(node.attr in _OF_NUMBERS for node in numbers) and not _notes(statement):
            self._leave(statement, read)
        self.lost |= _stored(statement)
        return True

    def _leave(self, statement: ast.stmt, read: set[str]) -> None:
        if self.left is None and not read.isdisjoint(self.known):
            self.left = statement.lineno

    def take(self, statement: ast.stmt) -> bool:
        """Keep a statement if it only calls modules and torch on what is known; tell whether it does."""
        import torch

        if any(isinstance(node, _FORBIDDEN) for node in ast.walk(statement)):
            return False
        if not touches_nothing_else(statement, self.names):
            return False
        modules: dict[str, Any] = {}
        calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
        if not all(self._may_call(node.func, modules) for node in calls):
            return False
        loads = [
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        ]
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            loads.append(statement.target.id)
        if any(name in self.lost for name in loads):
            return False
        for name in loads:
            value = self.names.get(name, UNKNOWN)
            if name in self.known or value is UNKNOWN:
                continue
            if isinstance(value, torch.nn.Module):
                modules.setdefault(name, value)
            elif isinstance(value, torch.Tensor):
                self.inputs[name] = value
            else:
                self.outer[name] = value
        self.modules.update(modules)
        if not self.known.isdisjoint(loads):
            self.known |= _stored(statement)
        self.uses = self.uses or bool(calls) or any(isinstance(n, ast.BinOp) for n in ast.walk(statement))
        self.lost -= _stored(statement)
        self.kept.append(_assigned(statement))
        return True

    def _may_call(self, function: ast.expr, modules: dict[str, Any]) -> bool:
        import torch

        if isinstance(function, ast.Call):  # a layer that is built and called in one expression
            return self._may_call(function.func, modules)
        called = value_of(function, self.names)
        if isinstance(called, torch.nn.Module):
            modules.setdefault(ast.unparse(function), called)
            return True
        if called is not UNKNOWN:
            return is_harmless(called, _BUILTINS)
        numbers = isinstance(function, ast.Attribute) and function.attr in _OF_NUMBERS
        return not numbers and is_method_of_tensors(function, self.names)


def _notes(statement: ast.stmt) -> bool:
    """Tell whether a statement only prints what is there, or keeps it in a list."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    return callee_of(call) in ("print", "append", "log", "info")


def _assigned(statement: ast.stmt) -> ast.stmt:
    """Turn a return into an assignment: the statements are run outside of the function."""
    if not isinstance(statement, ast.Return):
        return statement
    result = ast.Assign([ast.Name(_RESULT, ast.Store())], statement.value or ast.Constant(None))
    return ast.copy_location(result, statement)


class _Replaced(ast.NodeTransformer):
    """Puts the outputs in the place of one call."""

    def __init__(self, call: ast.Call) -> None:
        self._call = call

    def visit(self, node: ast.AST) -> Any:
        if node is self._call:
            return ast.copy_location(ast.Name(OUTPUTS, ast.Load()), node)
        return self.generic_visit(node)


def _stored(statement: ast.stmt) -> set[str]:
    return set(_named(statement, ast.Store))


def _named(statement: ast.stmt, context: type[ast.expr_context]) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            yield node.id
