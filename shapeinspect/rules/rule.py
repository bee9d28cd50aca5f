"""The types shared by all formulas, and helpers that check and print shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from shapeinspect.dims import Dim, Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.ir import Axes

#: The shapes of a call's inputs or outputs, in order; None if the rank is unknown.
Shapes: TypeAlias = "tuple[Shape | None, ...]"
#: A layer's attributes, as the vocabulary of kinds names them.
Attributes: TypeAlias = "Mapping[str, Any]"


@dataclass(frozen=True, slots=True)
class Naming:
    """What one call proves about the names of its input and output axes.

    A name that ends in ``?`` is only a default: every other proof overrides it.

    Args:
        inputs: the names of each input's axes; None for an input without any proof.
        outputs: the names of each output's axes.
        links: ``(input, axis, output, axis)`` of axes that play the same role.
        merges: ``(input, its axes in order, output, axis)`` of axes flattened into one.
        splits: ``(input, axis, output, its axes in order)`` of an axis taken apart.
        joins: ``(each input with its axis, output, axis)`` of axes put one behind the other, which are
            linked as well: they share plain names, not those of flattened axes.

    Example:
        >>> Naming(outputs=(("N", "C"),)).links
        ()
    """

    inputs: tuple[Axes | None, ...] = ()
    outputs: tuple[Axes | None, ...] = ()
    links: tuple[tuple[int, int, int, int], ...] = ()
    merges: tuple[tuple[int, tuple[int, ...], int, int], ...] = ()
    splits: tuple[tuple[int, int, int, tuple[int, ...]], ...] = ()
    joins: tuple[tuple[tuple[tuple[int, int], ...], int, int], ...] = ()


def mismatch(
    expected: str, got: str, *, where: str | None = None, hint: str | None = None
) -> ShapeMismatchError:
    """Return the error for mismatched shapes; ``output_shapes`` adds the kind, the caller the layer.

    Args:
        expected: what the op takes, in named axes.
        got: what it was given.
        where: what fixes the expectation.
        hint: what to change.

    Example:
        >>> mismatch("C = 3", "4").expected
        'C = 3'
    """
    return ShapeMismatchError("", "", expected=expected, got=got, where=where, hint=hint)


def show(shape: Iterable[Dim], names: str = "") -> str:
    """Write a shape, with axis names if given.

    Args:
        shape: the lengths.
        names: the axes, separated by spaces.

    Example:
        >>> show((1, 3), "N C")
        'N C = (1, 3)'
    """
    lengths = tuple(shape)
    text = "(" + ", ".join(map(str, lengths)) + ("," if len(lengths) == 1 else "") + ")"
    return f"{names} = {text}" if names else text


def first(inputs: Shapes) -> Shape | None:
    """Return the first input's shape, or None if it is unknown.

    Args:
        inputs: the shapes.

    Example:
        >>> first(((1, 2),)), first(())
        ((1, 2), None)
    """
    return inputs[0] if inputs else None


def normalize_axis(axis: int, rank: int) -> int:
    """Return an axis counted from 0.

    Args:
        axis: the axis, negative from the end.
        rank: how many axes there are.

    Raises:
        ShapeMismatchError: if there is no such axis.

    Example:
        >>> normalize_axis(-1, 4)
        3
    """
    if not isinstance(axis, int):
        raise TypeError(f"axis {axis!r}")
    if not -rank <= axis < rank:
        raise mismatch(f"more than {axis if axis >= 0 else -axis - 1} axes", f"{rank} axes")
    return axis % rank


def unlike(a: Dim, b: Dim) -> bool:
    """Tell whether two lengths are certainly different (two integers that differ).

    Args:
        a: a length.
        b: another one.

    Example:
        >>> from shapeinspect.dims import UNKNOWN
        >>> unlike(3, 4), unlike(3, UNKNOWN)
        (True, False)
    """
    return isinstance(a, int) and isinstance(b, int) and a != b


def agree(a: Dim, b: Dim) -> Dim:
    """Combine what two sources know about one length.

    Args:
        a: a length.
        b: the same length from another place; of two integers the caller has checked they agree.

    Example:
        >>> from shapeinspect.dims import UNKNOWN, symbol
        >>> agree(UNKNOWN, symbol("H")), agree(symbol("H"), 3)
        (H, 3)
    """
    if isinstance(a, int):
        return a
    return b if isinstance(b, int) or not hasattr(a, "terms") else a


def keep_axes(rank_in: int, rank_out: int, source: int = 0, output: int = 0) -> Naming:
    """Link each axis of an input to the same axis of an output, aligned from the last axis.

    Args:
        rank_in: axes of the input.
        rank_out: axes of the output.
        source: which input.
        output: which output.

    Example:
        >>> keep_axes(1, 2).links
        ((0, 0, 0, 1),)
    """
    low = max(0, rank_out - rank_in)
    shift = rank_in - rank_out
    return Naming(links=tuple((source, axis + shift, output, axis) for axis in range(low, rank_out)))
