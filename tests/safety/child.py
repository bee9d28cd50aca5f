"""A process that answers one line of JSON with others, and that a file may kill or make hang."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Seconds of processor time that one file may take, and of the clock before it counts as hanging.
CPU, CLOCK = 2.0, 60.0

#: Seconds that a million rounds of an empty loop take on the machine that the limits are made for, and that a
#: hundred thousand small objects take, which need its caches.
_ROUNDS, _OBJECTS = 0.02, 0.09
#: A file that takes too long is read so many times more: what else runs only ever adds to the time.
_AGAIN = 2


def within(seconds: float, limit: float, again: Callable[[], float]) -> bool:
    """Tell whether processor time stays within a limit, a longer one where the machine is slow just now.

    Args:
        seconds: what a file has taken.
        limit: what it may take.
        again: reads it once more and returns what it took.
    """
    if seconds < limit:
        return True
    return any(again() < limit * _slowness() for _ in range(_AGAIN))


def _slowness() -> float:
    """How many times longer the same work takes just now than on the machine that the limits are made for."""
    begin = time.process_time()
    for _ in range(1_000_000):
        pass
    middle = time.process_time()
    held = [{"at": at, "pair": (at, at)} for at in range(100_000)]
    end = time.process_time()
    assert held
    return max(1.0, (middle - begin) / _ROUNDS, (end - middle) / _OBJECTS)


class Child:
    """A program that is started again where a file has ended it, also below another one that watches it."""

    def __init__(self, program: Path, watched: tuple[str, ...] = ()) -> None:
        self._program, self._watched = program, watched
        self._process: subprocess.Popen[bytes] | None = None
        self._come = b""

    def ask(self, order: dict[str, Any]) -> None:
        """Send one order, to a new process if there is none."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")

    def answer(self) -> Any:
        """Return the next answer.

        Raises:
            ChildProcessError: if the process has ended or hangs; it is gone then.
        """
        process = self._running()
        assert process.stdout is not None
        while b"\n" not in self._come:
            ready, _, _ = select.select([process.stdout], [], [], CLOCK)
            piece = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                how = f"ends the process ({process.wait(CLOCK)})" if ready else "hangs"
                self.close()
                raise ChildProcessError(how)
            self._come += piece
        line, _, self._come = self._come.partition(b"\n")
        return json.loads(line)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            words = [*self._watched, sys.executable, str(self._program)]
            self._come = b""
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=_environment()
            )
        return self._process

    def close(self) -> None:
        """End the process that is running."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


def _environment() -> dict[str, str]:
    # Threads of numerical libraries reserve address space, of which the process has little.
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
