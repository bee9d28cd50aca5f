"""Symbols for the lengths that a model's inputs leave open."""

from __future__ import annotations

from shapeinspect.dims import Shape, Unknown, symbol


def opened(shape: Shape | None, number: int, count: int) -> Shape | None:
    """Name the free lengths of an input: ``N`` for the first axis, ``d1`` and so on for the others.

    Nothing proves that two inputs have the same free length, so each of several has symbols of its own.

    Args:
        shape: the input's lengths.
        number: which input it is.
        count: how many inputs there are.

    Example:
        >>> from shapeinspect.dims import UNKNOWN
        >>> opened((UNKNOWN, 8, UNKNOWN), 0, 1), opened((UNKNOWN, 8), 1, 2)
        ((N, 8, d2), (N2, 8))
    """
    if shape is None:
        return None
    mark = str(number + 1) if count > 1 else ""
    return tuple(
        (symbol(f"N{mark}") if not axis else symbol(f"d{axis}{'_' + mark if mark else ''}"))
        if isinstance(dim, Unknown)
        else dim
        for axis, dim in enumerate(shape)
    )


def many(count: int, noun: str) -> str:
    """Write a count with its noun.

    Args:
        count: how many.
        noun: in the singular.

    Example:
        >>> many(1, "variable"), many(2, "variable")
        ('1 variable', '2 variables')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
