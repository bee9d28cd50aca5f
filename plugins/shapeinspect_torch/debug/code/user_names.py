"""Finds the expressions of the user's line for the tensors that the failed call reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType, ModuleType
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.plugin_api.user_code.frames import syntax_tree
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_torch.debug.code.user_code import UNKNOWN, value_of

#: The operators for torch's functions.
_OPERATORS: dict[str, tuple[type[ast.operator], ...]] = {
    "add": (ast.Add,), "sub": (ast.Sub,), "mul": (ast.Mult,), "div": (ast.Div,), "matmul": (ast.MatMult,),
    "pow": (ast.Pow,), "rsub": (ast.Sub,), "mm": (ast.MatMult,),
}  # fmt: skip
#: A longer expression is less clear than the name of the layer that it comes from.
_LONGEST = 40
_SIMPLE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


def names_of(
    path: str, native: str, shapes: Sequence[Shape | None], frame: FrameType, line: int
) -> tuple[str, ...]:
    """Return the expression of each tensor that a failed call reads, as the user wrote it.

    Args:
        path: the failed layer; its last part names the function or the attribute that was called.
        native: the function by torch's name, such as ``torch.bmm``.
        shapes: the shapes of its inputs.
        frame: the user's frame that is nearest to the failure.
        line: the line that it runs.

    Returns:
        One expression for each; empty where the line is ambiguous.
    """
    tree = syntax_tree(frame.f_code, frame.f_globals)
    if tree is None:
        return ()
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return))
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    statement = max(around, key=lambda node: node.lineno, default=None)
    called = {re.sub(r"_\d+$", "", path.rpartition(".")[2]), native.rpartition(".")[2].rstrip("_")}
    calls = [] if statement is None else [node for node in ast.walk(statement) if _is_called(node, called)]
    seen = {**frame.f_globals, **frame.f_locals}
    if not calls and statement is not None:
        return tuple(_only_of_shape(statement, shape, seen) for shape in shapes)
    if len(calls) != 1:
        return ()
    operands = [operand for operand in _operands(calls[0], seen) if not _is_plain(operand, seen)]
    if len(operands) != len(shapes) or not all(
        map(lambda operand, shape: _agrees(operand, shape, seen), operands, shapes)
    ):
        return ()
    return tuple(_expression(operand) for operand in operands)


def _only_of_shape(statement: ast.stmt, shape: Shape | None, names: dict[str, Any]) -> str:
    """Return the only tensor of a shape that a line names, where the call itself is inside a library."""
    import torch

    loaded = {
        node.id: names.get(node.id)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    fitting = [
        name
        for name, value in loaded.items()
        if isinstance(value, torch.Tensor) and tuple(value.shape) == shape
    ]
    return fitting[0] if len(fitting) == 1 else ""


def _is_called(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        return any(isinstance(node.op, _OPERATORS.get(name, ())) for name in names)
    if not isinstance(node, ast.Call):
        return False
    called = callee_of(node)
    return called in names or called.removesuffix("_") in names


def _operands(node: Any, names: dict[str, Any]) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
    elif isinstance(node, ast.AugAssign):
        yield from (node.target, node.value)
    else:
        import torch

        owner = value_of(node.func.value, names) if isinstance(node.func, ast.Attribute) else None
        if isinstance(node.func, ast.Attribute) and not isinstance(owner, (ModuleType, torch.nn.Module)):
            yield node.func.value
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from argument.elts if isinstance(argument, (ast.List, ast.Tuple)) else (argument,)


def in_own_words(text: str, names: Mapping[str, Any]) -> str:
    """Write an expression with the user's own names for ``torch.nn.functional`` and ``torch.nn``.

    Args:
        text: the expression, which calls them ``F`` and ``nn``.
        names: what the user's names stand for.

    Example:
        >>> import torch
        >>> in_own_words("F.interpolate(x, size=(3, 4))", {"torch": torch})
        'torch.nn.functional.interpolate(x, size=(3, 4))'
    """
    import torch

    for short, module, path in (("F", torch.nn.functional, "nn.functional"), ("nn", torch.nn, "nn")):
        if names.get(short) is module:
            continue
        own = [name for name, held in names.items() if held is module]
        own += [f"{name}.{path}" for name, held in names.items() if held is torch]
        if own:
            text = re.sub(rf"(?<![\w.]){short}\.", f"{own[0]}.", text)
    return text


def _is_plain(node: ast.expr, names: dict[str, Any]) -> bool:
    """Tell whether an argument is certainly not a tensor."""
    import torch

    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        value = value_of(node, names)
        return value is not UNKNOWN and not isinstance(value, torch.Tensor)
    return True


def _agrees(node: ast.expr, shape: Shape | None, names: dict[str, Any]) -> bool:
    value = value_of(node, names)
    return value is UNKNOWN or shape is None or tuple(value.shape) == shape


def _expression(node: ast.expr) -> str:
    text = ast.unparse(node)
    if len(text) > _LONGEST:
        return ""
    return text if isinstance(node, _SIMPLE) else f"({text})"
