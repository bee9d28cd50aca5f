"""One family's rows, found by asking its library for models of many small configurations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from drawing import draws
from fitting import condition, piecewise

if TYPE_CHECKING:
    from library import Library, Sample
from terms import Point

_LETTERS = "ijk"
#: A list with an entry for each layer is longer than one for each stage.
_LONG = 8


def template(name: str, literal: Collection[str] = ()) -> tuple[str, tuple[int, ...]]:
    """Return a weight's name with letters for the numbers in it, and these.

    Args:
        name: as the file spells it.
        literal: what stands before numbers that are the same in every file, and stay.
    """
    indices: list[int] = []
    parts: list[str] = []
    for part in name.split("."):
        before = ".".join([*parts, ""])
        if part.isdigit() and len(indices) < len(_LETTERS) and before not in literal:
            indices.append(int(part))
            parts.append("{" + _LETTERS[len(indices) - 1] + "}")
        else:
            parts.append(part)
    return ".".join(parts), tuple(indices)


def samples(library: Library, architecture: str, count: int) -> list[Sample]:
    """Return the files of models of random configurations."""
    # A list of what each layer is follows from other settings.
    settings = {
        name: value
        for name, value in library.defaults(architecture).items()
        if not (
            isinstance(value, list) and (len(value) > _LONG or any(isinstance(item, str) for item in value))
        )
    }
    made: dict[str, Sample] = {}

    def takes(values: Mapping[str, Any]) -> bool:
        try:
            made[repr(values)] = library.sample(architecture, library.config(architecture, values))
        except Exception:  # noqa: BLE001  a library may refuse its own settings with any error
            return False
        return True

    found = []
    choices = {
        name: library.words(architecture, name) for name, old in settings.items() if isinstance(old, str)
    }
    for values in draws(architecture, settings, takes, count, choices):
        if repr(values) not in made and not takes(values):
            continue
        found.append(made[repr(values)])
    return found


Places = dict[tuple[int, tuple[int, ...]], Any]


def _grouped(
    found: Sequence[Sample],
) -> tuple[dict[str, Places], dict[str, dict[tuple[int, tuple[int, ...]], int]]]:
    """Return the weights of each name with letters, and through how many numbers each letter goes."""
    literal: set[str] = set()
    while True:
        names: dict[str, Places] = defaultdict(dict)
        for number, sample in enumerate(found):
            for name, stored in sample.weights.items():
                pattern, indices = template(name, literal)
                names[pattern][number, indices] = stored
        ranges: dict[str, dict[tuple[int, tuple[int, ...]], int]] = defaultdict(dict)
        for pattern, places in names.items():
            for depth, before in enumerate(_containers(pattern)):
                for number, indices in places:
                    outer = (number, indices[:depth])
                    ranges[before][outer] = max(ranges[before].get(outer, 0), indices[depth] + 1)
        same = {before for before, lengths in ranges.items() if len(set(lengths.values())) == 1}
        first = {before for before in same if not any(before.startswith(other) for other in same - {before})}
        if not first:
            return names, ranges
        literal |= first


def _containers(pattern: str) -> list[str]:
    return [
        pattern[: pattern.index("{" + letter + "}")] for letter in _LETTERS if "{" + letter + "}" in pattern
    ]


def rows(found: Sequence[Sample]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each name, and what was not found out."""
    names, ranges = _grouped(found)
    problems: list[str] = []
    counted: list[dict[str, str]] = []
    for before, lengths in ranges.items():
        outer_of = _containers(before)
        every: list[tuple[int, tuple[int, ...]]] = [(number, ()) for number in range(len(found))]
        for outer in outer_of:
            every = [(n, (*o, index)) for n, o in every for index in range(ranges[outer].get((n, o), 0))]
        row = {"each": before}
        text = condition(
            [Point(n, found[n].config, o) for n, o in every],
            [[ranges[outer][n, o[:d]] for d, outer in enumerate(outer_of)] for n, o in every],
            np.array([place in lengths for place in every]),
        )
        if text is None:
            problems.append(f"{before}: there in {len(lengths)} of {len(every)}")
        if text != "":
            row["if"] = text if text is not None else "unknown"
        points = [Point(number, found[number].config, outer) for number, outer in lengths]
        text = piecewise(
            points,
            np.array(list(lengths.values()), np.int64),
            [[ranges[_before(before, d)][n, o[:d]] for d in range(len(o))] for n, o in lengths],
        )
        if text is None:
            problems.append(f"count of {before}: {list(lengths.items())[:8]}")
        counted.append(row | {"of": text or "unknown"})
    result = []
    for pattern, places in names.items():
        containers = _containers(pattern)
        every: list[tuple[int, tuple[int, ...]]] = [(number, ()) for number in range(len(found))]
        for before in containers:
            every = [(n, (*o, index)) for n, o in every for index in range(ranges[before].get((n, o), 0))]
        points = [Point(number, found[number].config, indices) for number, indices in every]
        counts = [
            [ranges[before][number, indices[:depth]] for depth, before in enumerate(containers)]
            for number, indices in every
        ]
        there = np.array([place in places for place in every])
        text = condition(points, counts, there)
        if text is None:
            problems.append(f"{pattern}: there in {int(there.sum())} of {len(there)}")
        kept = [(p, c) for p, c, yes in zip(points, counts, there, strict=True) if yes]
        stored = [places[place] for place in every if place in places]
        ranks = {len(item.shape) for item in stored}
        if len(ranks) > 1:
            problems.append(f"{pattern}: ranks {ranks}")
            continue
        shape = []
        for axis in range(ranks.pop()):
            target = np.array([item.shape[axis] for item in stored], np.int64)
            length = piecewise([p for p, _ in kept], target, [c for _, c in kept])
            if length is None:
                problems.append(
                    f"{pattern} axis {axis}: {target[:6].tolist()} at {[p.indices for p, _ in kept[:6]]}"
                )
            shape.append(length or "unknown")
        module = Counter(item.module for item in stored).most_common(1)[0][0]
        row = {"name": pattern, "shape": shape, "module": module}
        if text != "":
            row["if"] = text if text is not None else "unknown"
        result.append(row)
    return [*counted, *result], problems


def _before(prefix: str, depth: int) -> str:
    return prefix[: prefix.index("{" + _LETTERS[depth] + "}")]
