"""What a command does when it is told to end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: The signals that end a process and come from outside. SIGKILL reaches no handler; SIGSEGV, SIGBUS, SIGABRT
#: and their like are faults of the process itself, after which nothing in it can be trusted; SIGINT is an
#: exception already.
ENDING = (
    *("SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU"),
    *("SIGIO", "SIGPWR", "SIGSTKFLT", "SIGBREAK"),
)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let a signal that ends the process end the block as an exception, so that it removes what it began.

    Raises:
        SystemExit: where the signal comes, with the code that a shell gives it.

    Example:
        >>> with ended_in_order():
        ...     signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        False
    """
    if threading.current_thread() is not threading.main_thread():  # only there signals can be handled
        yield
        return
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    # nohup ignores SIGHUP, and is left to; a library may have handlers of its own
    plain = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in plain:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in plain:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
