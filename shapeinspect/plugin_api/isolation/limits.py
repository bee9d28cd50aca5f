"""Limits of a process that runs the user's code again."""

from __future__ import annotations

import math
import signal
from contextlib import suppress
from pathlib import Path

#: A larger file is not written, in bytes.
_FILE = 1 << 31
#: A run may take twice the memory that the process took at most, and at least so many bytes.
_MEMORY = 1 << 31


def memory_of_a_run() -> int:
    """Return how much more memory than now a second run may take, in bytes."""
    import resource  # not on every system

    return max(_MEMORY, 2 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def limit(seconds: float, memory: int) -> None:
    """End this process after so much work, and refuse it more memory.

    Args:
        seconds: of processor time.
        memory: in bytes, more than it has now.
    """
    import resource  # not on every system

    held = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[5])
    usage = resource.getrusage(resource.RUSAGE_SELF)
    work = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
    for kind, most in (
        (resource.RLIMIT_CPU, work + 1),
        (resource.RLIMIT_DATA, held + memory),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        allowed = resource.getrlimit(kind)[1]
        new = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(kind, (new, new))
    with suppress(ValueError):  # in another thread than the first one signals cannot be set
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGXCPU):
            signal.signal(number, signal.SIG_DFL)
