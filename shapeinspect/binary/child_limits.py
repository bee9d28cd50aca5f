"""The limits that a child process sets itself before it touches a stranger's file.

A child runs isolated and cannot import this package: it is given the path of this file, and runs it with
``runpy``. So only the standard library is used here.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

#: What a child may hold beyond what it has when it sets its limits, in bytes.
MEMORY = 512 << 20
#: PR_SET_PDEATHSIG of prctl(2).
_DEATH_SIGNAL = 1


def limit(memory: int, seconds: float, parent: int) -> None:
    """Bound this process where the system can, and let it end with the one that started it.

    Args:
        memory: bytes of address space beyond those that it has now.
        seconds: processor time from now on.
        parent: the number of the process that started it.
    """
    end_with(parent)
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    with suppress(ValueError, OSError):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # which ends the process
    for kind, most in ((resource.RLIMIT_AS, _held() + memory), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS refuses a limit of the address space
            resource.setrlimit(kind, (value, value))


def _held() -> int:
    """Return the bytes of this process's address space; a usual number where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 1 << 30


def end_with(parent: int) -> None:
    """End this process when the one that started it ends; only Linux tells it.

    Args:
        parent: the number of that process.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def end_children_with_this_process() -> None:
    """End every process that this one forks from now on when this one ends; only on Linux."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    os.register_at_fork(after_in_child=lambda: ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL))
