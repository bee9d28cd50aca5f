"""Source that reports while it runs: which statements have run, and what its expressions were worth."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Any

#: What the source calls; they are put among Python's built-in names while it runs.
MARK, VALUE = "__shapeinspect_mark__", "__shapeinspect_value__"
_SIMPLE = (
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Expr,
    ast.Delete,
    ast.Import,
    ast.ImportFrom,
    ast.Pass,
)
_BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.AsyncFor, ast.AsyncWith)
_VALUED = (
    ast.Name, ast.Attribute, ast.Call, ast.BinOp, ast.Subscript, ast.Tuple, ast.List, ast.UnaryOp, ast.IfExp,
)  # fmt: skip


def marked(tree: ast.Module, file: int, lines: Collection[int]) -> ast.Module:
    """Return source that reports each statement that has run, where one of some lines stands.

    Args:
        tree: the source; it is changed.
        file: its number, which is reported.
        lines: lines whose functions report; the module itself always does.
    """
    tree.body = _marked_block(tree.body, file)
    for node in ast.walk(tree):
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if function and any(node.lineno <= line <= (node.end_lineno or 0) for line in lines):  # type: ignore[attr-defined]  # a function
            node.body = _marked_block(node.body, file)  # type: ignore[attr-defined]  # a function
    return ast.fix_missing_locations(tree)


def _marked_block(block: list[ast.stmt], file: int) -> list[ast.stmt]:
    result: list[ast.stmt] = []
    for place, statement in enumerate(block):
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        docstring = (
            place == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        )
        if isinstance(statement, _BLOCKS):
            for name in ("body", "orelse", "finalbody"):
                if getattr(statement, name, None):
                    setattr(statement, name, _marked_block(getattr(statement, name), file))
            for handler in getattr(statement, "handlers", ()):
                handler.body = _marked_block(handler.body, file)
        elif isinstance(statement, ast.Return) and statement.value is not None:
            statement.value = _call(
                MARK, statement, ast.Constant(file), ast.Constant(statement.lineno), statement.value
            )
        result.append(statement)
        if isinstance(statement, _SIMPLE) and not future and not docstring:
            call = _call(MARK, statement, ast.Constant(file), ast.Constant(statement.lineno))
            result.append(ast.copy_location(ast.Expr(call), statement))
    return result


def _call(name: str, at: ast.AST, *arguments: ast.expr) -> ast.Call:
    call = ast.Call(ast.Name(name, ast.Load()), [*arguments], [])
    for node in ast.walk(call):
        if not hasattr(node, "lineno"):
            ast.copy_location(node, at)
    return call


class Valued(ast.NodeTransformer):
    """Wraps expressions, so that what they are worth is reported with their place.

    Args:
        file: the number of the file, which is reported.
    """

    def __init__(self, file: int) -> None:
        self._file = file

    def visit(self, node: ast.AST) -> Any:
        """Wrap a node and what is inside it."""
        if isinstance(node, ast.pattern | ast.JoinedStr):
            return node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [self.visit(part) for part in node.body]
            if not isinstance(node, ast.ClassDef):
                node.args.defaults = [self.visit(part) for part in node.args.defaults]
                node.args.kw_defaults = [part and self.visit(part) for part in node.args.kw_defaults]
            return node
        if isinstance(node, ast.AnnAssign):
            node.value = node.value and self.visit(node.value)
            return node
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                node.func.value = self.visit(node.func.value)
            elif not isinstance(node.func, ast.Name):
                node.func = self.visit(node.func)
            node.args = [self.visit(part) for part in node.args]
            node.keywords = [self.visit(part) for part in node.keywords]
            return self._wrapped(node)
        self.generic_visit(node)
        number = isinstance(node, ast.Constant) and type(node.value) in (int, bool)
        loaded = isinstance(node, _VALUED) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        return self._wrapped(node) if number or loaded else node

    def _wrapped(self, node: Any) -> ast.expr:
        place = (self._file, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        made = ast.Constant(isinstance(node, ast.Call))
        numbers = ast.Tuple([ast.Constant(number) for number in place], ast.Load())
        return _call(VALUE, node, numbers, node, made)
