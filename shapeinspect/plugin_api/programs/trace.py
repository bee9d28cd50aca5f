"""What a run of a script says of its expressions: their values, their places, and what is around them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shapeinspect.plugin_api.programs.child import Ended
from shapeinspect.plugin_api.programs.span import Span, source_of, tree_of
from shapeinspect.plugin_api.user_code.source import callee_of, has_self

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Trace:
    """A script's files and what its first run reported.

    Args:
        texts: the files, by path.
        ended: the run.
    """

    texts: Mapping[str, str]
    ended: Ended

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files by their numbers."""
        return tuple(self.texts)

    def tree(self, file: str) -> ast.Module:
        """Return the syntax tree of a file.

        Args:
            file: its path.
        """
        return self._trees[file]

    @cached_property
    def _trees(self) -> dict[str, ast.Module]:
        """The trees as long as the trace lives: their nodes are keys of what is known of them."""
        return {file: tree_of(text) for file, text in self.texts.items()}

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node around each node."""
        return {
            child: node
            for file in self.texts
            for node in ast.walk(self.tree(file))
            for child in ast.iter_child_nodes(node)
        }

    @cached_property
    def homes(self) -> dict[ast.AST, str]:
        """The file of each node."""
        return {node: file for file in self.texts for node in ast.walk(self.tree(file))}

    @cached_property
    def by_place(self) -> dict[tuple[int, ...], ast.expr]:
        """The expressions by their places."""
        return {
            _at(number, node): node
            for number, file in enumerate(self.files)
            for node in ast.walk(self.tree(file))
            if isinstance(node, ast.expr)
        }

    @cached_property
    def by_text(self) -> dict[str, list[ast.expr]]:
        """The names, attributes, calls and items that had a value, by their text."""
        found: dict[str, list[ast.expr]] = {}
        for place, node in self.by_place.items():
            told = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
            if told and place in self.ended.values:
                found.setdefault(ast.unparse(node), []).append(node)
        return found

    def values(self, node: Any) -> tuple[Any, ...]:
        """Return what an expression was worth, the last value last.

        Args:
            node: the expression.
        """
        if isinstance(node, ast.Constant) and type(node.value) in (int, bool):
            return (node.value,)
        return self.ended.values.get(self._place(node), ())

    def last(self, node: Any) -> Any:
        """Return what an expression was worth last; None where that is not known.

        Args:
            node: the expression.
        """
        return (*self.values(node)[-1:], None)[0]

    def ran(self, node: Any) -> bool:
        """Tell whether a number or a call was reached.

        Args:
            node: the expression.
        """
        return self._place(node) in self.ended.values

    def _place(self, node: Any) -> tuple[int, ...]:
        return _at(self.files.index(self.homes[node]), node)

    def shape(self, node: Any) -> tuple[int, ...] | None:
        """Return the shape of the array that an expression was worth last; None for another value.

        Args:
            node: the expression.
        """
        return shape_of(self.last(node))

    def shapes(self, node: Any) -> list[tuple[int, ...]]:
        """Return the shapes of all arrays that an expression was worth, the last one last.

        Args:
            node: the expression.
        """
        return [shape for value in self.values(node) if (shape := shape_of(value)) is not None]

    def dtype(self, node: Any) -> str:
        """Return the dtype of the array that an expression was worth last.

        Args:
            node: the expression.
        """
        return str(self.values(node)[-1][2]) if self.shape(node) is not None else ""

    def of_file(self, file: str) -> str:
        """Name a file behind a line; empty for the script itself.

        Args:
            file: its path.
        """
        return "" if file == self.files[0] else f" of {file.rpartition('/')[2]}"

    def line(self, node: Any) -> str:
        """Name the line of a node, with its file where it is not the script itself.

        Args:
            node: the node.
        """
        return f"line {node.lineno}{self.of_file(self.homes[node])}"

    def span(self, node: Any) -> Span:
        """Return the place of a node.

        Args:
            node: the node.

        Raises:
            ValueError: if it has no place, such as the arguments of a function.
        """
        file = self.homes[node]
        found = Span.of(self.texts[file], file, node)
        if found is None:
            raise ValueError("the node has no place")
        return found

    def source(self, node: Any) -> str:
        """Return the text of a node.

        Args:
            node: the node.
        """
        return source_of(self.texts[self.homes[node]], self.span(node))

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around a node, the innermost first.

        Args:
            node: the node.
        """
        while node in self.parents:
            node = self.parents[node]
            yield node

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """Return the innermost statement around a node, or the node itself.

        Args:
            node: the node.
        """
        return next((one for one in (node, *self.around(node)) if isinstance(one, ast.stmt)), None)

    def function(self, node: ast.AST) -> ast.AST | None:
        """Return the innermost function around a node; None for the module.

        Args:
            node: the node.
        """
        return next((one for one in self.around(node) if isinstance(one, _FUNCTIONS)), None)

    @cached_property
    def made(self) -> tuple[ast.Call, ...]:
        """The calls that made the objects whose methods were running, the outermost first."""
        found = (self.by_place.get(place) for place in self.ended.made)
        return tuple(node for node in found if isinstance(node, ast.Call))

    def definition(self, call: ast.Call) -> tuple[ast.FunctionDef | None, bool]:
        """Return the script's own function, or constructor, that a call runs, and whether it has a ``self``.

        Args:
            call: the call.
        """
        name = callee_of(call)
        return self._definitions.get(name, (None, False))

    @cached_property
    def _definitions(self) -> dict[str, tuple[ast.FunctionDef | None, bool]]:
        found: dict[str, tuple[ast.FunctionDef | None, bool]] = {}
        for file in self.texts:
            for node in ast.walk(self.tree(file)):
                if isinstance(node, ast.FunctionDef):
                    found.setdefault(node.name, (node, has_self(node, self.parents)))
        for file in self.texts:
            for node in ast.walk(self.tree(file)):
                if isinstance(node, ast.ClassDef):
                    made = [
                        one
                        for one in node.body
                        if isinstance(one, ast.FunctionDef) and one.name == "__init__"
                    ]
                    found[node.name] = (made[0], True) if made else (None, False)
        return found


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of what an expression was worth; None where that was no array.

    Args:
        value: as a trace holds it.

    Example:
        >>> shape_of(("tensor", (3, 5), "float32")), shape_of(("sized", 7))
        ((3, 5), None)
    """
    array = isinstance(value, tuple) and len(value) == 3 and value[0] == "tensor"
    return value[1] if array else None


def _at(number: int, node: Any) -> tuple[int, ...]:
    """Return the place of an expression in the file of a number, as a run reports it."""
    return (number, node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
