"""Looks for the settings with which a model would have been built as a checkpoint has it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api import clock

#: A search takes at most so many seconds of `clock`, and builds the model at most so many times.
_SECONDS = 2.0
_BUILDS = 60
#: At most so many settings are changed.
_SETTINGS = 3
#: At most so many texts are tried.
_TEXTS = 8
#: What may be added to a setting before it becomes a length: a class token, a padding index.
_ADDED = (0, 1, 2, -1)


def search(
    settings: dict[tuple[str, ...], Any],
    lengths: Sequence[tuple[int, int]],
    flags: bool,
    problems: Callable[[dict[tuple[str, ...], Any]], int | None],
    now: int,
    texts: Sequence[str] = (),
) -> tuple[dict[tuple[str, ...], Any], int]:
    """Change settings one by one, each time by the one that leaves the fewest problems.

    Args:
        settings: what the model is built from, by name.
        lengths: lengths of the checkpoint, each with the model's own at the same place.
        flags: whether layers are missing or left over, so that flags and counts may be wrong, too.
        problems: builds the model with changes and counts what does not fit; None where it cannot be built.
        now: how many problems there are without a change.
        texts: what a setting that is a text may be instead.

    Returns: the changes, and how many problems are left.
    """
    end, builds = clock.now() + _SECONDS, 0
    changes: dict[tuple[str, ...], Any] = {}
    for _ in range(_SETTINGS):
        best, left = None, now
        for path, value in (
            *_candidates({**settings, **changes}, lengths, flags),
            *_variants(settings, texts),
        ):
            if path in changes:
                continue
            if builds >= _BUILDS or clock.now() > end:
                break
            builds += 1
            count = problems({**changes, path: value})
            if count is not None and count < left:
                best, left = (path, value), count
                if not count:
                    break
        if best is None:
            break
        changes[best[0]], now = best[1], left
        if not now:
            break
    return changes, now


def _candidates(
    settings: dict[tuple[str, ...], Any], lengths: Sequence[tuple[int, int]], flags: bool
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield settings with other values: those that are a length themselves first."""
    seen: set[tuple[tuple[str, ...], Any]] = set()
    for rule in (_equal, _multiple, _shifted, _squared):
        for path, value in settings.items():
            if type(value) is not int or value <= 0:
                continue
            for stored, own in dict.fromkeys(lengths):
                for new in rule(value, stored, own):
                    if new != value and new > 0 and (path, new) not in seen:
                        seen.add((path, new))
                        yield path, new
    if flags:
        for path, value in settings.items():
            if type(value) is bool:
                yield path, not value


def _variants(
    settings: dict[tuple[str, ...], Any], texts: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield other texts for settings that are texts."""
    for path, value in settings.items():
        if type(value) is str:
            for text in texts[:_TEXTS]:
                if text != value:
                    yield path, text


def _equal(value: int, stored: int, own: int) -> Iterator[int]:
    if value == own:
        yield stored


def _multiple(value: int, stored: int, own: int) -> Iterator[int]:
    if own % value == 0 and own != value and stored % (own // value) == 0:
        yield stored // (own // value)
    if value % own == 0 and own != value:
        yield stored * (value // own)


def _shifted(value: int, stored: int, own: int) -> Iterator[int]:
    if 0 < abs(own - value) <= max(_ADDED):
        yield stored - (own - value)


def _squared(value: int, stored: int, own: int) -> Iterator[int]:
    """A side of a picture, of which the number of patches is the square of a part."""
    for added in _ADDED:
        a, b = own - added, stored - added
        if a > 1 and b > 1 and math.isqrt(a) ** 2 == a and math.isqrt(b) ** 2 == b:
            side, new = math.isqrt(a), math.isqrt(b)
            if value % side == 0:
                yield value // side * new


#: A weight of one layer of a recurrent stack, such as ``weight_ih_l1_reverse``.
_STACKED = re.compile(r"(?P<role>\w+)_l(?P<layer>\d+)(_reverse)?")


def counts(keys: Iterable[str]) -> dict[str, int]:
    """Return how many members each numbered list of layers has, by the name before the number.

    Args:
        keys: names with dots or slashes.

    Example:
        >>> counts(["h.0.w", "h.1.w", "out.w"])
        {'h': 2}
    """
    found: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        parts = re.split(r"[./]", key)
        for place, part in enumerate(parts):
            if part.isdigit() and place:
                found[".".join(parts[:place])].add(part)
        stacked = _STACKED.fullmatch(parts[-1])
        if stacked:
            found[".".join((*parts[:-1], stacked["role"]))].add(stacked["layer"])
    return {name: len(members) for name, members in found.items()}
