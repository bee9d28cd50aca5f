"""Rewrites in-place statements out of place: the edited statements, and the edit in words."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType
from typing import Any

from shapeinspect.plugin_api.frames import syntax_tree


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Another form of a statement.

    Args:
        text: the edit in words.
        statements: the statements that replace it.
    """

    text: str
    statements: tuple[ast.stmt, ...]


def out_of_place(statement: ast.stmt) -> Iterator[Rewriting]:
    """Yield the forms of a statement that write nothing in place, the most likely first.

    Args:
        statement: the statement that writes.

    Example:
        >>> [one.text for one in out_of_place(ast.parse("x += 1").body[0])]
        ['x = x + 1 instead of x += 1']
        >>> [one.text for one in out_of_place(ast.parse("x[m] = 0").body[0])]
        ['x = x.masked_fill(m, 0) instead of x[m] = 0', 'x = x.clone() before x[m] = 0']
    """
    original = ast.unparse(statement)
    if isinstance(statement, ast.AugAssign) and not isinstance(statement.target, ast.Subscript):
        old = _parsed(ast.unparse(statement.target))
        new = ast.Assign([statement.target], ast.BinOp(old, statement.op, statement.value))
        yield _rewriting(
            statement, [new], f"{ast.unparse(ast.fix_missing_locations(new))} instead of {original}"
        )
    elif isinstance(statement, (ast.Assign, ast.AugAssign)):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Subscript):
            yield from _written_to(statement, target, original)
    plain = _Plain()
    new_statement = plain.visit(copy.deepcopy(statement))
    if plain.changed:
        value = getattr(new_statement, "value", None)
        if isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
            owner = _owner(value)
            if owner is None:
                return
            new_statement = ast.Assign([_stored(owner)], value)
        text = ast.unparse(ast.fix_missing_locations(ast.copy_location(new_statement, statement)))
        yield _rewriting(statement, [new_statement], f"{text} instead of {original}")


def _written_to(statement: ast.stmt, target: ast.Subscript, original: str) -> Iterator[Rewriting]:
    owner = ast.unparse(target.value)
    if isinstance(statement, ast.Assign) and isinstance(target.slice, (ast.Name, ast.Compare, ast.UnaryOp)):
        mask, value = ast.unparse(target.slice), ast.unparse(statement.value)
        text = f"{owner} = {owner}.masked_fill({mask}, {value})"
        yield _rewriting(statement, ast.parse(text).body, f"{text} instead of {original}")
    text = f"{owner} = {owner}.clone()"
    yield _rewriting(statement, [*ast.parse(text).body, statement], f"{text} before {original}")


class _Plain(ast.NodeTransformer):
    """Replaces functions by those that return a new tensor."""

    def __init__(self) -> None:
        self.changed = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name.endswith("_") and not name.startswith("_"):
                node.func.attr, self.changed = name[:-1], True
        for keyword in node.keywords:
            if keyword.arg == "inplace":
                keyword.value, self.changed = ast.Constant(False), True
        return node


_NAMESPACES = ("F", "torch", "functional")


def _owner(call: ast.Call) -> ast.expr | None:
    """Return the target of a call that writes in place: ``x.add_(1)``, ``F.relu_(x)``."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    if owner is not None and ast.unparse(owner).rpartition(".")[2] in _NAMESPACES and call.args:
        owner = call.args[0]
    return owner if isinstance(owner, (ast.Name, ast.Attribute)) else None


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _stored(expression: ast.expr) -> ast.expr:
    target: Any = ast.parse(f"{ast.unparse(expression)} = 0").body[0]
    stored: ast.expr = target.targets[0]
    return stored


def _rewriting(old: ast.stmt, new: Sequence[ast.stmt], text: str) -> Rewriting:
    for node in new:
        for part in ast.walk(node):
            if not hasattr(part, "lineno") or node is not old:
                ast.copy_location(part, old)
    return Rewriting(text, tuple(ast.fix_missing_locations(node) for node in new))


def replaced(statements: Sequence[ast.stmt], line: int, new: Rewriting) -> list[ast.stmt]:
    """Return statements with those at a line replaced.

    Args:
        statements: the statements; they are not changed.
        line: the line of the old one.
        new: its replacement.
    """
    return [ast.fix_missing_locations(_Replacing(line, new).visit(copy.deepcopy(statement))) for statement in
            _flat(statements, line, new)]  # fmt: skip


def _flat(statements: Sequence[ast.stmt], line: int, new: Rewriting) -> Iterator[ast.stmt]:
    for statement in statements:
        if _is_at(statement, line):
            yield from new.statements
        else:
            yield statement


def _is_at(statement: ast.AST, line: int) -> bool:
    simple = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return))
    return simple and statement.lineno <= line <= (statement.end_lineno or statement.lineno)  # type: ignore[attr-defined]  # a statement has both


class _Replacing(ast.NodeTransformer):
    """Inserts the new form into every block with the line."""

    def __init__(self, line: int, new: Rewriting) -> None:
        self._line, self._new = line, new

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, list(_flat(block, self._line, self._new)))
        return super().generic_visit(node)


def statement_at(statements: Sequence[ast.stmt], line: int) -> ast.stmt | None:
    """Return the innermost simple statement at a line.

    Args:
        statements: the statements to search.
        line: the line.
    """
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.stmt) and _is_at(node, line):
                return node
    return None


def definition(code: CodeType) -> ast.FunctionDef | None:
    """Return the source of a function as a tree, or None where it is not available.

    Args:
        code: its code.
    """
    tree = syntax_tree(code)
    if tree is None:
        return None
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef)
            and node.name == code.co_name
            and not node.decorator_list
            and node.lineno == code.co_firstlineno
        ):
            return node
    return None


def rewritten(function: FunctionType, source: ast.FunctionDef, line: int, new: Rewriting) -> Any:
    """Return a function with another form of one of its statements; the old one stays as it is.

    Args:
        function: the function.
        source: its tree.
        line: the line of the statement.
        new: its new form.
    """
    own = copy.deepcopy(source)
    own.body = replaced(own.body, line, new)
    free = function.__code__.co_freevars
    text = f"def __outer({', '.join(free)}):\n  return 0"
    outer = ast.parse(text)
    outer.body[0].body.insert(0, own)  # type: ignore[attr-defined]  # it is a function
    code = compile(ast.fix_missing_locations(outer), function.__code__.co_filename, "exec")
    inner = next(code_object for code_object in _codes(code) if code_object.co_name == function.__name__)
    cells: dict[str, CellType] = dict(zip(free, function.__closure__ or (), strict=True))
    result = FunctionType(
        inner,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple(cells[name] for name in inner.co_freevars),
    )
    result.__kwdefaults__ = function.__kwdefaults__
    return result


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
