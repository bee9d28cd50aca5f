"""Rewrites the expression that makes a tensor, such as a mask or a state, for the lengths that are there."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.plugin_api.user_code.frames import Place, syntax_tree
from shapeinspect_torch.debug.code.user_code import value_of

#: A longer text is no help.
_LONGEST = 160
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.Expr, ast.Return)


def remade(failure: Failure, operand: int, shape: tuple[int, ...], frames: Sequence[Place]) -> str:
    """Write the expression that makes a tensor with the lengths that it has to have.

    Args:
        failure: where the run ended.
        operand: the input that has the wrong shape.
        shape: the shape that it has to have.
        frames: the frames of the traceback, the outermost first; the tensor is made in one of them.

    Returns:
        Both expressions, ``new instead of old``; empty where the code does not show them.
    """
    value = failure.model.values.get(failure.inputs[operand])
    has = tuple(length for length in (value.shape if value else None) or () if isinstance(length, int))
    lengths = {old: new for old, new in zip(has, shape, strict=False) if old != new}
    place = _made_at(failure, failure.inputs[operand])
    if len(has) != len(shape) or not lengths or place is None:
        return ""
    for frame, _ in reversed(frames):
        found = _statement(frame, *place)
        if found is not None:
            return _rewritten(found, frame, lengths)
    return ""


def recounted(failure: Failure, operand: int, lengths: dict[int, int], frames: Sequence[Place]) -> str:
    """Write the expression that counts the steps of a sequence with the steps that there are.

    Args:
        failure: where the run ended.
        operand: the input that holds the lengths.
        lengths: the right length for each wrong one.
        frames: the frames of the traceback, the outermost first.

    Returns:
        Both expressions, ``new instead of old``; empty where the code does not show them.
    """
    if len(failure.names) <= operand or not all(failure.names[:1]):
        return ""
    for frame, line in reversed(frames):
        assigned = [
            node
            for node in ast.walk(syntax_tree(frame.f_code, frame.f_globals) or ast.Module([], []))
            if isinstance(node, ast.Assign) and node.lineno < line
            if any(isinstance(one, ast.Name) and one.id == failure.names[operand] for one in node.targets)
        ]
        if assigned and failure.names[0] in {**frame.f_globals, **frame.f_locals}:
            last = max(assigned, key=lambda node: node.lineno)
            return _rewritten(last, frame, lengths, failure.names[:1])
    return ""


def _made_at(failure: Failure, name: str) -> tuple[str, int] | None:
    """Return the file and the line where the constant behind a value is made."""
    layers = {layer.path: layer for layer in failure.model.layers}
    makers = {value: call for call in failure.model.calls for value in call.outputs}
    while name in makers:
        call = makers.pop(name)
        layer = layers.get(call.layer)
        if layer is None:
            return None
        if layer.kind == "constant":
            file, _, line = (layer.origin or "").rpartition(":")
            return (file, int(line)) if line.isdigit() else None
        if not call.inputs:
            return None
        name = call.inputs[0]
    return None


def _statement(frame: FrameType, file: str, line: int) -> ast.stmt | None:
    """Return the statement of a frame's function at a line."""
    if os.path.basename(frame.f_code.co_filename) != file:
        return None
    tree = syntax_tree(frame.f_code, frame.f_globals)
    functions = [
        node
        for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.FunctionDef) and node.name == frame.f_code.co_name
        if node.lineno <= line <= (node.end_lineno or 0)
    ]
    outermost = tree if tree is not None and frame.f_code.co_name == "<module>" else ast.Module([], [])
    statements = [
        node
        for node in ast.walk(functions[-1] if functions else outermost)
        if isinstance(node, _SIMPLE) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return min(statements, key=lambda node: (node.end_lineno or 0) - node.lineno, default=None)


def _rewritten(
    statement: ast.stmt, frame: FrameType, lengths: dict[int, int], known: tuple[str, ...] = ()
) -> str:
    names = {**frame.f_globals, **frame.f_locals}
    tensors = [name for name in (*known, *_arguments(frame)) if _shape(names.get(name))]
    for reads in (_read_size, _given_length):
        calls = [
            node
            for node in ast.walk(statement)
            if isinstance(node, ast.Call) and any(_replacements(node, reads, names, tensors, lengths))
        ]
        # The innermost call that takes the length is the one that makes the tensor.
        innermost = [
            node
            for node in calls
            if not any(other is not node and other in ast.walk(node) for other in calls)
        ]
        if innermost:
            owner = innermost[0] if len(innermost) == 1 else statement.value  # type: ignore[attr-defined]  # one of _SIMPLE
            old = ast.unparse(owner)
            new = ast.unparse(_Rewriting(reads, names, tensors, lengths).visit(ast.parse(old, mode="eval")))
            return f"{new} instead of {old}" if old != new and len(old) <= _LONGEST else ""
    return ""


def _replacements(
    call: ast.Call, reads: Any, names: dict[str, Any], tensors: list[str], lengths: dict[int, int]
) -> Iterator[ast.expr]:
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        for node in argument.elts if isinstance(argument, ast.Tuple | ast.List) else (argument,):
            new = reads(node, names, tensors, lengths)
            if new is not None:
                yield new


class _Rewriting(ast.NodeTransformer):
    """Puts the right lengths in the place of the wrong ones."""

    def __init__(
        self, reads: Any, names: dict[str, Any], tensors: list[str], lengths: dict[int, int]
    ) -> None:
        self._reads, self._given = reads, (names, tensors, lengths)

    def visit(self, node: ast.AST) -> Any:
        new = self._reads(node, *self._given) if isinstance(node, ast.expr) else None
        return self.generic_visit(node) if new is None else new


def _read_size(
    node: ast.expr, names: dict[str, Any], tensors: list[str], lengths: dict[int, int]
) -> ast.expr | None:
    """Return another axis in ``x.size(0)``, ``x.shape[0]`` or ``len(x)``, where that has the right length."""
    owner, axis = _axis_of(node)
    shape = () if owner is None else _shape(value_of(owner, names))
    if owner is None or not -len(shape) <= axis < len(shape) or shape[axis] not in lengths:
        return None
    wanted = lengths[shape[axis]]
    if wanted in shape:
        return _size(ast.unparse(owner), shape.index(wanted))
    return _any_size(names, tensors, wanted)


def _given_length(
    node: ast.expr, names: dict[str, Any], tensors: list[str], lengths: dict[int, int]
) -> ast.expr | None:
    """Return the size of an argument in the place of a number, or of a name for one."""
    value = node.value if isinstance(node, ast.Constant) else value_of(node, names)
    return _any_size(names, tensors, lengths[value]) if type(value) is int and value in lengths else None


def _any_size(names: dict[str, Any], tensors: list[str], wanted: int) -> ast.expr | None:
    for name in tensors:
        shape = _shape(names.get(name))
        if wanted in shape:
            return _size(name, shape.index(wanted))
    return None


def _axis_of(node: ast.expr) -> tuple[ast.expr | None, int]:
    """Take ``x.size(0)``, ``x.shape[0]`` or ``len(x)`` apart."""
    if isinstance(node, ast.Call) and len(node.args) == 1:
        argument = node.args[0]
        if isinstance(node.func, ast.Name) and node.func.id == "len":
            return argument, 0
        if isinstance(node.func, ast.Attribute) and node.func.attr == "size":
            return _number(node.func.value, argument)
    if (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "shape"
    ):
        return _number(node.value.value, node.slice)
    return None, 0


def _number(owner: ast.expr, index: ast.expr) -> tuple[ast.expr | None, int]:
    try:
        axis = ast.literal_eval(index)
    except ValueError:
        return None, 0
    return (owner, axis) if type(axis) is int else (None, 0)


def _size(owner: str, axis: int) -> ast.expr:
    return ast.parse(f"{owner}.size({axis})", mode="eval").body


def _arguments(frame: FrameType) -> tuple[str, ...]:
    code = frame.f_code
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _shape(value: Any) -> tuple[int, ...]:
    import torch

    return tuple(value.shape) if isinstance(value, torch.Tensor) else ()
