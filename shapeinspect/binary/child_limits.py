"""The limits that a child process sets itself before it touches a stranger's file.

A child runs isolated and cannot import this package: it is given the path of this file, and runs it with
``runpy``. So only the standard library is used here.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

#: What a child may hold beyond what it has when it sets its limits, in bytes.
MEMORY = 512 << 20
#: PR_SET_PDEATHSIG of prctl(2).
_DEATH_SIGNAL = 1


def limit(memory: int, seconds: float) -> None:
    """Bound this process where the system can, and let it end with the one that started it.

    Args:
        memory: bytes of address space beyond those that it has now.
        seconds: processor time from now on.
    """
    _end_with_parent()
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


def _end_with_parent() -> None:
    try:
        import ctypes

        before = os.getppid()
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    except (ImportError, OSError, AttributeError, TypeError):  # only Linux tells a child of its parent's end
        return
    if os.getppid() != before:
        os._exit(1)
