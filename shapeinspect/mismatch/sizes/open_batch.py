"""A batch of unknown length: a walk counts it as a number, and recognizes it again in what it computes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shapeinspect.dims import UNKNOWN, Dim, Shape

#: What an open batch counts as: no axis can be so long, and as a prime it is not a product of others.
_ANY = 2**61 - 1
#: No axis of a tensor is longer; a longer one has an open batch in it.
_LONGEST = 2**48


class Batch(int):
    """A length with an open batch in it: it counts as a number, and prints as the model calls it."""

    dim: Dim

    def __new__(cls, dim: Dim, length: int = _ANY) -> Batch:
        """Keep the model's own name for it."""
        self = super().__new__(cls, length)
        self.dim = dim
        return self

    def of(self, length: Dim) -> Dim:
        """Write a length that went through formulas: so many batches and a rest, or unknown.

        Args:
            length: the length.
        """
        if not isinstance(length, int) or length <= _LONGEST:
            return length
        batches, rest = divmod(int(length), _ANY)
        return self.dim * batches + rest if batches and rest <= _LONGEST else UNKNOWN

    def __str__(self) -> str:
        return str(self.dim)

    __repr__ = __str__


def batches_of(elements: int) -> int:
    """Return how many elements there are for each sample of an open batch; 0 where there is none or a rest.

    Args:
        elements: the number of elements, with the open batch as a number.
    """
    each, rest = divmod(int(elements), _ANY)
    return each if not rest and each <= _LONGEST else 0


def batch_of(shapes: Iterable[Shape | None]) -> Batch:
    """Return the open batch of some inputs, under its name where they agree on one.

    Args:
        shapes: the inputs' shapes.
    """
    names = {shape[0] for shape in shapes if shape and not isinstance(shape[0], int)}
    return Batch(names.pop() if len(names) == 1 else UNKNOWN)


def counted(shape: Shape | None, batch: Batch) -> Shape | None:
    """Give an unknown batch a number, so that rearrangements can be tried.

    Args:
        shape: the shape of an input.
        batch: the open batch.
    """
    if not shape or isinstance(shape[0], int):
        return shape
    return (batch, *shape[1:])


def worded(text: str, batch: Batch) -> str:
    """Write the numbers of a text that hold an open batch as the model calls it.

    Args:
        text: the text.
        batch: the open batch.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> batch = Batch(symbol("n"))
        >>> worded(f"{5 * int(batch)} elements", batch)
        '5*n elements'
    """
    return re.sub(r"\d{17,}", lambda found: str(batch.of(int(found[0]))), text)


def marked(shape: Shape | None, batch: Batch) -> Shape | None:
    """Recognize an unknown batch that went through formulas.

    Args:
        shape: a computed shape.
        batch: the open batch.
    """
    if shape is None:
        return None
    return tuple(
        Batch(batch.of(length), length) if isinstance(length, int) and length > _LONGEST else length
        for length in shape
    )


def opened(shape: Shape | None, batch: Batch) -> Shape | None:
    """Replace the number of an unknown batch by its name.

    Args:
        shape: a computed shape.
        batch: the open batch.
    """
    if shape is None:
        return None
    return tuple(map(batch.of, shape))
