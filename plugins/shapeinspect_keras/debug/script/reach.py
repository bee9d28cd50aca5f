"""How far each statement of a script is from the one that failed, along the values that it uses."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence

from shapeinspect_keras.debug.script.program import Program

#: The distance of what has nothing to do with the failure.
FAR = 99
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Reach:
    """The distances of the statements of a script.

    Args:
        program: the script.
        lines: its lines that were running when it failed, the outermost first.
    """

    def __init__(self, program: Program, lines: Sequence[int]) -> None:
        self._program = program
        #: The innermost line that was running.
        self.last = lines[-1] if lines else 0
        self._definitions = self._defined()
        self.distances: dict[ast.stmt, int] = {}
        border: list[tuple[int, ast.stmt]] = []
        for depth, line in enumerate(reversed(lines)):
            found = program.covering(line)
            if found is not None:
                border.append((min(depth, 2), found))
        while border:
            border.sort(key=lambda item: item[0])
            distance, statement = border.pop(0)
            if statement in self.distances:
                continue
            self.distances[statement] = distance
            border += [(distance + 1, item) for item in self._before(statement)]

    def of(self, node: ast.AST) -> int:
        """Return the distance of a node: that of its statement.

        Args:
            node: the node.
        """
        found = self._program.statement(node)
        while found is not None:
            if found in self.distances:
                return self.distances[found]
            outer = self._program.parents.get(found)
            found = self._program.statement(outer) if outer is not None else None
        return FAR

    def _defined(self) -> dict[str, list[ast.stmt]]:
        """List the statements that give each name a value, functions and classes included."""
        result: dict[str, list[ast.stmt]] = defaultdict(list)
        for node in ast.walk(self._program.tree):
            if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                result[node.name].append(node)
            elif isinstance(node, ast.arg):
                function = self._function(node)
                if function is not None:
                    result[f"{node.arg}@{function.name}"].append(function)
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                statement = self._program.statement(node)
                if statement is not None:
                    result[_name(node)].append(statement)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                function_ = node.value.func  # model.add(...): it changes what it is called on
                if isinstance(function_, ast.Attribute):
                    result[_name(function_.value)].append(node)
        return result

    def _before(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        """Yield the statements that make what a statement uses, and those inside of what it calls."""
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            for node in ast.walk(statement):
                if isinstance(node, ast.stmt) and node is not statement:
                    yield node
            yield from self._callers(statement.name)
            return
        function = self._function(statement)
        for node in _own(statement):
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = _name(node)
                if function is not None:
                    for _ in self._definitions.get(f"{name}@{function.name}", ()):
                        yield from self._callers(function.name)
                        owner = self._program.parents.get(function)
                        if isinstance(owner, ast.ClassDef):
                            yield from self._callers(owner.name)
                yield from self._definitions.get(name, ())

    def _function(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """Return the innermost function with a name around a node."""
        return next((item for item in self._program.around(node) if isinstance(item, _FUNCTIONS)), None)

    def _callers(self, name: str) -> Iterator[ast.stmt]:
        for node in ast.walk(self._program.tree):
            if isinstance(node, ast.Call) and _name(node.func).rpartition(".")[2] == name:
                statement = self._program.statement(node)
                if statement is not None:
                    yield statement


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement without those of the statements inside of it."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        yield node
        stack += [item for item in ast.iter_child_nodes(node) if not isinstance(item, ast.stmt)]


def _name(node: ast.AST) -> str:
    """Return a name or a dotted name; the last attribute alone where it is one of ``self``."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return ""
