"""How long the threads of a process have run or waited for a processor, and whether it does neither."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

#: A process none of whose threads has had anything to do for so many seconds waits for what never comes.
_IDLE = 6.0
#: It is looked at this often, in seconds.
_LOOK = 0.5
#: At most so many processes below one another.
_DEEP = 4


def of_thread() -> float | None:
    """Return for how many seconds this thread has waited for a processor that others were using.

    Returns: None where the system does not tell.
    """
    told = _numbers("/proc/thread-self/schedstat")
    return None if told is None else told[1] / 1e9


def of_process(process: int, but: Collection[int] = (), deep: int = _DEEP) -> tuple[int, ...] | None:
    """Return how long each thread of a process and of its children has run and waited for its turn.

    Args:
        process: its number.
        but: threads that do not count.
        deep: so many generations of children are looked at.

    Returns: Of each the number and nanoseconds of either; None where the system does not tell.
    """
    found: list[int] = []
    try:
        threads = [int(name) for name in os.listdir(f"/proc/{process}/task")]
    except OSError:
        return None
    for thread in threads:
        told = None if thread in but else _numbers(f"/proc/{process}/task/{thread}/schedstat")
        if told is not None:
            found += [thread, told[0], told[1]]
        for child in (_numbers(f"/proc/{process}/task/{thread}/children") or ()) if deep else ():
            found += of_process(child, (), deep - 1) or ()
    return tuple(found) or None


def waited(process: int, seconds: float, but: Collection[int] = ()) -> float:
    """Return for how long a process has had nothing to do: its threads neither ran nor waited for their turn.

    Args:
        process: its number.
        seconds: how long it has been there.
        but: threads that do not count.
    """
    seen = of_process(process, but)
    return 0.0 if seen is None else max(seconds - sum(seen[1::3] + seen[2::3]) / 1e9, 0.0)


def _numbers(path: str) -> list[int] | None:
    try:
        return [int(word) for word in Path(path).read_bytes().split()]
    except (OSError, ValueError):
        return None


class Watch:
    """Watches whether a process still does something, however few turns it gets on a busy machine.

    Args:
        process: its number.
        but: threads that do not count, such as the one that watches.

    Example:
        >>> Watch(os.getpid()).is_idle()
        False
    """

    def __init__(self, process: int, but: Collection[int] = ()) -> None:
        self._process, self._but = process, but
        self._seen: tuple[int, ...] | None = None
        self._since = self._looked = time.monotonic()

    def is_idle(self) -> bool:
        """Tell whether it has done nothing, and waited for no processor, for some seconds."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return False
        self._looked = now
        seen = of_process(self._process, self._but)
        if seen is None or seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since > _IDLE
