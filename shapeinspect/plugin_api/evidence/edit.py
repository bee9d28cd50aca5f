"""A part of a script that was edited, with what it was worth before and after."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.edit_words import EditWords
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: A longer piece of code is not repeated.
_LONGEST = 44


@dataclass(frozen=True, slots=True)
class Edit:
    """One part of a script that was edited.

    Args:
        trace: the script, as it failed.
        old: the part, in the trace's own tree.
        new: what stands in its place.
        words: how the frameworks in use are written.
        after: the script with all edits; None where it was not run.
    """

    trace: Trace
    old: Any
    new: Any
    words: EditWords
    after: Trace | None = None

    @property
    def line(self) -> str:
        """The line of the part, with its file where the script has several."""
        return self.trace.line(self.old)

    @property
    def place(self) -> tuple[int, ...]:
        """The place of what stands there now, in the edited script."""
        number = self.trace.files.index(self.trace.homes[self.old])
        return (number, *(one or 0 for one in place_of(self.new)))

    def makes(self) -> str:
        """Say what the call around the part makes after the edit."""
        around = self.trace.parents.get(self.old)
        while around is not None and not isinstance(around, ast.Call | ast.stmt):
            around = self.trace.parents.get(around)
        if self.after is None or not isinstance(around, ast.Call):
            return ""
        name, first = callee_of(around), self.place[1]
        for place, node in self.after.by_place.items():
            if isinstance(node, ast.Call) and callee_of(node) == name and place[0] == self.place[0]:
                inside = node.lineno <= first <= (node.end_lineno or 0)
                shape = self.after.shape(node) if inside else None
                if shape is not None:
                    return f"with {ast.unparse(self.new)}, {name} makes {shown(shape)}"
        return ""

    def code(self, node: Any) -> str:
        """Return the source of a part of the script, or of what stands in its place.

        Args:
            node: the part.
        """
        return shortened(self.trace.source(node) if node in self.trace.homes else ast.unparse(node))

    def worth(self, node: Any) -> Any:
        """Return what an expression was worth last, the same one wherever it stands; None for unknown.

        Args:
            node: the expression.
        """
        if node in self.trace.homes:
            return self.trace.last(node)
        if isinstance(node, ast.Constant):
            return node.value if type(node.value) in (int, bool) else None
        if node is self.new and self.after is not None:
            return (*self.after.ended.values.get(self.place, ())[-1:], None)[0]
        text = ast.unparse(node)
        near = self.trace.function(self.old)
        same = [one for one in self.trace.by_text.get(text, ()) if self.trace.values(one)]
        same.sort(key=lambda one: self.trace.function(one) is not near)
        if not same and isinstance(node, ast.Name):
            same = [one for one in self._assigned(node.id) if self.trace.values(one)]
        return self.trace.values(same[0])[-1] if same else None

    def _assigned(self, name: str) -> Iterator[ast.expr]:
        """Yield what a name is set to, also as one of several."""
        tree = self.trace.tree(self.trace.homes[self.old])
        for node in (one for one in ast.walk(tree) if isinstance(one, ast.Assign)):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = [*zip(target.elts, node.value.elts, strict=False)]
                yield from (value for one, value in pairs if isinstance(one, ast.Name) and one.id == name)


def shortened(code: str, longest: int = _LONGEST) -> str:
    """Return code on one line, cut where it is long.

    Args:
        code: the code.
        longest: at most so many characters.

    Example:
        >>> shortened("f(x,  y)"), shortened("x" * 50)
        ('f(x, y)', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…')
    """
    text = " ".join(code.split())
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def place_of(node: ast.AST) -> tuple[int | None, ...]:
    """Return where a node stands: its first line and column, then its last ones.

    Args:
        node: the node.

    Example:
        >>> place_of(ast.parse("x = 35").body[0])
        (1, 0, 1, 6)
    """
    names = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    return tuple(getattr(node, name, None) for name in names)


def holds(outer: ast.AST, inner: ast.AST) -> bool:
    """Tell whether an expression stands in another one.

    Args:
        outer: the one.
        inner: the other, by its text.

    Example:
        >>> holds(ast.parse("f(x + 1)"), ast.parse("x", mode="eval").body)
        True
    """
    text = ast.unparse(inner)
    return any(isinstance(one, ast.expr) and ast.unparse(one) == text for one in ast.walk(outer))


def given_to(edit: Edit) -> str:
    """Say for which argument of which call an expression is passed.

    Args:
        edit: the edit of the expression.
    """
    around = edit.trace.parents.get(edit.old)
    if isinstance(around, ast.keyword):
        call = edit.trace.parents.get(around)
        return f", {around.arg} of {edit.code(call.func)}(…)" if isinstance(call, ast.Call) else ""
    passed = isinstance(around, ast.Call) and edit.old in around.args
    return f" in {edit.code(around.func)}(…)" if passed and isinstance(around, ast.Call) else ""


def spelled(value: Any) -> str:
    """Write what an expression was worth: an array as its shape, a list as its length.

    Args:
        value: as a trace holds it.

    Example:
        >>> spelled(("tensor", (3, 5), "float32")), spelled(("sized", 7)), spelled(9)
        ('(3, 5)', '7 long', '9')
    """
    kind = value[0] if isinstance(value, tuple) and value and isinstance(value[0], str) else ""
    if kind == "sized":
        return f"{value[1]} long"
    return shown(value[1]) if kind == "tensor" else str(value)


def shown(shape: Any) -> str:
    """Write a shape.

    Args:
        shape: its lengths.

    Example:
        >>> shown((3,)), shown([3, 5])
        ('(3,)', '(3, 5)')
    """
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def number_of(node: Any) -> int | None:
    """Return a whole number that is written, with its sign; None for anything else.

    Args:
        node: the expression.

    Example:
        >>> number_of(ast.parse("-3", mode="eval").body)
        -3
    """
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    plain = isinstance(node, ast.Constant) and type(node.value) is int
    return sign * node.value if plain else None
