"""Runs a part of the user's own statement again, on copies of the arrays that it reads."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.user_code.source import UserSource, resolved

#: What of Python itself may be called again.
_BUILTINS = ("len", "int", "float", "tuple", "list", "max", "min", "range", "zip", "sum", "abs", "slice")
_ITERATING = ("tuple", "list", "max", "min", "zip", "sum")
_FORBIDDEN = (ast.Lambda, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)


class NotHarmlessError(Exception):
    """An expression may do more than compute, and is not run again."""


@dataclass(frozen=True, slots=True)
class Arrays:
    """What an array library's arrays are, and what of it may be called again.

    Args:
        is_array: tells whether a value is one of its arrays.
        copied: returns a copy of an array.
        harmless: tells whether a function only computes.
        methods: the names of methods that only compute.
        guard: what a run is done in, so that nothing outside of it changes.
    """

    is_array: Callable[[Any], bool]
    copied: Callable[[Any], Any]
    harmless: Callable[[Any], bool]
    methods: Callable[[str], bool]
    guard: Callable[[], AbstractContextManager[Any]] = nullcontext


@dataclass(slots=True)
class StatementRun:
    """The failed statement of the user's own.

    Args:
        source: the user's line.
        arrays: the library whose arrays it reads.
    """

    source: UserSource
    arrays: Arrays

    def value(self, node: ast.AST | str) -> Any:
        """Return the value of an expression; what it reads is copied.

        Args:
            node: the expression, or its text.

        Raises:
            NotHarmlessError: if it may do more than compute.
            Exception: whatever the expression raises.
        """
        text = node if isinstance(node, str) else self.source.source(node)
        tree = ast.parse(f"({text}\n)", mode="eval")
        self._check(tree)
        held: dict[str, Any] = {}
        body = _Copied(self, held).visit(tree)
        code = compile(ast.fix_missing_locations(body), "<statement>", "eval")
        with self.arrays.guard():
            return eval(code, {**self.source.names, **held})  # noqa: S307  # the user's own expression, which has just been run

    def stored(self, target: str, value: str) -> None:
        """Run an assignment to a part of an array, on copies.

        Args:
            target: the text of the part.
            value: the text of what it is set to.

        Raises:
            NotHarmlessError: if it may do more than compute.
            Exception: whatever the assignment raises.
        """
        found = ast.parse(target, mode="eval").body
        if not isinstance(found, ast.Subscript):
            raise NotHarmlessError
        self._check(ast.Expression(found.slice))
        names = {
            **self.source.names,
            "_owner": self.value(ast.unparse(found.value)),
            "_value": self.value(value),
        }
        code = f"_owner[{ast.unparse(found.slice)}] = _value"
        with self.arrays.guard():
            exec(compile(code, "<statement>", "exec"), names)  # noqa: S102  # the user's own assignment, on copies

    def _check(self, tree: ast.AST) -> None:
        names = self.source.names
        bound = {
            name.id
            for node in ast.walk(tree)
            if isinstance(node, ast.comprehension)
            for name in ast.walk(node.target)
            if isinstance(name, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, _FORBIDDEN) or not self._reads_only(node):
                raise NotHarmlessError
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            called = None if _root(function) in bound else resolved(function, names)
            if called is None and isinstance(function, ast.Name):
                allowed = function.id in _BUILTINS and hasattr(builtins, function.id)
            elif called is not None:
                allowed = self.arrays.harmless(called)
            else:
                owner = resolved(getattr(function, "value", function), names)
                allowed = isinstance(function, ast.Attribute) and self.arrays.methods(function.attr)
                if owner is None and _root(function) not in bound:  # a field that is computed, or an item
                    owner = names.get(_held(function))
                    allowed = allowed and (owner is None or self._holds_arrays(owner))
                else:
                    allowed = allowed and (owner is None or self.arrays.is_array(owner))
            if not allowed:
                raise NotHarmlessError

    def _holds_arrays(self, value: Any) -> bool:
        held = value.values() if type(value) is dict else value if type(value) in (list, tuple) else [value]
        return all(self.arrays.is_array(one) for one in held)

    def _reads_only(self, node: ast.AST) -> bool:
        """Tell whether an expression advances no iterator and no loader of data."""
        names = self.source.names
        if isinstance(node, ast.Name):
            return not hasattr(type(names.get(node.id)), "__next__")
        read: list[ast.expr] = []
        if isinstance(node, ast.comprehension):
            read = [node.iter]
        elif isinstance(node, ast.Starred):
            read = [node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _ITERATING:
            read = node.args
        held = [resolved(part, names) for part in read]
        plain = (list, tuple, dict, set, range, str, int, float, bool, type(None))
        return all(type(one) in plain or self.arrays.is_array(one) for one in held)

    def copied(self, value: Any) -> Any:
        """Return a copy of an array, or of a list of arrays; None for anything else.

        Args:
            value: the value.
        """
        if self.arrays.is_array(value):
            return self.arrays.copied(value)
        if isinstance(value, list | tuple) and value and all(self.arrays.is_array(one) for one in value):
            return [self.arrays.copied(one) for one in value]
        return None


def _held(node: ast.AST) -> str:
    """Return the name whose field or item a method is called on; empty for the result of a call."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


class _Copied(ast.NodeTransformer):
    """Puts copies of arrays in the place of the names and attributes that hold them."""

    def __init__(self, run: StatementRun, held: dict[str, Any]) -> None:
        self._run, self._held = run, held

    def visit_Name(self, node: ast.Name) -> ast.AST:  # the name that ast asks for
        return self._copy(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:  # the name that ast asks for
        copy = self._copy(node)
        return self.generic_visit(node) if copy is node else copy

    def _copy(self, node: ast.expr) -> ast.AST:
        value = self._run.copied(resolved(node, self._run.source.names))
        if value is None or not isinstance(getattr(node, "ctx", None), ast.Load):
            return node
        name = f"_copy{len(self._held)}"
        self._held[name] = value
        return ast.copy_location(ast.Name(name, ast.Load()), node)
