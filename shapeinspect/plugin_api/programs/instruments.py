"""Source that reports while it runs what its expressions are worth."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

#: What the source calls; it is put among Python's built-in names while it runs.
VALUE = "__shapeinspect_value__"
_VALUED = (
    ast.Name, ast.Attribute, ast.Call, ast.BinOp, ast.Subscript, ast.Tuple, ast.List, ast.ListComp,
    ast.UnaryOp, ast.IfExp,
)  # fmt: skip


def _call(name: str, at: ast.AST, *arguments: ast.expr) -> ast.Call:
    call = ast.Call(ast.Name(name, ast.Load()), [*arguments], [])
    for node in ast.walk(call):
        if not hasattr(node, "lineno"):
            ast.copy_location(node, at)
    return call


class Wrapping(ast.NodeTransformer):
    """Wraps the expressions that are read, and the numbers.

    Args:
        wrap: returns what stands in the place of an expression, whose parts are wrapped already.
        callees: whether what is called is wrapped, too.
    """

    def __init__(self, wrap: Callable[[Any], ast.expr], callees: bool = False) -> None:
        self._wrap, self._callees = wrap, callees

    def visit(self, node: ast.AST) -> Any:
        """Wrap a node and what is inside it.

        Args:
            node: the node.
        """
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
            if not isinstance(node.func, ast.Attribute | ast.Name):
                node.func = self.visit(node.func)
            elif self._callees:
                node.func = self._wrap(node.func)
            node.args = [self.visit(part) for part in node.args]
            node.keywords = [self.visit(part) for part in node.keywords]
            return self._wrap(node)
        self.generic_visit(node)
        number = isinstance(node, ast.Constant) and type(node.value) in (int, bool)
        loaded = isinstance(node, _VALUED) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
        return self._wrap(node) if number or loaded else node


def valued(file: int) -> Wrapping:
    """Return what wraps expressions, so that what they are worth is reported with their place.

    Args:
        file: the number of the file, which is reported.
    """

    def wrap(node: Any) -> ast.expr:
        place = (file, node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        made = ast.Constant(isinstance(node, ast.Call))
        numbers = ast.Tuple([ast.Constant(number) for number in place], ast.Load())
        return _call(VALUE, node, numbers, node, made)

    return Wrapping(wrap)
