"""Runs something in a forked copy of this process, which changes nothing outside of it."""

from __future__ import annotations

import gc
import math
import os
import select
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from shapeinspect.plugin_api import landlock
from shapeinspect.plugin_api.confined import confined, released

#: Sends bytes from the copy to the process that waits.
Send: TypeAlias = "Callable[[bytes], None]"


@dataclass(slots=True)
class _State:
    """What this process is.

    Args:
        copy: whether it is a copy: nothing in it is explained again.
    """

    copy: bool = False


_state = _State()


def is_copy() -> bool:
    """Return whether this process is such a copy."""
    return _state.copy


def available() -> bool:
    """Return whether this system forks, and takes the right to write from a process."""
    return hasattr(os, "fork") and not _state.copy and landlock.version() > 0


def in_copy(run: Callable[[Send], None], seconds: float, wait: float) -> tuple[bytes, bool]:
    """Run something in a copy of this process.

    The copy reads what this process can read. It writes no file but temporary ones, starts no process, opens
    no connection and prints nothing.

    Args:
        run: what is run; it is given a function that sends bytes.
        seconds: how much processor time it may take.
        wait: how many seconds it may take by a clock on the wall.

    Returns:
        What was sent, and whether the copy was ended because its time was up.

    Example:
        >>> in_copy(lambda send: send(b"3"), 1.0, 60.0) if available() else (b"3", False)
        (b'3', False)
    """
    reading, writing = os.pipe()
    with released(), tempfile.TemporaryDirectory() as place:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads that others have started: a copy starts none of them
            pid = os.fork()
        if pid == 0:
            os.close(reading)
            _run(run, writing, seconds, place)
        os.close(writing)
        return _awaited(pid, reading, seconds, wait)


def _run(run: Callable[[Send], None], output: int, seconds: float, place: str) -> None:
    _state.copy = True
    try:
        gc.disable()  # it would copy what is shared with the process that waits
        _limit(seconds)
        _silence()
        os.environ["TMPDIR"] = tempfile.tempdir = place
        landlock.restrict([os.devnull, place])
        with confined(environment=True):
            run(lambda data: _send(output, data))
    finally:
        os._exit(0)


def _send(output: int, data: bytes) -> None:
    while data:
        data = data[os.write(output, data) :]


def _limit(seconds: float) -> None:
    """End this process after so much work, and by signals as any other."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds) + 1, math.ceil(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError):  # in another thread than the first one signals cannot be set
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


def _silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    sys.stdin = os.fdopen(os.dup(null))


def _awaited(pid: int, reading: int, seconds: float, wait: float) -> tuple[bytes, bool]:
    """Read what a copy sends until it ends."""
    end = time.monotonic() + wait
    data, stopped = b"", False
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], 0.05)
            if ready:
                part = os.read(reading, 1 << 20)
                if not part:
                    break
                data += part
            elif time.monotonic() > end or _processor_time(pid) > seconds:
                stopped = True
                break
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
    return data, stopped


def _processor_time(pid: int) -> float:
    """Return the processor time that a process has used, where the system tells it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
