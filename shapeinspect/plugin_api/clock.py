"""The clock of budgets: the cost of a run, whatever else the machine is doing."""

from __future__ import annotations

import os
import time

from shapeinspect.plugin_api.isolation import turns

#: The weight of a second of waiting, relative to a second of work.
_WAITING = 0.1
#: The variable that says how many times as long as elsewhere everything may take here.
_PATIENCE = "SHAPEINSPECT_PATIENCE"
#: More than this is no patience any more.
_ENDLESS = 1000.0


def now() -> float:
    """Return seconds since a fixed moment: the processor time of this thread plus a fraction of its waiting.

    On an idle machine this agrees with other clocks. On a busy machine, where each run waits for its turn,
    a budget still allows as many runs, since the time of others is not counted; a run that only sleeps still
    ends.

    Example:
        >>> now() <= now()
        True
    """
    return (1 - _WAITING) * time.thread_time() + _WAITING * alone()


def alone() -> float:
    """Return seconds since a fixed moment, without those in which this thread waited for a processor.

    Example:
        >>> alone() <= alone()
        True
    """
    return time.monotonic() - (turns.of_thread() or 0.0)


def allowed(seconds: float) -> float:
    """Return how long a step of a diagnosis or a search may take on this machine.

    Args:
        seconds: how long it may take elsewhere, in seconds; so many times as long where the environment
            variable ``SHAPEINSPECT_PATIENCE`` holds a number over 1.

    Example:
        >>> allowed(2.0) >= 2.0
        True
    """
    try:
        times = float(os.environ.get(_PATIENCE, "1"))
    except ValueError:
        times = 1.0
    return seconds * times if 1 < times < _ENDLESS else seconds
