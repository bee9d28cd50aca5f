"""What a checkpoint holds at the ends of its tree."""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.dims import Shape
from shapeinspect.sources.source import Source


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file that holds numbers.

    Args:
        offset: where it begins.
        nbytes: how long it is.
    """

    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of the tree.

    Args:
        parts: the keys that lead to it.
        shape: its lengths; None if not even the rank is known.
        dtype: its element type in numpy's spelling, or None.
        nbytes: how many bytes its numbers take, or None.
        array: whether it is an array; a plain number or text is none.
        pieces: where its numbers are, in order; none if that is not known.
        home: the file that holds it, where the model has several.
    """

    parts: tuple[str, ...]
    shape: Shape | None
    dtype: str | None = None
    nbytes: int | None = None
    array: bool = True
    pieces: tuple[Piece, ...] = ()
    home: Source | None = None

    @property
    def name(self) -> str:
        """Its full name."""
        return "/".join(self.parts)
