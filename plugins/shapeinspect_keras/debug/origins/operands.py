"""The operands of the statement that failed, and the lengths in which they differ."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shapeinspect_keras.debug.origins.flow import Flow, Lengths, alike

_PLAIN = (ast.Name, ast.Attribute, ast.Subscript)


@dataclass(frozen=True, slots=True)
class Operand:
    """An array of the failing statement.

    Args:
        node: its expression.
        shape: its shape.
    """

    node: ast.expr
    shape: Lengths


def operands_of(flow: Flow, statement: ast.AST | None, told: Sequence[Lengths] = ()) -> list[Operand]:
    """List the arrays that a failing statement had computed when it failed, names before calls.

    Args:
        flow: the script.
        statement: the statement.
        told: the shapes that the framework speaks of: arrays of these come first.
    """
    nodes = [node for node in ast.walk(statement) if flow.when(node)] if statement is not None else []
    whole = flow.when(nodes[0]) if nodes and not isinstance(nodes[0], _PLAIN) else 0
    found: dict[str, Operand] = {}
    for node in nodes:
        shape = flow.shape(node)
        if not isinstance(node, ast.expr) or isinstance(node, ast.Constant) or not shape:
            continue
        if whole < flow.when(node):
            found.setdefault(flow.program.line(node), Operand(node, shape))

    def order(item: Operand) -> tuple[bool, bool]:
        return not any(alike(item.shape, shape) for shape in told), not isinstance(item.node, _PLAIN)

    return sorted(found.values(), key=order)


def pair_of(
    operands: Sequence[Operand], one: int, other: int
) -> tuple[tuple[Operand, int], tuple[Operand, int]] | None:
    """Return two operands that have one of two lengths each, with the axis of it; None for none.

    Args:
        operands: the operands.
        one: a length.
        other: the other one.
    """
    for left in operands:
        for right in operands:
            if left is right or _holds(left.node, right.node) or _holds(right.node, left.node):
                continue
            for a, b in _axes(left.shape, right.shape):
                if (left.shape[a], right.shape[b]) == (one, other):
                    return (left, a), (right, b)
    return None


def alone(operands: Sequence[Operand], size: int) -> tuple[Operand, int] | None:
    """Return the only operand that has a length, and the last axis of it.

    Args:
        operands: the operands.
        size: the length.
    """
    for operand in operands:
        if size in operand.shape:
            axis = len(operand.shape) - 1 - operand.shape[::-1].index(size)
            return operand, axis
    return None


def _holds(node: ast.AST, inner: ast.AST) -> bool:
    return any(item is inner for item in ast.walk(node))


def _axes(left: Lengths, right: Lengths) -> Iterator[tuple[int, int]]:
    """Yield the axes that are compared: aligned from the last, and those of a product of matrices."""
    for place in range(1, min(len(left), len(right)) + 1):
        yield len(left) - place, len(right) - place
    if len(left) > 0 and len(right) > 1:
        yield len(left) - 1, len(right) - 2
