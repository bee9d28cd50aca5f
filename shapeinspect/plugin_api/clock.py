"""The clock of budgets: the cost of a run, whatever else the machine is doing."""

from __future__ import annotations

import time

from shapeinspect.plugin_api.isolation import turns

#: The weight of a second of waiting, relative to a second of work.
_WAITING = 0.1


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
