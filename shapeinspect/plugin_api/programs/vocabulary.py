"""What the names of a script are worth where an expression of it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.programs.trace import Trace

#: A function with more names than this is read no further.
_MOST = 60


@dataclass(frozen=True, slots=True)
class Atom:
    """A name, or what a length is read from by it.

    Args:
        text: its source.
        value: what it is worth.
        near: whether the function of the expression reads it itself.
    """

    text: str
    value: int
    near: bool


class Vocabulary:
    """The whole numbers that the names of a script stand for.

    Args:
        trace: the script.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._kept: dict[ast.AST, list[Atom]] = {}
        #: How many settings a dictionary of them has is no size of anything.
        self._settings = {f"len({name})" for name in _settings(trace)}

    def atoms(self, node: ast.AST) -> list[Atom]:
        """Return what can be written where an expression stands, by names that are set there.

        Args:
            node: the expression.
        """
        scope = self._scope(node)
        if scope not in self._kept:
            self._kept[scope] = self._of(scope)
        line = getattr(node, "lineno", 0)
        module = isinstance(scope, ast.Module)
        set_later = {
            target.id
            for one in (scope.body if isinstance(scope, ast.Module) else ())
            if isinstance(one, ast.Assign) and one.lineno >= line
            for target in ast.walk(one)
            if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
        }
        return [one for one in self._kept[scope] if not module or one.text.split(".")[0] not in set_later]

    def lengths(self, node: ast.AST, shape: tuple[int, ...]) -> list[str]:
        """Return plain names for the lengths of a shape, one for each; nothing where one has none.

        Args:
            node: the expression where they are written.
            shape: the shape.
        """
        found: list[str] = []
        names = [one for one in self.atoms(node) if one.near and one.text.isidentifier()]
        for length in shape:
            fit = [one.text for one in names if one.value == length and one.text not in found]
            if not fit:
                return []
            found.append(fit[0])
        return found

    def _scope(self, node: ast.AST) -> ast.AST:
        function = self._trace.function(node)
        while isinstance(function, ast.Lambda):
            function = self._trace.function(function)
        return function or self._trace.tree(self._trace.homes[node])

    def _of(self, scope: ast.AST) -> list[Atom]:
        found: dict[str, Atom] = {}
        for near, nodes in ((True, _inside(scope)), (False, self._around(scope))):
            for node in nodes:
                if len(found) >= _MOST:
                    break
                for text, value in self._said(node):
                    if text not in self._settings:
                        found.setdefault(text, Atom(text, value, near))
        return [*found.values()]

    def _around(self, scope: ast.AST) -> Iterator[ast.AST]:
        """Yield what the module and the class around a function set."""
        home = self._trace.tree(self._trace.homes[scope])
        for statement in home.body:
            if isinstance(statement, ast.Assign):
                yield statement
        owner = self._trace.parents.get(scope)
        if isinstance(owner, ast.ClassDef) and getattr(scope, "name", "") != "__init__":
            for node in ast.walk(owner):
                if isinstance(node, ast.Assign) and _is_own(node.targets[0]):
                    yield node

    def _said(self, node: Any) -> Iterator[tuple[str, int]]:
        if isinstance(node, ast.Assign):
            for target, value in _assigned(node):
                if _is_own(target) or isinstance(target, ast.Name):
                    yield from _lengths(ast.unparse(target), self._trace.values(value)[-1:])
        elif (isinstance(node, ast.Name) or _is_own(node)) and isinstance(node.ctx, ast.Load):
            yield from _lengths(ast.unparse(node), self._trace.values(node)[-1:])


def _settings(trace: Trace) -> Iterator[str]:
    """Yield the names of dictionaries whose entries are of several kinds."""
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                values = node.value.values
                kinds = {type(getattr(one, "value", one)) for one in values}
                if len(kinds) > 1:
                    yield from map(ast.unparse, node.targets)


def _assigned(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what an assignment sets, each with its value; of two rows each part with its own."""
    rows = (ast.Tuple, ast.List)
    for target in node.targets:
        if isinstance(target, rows) and isinstance(node.value, rows):
            if len(target.elts) == len(node.value.elts):
                yield from zip(target.elts, node.value.elts, strict=True)
        else:
            yield target, node.value


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function or a module, without those of the functions and classes in it."""
    todo: list[ast.AST] = [*ast.iter_child_nodes(scope)]
    while todo:
        node = todo.pop(0)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            todo[:0] = ast.iter_child_nodes(node)


def _is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _lengths(text: str, values: tuple[Any, ...]) -> Iterator[tuple[str, int]]:
    for value in values:
        if type(value) is int:
            yield text, value
        elif isinstance(value, tuple) and value[:1] == ("sized",):
            yield f"len({text})", value[1]
        elif isinstance(value, tuple) and value[:1] == ("tensor",):
            for axis, length in enumerate(value[1]):
                yield f"{text}.shape[{axis}]", length
