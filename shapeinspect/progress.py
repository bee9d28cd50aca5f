"""Reports the progress of a long read to a listener."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

T = TypeVar("T")

#: Called with the number of items done, the total, and the plural noun of the items.
Listener: TypeAlias = "Callable[[int, int, str], None]"

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def counted(items: Sequence[T], what: str) -> Iterator[T]:
    """Iterate over items and report how many are done.

    Args:
        items: the items.
        what: the noun for the items, in the plural.

    Example:
        >>> calls = []
        >>> with listening(lambda done, total, what: calls.append((done, total, what))):
        ...     list(counted(["a", "b"], "files"))
        ['a', 'b']
        >>> calls
        [(0, 2, 'files'), (1, 2, 'files'), (2, 2, 'files')]
    """
    listener = _listener.get()
    if listener is None or len(items) < 2:
        yield from items
        return
    for done, item in enumerate(items):
        listener(done, len(items), what)
        yield item
    listener(len(items), len(items), what)


def report(done: int, total: int, what: str) -> None:
    """Report how many items are done, where they are not iterated over.

    Args:
        done: the items that are done; as many as the total end the report.
        total: all items.
        what: what is done, and the noun for the items: ``running layers``.
    """
    listener = _listener.get()
    if listener is not None and total > 1:
        listener(min(done, total), total, what)


@contextmanager
def steps(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Report how many long steps are done inside a block, and nothing of what happens within one of them.

    Args:
        total: the most steps that there may be; the end of the block is the end of the report.
        what: what is done, and the noun for the steps: ``running sizes``.

    Example:
        >>> told = []
        >>> with listening(lambda done, total, what: told.append((done, total))):
        ...     with steps(9, "running sizes") as done:
        ...         done(1)
        ...         list(counted("ab", "letters"))
        ['a', 'b']
        >>> told
        [(1, 9), (9, 9)]
    """
    listener = _listener.get()
    token = _listener.set(None)
    try:
        yield lambda done: listener(done, total, what) if listener and 0 < done < total else None
    finally:
        _listener.reset(token)
        if listener is not None:
            listener(total, total, what)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Report progress to a listener inside a block.

    Args:
        listener: the function to call.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
