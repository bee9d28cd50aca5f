"""The user's own expression that failed, its source, and edits of that source."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

from shapeinspect.plugin_api.user_code.frames import is_library, syntax_tree, traceback_frames

_Statement = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.For, ast.If, ast.With)


@dataclass(frozen=True, slots=True)
class UserSource:
    """The user's line that failed.

    Args:
        frame: the user's frame.
        line: the line that it ran.
        tree: its whole file.
        text: the text of that file.
        statement: the statement at the line.
        failed: the expression that failed; None where Python does not tell it.
    """

    frame: FrameType
    line: int
    tree: ast.Module
    text: str
    statement: ast.stmt
    failed: ast.AST | None

    @property
    def names(self) -> dict[str, Any]:
        """What the user's names mean there."""
        return {**self.frame.f_globals, **self.frame.f_locals}

    def source(self, node: ast.AST) -> str:
        """Return the text of a node, as the user wrote it.

        Args:
            node: a node of the tree.
        """
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    def edited(self, node: ast.AST, edits: Iterable[tuple[ast.AST, str]]) -> str:
        """Return the text of a node with parts of it replaced.

        Args:
            node: a node of the tree.
            edits: a part of it and the text in its place, for each.
        """
        raw, start = self.source(node).encode(), self._offset(node, "")
        spans = sorted(((self._offset(part, ""), self._offset(part, "end_"), new) for part, new in edits))
        for first, last, new in reversed(spans):
            raw = raw[: first - start] + new.encode() + raw[last - start :]
        return raw.decode()

    def _offset(self, node: Any, prefix: str) -> int:
        lines = self.text.encode().splitlines(keepends=True)
        line = getattr(node, f"{prefix}lineno")
        before = sum(map(len, lines[: line - 1]))
        return before + int(getattr(node, f"{prefix}col_offset"))

    def assigned(self, name: str) -> ast.Assign | None:
        """Return the last assignment of a plain name above the line, in the same function.

        Args:
            name: the name.
        """
        scope: ast.AST = self.tree
        for node in ast.walk(self.tree):
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if inside and node.lineno <= self.line <= (node.end_lineno or 0):  # type: ignore[attr-defined]  # a function
                scope = node
        found = [
            node
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            and node.lineno < self.line
            and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        ]
        return max(found, key=lambda node: node.lineno, default=None)

    def made_at(self, node: ast.AST) -> int | None:
        """Return the line where a plain name got its value; None where that is not known.

        Args:
            node: an expression.
        """
        assignment = self.assigned(node.id) if isinstance(node, ast.Name) else None
        return None if assignment is None else assignment.lineno


def user_source(traceback: TracebackType | None, packages: tuple[str, ...]) -> UserSource | None:
    """Return the user's own line that is nearest to a failure; None where its source is not there.

    Args:
        traceback: the exception's ``__traceback__``.
        packages: as for ``frames.is_library``.
    """
    steps = []
    while traceback is not None:
        steps.append(traceback)
        traceback = traceback.tb_next
    for step in reversed(steps):
        frame = step.tb_frame
        if is_library(frame.f_code.co_filename, packages):
            continue
        tree = syntax_tree(frame.f_code, frame.f_globals)
        text = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
        statement = None if tree is None else _statement(tree, step.tb_lineno)
        if tree is None or statement is None:
            return None
        failed = running_node(statement, step)
        return UserSource(frame, step.tb_lineno, tree, text, statement, failed)
    return None


def _statement(tree: ast.Module, line: int) -> ast.stmt | None:
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, _Statement) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(around, key=lambda node: (node.lineno, -(node.end_lineno or 0)), default=None)


def running_node(
    tree: ast.AST, step: TracebackType, kinds: tuple[type[ast.AST], ...] = (ast.expr, ast.AugAssign)
) -> ast.AST | None:
    """Return the node whose code was running; before Python 3.11 code does not tell.

    Args:
        tree: a module, or a statement of it.
        step: the entry of the traceback.
        kinds: the kinds of nodes that are looked for.
    """
    positions = getattr(step.tb_frame.f_code, "co_positions", None)
    spans = [] if positions is None else list(positions())
    at = step.tb_lasti // 2
    if at >= len(spans):
        return None
    names = ("lineno", "end_lineno", "col_offset", "end_col_offset")
    for node in ast.walk(tree):
        if isinstance(node, kinds) and tuple(getattr(node, name, None) for name in names) == spans[at]:
            return node
    return None


def called_from(traceback: TracebackType | None, packages: tuple[str, ...]) -> FrameType | None:
    """Return the library's frame that the user's line called.

    Args:
        traceback: the exception's ``__traceback__``.
        packages: as for ``frames.is_library``.
    """
    frames = [frame for frame, _ in traceback_frames(traceback)]
    last = max(
        (at for at, frame in enumerate(frames) if not is_library(frame.f_code.co_filename, packages)),
        default=len(frames),
    )
    return frames[last + 1] if last + 1 < len(frames) else None


def calls_of(source: UserSource, names: Iterable[str]) -> list[ast.Call]:
    """Return the calls of methods or functions of these names in the failed statement.

    Args:
        source: the user's line.
        names: the last part of what is called.
    """
    wanted = set(names)
    if isinstance(source.failed, ast.Call) and callee_of(source.failed) in wanted:
        return [source.failed]
    return [
        node
        for node in ast.walk(source.statement)
        if isinstance(node, ast.Call) and callee_of(node) in wanted
    ]


def is_named_batch(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Tell whether a number is given to something whose name says that it is the batch.

    Args:
        node: the number.
        parents: the node around each node.

    Example:
        >>> tree = ast.parse("batch_size = 8")
        >>> is_named_batch(tree.body[0].value, {tree.body[0].value: tree.body[0]})
        True
    """
    return any("batch" in name.lower() for name in given_names(node, parents))


def given_names(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> list[str]:
    """Return the names that an expression is given to: variables, a keyword, a parameter by default, a key.

    Args:
        node: the expression.
        parents: the node around each node.

    Example:
        >>> tree = ast.parse("rows, width = 8, 5")
        >>> parents = {child: one for one in ast.walk(tree) for child in ast.iter_child_nodes(one)}
        >>> given_names(tree.body[0].value.elts[1], parents)
        ['width']
    """
    parent = parents.get(node)
    if isinstance(parent, ast.keyword):
        return [parent.arg or ""]
    if isinstance(parent, ast.Assign):
        return [ast.unparse(one) for one in parent.targets if isinstance(one, ast.Name | ast.Attribute)]
    if isinstance(parent, ast.Dict):
        keys = [key for key, value in zip(parent.keys, parent.values, strict=True) if value is node]
        return [str(key.value) for key in keys if isinstance(key, ast.Constant)]
    if isinstance(parent, ast.arguments):
        return [name for name, value in defaults_of(parent).items() if value is node]
    names: list[str] = []
    outer = parents.get(parent) if isinstance(parent, ast.Tuple) else None
    if isinstance(parent, ast.Tuple) and isinstance(outer, ast.Assign):
        place = parent.elts.index(node) if isinstance(node, ast.expr) else 0
        for target in outer.targets:
            if isinstance(target, ast.Tuple) and len(target.elts) == len(parent.elts):
                names += [ast.unparse(target.elts[place])]
    return names


def arguments_in(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the functions and classes of a file, each with the names of the arguments that it takes by place.

    Args:
        tree: the file.

    Example:
        >>> [*arguments_in(ast.parse("def net(x, width=3): ..."))]
        [('net', ('x', 'width'))]
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for one in node.body:
                if isinstance(one, ast.FunctionDef) and one.name == "__init__":
                    yield node.name, tuple(arg.arg for arg in one.args.args[1:])
        elif isinstance(node, ast.FunctionDef):
            yield node.name, tuple(arg.arg for arg in node.args.args)


def callee_of(node: ast.AST | None) -> str:
    """Return the last part of what a call calls; empty for another node.

    Args:
        node: the node.

    Example:
        >>> callee_of(ast.parse("library.layers.Dense(x)", mode="eval").body)
        'Dense'
    """
    function = node.func if isinstance(node, ast.Call) else None
    return str(getattr(function, "attr", getattr(function, "id", "")))


def has_self(function: ast.FunctionDef, parents: Mapping[ast.AST, ast.AST]) -> bool:
    r"""Tell whether the first parameter of a function is the object or class that it is called on.

    Args:
        function: the function.
        parents: the node around each node.

    Example:
        >>> tree = ast.parse("class Net:\n  @staticmethod\n  def read(path): pass\n  def run(self): pass")
        >>> parents = {child: one for one in ast.walk(tree) for child in ast.iter_child_nodes(one)}
        >>> [has_self(function, parents) for function in tree.body[0].body]
        [False, True]
    """
    static = "staticmethod" in [getattr(one, "id", "") for one in function.decorator_list]
    return isinstance(parents.get(function), ast.ClassDef) and not static


def defaults_of(arguments: ast.arguments) -> dict[str, ast.expr]:
    """Return the parameters of a function that have a default, each with it.

    Args:
        arguments: those of the function.

    Example:
        >>> given = ast.parse("def build(width, depth=3, *, rate=7, name): pass").body[0].args
        >>> {name: ast.unparse(value) for name, value in defaults_of(given).items()}
        {'depth': '3', 'rate': '7'}
    """
    plain = [*arguments.posonlyargs, *arguments.args]
    first = len(plain) - len(arguments.defaults)
    pairs = [
        *zip(plain[first:], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return {one.arg: value for one, value in pairs if value is not None}


def resolved(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """Return the value of a plain name and the plain attributes after it; None for another expression.

    Args:
        node: the expression.
        names: the user's names.
    """
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(resolved(node.value, names), "__dict__", {}).get(node.attr)
    return None
