"""Rewrites in-place statements out of place: the edited statements, and the edit in words."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType
from typing import Any

from shapeinspect.plugin_api.user_code.frames import syntax_tree


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Another form of a statement.

    Args:
        text: the edit in words.
        statements: the statements that replace it.
        place: the line and the column of the old one.
    """

    text: str
    statements: tuple[ast.stmt, ...]
    place: tuple[int, int]


def out_of_place(statement: ast.stmt) -> Iterator[Rewriting]:
    """Yield the forms of a statement that write nothing in place, the most likely first.

    Args:
        statement: the statement that writes.

    Example:
        >>> [one.text for one in out_of_place(ast.parse("x += 1").body[0])]
        ['x = x + 1 instead of x += 1']
        >>> [one.text for one in out_of_place(ast.parse("x[m] = 0").body[0])]
        ['x = x.masked_fill(m, 0) instead of x[m] = 0', 'x = x.clone() before x[m] = 0']
        >>> [one.text for one in out_of_place(ast.parse("maps[0] += y").body[0])][0]
        'maps[0] = maps[0] + y instead of maps[0] += y'
    """
    original = ast.unparse(statement)
    if isinstance(statement, ast.AugAssign):
        old = _parsed(ast.unparse(statement.target))
        new = ast.Assign([statement.target], ast.BinOp(old, statement.op, statement.value))
        yield _rewriting(
            statement, [new], f"{ast.unparse(ast.fix_missing_locations(new))} instead of {original}"
        )
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
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
    return owner if isinstance(owner, (ast.Name, ast.Attribute, ast.Subscript)) else None


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
    statements = tuple(ast.fix_missing_locations(node) for node in new)
    return Rewriting(text, statements, (old.lineno, old.col_offset))


def replaced(statements: Sequence[ast.stmt], new: Rewriting) -> list[ast.stmt]:
    """Return statements with one of them replaced.

    Args:
        statements: the statements; they are not changed.
        new: the replacement.
    """
    return [
        ast.fix_missing_locations(_Replacing(new).visit(copy.deepcopy(statement)))
        for statement in _flat(statements, new)
    ]


def _flat(statements: Sequence[ast.stmt], new: Rewriting) -> Iterator[ast.stmt]:
    for statement in statements:
        if isinstance(statement, _SIMPLE) and (statement.lineno, statement.col_offset) == new.place:
            yield from new.statements
        else:
            yield statement


_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return)


class _Replacing(ast.NodeTransformer):
    """Inserts the new form into every block with the old one."""

    def __init__(self, new: Rewriting) -> None:
        self._new = new

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, list(_flat(block, self._new)))
        return super().generic_visit(node)


def statements_at(statements: Sequence[ast.stmt], line: int) -> list[ast.stmt]:
    """Return the simple statements at a line; there may be several, parted by semicolons.

    Args:
        statements: the statements to search.
        line: the line.
    """
    return [
        node
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, _SIMPLE) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]


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
            and code.co_firstlineno in (node.lineno, *(one.lineno for one in node.decorator_list))
        ):
            return node
    return None


def decorated(outer: Any, inner: FunctionType, new: FunctionType) -> FunctionType | None:
    """Return a decorated function around another one; None where its decorator is not a closure.

    Args:
        outer: the decorated function, or the function itself.
        inner: the function that is decorated.
        new: what takes its place.
    """
    if outer is inner:
        return new
    if not isinstance(outer, FunctionType) or outer.__closure__ is None:
        return None
    cells, found = [], False
    for cell in outer.__closure__:
        held = cell.cell_contents if isinstance(getattr(cell, "cell_contents", None), FunctionType) else None
        around = None if held is None or inspect.unwrap(held) is not inner else decorated(held, inner, new)
        found = found or around is not None
        cells.append(cell if around is None else CellType(around))
    if not found:
        return None
    result = FunctionType(outer.__code__, outer.__globals__, outer.__name__, outer.__defaults__, tuple(cells))
    result.__kwdefaults__ = outer.__kwdefaults__
    return result


def rewritten(function: FunctionType, source: ast.FunctionDef, new: Rewriting) -> FunctionType:
    """Return a function with another form of one of its statements; the old one stays as it is.

    Args:
        function: the function.
        source: its tree.
        new: the new form of the statement.
    """
    own = copy.deepcopy(source)
    own.body, own.decorator_list = replaced(own.body, new), []
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
