"""Which lists and dictionaries of TorchScript's code have a length that is not known.

A branch that may not run, or a loop of unknown rounds, that changes a list from outside leaves its length
open; what it puts into lists of its own does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

_Holder: TypeAlias = "list[Any] | dict[Any, Any]"


class ListLengths:
    """Keeps the lists whose length is not known, by identity."""

    def __init__(self) -> None:
        self._unknown: dict[int, _Holder] = {}
        self._doubtful: dict[int, _Holder] = {}
        self._outside: list[dict[int, _Holder]] = []

    def known(self, value: Any) -> bool:
        """Tell whether a value is no list, or one of known length.

        Args:
            value: any value of the code.

        Example:
            >>> lists, items = ListLengths(), [3, 5]
            >>> lists.begin([items])
            1
            >>> lists.change(items)
            >>> lists.end()
            >>> lists.known(items), lists.known([3, 5])
            (False, True)
        """
        return not isinstance(value, list | dict) or not (
            id(value) in self._unknown or id(value) in self._doubtful
        )

    def begin(self, values: Iterable[Any]) -> int:
        """Begin code that may not run, or runs any number of times; return how many values were visited.

        Args:
            values: what it can reach of what stands before it.
        """
        outside: dict[int, _Holder] = {}
        seen: set[int] = set()
        queue = [value for value in values if isinstance(value, list | tuple | dict)]
        for value in queue:
            if id(value) in seen:
                continue
            seen.add(id(value))
            if not isinstance(value, tuple):
                outside[id(value)] = value
            parts = value.values() if isinstance(value, dict) else value
            queue.extend(
                part for part in parts if isinstance(part, list | tuple | dict) and id(part) not in seen
            )
        self._outside.append(outside)
        return len(queue)

    def end(self) -> None:
        """End the code that the last ``begin`` began."""
        self._outside.pop()

    def change(self, items: _Holder, exactly: bool = True) -> None:
        """Note that the number of a list's entries changes.

        Args:
            items: the list.
            exactly: whether it is known by how many.
        """
        if not exactly:
            self._unknown[id(items)] = items
        elif any(id(items) in outside for outside in self._outside):
            self._doubtful[id(items)] = items

    def doubted(self) -> frozenset[int]:
        """Return the lists that are in doubt so far."""
        return frozenset(self._doubtful)

    def settle(self, marks: Iterable[int]) -> None:
        """Take back doubts, since the code runs whenever the code around it does.

        Args:
            marks: the lists, as :meth:`doubted` returns them.
        """
        for mark in marks:
            if not any(mark in outside for outside in self._outside):
                self._doubtful.pop(mark, None)
