"""Finds the expressions of settings that give the lengths, numbers and presence of weights in all samples."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from terms import Point, Terms, is_number, is_other

_LETTERS = "ijk"
#: So many conditions are combined in threes.
_TRIPLES = 60
#: What decides between two expressions: a truth, or whether it is the first of several layers.
_SIMPLE = re.compile(r"^(given|yes)\(|^less\(([ijk], 1|([ijk]), last_\3)\)$")
#: Inside of so many conditions, one of two others is looked for.
_OUTER = 4


def conditions(points: Sequence[Point], counts: Sequence[Sequence[int]]) -> Iterator[tuple[str, Any]]:
    """Yield what may decide whether a weight is there, with its truth at each point.

    Args:
        points: where.
        counts: of each point, how many numbers each of its indices goes through.
    """
    for text, truth in _true_or_false(points, counts):
        yield text, truth
        yield f"not({text})", ~truth


def _true_or_false(points: Sequence[Point], counts: Sequence[Sequence[int]]) -> Iterator[tuple[str, Any]]:
    depths = range(len(points[0].indices))
    for depth in depths:
        letter = _LETTERS[depth]
        index = np.array([point.indices[depth] for point in points])
        for number in (1, 2):
            yield f"less({letter}, {number})", index < number
        yield f"less({letter}, last_{letter})", index < np.array([count[depth] for count in counts]) - 1
    yield from _equal(points)
    yield from _by_period(points)
    for name in points[0].settings:
        values = [point.settings.get(name) for point in points]
        kinds = {type(value) for value in values}
        if kinds <= {bool, type(None)} and kinds != {type(None)}:
            yield name if kinds == {bool} else f"yes({name})", np.array([value is True for value in values])
            continue
        if type(None) in kinds and len(kinds) > 1:
            yield f"given({name})", np.array([value is not None for value in values])
        elif kinds == {int} and not is_other(name):
            yield from _by_number(name, np.array(values), points)
        elif kinds == {str} and len(set(values)) > 1:
            for word in sorted(set(values)):
                yield f"is({name}, word.{spelled(word)})", np.array([value == word for value in values])
        elif kinds <= {list, tuple}:
            for depth in depths:
                yield from _by_list(name, values, [point.indices[depth] for point in points], _LETTERS[depth])


def _equal(points: Sequence[Point]) -> Iterator[tuple[str, Any]]:
    """Settings that are the same number in some samples."""
    values = {
        name: np.array([point.settings[name] for point in points])
        for name in points[0].settings
        if not is_other(name) and all(map(is_number, (point.settings.get(name) for point in points)))
    }
    for name in points[0].settings:
        lists = [point.settings.get(name) for point in points]
        if all(isinstance(item, list | tuple) and item and all(map(is_number, item)) for item in lists):
            values[f"at({name}, 0)"] = np.array([item[0] for item in lists])
    for left, right in itertools.combinations(values, 2):
        truth = values[left] == values[right]
        if truth.any() and not truth.all() and "size" in left + right:
            yield f"same({left}, {right})", truth


def _by_period(points: Sequence[Point]) -> Iterator[tuple[str, Any]]:
    """Each so many layers, from an offset."""
    for name in points[0].settings:
        period = [point.settings.get(name) for point in points]
        offset = [point.settings.get(name.replace("period", "offset")) for point in points]
        if "period" in name and all(map(is_number, [*period, *offset])) and min(period) > 0:
            for depth in range(len(points[0].indices)):
                index = np.array([point.indices[depth] for point in points])
                truth = (index - np.array(offset)) % np.array(period) == 0
                yield f"less(({_LETTERS[depth]} - {name.replace('period', 'offset')})%{name}, 1)", truth


def _by_number(name: str, values: Any, points: Sequence[Point]) -> Iterator[tuple[str, Any]]:
    for number in (0, 1, 2):
        yield f"less({number}, {name})", values > number
    for depth in range(len(points[0].indices)):
        letter = _LETTERS[depth]
        index = np.array([point.indices[depth] for point in points])
        yield f"less({letter}, {name})", index < values
        if (values > 0).all():
            yield f"less({letter}%{name}, 1)", index % values == 0
            yield f"less(({letter} + 1)%{name}, 1)", (index + 1) % values == 0


def _by_list(
    name: str, values: Sequence[Any], index: Sequence[int], letter: str
) -> Iterator[tuple[str, Any]]:
    words = sorted({str(item) for value in values for item in value})
    if len(words) <= 12 and all(i < len(v) for i, v in zip(index, values, strict=True)):
        for word in words:
            truth = np.array([str(v[i]) == word for i, v in zip(index, values, strict=True)])
            yield f"is(at({name}, {letter}), word.{spelled(word)})", truth
    yield f"has({name}, {letter})", np.array([i in v for i, v in zip(index, values, strict=True)])


def spelled(word: str) -> str:
    """Return a word as the language of the rows spells it."""
    return re.sub(r"\W", "_", word)


def condition(points: Sequence[Point], counts: Sequence[Sequence[int]], there: Any) -> str | None:
    """Return what decides whether a weight is there: an empty text for always, None where it is not known."""
    if there.all():
        return ""
    known: dict[bytes, str] = {}
    for text, truth in conditions(points, counts):
        known.setdefault(truth.tobytes(), text)
    if there.tobytes() in known:
        return known[there.tobytes()]
    rows = [(np.frombuffer(key, bool), text) for key, text in known.items()]
    above = [(truth, text) for truth, text in rows if not (there & ~truth).any()]
    for (left, left_text), (right, right_text) in itertools.combinations(above, 2):
        if ((left & right) == there).all():
            return f"and({left_text}, {right_text})"
    for (one, one_text), (two, two_text), (three, three_text) in itertools.combinations(above[:_TRIPLES], 3):
        if ((one & two & three) == there).all():
            return f"and({one_text}, and({two_text}, {three_text}))"
    below = [(truth, text) for truth, text in rows if not (truth & ~there).any()]
    for (left, left_text), (right, right_text) in itertools.combinations(below, 2):
        if ((left | right) == there).all():
            return f"or({left_text}, {right_text})"
    for outer, outer_text in sorted(above, key=lambda row: int(row[0].sum()))[:_OUTER]:
        inside = [(truth & outer, text) for truth, text in rows if not (truth & outer & ~there).any()]
        inside = [(truth, text) for truth, text in inside if truth.any()]
        for (left, left_text), (right, right_text) in itertools.combinations(inside, 2):
            if ((left | right) == there).all():
                return f"and({outer_text}, or({left_text}, {right_text}))"
    return None


@lru_cache(maxsize=256)
def _terms(places: tuple[tuple[int, tuple[int, ...]], ...], settings: int) -> list[Terms]:
    return []


def terms_of(points: Sequence[Point]) -> Terms:
    """Return the candidates at some points, made once."""
    kept = _terms(tuple((point.sample, point.indices) for point in points), id(points[0].settings))
    if not kept:
        kept.append(Terms(points))
    return kept[0]


def forget() -> None:
    """Drop what was made for the samples of one family."""
    _terms.cache_clear()


def piecewise(
    points: Sequence[Point], target: Any, counts: Sequence[Sequence[int]], deep: int = 2
) -> str | None:
    """Return the expression of some numbers, in pieces where one does not do.

    Args:
        points: where.
        target: the numbers.
        counts: of each point, how many numbers each of its indices goes through.
        deep: so many conditions one below another.
    """
    terms = terms_of(points)
    whole = terms.fit(target, 2)
    if whole is not None or not deep:
        return whole
    left_over = None
    for text, truth in _true_or_false(points, counts):
        if truth.all() or not truth.any() or "(" in _SIMPLE.sub("", text):
            continue
        sides = []
        for side in (truth, ~truth):
            chosen = [point for point, yes in zip(points, side, strict=True) if yes]
            enough = len({point.sample for point in chosen}) > 1
            sides.append((chosen, side, terms_of(chosen).fit(target[side]) if enough else None, enough))
        if all(enough for *_, enough in sides) and all(part is not None for *_, part, _ in sides):
            return f"if({text}, {sides[0][2]}, {sides[1][2]})"
        if left_over is None and text.isidentifier() and all(enough for *_, enough in sides):
            left_over = text, sides
    if left_over is not None and deep > 1:
        text, sides = left_over
        parts = [
            part
            or piecewise(
                chosen,
                target[side],
                [count for count, yes in zip(counts, side, strict=True) if yes],
                deep - 1,
            )
            for chosen, side, part, _ in sides
        ]
        if all(parts):
            return f"if({text}, {parts[0]}, {parts[1]})"
    return terms.fit(target, 3)
