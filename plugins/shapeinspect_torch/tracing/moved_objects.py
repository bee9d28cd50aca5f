"""Copies objects that their use changes: files, iterators, queues, arrays of NumPy."""

from __future__ import annotations

import array
import copy
import io
import itertools
import queue
import types
from typing import Any

from shapeinspect.plugin_api.isolation.confined import ConfinedError

#: An array of more bytes is shared, not copied.
_LARGEST = 1 << 26
_ITERATORS = (itertools.count, itertools.cycle, itertools.chain, itertools.islice, zip, enumerate, map)


def is_moved_by_use(thing: object) -> bool:
    """Tell whether an object is one that its use changes, and that has no fields to copy.

    Args:
        thing: the object.
    """
    kinds = (io.IOBase, queue.Queue, bytearray, array.array, types.GeneratorType)
    numpy = type(thing).__module__ == "numpy" and type(thing).__name__ == "ndarray"
    return isinstance(thing, kinds) or numpy or _is_iterator(thing)


def _is_iterator(thing: object) -> bool:
    kind = type(thing)
    return hasattr(kind, "__next__") and (kind.__module__ == "builtins" or isinstance(thing, _ITERATORS))


def unmoved(thing: Any) -> Any:
    """Return a copy that can be used in the place of an object, so that the object stays as it is.

    Args:
        thing: an object for which :func:`is_moved_by_use` holds.

    Returns:
        The copy; where there can be none, as of a generator, an object that refuses to be used.
    """
    if isinstance(thing, io.IOBase):
        if getattr(thing, "closed", True) or not thing.writable():
            return Refusing("it reads on in a file")
        return io.StringIO() if isinstance(thing, io.TextIOBase) else io.BytesIO()
    if isinstance(thing, queue.Queue):
        new = type(thing)(thing.maxsize)
        new.queue = copy.copy(thing.queue)
        return new
    if type(thing).__name__ == "ndarray":
        return thing.copy() if thing.nbytes <= _LARGEST else thing
    # The copy of an iterator over another one would share that.
    if _is_iterator(thing) and not isinstance(thing, itertools.count) and not _is_of_its_own(thing):
        return Refusing("it reads on from an iterator")
    return copy.copy(thing)


def _is_of_its_own(iterator: object) -> bool:
    """Tell whether an iterator is one over a list, a tuple, a text or a range, which can be copied."""
    return type(iterator).__name__ in (
        "list_iterator", "tuple_iterator", "range_iterator", "longrange_iterator", "str_iterator",
        "str_ascii_iterator", "list_reverseiterator", "bytes_iterator",
    )  # fmt: skip


class Refusing:
    """Stands for an object that cannot be copied; its use ends the run.

    Args:
        reason: what the use would do, as a clause.
    """

    def __init__(self, reason: str) -> None:
        self.__dict__["_reason"] = reason

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise ConfinedError(self._reason)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python looks for
            raise AttributeError(name)
        raise ConfinedError(self.__dict__["_reason"])
