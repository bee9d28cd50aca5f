"""Waits for a process of our own, and ends it where it takes too long."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path


def awaited(pid: int, reading: int, seconds: float, wait: float) -> tuple[bytes, float, bool]:
    """Read what a process writes until it ends.

    Args:
        pid: the process.
        reading: the end of a pipe to which it writes; it is closed.
        seconds: how much processor time it may take.
        wait: how many seconds it may take by a clock on the wall.

    Returns:
        What it has written, how much processor time it took, and whether it was ended.
    """
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
        if stopped:
            os.kill(pid, signal.SIGKILL)
        _, _, usage = os.wait4(pid, 0)
    return data, usage.ru_utime + usage.ru_stime, stopped


def _processor_time(pid: int) -> float:
    """Return the processor time that a process has used, where the system tells it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
