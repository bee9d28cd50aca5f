"""The leaves of a checkpoint's tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from shapeinspect.dims import Shape
from shapeinspect.sources.source import Source


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of a file that holds values.

    Args:
        offset: its first byte.
        nbytes: its length in bytes.
    """

    offset: int
    nbytes: int


class Leaf(NamedTuple):
    """One value of the tree: no dataclass, which takes 2.5 times as long, and a file has up to 600,000.

    Args:
        parts: the keys that lead to it.
        shape: its lengths; None if not even the rank is known.
        dtype: its element type in numpy's spelling, or None.
        nbytes: the size of its values in bytes, or None.
        array: whether it is an array; a plain number or text is not.
        pieces: the ranges of its values, in order; empty if unknown.
        home: the file that holds it, if the model has several files.
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
