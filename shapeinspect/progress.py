"""Tells whoever wants to know how far a long reading has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

T = TypeVar("T")

#: Called with how many items are done, how many there are, and what they are.
Listener: TypeAlias = "Callable[[int, int, str], None]"

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def counted(items: Sequence[T], what: str) -> Iterator[T]:
    """Go through things one by one, and tell how many are done.

    Args:
        items: what to go through.
        what: what they are, in the plural.

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
