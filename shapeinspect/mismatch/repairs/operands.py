"""What could be done to one of several operands so that they meet: sums, concatenations, products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from shapeinspect.ir import Layer
from shapeinspect.plugin_api.rerun import Step


@dataclass(frozen=True, slots=True)
class Join:
    """Steps on one operand.

    Args:
        cause: what would be wrong without them; see ``causes``.
        operand: which operand.
        steps: what is done to it.
        rank: how likely it is meant; the smallest is the best.
    """

    cause: str
    operand: int
    steps: tuple[Step, ...]
    rank: int


def joins(layer: Layer, shapes: tuple[tuple[int, ...], ...], last: bool = False) -> Iterator[Join]:
    """Yield what could be done to an operand so that it meets the others.

    Args:
        layer: what joins them.
        shapes: the operands' shapes.
        last: whether the model keeps its channels last.

    Example:
        >>> matmul = Layer("m", "matmul", "matmul")
        >>> [found.steps for found in joins(matmul, ((4, 8), (6, 8)))]
        [(('permute', (1, 0)),)]
    """
    if len(shapes) < 2:
        return
    if layer.kind in ("matmul", "gemm", "batch_dot"):
        yield from _product(shapes)
        if layer.type.endswith("bmm"):
            yield from _matrices(shapes)
    elif layer.kind == "take_along" and len(shapes[1]) == len(shapes[0]) - 1:
        yield Join("missing-axis", 1, (("unsqueeze", layer.attributes.get("axis", -1)),), 10)
    elif layer.kind == "einsum":
        yield from _lettered(str(layer.attributes.get("equation", "")), shapes)
    elif layer.kind in ("elementwise", "concat", "stack"):
        along = layer.attributes.get("axis") if layer.kind == "concat" else None
        for operand in range(1, len(shapes)):
            for one, other in ((operand, 0), (0, operand)):
                yield from _meeting(shapes[one], shapes[other], one, along, last)
        if layer.kind == "elementwise":
            yield from _spread(shapes)


def _product(shapes: tuple[tuple[int, ...], ...]) -> Iterator[Join]:
    left, right = shapes[0], shapes[1]
    if len(right) > 1 and len(left) > 0 and right[-1] == left[-1] and right[-2] != left[-1]:
        axes = (*range(len(right) - 2), len(right) - 1, len(right) - 2)
        yield Join("swapped-axes", 1, (("permute", axes),), 10)
    inner = right[-2] if len(right) > 1 else right[0]
    if len(left) > 1 and left[-2] == inner and left[-1] != inner:
        axes = (*range(len(left) - 2), len(left) - 1, len(left) - 2)
        yield Join("swapped-axes", 0, (("permute", axes),), 11)
    for axis in range(1, len(left) - 2):
        if left[axis] == inner and left[-1] != inner:
            rest = [one for one in range(len(left)) if one != axis]
            yield Join("channels-last", 0, (("permute", (*rest, axis)),), 12)


def _matrices(shapes: tuple[tuple[int, ...], ...]) -> Iterator[Join]:
    """Make a matrix of each vector where a product takes nothing else."""
    for operand, axis in ((0, 1), (1, -1)):
        if len(shapes[operand]) == 2:
            yield Join("missing-axis", operand, (("unsqueeze", axis),), 12 + operand)


def _lettered(equation: str, shapes: tuple[tuple[int, ...], ...]) -> Iterator[Join]:
    """Swap two axes of an operand, so that every letter has one length."""
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if len(terms) != len(shapes) or any(
        len(term) != len(one) for term, one in zip(terms, shapes, strict=True)
    ):
        return
    for operand in reversed(range(len(shapes))):
        fixed = {
            letter: length
            for at, term in enumerate(terms)
            for letter, length in zip(term, shapes[at], strict=True)
            if at != operand
        }
        for axes in permutations(range(len(shapes[operand]))):
            moved = [shapes[operand][axis] for axis in axes]
            if all(fixed.get(name, one) == one for name, one in zip(terms[operand], moved, strict=True)):
                yield Join("swapped-axes", operand, (("permute", axes),), 12)


def _meeting(
    one: tuple[int, ...], other: tuple[int, ...], operand: int, along: int | None, last: bool
) -> Iterator[Join]:
    """Bring ``one`` to the form of ``other``."""
    if len(one) != len(other):
        if along is not None or not one:
            yield from _ranks(one, other, operand)
        if along is not None and 2 <= len(one) < len(other):
            yield from _repeated(one, other, operand, along % len(other))
        return
    skip = None if along is None else along % len(one)
    differing = [axis for axis in range(len(one)) if axis != skip and one[axis] != other[axis]]
    if not differing:
        return
    for axes in permutations(range(len(one))) if len(one) <= 4 else ():
        moved = tuple(one[axis] for axis in axes)
        fits = [
            moved[axis] == other[axis] or (along is None and moved[axis] == 1) for axis in range(len(one))
        ]
        if axes != tuple(range(len(one))) and all(fit for axis, fit in enumerate(fits) if axis != skip):
            cause = (
                "batch-first" if axes == (1, 0, 2) else "channels-last" if len(one) == 4 else "swapped-axes"
            )
            yield Join(cause, operand, (("permute", axes),), 18)
            break
    places, channels = (range(1, len(one) - 1), len(one) - 1) if last else (range(2, len(one)), 1)
    space = [axis for axis in differing if axis in places]
    if along is not None and all(one[axis] == 1 for axis in differing):
        new = tuple(other[axis] if axis in differing else -1 for axis in range(len(one)))
        yield Join("not-expanded", operand, (("expand", new),), 16)
    stride = _stride(tuple(one[axis] for axis in places), tuple(other[axis] for axis in places))
    if len(one) == 4 and space == differing and along is None and stride not in (None, 1):
        given = ("project_last", (one[channels], stride, 2)) if last else ("project", (one[channels], stride))
        yield Join("space", operand, (given,), 50)
    elif len(one) >= 4 and space == differing:
        if all(one[axis] > other[axis] for axis in differing):
            new = tuple(other[axis] if axis in differing else one[axis] for axis in range(len(one)))
            yield Join("space", operand, (("crop", new),), 52)
        name = "interpolate_last" if last else "interpolate"
        yield Join("space", operand, ((name, tuple(other[axis] for axis in places)),), 54)
    if len(one) == 3 and len(differing) == 1 and one[differing[0]] > other[differing[0]] > 1:
        new = tuple(other[axis] if axis in differing else one[axis] for axis in range(3))
        yield Join("length", operand, (("crop", new),), 34)
    pictures = len(one) == 4 or (last and len(one) >= 2)
    if pictures and along is None and channels in differing and stride is not None:
        wanted = other[channels]
        given = ("project_last", (wanted, stride, len(places))) if last else ("project", (wanted, stride))
        yield Join("features", operand, (given,), 38 if wanted > one[channels] else 39)


def _repeated(one: tuple[int, ...], other: tuple[int, ...], operand: int, along: int) -> Iterator[Join]:
    """Repeat what is known once a sample at every step, or at every place, that it is joined with."""
    missing = len(other) - len(one)
    for at, axis in ((1, 1), (len(one), -1)):
        new = tuple(range(at, at + missing))
        raised = (*one[:at], *(1,) * missing, *one[at:])
        meets = all(raised[n] == other[n] for n in range(len(other)) if n != along and n not in new)
        if along not in new and meets:
            lengths = tuple(length if n in new else -1 for n, length in enumerate(other))
            steps: tuple[Step, ...] = (*(("unsqueeze", axis),) * missing, ("expand", lengths))
            yield Join("missing-axis", operand, steps, 25)


def _ranks(one: tuple[int, ...], other: tuple[int, ...], operand: int) -> Iterator[Join]:
    if len(one) == len(other) - 1:
        for axis in range(len(one) + 1):
            # The other has a single step or place there, which this one lacks.
            rank = 24 if axis < len(other) and other[axis] == 1 else 30 + axis
            yield Join("missing-axis", operand, (("unsqueeze", axis),), rank)
    if len(one) > len(other) >= 2:
        yield Join("not-flattened", operand, (("flatten", len(other) - 1),), 26)
        for axis, length in enumerate(one):
            if length == 1:
                yield Join("extra-axis", operand, (("squeeze", axis),), 28)


def _stride(one: tuple[int, ...], other: tuple[int, ...]) -> int | None:
    """Return the stride of a 1×1 convolution that makes one space out of the other."""
    for stride in (1, 2, 4):
        if tuple(-(-length // stride) for length in one) == other:
            return stride
    return None


def _spread(shapes: tuple[tuple[int, ...], ...]) -> Iterator[Join]:
    """Give a vector of channels the spatial axes that it is to be spread over."""
    for operand, shape in enumerate(shapes):
        rank = max(len(one) for one in shapes)
        missing = rank - len(shape)
        if missing and shape:
            yield Join("missing-axis", operand, (("unsqueeze", -1),) * missing, 22)
            if len(shape) >= 2:
                yield Join("missing-axis", operand, (("unsqueeze", 1),) * missing, 23)
