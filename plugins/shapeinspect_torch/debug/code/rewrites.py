"""Writes a fix as the user's own expression, changed: what to write instead of what."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.changes import Around, InsteadOf, OnOperand, Recounted, Remade, Wording
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.plugin_api.user_code.frames import Place, syntax_tree, user_place
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_torch.debug.code.makers import recounted, remade
from shapeinspect_torch.debug.code.user_code import value_of
from shapeinspect_torch.debug.spelling import steps
from shapeinspect_torch.tracing.recorder import PACKAGES

#: A longer expression is less clear than the name of the layer.
_LONGEST = 160


def rewritten(change: Wording, failure: Failure, frames: Sequence[Place], parent: Any) -> str:
    """Write a change as ``new instead of old``; empty where the user's code does not show what to change.

    Args:
        change: the change.
        failure: what it is to mend.
        frames: the frames of the failed call, with their lines.
        parent: the module around the layer that refused; None where that is not known.
    """
    texts: Iterator[tuple[str, str]] = iter(())
    if isinstance(change, Remade):
        return remade(failure, change.operand, change.shape, frames)
    if isinstance(change, Recounted):
        return recounted(failure, change.operand, {change.largest: change.limit}, frames)
    if isinstance(change, Around):
        texts = _around(change, failure, frames)
    elif isinstance(change, InsteadOf):
        texts = _replaced(change, failure, frames)
    elif isinstance(change, OnOperand) and change.call is None and change.operand == 0:
        texts = _in_a_row(change, failure, frames, parent)
    found = list(dict.fromkeys(texts))
    if len(found) != 1 or len(found[0][1]) > _LONGEST:
        return ""
    return f"{found[0][0]} instead of {found[0][1]}"


def _around(change: Around, failure: Failure, frames: Sequence[Place]) -> Iterator[tuple[str, str]]:
    """Yield the call with its argument permuted, and what it returns permuted back."""
    place = user_place(reversed(frames), PACKAGES)
    name = failure.layer.path.rpartition(".")[2]
    for node in () if place is None else _nodes(place[0].f_code, place[0].f_globals, place[1]):
        called = isinstance(node, ast.Call) and callee_of(node) == name
        if called and isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            inner = steps((("permute", change.axes),), _owner(node.args[0]))
            yield steps((("permute", change.back),), f"{ast.unparse(node.func)}({inner})"), ast.unparse(node)


def _replaced(change: InsteadOf, failure: Failure, frames: Sequence[Place]) -> Iterator[tuple[str, str]]:
    """Yield what takes the place of a call of a method, at the line where it was made."""
    layer = next((layer for layer in failure.model.layers if layer.path == change.path), None)
    file, _, line = ((layer.origin if layer is not None else None) or "").rpartition(":")
    for frame, _ in frames:
        if layer is None or not line.isdigit() or os.path.basename(frame.f_code.co_filename) != file:
            continue
        for node in _nodes(frame.f_code, frame.f_globals, int(line)):
            method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if method and node.func.attr == layer.type.rpartition(".")[2]:  # type: ignore[attr-defined]  # a method
                owner = node.func.value  # type: ignore[attr-defined]  # a method
                if not isinstance(owner, ast.Name) or owner.id not in ("torch", "F"):
                    yield steps(change.steps, _owner(owner)), ast.unparse(node)


def _in_a_row(
    change: OnOperand, failure: Failure, frames: Sequence[Place], parent: Any
) -> Iterator[tuple[str, str]]:
    """Yield a Flatten before the layer that refused, where the Sequential around it is made."""
    import torch

    if not isinstance(parent, torch.nn.Sequential) or [step for step, _ in change.steps] != ["flatten"]:
        return
    kinds = [type(part).__name__ for part in parent]
    names = [name for name, _ in parent.named_children()]
    first, position = change.steps[0][1], failure.layer.path.rpartition(".")[2]
    files = {frame.f_code.co_filename: frame for frame, _ in frames}
    for frame in files.values():
        for node in ast.walk(syntax_tree(frame.f_code, frame.f_globals) or ast.Module([], [])):
            if not isinstance(node, ast.Call) or position not in names:
                continue
            made = [callee_of(part) for part in node.args]
            if made == kinds and value_of(node.func, frame.f_globals) is torch.nn.Sequential:
                layer: Any = node.args[names.index(position)]
                home = ast.unparse(layer.func).rpartition(".")[0]
                if home:
                    flatten = f"{home}.Flatten({'' if first == 1 else first})"
                    yield f"{flatten}, {ast.unparse(layer)}", ast.unparse(layer)


def _nodes(code: Any, names: dict[str, Any], line: int) -> Iterator[ast.AST]:
    """Yield the nodes of the statements at a line."""
    for node in ast.walk(syntax_tree(code, names) or ast.Module([], [])):
        simple = isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Expr | ast.Return)
        if simple and node.lineno <= line <= (node.end_lineno or 0):  # type: ignore[attr-defined]  # a statement
            yield from ast.walk(node)


def _owner(node: ast.expr) -> str:
    """Write an expression so that a method can be called on it."""
    text = ast.unparse(node)
    return text if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript) else f"({text})"
