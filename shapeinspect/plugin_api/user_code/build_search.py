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
#: How many layers a block may count in a setting that counts layers.
_PER_BLOCK = (1, 2, 3, 6)
#: Blocks that a setting may count by its logarithm.
_DOUBLED = 4


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
    end, builds = clock.now() + clock.allowed(_SECONDS), 0
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
    yield from _of_other_types(settings, lengths)
    seen: set[tuple[tuple[str, ...], Any]] = set()
    for rule in (_equal, _multiple, _rooted, _shifted, _squared, _counted):
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


def _of_other_types(
    settings: dict[tuple[str, ...], Any], lengths: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield lists and ratios with other values."""
    for path, value in settings.items():
        if isinstance(value, list | tuple):
            yield from ((path, new) for new in _listed(value, lengths))
        elif type(value) is float:
            yield from ((path, new) for new in dict.fromkeys(_scaled(value, lengths)))


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


def _rooted(value: int, stored: int, own: int) -> Iterator[int]:
    """A factor whose square multiplies a length: 48 = 3·4² and 12 = 3·2²."""
    if own % value**2 == 0 and stored % (own // value**2) == 0:
        new = math.isqrt(stored // (own // value**2))
        if own // value**2 * new**2 == stored:
            yield new


def _counted(value: int, stored: int, own: int) -> Iterator[int]:
    """A setting that counts the layers of all blocks, or one whose logarithm counts the blocks."""
    more = stored - own
    if 0 < abs(more) <= _DOUBLED:
        yield value << more if more > 0 else value >> -more
    if own <= value:
        yield from (value + each * more for each in _PER_BLOCK)


def _scaled(value: float, lengths: Sequence[tuple[int, int]]) -> Iterator[float]:
    """Yield a ratio by which lengths are multiplied, as the checkpoint has it."""
    for stored, own in lengths:
        new = round(value * stored / own, 3) if own else 0.0
        if new not in (0.0, value):
            yield new


def _listed(
    value: list[Any] | tuple[Any, ...], lengths: Sequence[tuple[int, int]]
) -> Iterator[list[Any] | tuple[Any, ...]]:
    """Yield a list of lengths as the checkpoint has it: all at once, then one at a time."""
    if not all(type(item) is int for item in value):
        return
    stored = {own: length for length, own in reversed(lengths)}
    rows = [[stored.get(item, item) for item in value]]
    for place, item in enumerate(value):
        rows.append([*value[:place], stored.get(item, item), *value[place + 1 :]])
    for place, row in enumerate(rows):
        if row != list(value) and row not in rows[:place]:
            yield tuple(row) if isinstance(value, tuple) else row


def rule(value: int, new: int, own: int, stored: int) -> tuple[str, str] | None:
    """Write two lengths by the setting that makes them; None where neither a factor nor a square does.

    Args:
        value: the setting.
        new: the setting that the checkpoint was made with.
        own: the length that the first makes.
        stored: the length that the second makes.

    Returns:
        Both lengths, that of the model first; empty texts where they are the settings themselves.

    Example:
        >>> rule(4, 2, 48, 12), rule(64, 32, 256, 128), rule(8, 16, 8, 16), rule(3, 5, 7, 8)
        (('48 = 3·4²', '12 = 3·2²'), ('256 = 4·64', '128 = 4·32'), ('', ''), None)
    """
    if (own, stored) == (value, new):
        return "", ""
    for power, sign in ((1, ""), (2, "²")):
        a, b = value**power, new**power
        if own % a == 0 and stored % b == 0 and own // a == stored // b and own // a > 0:
            times = "" if own // a == 1 else f"{own // a}·"
            return f"{own} = {times}{value}{sign}", f"{stored} = {times}{new}{sign}"
    added = own - value
    if abs(added) <= max(_ADDED) and stored - new == added:
        sign = "+" if added > 0 else "-"
        return f"{own} = {value} {sign} {abs(added)}", f"{stored} = {new} {sign} {abs(added)}"
    return None


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
