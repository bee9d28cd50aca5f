"""Symbols for the unknown lengths of a model's inputs."""

from __future__ import annotations

from shapeinspect.dims import Shape, Unknown, symbol


def opened(shape: Shape | None, number: int, count: int) -> Shape | None:
    """Name the unknown lengths of an input: ``N`` for the first axis, ``d1`` and so on for the others.

    Nothing proves that two inputs share a length, so each of several inputs has symbols of its own.

    Args:
        shape: the input's lengths.
        number: the index of the input.
        count: the number of inputs.

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
