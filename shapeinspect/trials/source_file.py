"""A file of the user's, its statements, and edits of its text."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.plugin_api.user_code.source import (
    arguments_in,
    callee_of,
    defaults_of,
    has_self,
    is_named_batch,
)
from shapeinspect.trials.choices import choices, switches
from shapeinspect.trials.slices import Unit, units

#: A default is given by so many calls at most, instead of being changed.
_CALLS = 2
#: What makes an array of the lengths that it is given.
MAKERS = frozenset({
    "rand", "randn", "zeros", "ones", "empty", "full", "normal", "uniform", "standard_normal", "random",
    "random_sample", "randint", "integers",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """A part of a file and the text in its place.

    Args:
        file: its path in the script's folder.
        first: the offset of the part's first byte.
        last: the offset behind its last byte.
        new: the text in its place.
    """

    file: str
    first: int
    last: int
    new: str


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return a text with edits.

    Args:
        text: the text.
        edits: the edits.
    """
    raw = text.encode()
    for edit in sorted(edits, key=lambda one: one.first, reverse=True):
        raw = raw[: edit.first] + edit.new.encode() + raw[edit.last :]
    return raw.decode()


@dataclass(eq=False, slots=True)
class File:
    """A file of the user's.

    Args:
        path: its path in the script's folder.
        text: its text.
        tree: the same, parsed.
        units: its statements.
        parents: the node around each node.
        starts: the offset of each line's first byte.
        numbers: the whole numbers that are written in it, by their value.
        choices: the words that it chooses between, each with the others of its choice.
        switches: the names that it compares with whole numbers, and these numbers.
        raw: its text in bytes.
        calls: the calls in it, by the last part of what they call.
        functions: its functions by their name, of several of one name the first.
        arguments: the names of the arguments that its functions and classes take by place.
    """

    path: str
    text: str
    tree: ast.Module
    units: list[Unit]
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)
    numbers: dict[int, list[ast.Constant]] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    switches: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    raw: bytes = b""
    calls: dict[str, list[ast.Call]] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    arguments: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _spans: list[tuple[int, int, ast.AST]] = field(default_factory=list)

    @classmethod
    def parsed(cls, path: str, text: str) -> File:
        """Parse a file.

        Args:
            path: its path in the script's folder.
            text: its text.

        Raises:
            SyntaxError: if it is no Python.
        """
        tree = ast.parse(text)
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        starts = [0]
        raw = text.encode()
        for line in raw.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        found = cls(path, text, tree, units(tree), parents, starts, {}, choices(tree), switches(tree), raw)
        found.arguments |= arguments_in(tree)
        for node in parents:
            if isinstance(node, ast.Constant) and type(node.value) is int:
                found.numbers.setdefault(node.value, []).append(node)
            elif isinstance(node, ast.Call):
                found.calls.setdefault(callee_of(node), []).append(node)
            elif isinstance(node, ast.FunctionDef):
                found.functions.setdefault(node.name, node)
        return found

    def source(self, node: Any) -> str:
        """Return the text of a node.

        Args:
            node: a node of the tree.
        """
        first, last = self.span(node)
        return self.raw[first:last].decode()

    def span(self, node: Any) -> tuple[int, int]:
        """Return the offsets of a node's first byte and of the one behind its last.

        Args:
            node: a node of the tree.
        """
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def left(self, default: ast.Constant) -> list[tuple[ast.Call, str]]:
        """Return the calls that leave an argument at its default, with its name; none for many.

        Args:
            default: the default.
        """
        parameters = self.parents.get(default)
        function = self.parents.get(parameters) if isinstance(parameters, ast.arguments) else None
        if not isinstance(function, ast.FunctionDef):
            return []
        name = next(name for name, one in defaults_of(function.args).items() if one is default)
        owner = self.parents.get(function)
        builds = isinstance(owner, ast.ClassDef) and function.name == "__init__"
        called = getattr(owner, "name", "") if builds else function.name
        plain = self.positional(function)
        before = plain.index(name) if name in plain else len(plain)
        found = [
            (node, name)
            for node in self.calls.get(called, ())
            if len(node.args) <= before and all(word.arg not in (name, None) for word in node.keywords)
        ]
        return found if len(found) <= _CALLS else []

    def around(self, first: int, last: int) -> ast.AST:
        """Return the smallest expression or statement around a part.

        Args:
            first: the offset of its first byte.
            last: that of the byte behind its last.
        """
        if not self._spans:
            code = (node for node in self.parents if isinstance(node, ast.expr | ast.stmt))
            self._spans += ((*self.span(node), node) for node in code)
        found = [one for one in self._spans if one[0] <= first and last <= one[1]]
        return min(found, key=lambda one: one[1] - one[0])[2] if found else self.tree.body[0]

    def edit(self, node: Any, new: str) -> Edit:
        """Return the edit that replaces a node.

        Args:
            node: a node of the tree.
            new: the text in its place.
        """
        return Edit(self.path, *self.span(node), new)

    def parameters(self, node: ast.AST) -> list[str]:
        """Return the parameter of the file's own function or class that an argument by place is for.

        Args:
            node: the argument.
        """
        call = self.parents.get(node)
        if not isinstance(call, ast.Call) or node not in call.args:
            return []
        name, place = callee_of(call), call.args.index(node)
        function = self.functions.get(name)
        for owner in self.tree.body if function is None else ():
            if isinstance(owner, ast.ClassDef) and owner.name == name:
                made = (
                    one for one in owner.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"
                )
                function = next(made, None)
        return [] if function is None else self.positional(function)[place : place + 1]

    def extended(self, call: ast.Call, argument: str) -> str:
        """Return the source of a call with one more argument.

        Args:
            call: the call.
            argument: the argument, ``name=value``.

        Example:
            >>> file = File.parsed("net.py", "head(width, )")
            >>> file.extended(file.tree.body[0].value, "bias=False")
            'head(width, bias=False)'
        """
        inner = self.source(call)[:-1].rstrip().removesuffix(",")
        return f"{inner}{', ' if call.args or call.keywords else ''}{argument})"

    def positional(self, function: ast.FunctionDef) -> list[str]:
        """Return the parameters that a call's arguments by place are for, in their order.

        Args:
            function: the function; of a method ``self`` is none of them.

        Example:
            >>> file = File.parsed("net.py", "def head(width, classes=7, *, bias=True): pass")
            >>> file.positional(file.functions["head"])
            ['width', 'classes']
        """
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        return names[1:] if has_self(function, self.parents) else names

    def equals(self, node: ast.Constant) -> tuple[ast.AST, list[ast.Constant]]:
        """Return the product or the row that a number stands in, and its equals there, in their order.

        Args:
            node: the number.
        """
        top: ast.AST = node
        while isinstance(parent := self.parents.get(top), ast.BinOp):
            top = parent
        if isinstance(parent, ast.Tuple | ast.List):
            top = parent
        found = [part for part in ast.walk(top) if isinstance(part, ast.Constant)]
        found = [part for part in found if type(part.value) is int and part.value == node.value]
        return top, sorted(found, key=self.span)

    def is_batch(self, node: ast.AST) -> bool:
        """Tell whether a number says how many samples there are.

        Args:
            node: the number.
        """
        if is_named_batch(node, self.parents):
            return True
        parent = self.parents.get(node)
        listed = isinstance(parent, ast.Tuple | ast.List)
        call = self.parents.get(parent) if listed and parent is not None else parent
        if not isinstance(call, ast.Call) or callee_of(call) not in MAKERS or self.is_in_class(call):
            return False
        parts = parent.elts if isinstance(parent, ast.Tuple | ast.List) else call.args
        return (len(parts) > 1 or listed) and parts[0] is node

    def is_in_class(self, node: ast.AST | None) -> bool:
        """Tell whether an expression stands in a class.

        Args:
            node: the expression.
        """
        while node is not None and not isinstance(node, ast.ClassDef):
            node = self.parents.get(node)
        return node is not None
