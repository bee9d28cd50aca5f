"""What bounds a program that is run again: its time, and random numbers that it may not change."""

from __future__ import annotations

import ctypes
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class LateError(BaseException):
    """A run has taken too long. No ``except Exception`` of the user's stops it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End what this thread runs after some time; a call of native code is first left to return.

    Args:
        seconds: how long it may take.

    Raises:
        LateError: in the code that is still running then.
    """
    thread, lock, over = threading.get_ident(), threading.Lock(), False

    def end() -> None:
        with lock:
            if not over:
                _raise(thread, LateError)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
            _raise(thread, None)
        timer.cancel()


def _raise(thread: int, error: type[BaseException] | None) -> None:
    held = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), held)


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Put the global generators of Python and NumPy back as they were."""
    plain = random.getstate()
    numpy: Any = sys.modules.get("numpy")
    arrays = None if numpy is None else numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(plain)
        if arrays is not None:
            numpy.random.set_state(arrays)
