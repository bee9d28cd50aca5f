"""Values that nobody changes: an immutable mapping, and a copy of a frozen value with other fields."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Generic, TypeVar, overload

D = TypeVar("D")
T = TypeVar("T")
V = TypeVar("V")


class Frozen(Mapping[str, V], Generic[V]):
    """An immutable mapping, hashable if its values are.

    Args:
        items: what it holds.

    Example:
        >>> Frozen({"groups": 2})["groups"]
        2
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, V] | None = None, /, **more: V) -> None:
        self._items = {**(items or {}), **more}

    def __getitem__(self, key: str) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    # What Mapping gives would take several times as long, and every call of a graph asks its settings.
    def __contains__(self, key: object) -> bool:
        return key in self._items

    @overload
    def get(self, key: str, /) -> V | None: ...
    @overload
    def get(self, key: str, default: V, /) -> V: ...
    @overload
    def get(self, key: str, default: D, /) -> V | D: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the value of a key, or the default where there is none.

        Args:
            key: the key.
            default: what to return where there is no such key.
        """
        return self._items.get(key, default)

    def items(self) -> ItemsView[str, V]:
        """Return the keys with their values."""
        return self._items.items()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Frozen):
            return self._items == other._items
        return self._items == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def changed(item: T, **facts: Any) -> T:
    """Return a copy of a frozen value in which some fields differ.

    ``dataclasses.replace`` takes three times as long, and a file may have 300,000 weights.

    Args:
        item: the value, such as a :class:`~shapeinspect.ir.Weight`.
        facts: the fields that differ.

    Example:
        >>> from shapeinspect.ir import Note
        >>> changed(Note("no shapes"), about="conv1").about
        'conv1'
    """
    kind: Any = type(item)
    read, places = _reader(kind)
    values = list(read(item))
    for name, value in facts.items():
        values[places[name]] = value
    made: T = kind(*values)
    return made


@lru_cache(maxsize=64)
def _reader(kind: Any) -> tuple[Callable[[Any], tuple[Any, ...]], dict[str, int]]:
    names = [fact.name for fact in fields(kind)]
    return attrgetter(*names), {name: place for place, name in enumerate(names)}
