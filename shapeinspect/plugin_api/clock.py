"""The clock of budgets: what a run costs, whatever else the machine is doing."""

from __future__ import annotations

import time

#: How much a second of waiting counts, where a second of work counts as one.
_WAITING = 0.1


def now() -> float:
    """Return seconds since some moment: the processor time of this thread, and a part of its waiting.

    On an idle machine a run takes as many seconds as by any clock. On a busy one, where each run waits
    for its turn, a budget still holds about as many runs; a run that only sleeps still comes to its end.

    Example:
        >>> now() <= now()
        True
    """
    return (1 - _WAITING) * time.thread_time() + _WAITING * time.monotonic()
