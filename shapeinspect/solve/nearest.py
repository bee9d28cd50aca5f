"""The sizes nearest to those that were fed and refused at which a network runs to its end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.plugin_api.clock import now
from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.solve.regions import FITS, OPEN, Known, Run, explore, natural_first
from shapeinspect.solve.sizes import describe

#: Runs a network with symbols for lengths: of each place, the name of its length and the number in this run.
Find: TypeAlias = "Callable[[Mapping[Place, tuple[str, int]]], Region | None]"

#: Sizes up to the first are tried, or up to the double of what was fed, but never further than the second.
_LARGEST, _FURTHEST = 4096, 400_000


@dataclass(frozen=True, slots=True)
class Nearest:
    """Shapes that fit, and which lengths do in their place.

    Args:
        shapes: the shape of every input, in order.
        moved: the places whose length differs from what was fed; they have one length, or two.
        sizes: which lengths fit there, in words, the others being as in ``shapes``; empty where not all of
            them are known. Where several lengths are moved, it holds for each of them.
        lengths: the nearest lengths that fit there, at most one below and one above what was fed; the one in
            ``shapes`` alone where several lengths are moved.

    Example:
        >>> Nearest(((1, 3, 56, 56),), ((0, 3),), "56 to 59").sizes
        '56 to 59'
    """

    shapes: tuple[tuple[int, ...], ...]
    moved: tuple[Place, ...]
    sizes: str = ""
    lengths: tuple[int, ...] = ()


def nearest(
    find: Find,
    shapes: Sequence[tuple[int, ...]],
    fixed: Sequence[int] = (0,),
    most: int = 24,
    seconds: float = 6.0,
    held: Collection[Place] = (),
    largest: int = _LARGEST,
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
        held: further axes that are not moved, each with its input.
        largest: sizes up to this one are tried, or up to the double of what was fed.

    Returns:
        the shapes; None if none is found.

    Example:
        >>> def find(lengths):
        ...     _, n = lengths[0, 1]
        ...     return Region(n % 7 == 0, lambda at: (at["0.1"] % 7 == 0) == (n % 7 == 0))
        >>> found = nearest(find, [(1, 60)])
        >>> found.shapes, found.sizes, found.lengths
        (((1, 63),), 'divisible by 7', (56, 63))
    """
    groups: dict[str, list[tuple[int, int]]] = {}
    seen: dict[tuple[int, int], str] = {}
    for index, shape in enumerate(shapes):
        for axis, length in enumerate(shape):
            if axis not in fixed and (index, axis) not in held:
                name = seen.setdefault((axis, length), f"{index}.{axis}")
                groups.setdefault(name, []).append((index, axis))
    if not groups:
        return None
    base = {name: shapes[places[0][0]][places[0][1]] for name, places in groups.items()}
    known = Known(tuple(base))

    def run(sizes: Mapping[str, int]) -> tuple[Run, Region | None]:
        region = find({place: (name, sizes[name]) for name, places in groups.items() for place in places})
        return Run(sizes, None if region is None else region.fits), region

    until = now() + seconds
    families = [*_families(base, largest)]

    def look(family: dict[str, Any]) -> np.ndarray[Any, Any]:
        share = 1 if len(families) == 1 else 2  # what follows may need as much again
        left, time = most - len(known.runs), until - now()
        explore(known, run, [family], base, len(known.runs) + -(-left // share), max(time / share, 0.0))
        return known.judge(family)

    for names, family in families:
        if most <= len(known.runs):
            break
        verdict = look(family)
        order = natural_first(family, base)
        good = order[verdict[order] == FITS]
        if not len(good):
            continue
        lengths = {name: int(np.broadcast_to(family[name], verdict.shape)[good[0]]) for name in base}
        if len(names) == 1:
            sizes, beside = _described(verdict), _beside(verdict == FITS, base[names[0]])
        else:
            alone = [look({**lengths, name: _candidates(base[name], largest)}) for name in names]
            lengths = _each(known, lengths, base, dict(zip(names, alone, strict=True)), largest)
            said = {_described(verdict) for verdict in alone}
            sizes, beside = said.pop() if len(said) == 1 else "", ()
        return Nearest(
            tuple(
                tuple(_moved(groups, lengths, index, axis, n) for axis, n in enumerate(shape))
                for index, shape in enumerate(shapes)
            ),
            tuple(place for name in names if lengths[name] != base[name] for place in groups[name]),
            sizes,
            beside,
        )
    return None


def _each(
    known: Known, lengths: Mapping[str, int], base: Mapping[str, int], alone: Mapping[str, Any], largest: int
) -> dict[str, int]:
    """Move each length to the nearest that fits, where they fit together; else keep those that were found."""
    near = dict(lengths)
    for name, verdict in alone.items():
        family = {name: _candidates(base[name], largest)[: len(verdict)]}
        order = natural_first(family, {name: base[name]})
        good = order[verdict[order] == FITS]
        if len(good):
            near[name] = int(family[name][good[0]])
    return near if int(known.judge(near)[0]) == FITS else dict(lengths)


def _described(verdict: np.ndarray[Any, Any]) -> str:
    return "" if (verdict == OPEN).any() else describe(verdict == FITS)


def _candidates(fed: int, largest: int) -> np.ndarray[Any, Any]:
    return np.arange(1, min(max(largest, 2 * fed), _FURTHEST) + 1)


def _beside(fits: np.ndarray[Any, Any], fed: int) -> tuple[int, ...]:
    """Return the nearest lengths that fit, below and above what was fed."""
    good = np.flatnonzero(fits) + 1
    below, above = good[good < fed], good[good > fed]
    return (*(int(n) for n in below[-1:]), *(int(n) for n in above[:1]))


def _families(base: Mapping[str, int], largest: int) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    names = list(base)
    for name in reversed(names):
        yield (name,), {**base, name: _candidates(base[name], largest)}
    every = _candidates(max(base.values()), largest)
    for pair in pairwise(names):
        yield pair, {**base, **dict.fromkeys(pair, every)}
    if len(names) > 2:
        yield tuple(names), dict.fromkeys(names, every)


def _moved(
    groups: Mapping[str, list[tuple[int, int]]], lengths: Mapping[str, int], index: int, axis: int, fed: int
) -> int:
    return next((lengths[name] for name, places in groups.items() if (index, axis) in places), fed)
