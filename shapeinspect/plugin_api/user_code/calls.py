"""The call in the user's own source that failed."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.user_code.frames import Place, place_of, syntax_tree, user_place
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect.plugin_api.user_code.values import UnknownError, value_of


@dataclass(frozen=True, slots=True)
class UserCall:
    """A call in the user's source.

    Args:
        frame: the frame that runs it.
        node: the call.
        statement: the statement around it.
    """

    frame: FrameType
    node: ast.Call
    statement: ast.stmt

    @property
    def place(self) -> str:
        """The line, as ``train.py:12``."""
        return place_of(self.frame, self.node.lineno)

    @property
    def owner(self) -> str:
        """The source of what the method is called on; empty for a function."""
        return self.source(self.node.func.value) if isinstance(self.node.func, ast.Attribute) else ""

    def source(self, node: ast.AST) -> str:
        """Return a part of the call as the user wrote it, in one line.

        Args:
            node: the part.
        """
        lines = linecache.getlines(self.frame.f_code.co_filename, self.frame.f_globals)
        written = ast.get_source_segment("".join(lines), node)
        return ast.unparse(node) if written is None or "\n" in written else written

    def argument(self, position: int, name: str) -> str:
        """Return the source of an argument; empty where it is not written.

        Args:
            position: its place among the positional ones.
            name: its name.
        """
        for keyword in self.node.keywords:
            if keyword.arg == name:
                return self.source(keyword.value)
        plain = [item for item in self.node.args if not isinstance(item, ast.Starred)]
        return self.source(plain[position]) if position < len(plain) else ""

    def values(self) -> tuple[Any, list[Any], dict[str, Any]]:
        """Return what is called, and its arguments.

        Raises:
            ValueError: if that cannot be known without running code of the user's.
        """
        try:
            args = [value_of(item, self.frame) for item in self.node.args]
            kwargs = {str(word.arg): value_of(word.value, self.frame) for word in self.node.keywords}
            return value_of(self.node.func, self.frame), args, kwargs
        except UnknownError:
            raise ValueError("an argument is computed") from None

    def holder(self, position: int, name: str) -> tuple[str, Any]:
        """Return the variable whose item an argument is: ``checkpoint`` of ``checkpoint["optimizer"]``.

        Args:
            position: the argument's place among the positional ones.
            name: its name.

        Returns: The variable's source and value; an empty text where it is no such item.
        """
        given = next((word.value for word in self.node.keywords if word.arg == name), None)
        node = given if given is not None else dict(enumerate(self.node.args)).get(position)
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            return "", None
        scope = {**self.frame.f_globals, **self.frame.f_locals}
        return node.value.id, scope.get(node.value.id)

    def names(self, value: object) -> list[str]:
        """Return the names under which the frame can read an object.

        Args:
            value: the object, such as a module.
        """
        scopes = (self.frame.f_locals, self.frame.f_globals)
        return [name for scope in scopes for name, item in scope.items() if item is value]


def grouped(text: str) -> str:
    """Return an expression so that a method can be called on it.

    Args:
        text: the expression.

    Example:
        >>> grouped('saved["model"]'), grouped('folder + "/a"')
        ('saved["model"]', '(folder + "/a")')
    """
    plain = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.JoinedStr, ast.Dict, ast.DictComp)
    node = ast.parse(text, mode="eval").body
    string = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return text if string or isinstance(node, plain) else f"({text})"


def failed_call(frames: list[Place], packages: tuple[str, ...], names: Collection[str]) -> UserCall | None:
    """Find the call in the user's innermost line that has one of these names.

    Args:
        frames: those of a traceback, the outermost first, with their lines.
        packages: as for ``frames.is_library``.
        names: the last parts of the names of functions or methods.
    """
    site = user_place(reversed(frames), packages)
    tree = None if site is None else syntax_tree(site[0].f_code, site[0].f_globals)
    if site is None or tree is None:
        return None
    frame, line = site
    found = [
        (node, statement)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.stmt) and not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in _own_calls(statement)
        if node.lineno <= line <= (node.end_lineno or node.lineno) and callee_of(node) in names
    ]
    return UserCall(frame, *found[0]) if found else None


def _own_calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """Yield the calls of a statement, without those of the statements inside it."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.Call):
            yield node
        todo += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]
