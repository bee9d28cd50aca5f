"""How the limits of processor time are judged, on a machine that others use as well."""

from __future__ import annotations

import math

from .conftest import _CHILD


def never() -> float:
    raise AssertionError("it was asked although the file was quick enough")


def test_a_file_that_is_quick_enough_is_read_once() -> None:
    assert _CHILD.within(1.9, 2.0, never)


def test_a_busy_moment_is_forgiven() -> None:
    taken = iter([math.inf, 1.9])
    assert _CHILD.within(2.1, 2.0, lambda: next(taken))


def test_a_file_that_always_takes_too_long_is_not() -> None:
    taken = []
    assert not _CHILD.within(2.1, 2.0, lambda: taken.append(1) or math.inf)
    assert len(taken) == 2
