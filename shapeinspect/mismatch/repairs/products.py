"""Fixes for the operands of a product whose inner lengths differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.plugin_api.changes import Step


@dataclass(frozen=True, slots=True)
class OperandSteps:
    """Steps on one operand.

    Args:
        cause: what is wrong if they help; see ``causes``.
        operand: which operand.
        steps: what is done to it, in order.
        rank: their place on the ladder of ``ranks``.
    """

    cause: str
    operand: int
    steps: tuple[Step, ...]
    rank: int


def product(shapes: tuple[tuple[int, ...], ...]) -> Iterator[OperandSteps]:
    """Yield permutations that give the operands one inner length.

    Args:
        shapes: the operands' shapes.
    """
    left, right = shapes[0], shapes[1]
    if len(right) > 1 and len(left) > 0 and right[-1] == left[-1] and right[-2] != left[-1]:
        step = ("permute", _transposed(len(right)))
        yield OperandSteps("swapped-axes", 1, (step,), Rung.PRODUCT_RIGHT)
    inner = right[-2] if len(right) > 1 else right[0]
    if len(left) > 1 and left[-2] == inner and left[-1] != inner:
        step = ("permute", _transposed(len(left)))
        yield OperandSteps("swapped-axes", 0, (step,), Rung.PRODUCT_LEFT)
    for axis in range(1, len(left) - 2):
        if left[axis] == inner and left[-1] != inner:
            rest = [other for other in range(len(left)) if other != axis]
            yield OperandSteps("channels-last", 0, (("permute", (*rest, axis)),), Rung.PRODUCT_CHANNELS)


def _transposed(rank: int) -> tuple[int, ...]:
    return (*range(rank - 2), rank - 1, rank - 2)


def matrices(shapes: tuple[tuple[int, ...], ...]) -> Iterator[OperandSteps]:
    """Yield a matrix in the place of each vector, for a product that takes nothing else.

    Args:
        shapes: the operands' shapes.
    """
    for operand, axis in ((0, 1), (1, -1)):
        if len(shapes[operand]) == 2:
            rank = Rung.PRODUCT_MATRICES + operand
            yield OperandSteps("missing-axis", operand, (("unsqueeze", axis),), rank)


def lettered(equation: str, shapes: tuple[tuple[int, ...], ...]) -> Iterator[OperandSteps]:
    """Yield permutations of an einsum's operand with which every letter has one length.

    Args:
        equation: the einsum's equation.
        shapes: the operands' shapes.
    """
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if len(terms) != len(shapes):
        return
    if any(len(term) != len(shape) for term, shape in zip(terms, shapes, strict=True)):
        return
    for operand in reversed(range(len(shapes))):
        fixed = {
            letter: length
            for index, term in enumerate(terms)
            for letter, length in zip(term, shapes[index], strict=True)
            if index != operand
        }
        for axes in permutations(range(len(shapes[operand]))):
            moved = [shapes[operand][axis] for axis in axes]
            lengths = zip(terms[operand], moved, strict=True)
            if all(fixed.get(letter, length) == length for letter, length in lengths):
                yield OperandSteps("swapped-axes", operand, (("permute", axes),), Rung.EINSUM_SWAPPED)
