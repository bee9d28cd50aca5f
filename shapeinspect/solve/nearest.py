"""The sizes nearest to those that were fed and refused at which a live network runs to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.solve.regions import FITS, OPEN, Known, Run, explore, natural_first
from shapeinspect.solve.sizes import describe

#: Runs a network with symbols for lengths: of each place, the name of its length and the number in this run.
Find: TypeAlias = "Callable[[Mapping[Place, tuple[str, int]]], Region | None]"

_LARGEST = 4096


@dataclass(frozen=True, slots=True)
class Nearest:
    """Shapes that fit, and which lengths do in their place.

    Args:
        shapes: the shape of every input, in order.
        moved: the places whose length differs from what was fed; they have one length, or two.
        sizes: which lengths fit there, in words, the others being as in ``shapes``; empty where not all of
            them are known.

    Example:
        >>> Nearest(((1, 3, 56, 56),), ((0, 3),), "56 to 59").sizes
        '56 to 59'
    """

    shapes: tuple[tuple[int, ...], ...]
    moved: tuple[Place, ...]
    sizes: str = ""


def nearest(
    find: Find,
    shapes: Sequence[tuple[int, ...]],
    fixed: Sequence[int] = (0,),
    most: int = 24,
    seconds: float = 6.0,
) -> Nearest | None:
    """Look for the nearest sizes that fit: one axis is moved first, then two, then all.

    Axes of one length at one place of several inputs belong together and are moved together. What a run shows
    holds for every size that meets its conditions, so that neither growing nor equal lengths are assumed.

    Args:
        find: runs the network; the places are the number of the input and of the axis.
        shapes: the shapes that were fed.
        fixed: the axes that are not moved: the batch by default, the channels where they are known.
        most: the most runs.
        seconds: the time after which no further run is begun.

    Returns:
        the shapes; None if none is found.

    Example:
        >>> def find(lengths):
        ...     _, n = lengths[0, 1]
        ...     return Region(n % 7 == 0, lambda at: (at["0.1"] % 7 == 0) == (n % 7 == 0))
        >>> found = nearest(find, [(1, 60)])
        >>> found.shapes, found.sizes
        (((1, 63),), 'divisible by 7')
    """
    groups: dict[str, list[tuple[int, int]]] = {}
    seen: dict[tuple[int, int], str] = {}
    for index, shape in enumerate(shapes):
        for axis, length in enumerate(shape):
            if axis not in fixed:
                name = seen.setdefault((axis, length), f"{index}.{axis}")
                groups.setdefault(name, []).append((index, axis))
    if not groups:
        return None
    base = {name: shapes[places[0][0]][places[0][1]] for name, places in groups.items()}
    known = Known(tuple(base))

    def run(sizes: Mapping[str, int]) -> tuple[Run, Region | None]:
        region = find({place: (name, sizes[name]) for name, places in groups.items() for place in places})
        return Run(sizes, None if region is None else region.fits), region

    for names, family in _families(base):
        left = most - len(known.runs)
        if left <= 0:
            break
        explore(known, run, [family], base, len(known.runs) + min(left, most // 3 + 1), seconds / 3)
        verdict = known.judge(family)
        order = natural_first(family, base)
        good = order[verdict[order] == FITS]
        if len(good):
            lengths = {name: int(np.broadcast_to(family[name], verdict.shape)[good[0]]) for name in base}
            sizes = "" if (verdict == OPEN).any() or len(names) != 1 else describe(verdict == FITS)
            return Nearest(
                tuple(
                    tuple(_moved(groups, lengths, index, axis, n) for axis, n in enumerate(shape))
                    for index, shape in enumerate(shapes)
                ),
                tuple(place for name in names for place in groups[name]),
                sizes,
            )
    return None


def _families(base: Mapping[str, int]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    sizes = np.arange(1, _LARGEST + 1)
    names = list(base)
    for name in reversed(names):
        yield (name,), {**base, name: sizes}
    for pair in pairwise(names):
        yield pair, {**base, **dict.fromkeys(pair, sizes)}
    if len(names) > 2:
        yield tuple(names), dict.fromkeys(names, sizes)


def _moved(
    groups: Mapping[str, list[tuple[int, int]]], lengths: Mapping[str, int], index: int, axis: int, fed: int
) -> int:
    return next((lengths[name] for name, places in groups.items() if (index, axis) in places), fed)
