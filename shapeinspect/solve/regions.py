"""What a live network does at sizes that were run, and at all sizes at which it provably does the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.plugin_api.clock import now
from shapeinspect.plugin_api.regions import Region
from shapeinspect.progress import steps

Array: TypeAlias = "np.ndarray[Any, Any]"
#: The lengths of all axes: numbers, or arrays of candidates.
Lengths: TypeAlias = "Mapping[str, Any]"

#: A verdict on a size: it fits, it is refused, or neither was proven or run.
FITS, REFUSED, OPEN = 1, 0, -1
#: The most sizes that are run, and the seconds after which no further one is.
MOST, SECONDS = 48, 20.0
#: How many doublings farther off a multiple of 32 may be and still come first.
_NATURAL = 0.25


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a network.

    Args:
        sizes: the lengths.
        fits: whether it ran to its end; None where that is not known.
        error: what it raised, or why nothing is known; empty where it fits.
        layer: the path of the layer that refused; empty where it is not known.

    Example:
        >>> Run({"H": 3}, False, "too small").fits
        False
    """

    sizes: Mapping[str, int]
    fits: bool | None = True
    error: str = ""
    layer: str = ""


@dataclass(slots=True)
class Known:
    """What is known of a live network: its runs, and where they hold.

    Args:
        names: the names of all axes.
    """

    names: tuple[str, ...]
    runs: list[Run] = field(default_factory=list)
    regions: list[tuple[Region, int]] = field(default_factory=list)

    def add(self, run: Run, region: Region | None) -> None:
        """Keep a run.

        Args:
            run: the run.
            region: where it holds, too; None where that is not known.
        """
        if region is not None and run.fits is not None and region.fits == run.fits:
            self.regions.append((region, len(self.runs)))
        self.runs.append(run)

    def judge(self, lengths: Lengths) -> Array:
        """Return the verdict on every candidate.

        Args:
            lengths: the length of each axis: a number, or an array of candidates.
        """
        return self.look(lengths)[0]

    def look(self, lengths: Lengths) -> tuple[Array, Array]:
        """Return the verdict on every candidate, and the number of the run that shows it, or -1.

        Args:
            lengths: the length of each axis: a number, or an array of candidates.
        """
        arrays = np.broadcast_arrays(*(np.asarray(lengths[name], dtype=np.int64) for name in self.names))
        columns = dict(zip(self.names, map(np.atleast_1d, arrays), strict=True))
        count = len(next(iter(columns.values())))
        verdict = np.full(count, OPEN, dtype=np.int8)
        shown = np.full(count, -1, dtype=np.int64)
        for region, number in self.regions:
            left = np.flatnonzero(verdict == OPEN)
            if not left.size:
                break
            fresh = left[region.holds({name: column[left] for name, column in columns.items()})]
            verdict[fresh], shown[fresh] = FITS if region.fits else REFUSED, number
        for number, run in enumerate(self.runs):
            if run.fits is None:
                continue
            at = np.logical_and.reduce([columns[name] == run.sizes[name] for name in self.names])
            verdict[at], shown[at] = FITS if run.fits else REFUSED, number
        return verdict, shown


def explore(
    known: Known,
    run: Callable[[Mapping[str, int]], tuple[Run, Region | None]],
    families: Sequence[Lengths],
    base: Mapping[str, int],
    most: int = MOST,
    seconds: float = SECONDS,
) -> None:
    """Run a network where nothing is known of it, until everything is or the time is over.

    Args:
        known: what is known so far; what is found is added.
        run: runs the network at one size.
        families: the sizes that matter, in families: one axis varied alone, all together.
        base: the lengths that were given.
        most: the most runs.
        seconds: the time after which no further run is begun.
    """
    until = now() + seconds
    queues = [_queue(known, family, base) for family in families]
    with steps(most, "running sizes, at most") as done:
        while queues and len(known.runs) < most and now() < until:
            left = []
            for queue in queues:
                point = next(queue, None)
                if point is None:
                    continue
                left.append(queue)
                known.add(*run(point))
                done(len(known.runs))
                if len(known.runs) >= most or now() > until:
                    break
            queues = left


def natural_first(family: Lengths, base: Mapping[str, int]) -> Array:
    """Return the order of sizes with those next to the given ones first, and multiples of 32 before others.

    Args:
        family: the sizes.
        base: the lengths that were given.

    Example:
        >>> natural_first({"H": np.array([1, 60, 64, 100])}, {"H": 62}).tolist()
        [2, 1, 3, 0]
    """
    names = list(base)
    arrays = np.broadcast_arrays(*(np.atleast_1d(family[name]) for name in names))
    far: Any = sum(
        np.abs(np.log2(lengths / max(base[name], 1))) for name, lengths in zip(names, arrays, strict=True)
    )
    natural = np.logical_and.reduce(
        [(n % 32 == 0) | (n == base[name]) for name, n in zip(names, arrays, strict=True)]
    )
    return np.argsort(far - _NATURAL * natural, kind="stable")


def _queue(known: Known, family: Lengths, base: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Return the sizes of a family of which nothing is known yet, those next to the given ones first."""
    arrays = np.broadcast_arrays(*(np.asarray(family[name], dtype=np.int64) for name in known.names))
    columns = dict(zip(known.names, map(np.atleast_1d, arrays), strict=True))
    order = natural_first(columns, base)
    columns = {name: columns[name][order] for name in known.names}
    seen, tried = 0, np.zeros(len(order), dtype=bool)
    while True:
        verdict, _ = known.look(columns)
        left = np.flatnonzero((verdict == OPEN) & ~tried)
        if not len(left):
            return
        # The near ones and, in turn, one from anywhere: what lies far off may be decided alike.
        pick = left[0] if seen % 2 == 0 else left[len(left) // 2]
        seen += 1
        tried[pick] = True
        yield {name: int(columns[name][pick]) for name in known.names}
