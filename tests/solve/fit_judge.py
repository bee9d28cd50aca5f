"""What `fit` says of a network, against what its framework does at every size of a range."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

#: The shapes of all inputs, in order.
Shapes: TypeAlias = "tuple[tuple[int, ...], ...]"


@dataclass(frozen=True)
class Subject:
    """A network that can be asked and run.

    Args:
        source: what `fit` takes.
        input: the shapes that `fit` takes with it; None for a file.
        run: whether the framework takes inputs of these shapes.
    """

    source: Any
    input: Any
    run: Callable[[Shapes], bool]


@dataclass(frozen=True)
class Case:
    """A network and the sizes at which it is run.

    Args:
        name: its name.
        make: builds it; files go to the folder.
        shapes: the shapes of its inputs: a length, or a list of lengths, or a letter of ``sizes``.
        sizes: the lengths of each letter.
    """

    name: str
    make: Callable[[Path], Subject]
    shapes: tuple[tuple[Any, ...], ...]
    sizes: dict[str, list[int]] = field(default_factory=dict)

    def points(self, most: int | None = None) -> Iterator[Shapes]:
        """Return the shapes to run, evenly thinned out to at most so many."""
        letters = list(self.sizes)
        every = list(itertools.product(*self.sizes.values()))
        step = 1 if most is None else max(len(every) // most, 1)
        # A step that shares no divisor with the axes passes through all lengths of each of them.
        while step > 1 and any(step % len(lengths) == 0 for lengths in self.sizes.values()):
            step += 1
        for lengths in every[::step]:
            known = dict(zip(letters, lengths, strict=True))
            yield tuple(tuple(known.get(n, n) for n in shape) for shape in self.shapes)


CASES: dict[str, Case] = {}


def case(*shapes: tuple[Any, ...], **sizes: list[int]) -> Callable[[Callable[[Path], Subject]], Any]:
    """Add a network.

    Args:
        shapes: the shapes of its inputs, with letters.
        sizes: the lengths of each letter.
    """

    def add(make: Callable[[Path], Subject]) -> Any:
        assert make.__name__ not in CASES
        CASES[make.__name__] = Case(make.__name__, make, shapes, sizes)
        return make

    return add
