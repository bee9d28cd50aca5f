"""What a network does at one size, and at which others it does the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

#: An input, by its name or its number, and one of its axes.
Place: TypeAlias = "tuple[str | int, int]"


@dataclass(frozen=True, slots=True)
class Region:
    """The sizes at which a network runs the same calls and ends in the same way.

    Args:
        fits: whether it runs to its end there; None where that hangs on numbers that are not known.
        holds: tells for which lengths that is so, from the name of each length and its numbers.
        error: what it raises there, or why it is not known; empty where it fits.
        where: the line that raises, as ``file:line``; None where it is not known.
        hidden: whether a run without numbers does not show the error.
        layer: the path of the innermost module that was running; empty for the model itself.

    Example:
        >>> bool(Region(True, lambda lengths: lengths["H"] >= 3).holds({"H": 4}))
        True
    """

    fits: bool | None
    holds: Callable[[Mapping[str, Any]], Any]
    error: str = ""
    where: str | None = None
    hidden: bool = False
    layer: str = ""
