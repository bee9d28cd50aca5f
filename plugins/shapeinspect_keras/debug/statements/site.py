"""The user's own statement that failed: its source, and the values that its names stand for."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.user_code.frames import Place, source_line, syntax_tree, user_place
from shapeinspect.plugin_api.user_code.source import callee_of

#: What an expression stands for that cannot be looked up without running it.
UNKNOWN_VALUE = object()


@dataclass(frozen=True, slots=True)
class Site:
    """A statement of the user's, and the frame that runs it.

    Args:
        frame: the frame.
        line: the line that it executes.
        tree: the file around it.
        statement: the innermost statement on that line.
    """

    frame: FrameType
    line: int
    tree: ast.Module
    statement: ast.stmt

    @property
    def where(self) -> str:
        """The line with its location."""
        return source_line(self.frame, self.line)

    def text(self, node: ast.AST) -> str:
        """Return the source of a node, on one line.

        Args:
            node: the node.
        """
        lines = linecache.getlines(self.frame.f_code.co_filename, self.frame.f_globals)
        found = ast.get_source_segment("".join(lines), node)
        return " ".join((found or ast.unparse(node)).split())

    def value(self, node: ast.AST) -> Any:
        """Look up what an expression stands for, without running any code of the user's.

        Args:
            node: the expression.

        Returns: The value, or ``UNKNOWN_VALUE``.
        """
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                names = {**self.frame.f_globals, **self.frame.f_locals}
                return names.get(node.id, UNKNOWN_VALUE)
            case ast.Attribute():
                return _attribute(self.value(node.value), node.attr)
            case ast.Tuple() | ast.List():
                items = [self.value(item) for item in node.elts]
                return UNKNOWN_VALUE if any(item is UNKNOWN_VALUE for item in items) else tuple(items)
            case ast.Subscript(slice=ast.Slice(lower=lower, upper=upper, step=None)):
                owner = self.value(node.value)
                ends = [None if end is None else self.value(end) for end in (lower, upper)]
                if isinstance(owner, tuple) and all(end is None or isinstance(end, int) for end in ends):
                    return owner[slice(*ends)]
        return UNKNOWN_VALUE

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Yield the calls of functions of some names in the statement, the outermost first.

        Args:
            names: the last parts of what is called; none for all calls.
        """
        yield from calls_in(self.statement, *names)

    def everywhere(self, *names: str) -> list[ast.Call]:
        """List the calls of functions of some names in the whole file, in the order of the lines.

        Args:
            names: the last parts of what is called.
        """
        return sorted(calls_in(self.tree, *names), key=lambda call: (call.lineno, call.col_offset))

    def constant(self, value: int) -> tuple[ast.Assign, ast.Constant] | None:
        """Find the one assignment outside of all functions that gives a name this number.

        Args:
            value: the number.

        Returns: The assignment and the number in it; None if there is none or more than one.
        """
        found = [
            (node, item)
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            for item in (node.value.elts if isinstance(node.value, ast.Tuple) else [node.value])
            if isinstance(item, ast.Constant) and type(item.value) is int and item.value == value
        ]
        return found[0] if len(found) == 1 else None

    def reassigned(self, old: int, new: int) -> str | None:
        """Write the one assignment of a number with another number.

        Args:
            old: the number that is assigned.
            new: the one to assign instead.
        """
        found = self.constant(old)
        if found is None:
            return None
        text = self.text(found[0])
        lines = linecache.getlines(self.frame.f_code.co_filename, self.frame.f_globals)
        line = lines[found[1].lineno - 1].encode()
        start = found[0].col_offset if found[0].lineno == found[1].lineno else 0
        head = line[start : found[1].col_offset].decode()
        if not text.startswith(head.strip()) or found[0].lineno != found[0].end_lineno:
            return None
        return f"{head}{new}{text[len(head) + len(str(old)) :]} instead of {text}"

    def resized(self, layer: str, old: int, new: int) -> str | None:
        """Write the one call in the file that makes a layer of so many units with another number of them.

        Args:
            layer: the class of the layer.
            old: the number of units that it has.
            new: the number to give it.

        Returns: The edit; None if there is no such call or more than one.
        """
        calls = [call for call in self.everywhere(layer) if call.args and self.value(call.args[0]) == old]
        literal = [call for call in calls if isinstance(call.args[0], ast.Constant)]
        if len(calls) != 1 or len(literal) != 1:
            return None
        text = self.text(calls[0])
        head, _, tail = text.partition(str(old))
        return f"{head}{new}{tail} instead of {text}" if head.endswith("(") else None

    def layers(self) -> str:
        """Return how the user's file writes ``keras.layers``."""
        modules = self.frame.f_globals
        for wanted, tail in (("keras.layers", ""), ("keras", ".layers"), ("tensorflow", ".keras.layers")):
            module = sys.modules.get(wanted)
            for name, value in modules.items():
                if value is module and module is not None:
                    return name + tail
        layers = sys.modules.get("keras.layers")
        for name, value in modules.items():
            if getattr(value, "__name__", "").endswith("keras.layers") and value is not layers:
                return name
        return "keras.layers"


def calls_in(node: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Yield the calls of functions of some names in a node.

    Args:
        node: the node.
        names: the last parts of what is called; none for all calls.
    """
    for item in ast.walk(node):
        if isinstance(item, ast.Call) and (not names or callee_of(item) in names):
            yield item


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """Return the expression of an argument, given by place or by name.

    Args:
        call: the call.
        position: its place.
        name: its name.
    """
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position < len(call.args) and not any(isinstance(item, ast.Starred) for item in call.args):
        return call.args[position]
    return None


def site_of(frames: Sequence[Place], packages: tuple[str, ...]) -> Site | None:
    """Find the user's statement that is nearest to a failure.

    Args:
        frames: those of the traceback, the outermost first.
        packages: the packages that are not the user's.
    """
    place = user_place(reversed(frames), packages)
    if place is None:
        return None
    frame, line = place
    tree = syntax_tree(frame.f_code, frame.f_globals)
    if tree is None:
        return None
    covering = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    if not covering:
        return None
    return Site(frame, line, tree, max(covering, key=lambda node: (node.lineno, -(node.end_lineno or 0))))


def _attribute(owner: Any, name: str) -> Any:
    if owner is UNKNOWN_VALUE:
        return UNKNOWN_VALUE
    if name in ("shape", "dtype") and type(owner).__module__.partition(".")[0] in ("numpy", "tensorflow"):
        found: Any = getattr(owner, name, UNKNOWN_VALUE)
        return tuple(found) if name == "shape" and found is not UNKNOWN_VALUE else found
    return getattr(owner, "__dict__", {}).get(name, UNKNOWN_VALUE)
