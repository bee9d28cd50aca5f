"""Talks to a child process that reads a stranger's file: it may die, hang or answer without end."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple


class Answer(NamedTuple):
    """What came of a child.

    Args:
        data: what it wrote, one byte more than allowed at most.
        code: its exit code, or the negated number of the signal that ended it.
        late: whether it was ended since its time was over.
    """

    data: bytes
    code: int
    late: bool


def answer_of(
    child: subprocess.Popen[bytes],
    seconds: float,
    most: int,
    given: bytes = b"",
    talk: Callable[[], bytes] | None = None,
) -> Answer:
    """Give a child its input, read what it answers, and see it end.

    Args:
        child: a process with a pipe for its output.
        seconds: how long it may take by the clock of the wall.
        most: the bytes that it may answer.
        given: what it reads, where it has a pipe for its input.
        talk: reads the answer where more has to be said than that.

    Example:
        >>> import sys
        >>> words = [sys.executable, "-c", "print('x' * 9)"]
        >>> with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        ...     answer_of(child, 60, 4)
        Answer(data=b'xxxxx', code=-9, late=False)
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(seconds, end)
    timer.start()
    feeder = threading.Thread(target=_feed, args=(child, given), daemon=True)
    try:
        if talk is None:
            feeder.start()
        data = _read(child, most) if talk is None else talk()
        if len(data) > most:
            child.kill()
        code = child.wait()
    except BaseException:
        child.kill()
        child.wait()
        raise
    finally:
        timer.cancel()
    if talk is None:
        feeder.join()
    return Answer(data, code, late.is_set())


def _feed(child: subprocess.Popen[bytes], given: bytes) -> None:
    if child.stdin is not None:
        with suppress(OSError), child.stdin:  # it may end before it has read everything
            child.stdin.write(given)


def _read(child: subprocess.Popen[bytes], most: int) -> bytes:
    return child.stdout.read(most + 1) if child.stdout is not None else b""
