"""Expressions of settings, and their values in all samples."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = "np.ndarray[Any, np.dtype[np.int64]]"


@dataclass(frozen=True)
class Point:
    """A sample's settings and the numbers in a weight's name.

    Args:
        sample: which one.
        settings: each by its dotted name.
        indices: the numbers in the name, outer first.
    """

    sample: int
    settings: Mapping[str, Any]
    indices: tuple[int, ...] = ()


_LETTERS = "ijk"
_STAGES = 8
#: Settings that are no lengths.
_OTHER = re.compile(r"_ids?$|_index$|_token$|initializer|seed|chunk_size_feed")


def is_number(value: Any) -> bool:
    """Tell whether a setting is an integer."""
    return type(value) is int


def is_other(name: str) -> bool:
    """Tell whether a setting is no length."""
    return _OTHER.search(name) is not None


class Terms:
    """The values of all candidate expressions at some points.

    Args:
        points: where.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = points
        first = points[0].settings
        self.atoms: dict[str, Any] = {}
        seen: set[bytes] = set()
        for name in first:
            if is_other(name):
                continue
            values = [point.settings.get(name) for point in points]
            if all(map(is_number, values)):
                self._add(name, values, seen)
            elif all(
                isinstance(value, list | tuple) and value and all(map(is_number, value)) for value in values
            ):
                for text, item in self._items(name, points):
                    self._add(text, item, seen)
        for depth in range(len(points[0].indices)):
            letter = _LETTERS[depth]
            self._add(f"2**{letter}", [2 ** point.indices[depth] for point in points], seen)
        self.floats = {
            name: np.array([point.settings[name] for point in points])
            for name in first
            if all(isinstance(point.settings.get(name), float) for point in points)
        }
        self._made: dict[bytes, str] | None = None
        self._wide: dict[bytes, str] | None = None

    def _add(self, name: str, values: Sequence[int], seen: set[bytes]) -> None:
        array = np.array(values, dtype=np.int64)
        if (array != array[0]).any():
            self.atoms[name] = array

    @staticmethod
    def _items(name: str, points: Sequence[Point]) -> Iterator[tuple[str, list[int]]]:
        for index in range(min(*(len(point.settings[name]) for point in points), _STAGES)):
            yield f"at({name}, {index})", [point.settings[name][index] for point in points]
        yield f"at({name}, -1)", [point.settings[name][-1] for point in points]
        yield f"len({name})", [len(point.settings[name]) for point in points]
        yield f"sum({name})", [sum(point.settings[name]) for point in points]
        for depth in range(len(points[0].indices)):
            letter = _LETTERS[depth]
            for shift in (0, -1, 1):
                places = [point.indices[depth] + shift for point in points]
                lists = [point.settings[name] for point in points]
                if all(0 <= place < len(items) for place, items in zip(places, lists, strict=True)):
                    sign = f"{shift:+d}" if shift else ""
                    yield (
                        f"at({name}, {letter}{sign})",
                        [items[place] for place, items in zip(places, lists, strict=True)],
                    )
            lists = [point.settings[name] for point in points]
            places = [-1 - point.indices[depth] for point in points]
            if all(-place <= len(items) for place, items in zip(places, lists, strict=True)):
                yield (
                    f"at({name}, -1-{letter})",
                    [items[place] for place, items in zip(places, lists, strict=True)],
                )

    @property
    def products(self) -> dict[bytes, str]:
        """The shortest text of each value that is an atom, a product of two, a quotient or a multiple."""
        if self._made is None:
            self._made = {}
            for values, text in self._products():
                self._made.setdefault(values.astype(np.int64).tobytes(), text)
        return self._made

    def _products(self) -> Iterator[tuple[Any, str]]:
        names = list(self.atoms)
        for name in names:
            yield self.atoms[name], name
        for name in names:
            for factor in (2, 3, 4, 6, 8):
                yield factor * self.atoms[name], f"{factor}*{name}"
            for divisor in (2, 3, 4, 8, 16):
                if not (self.atoms[name] % divisor).any():
                    yield self.atoms[name] // divisor, f"{name}//{divisor}"
        pairs = list(itertools.combinations_with_replacement(names, 2))
        for left, right in pairs:
            yield self.atoms[left] * self.atoms[right], f"{left}*{right}"
        for left, right in itertools.permutations(names, 2):
            below = self.atoms[right]
            if (below > 1).any() and (below > 0).all():
                yield self.atoms[left] // below, f"{left}//{right}"
        for (name, floats), atom in itertools.product(self.floats.items(), names):
            yield floats * self.atoms[atom], f"floor({atom}*{name})"
        for (name, floats), atom, factor in itertools.product(self.floats.items(), names, (2, 4, 8)):
            # The stages of a network are so many times as wide as its first one.
            yield floats * factor * self.atoms[atom], f"floor({factor}*{atom}*{name})"
        for factor, (left, right) in itertools.product((2, 3, 4, 6), pairs):
            yield factor * self.atoms[left] * self.atoms[right], f"{factor}*{left}*{right}"

    def quotients(self) -> Iterator[tuple[Any, str]]:
        """Products of an atom and a quotient of two, and squares of windows."""
        names = list(self.atoms)
        for name in names:
            yield (2 * self.atoms[name] - 1) ** 2, f"(2*{name} - 1)**2"
        for left, right in itertools.permutations(names, 2):
            below = self.atoms[right]
            yield self.atoms[left] * below**2, f"{left}*{right}**2"
            if not (below > 0).all() or not (below > 1).any():
                continue
            quotient = self.atoms[left] // below
            yield quotient * quotient, f"({left}//{right})**2"
            yield (2 * quotient - 1) ** 2, f"(2*({left}//{right}) - 1)**2"
            for atom in names:
                if atom != right:
                    yield quotient * self.atoms[atom], f"{atom}*({left}//{right})"

    def fit(self, target: Any, effort: int = 1) -> str | None:
        """Return a short expression with these values, None where none was found.

        Args:
            target: the values.
            effort: 0 for products, 1 for products of sums as well, 2 for sums of two products, 3 of three.
        """
        if (target == target[0]).all():
            return str(int(target[0]))
        key = target.tobytes()
        products = self.products
        if key in products:
            return products[key]
        for number in (1, -1, 2, -2, 3, 4):
            text = products.get((target - number).tobytes())
            if text is not None:
                return f"{text} {'+' if number > 0 else '-'} {abs(number)}"
        if not effort:
            return None
        found = self._with_quotient(target) or self._multiple(target)
        if found is None and effort > 1:
            found = self._sum(target, products) or self._sum_with(target)
        return self._sum_of_three(target) if found is None and effort > 2 else found

    def _with_quotient(self, target: Any) -> str | None:
        for values, text in self.quotients():
            for number in (0, 1, 2, 3):
                if (values + number == target).all():
                    return text + (f" + {number}" if number else "")
        for atom, values in self.atoms.items():
            for divisor in (2, 3, 4, 8):
                if ((values + divisor - 1) // divisor == target).all():
                    return f"({atom} + {divisor - 1})//{divisor}"
        return None

    def _multiple(self, target: Any) -> str | None:
        """An atom times a sum, such as the heads of queries, keys and values times their length."""
        for name, values in self.atoms.items():
            if (values > 0).all() and not (target % values).any():
                rest = self._sum(target // values, self.atoms_only())
                if rest is not None:
                    return f"{name}*({rest})"
        return None

    def atoms_only(self) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        for name, values in self.atoms.items():
            found.setdefault(values.tobytes(), name)
            found.setdefault((2 * values).tobytes(), f"2*{name}")
        return found

    def _sum(self, target: Any, terms: Mapping[bytes, str]) -> str | None:
        for key, text in terms.items():
            rest = target - np.frombuffer(key, np.int64)
            if (rest <= 0).any():
                continue
            other = terms.get(rest.tobytes())
            if other is not None:
                return f"{text} + {other}"
        return None

    def _sum_with(self, target: Any) -> str | None:
        """A product and one with a quotient, or twice that."""
        if self._wide is None:
            self._wide = {}
            for values, text in self.quotients():
                self._wide.setdefault(values.tobytes(), text)
                self._wide.setdefault((2 * values).tobytes(), f"2*{text}")
        for key, text in self.products.items():
            rest = target - np.frombuffer(key, np.int64)
            other = self._wide.get(rest.tobytes())
            if other is not None:
                return f"{text} + {other}"
        return None

    def _sum_of_three(self, target: Any) -> str | None:
        small = self.atoms_only()
        for key, text in small.items():
            rest = target - np.frombuffer(key, np.int64)
            if (rest > 0).all():
                both = self._sum(rest, self.products)
                if both is not None:
                    return f"{text} + {both}"
        return None
