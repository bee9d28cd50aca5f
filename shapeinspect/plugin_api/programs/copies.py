"""Runs something in a forked copy of this process, which changes nothing outside of it."""

from __future__ import annotations

import functools
import gc
import os
import select
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias, TypeVar

from shapeinspect.binary.child_limits import end_children_with_this_process, end_with
from shapeinspect.plugin_api.isolation import landlock
from shapeinspect.plugin_api.isolation.confined import confined, released
from shapeinspect.plugin_api.isolation.inheritance import detach
from shapeinspect.plugin_api.isolation.limits import limit, memory_of_a_run
from shapeinspect.plugin_api.isolation.system_calls import refuse
from shapeinspect.plugin_api.isolation.turns import Watch

T = TypeVar("T")

#: How often the limits of a copy are looked at, in milliseconds.
_TICK = 50
#: Sends bytes from the copy to the process that waits.
Send: TypeAlias = "Callable[[bytes], None]"


@dataclass(slots=True)
class _State:
    """What this process is.

    Args:
        copy: whether it is a copy: nothing in it is explained again.
        prepare: what the frameworks need in a copy.
    """

    copy: bool = False
    prepare: Callable[[], object] | None = None


_state = _State()
_thread = threading.local()


def is_copy() -> bool:
    """Return whether this process is such a copy, or this thread one that runs a script again."""
    return _state.copy or bool(getattr(_thread, "copy", False))


def become_copy() -> None:
    """Say that this process is a copy from now on: nothing in it is explained, and no copy of it is made."""
    _state.copy = True


def prepare_with(prepare: Callable[[], object]) -> None:
    """Say what the frameworks need at the beginning of each copy, such as to do without their threads.

    Args:
        prepare: does it.
    """
    _state.prepare = prepare


#: Where Linux keeps the locks of ``multiprocessing``, which its pools of threads have, too.
_LOCKS = "/dev/shm"  # noqa: S108  # nothing is stored in it


def available() -> bool:
    """Return whether this system forks, and takes the right to write from a process."""
    return hasattr(os, "fork") and not is_copy() and landlock.version() > 0


def in_copy(run: Callable[[Send], None], seconds: float, wait: float) -> tuple[bytes, bool]:
    """Run something in a copy of this process.

    The copy reads what this process can read. It writes no file but temporary ones, starts no process, opens
    no connection and prints nothing; it ends with this process.

    Args:
        run: what is run; it is given a function that sends bytes.
        seconds: how much processor time it may take.
        wait: how many seconds it may take by a clock on the wall. One that waits for what never comes, such
            as a thread that a copy does not have, is ended long before.

    Returns:
        What was sent, and whether the copy was ended because its time was up.

    Example:
        >>> in_copy(lambda send: send(b"3"), 1.0, 60.0) if available() else (b"3", False)
        (b'3', False)
    """
    reading, writing = os.pipe()
    parent, memory = os.getpid(), memory_of_a_run()
    with released(), tempfile.TemporaryDirectory() as place:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads that others have started: a copy starts none of them
            pid = os.fork()
        if pid == 0:
            _run(run, writing, parent, (seconds, memory), place)
        with suppress(OSError):
            os.setpgid(pid, pid)
        os.close(writing)
        return _awaited(pid, reading, seconds, wait)


def in_thread(run: Callable[[], T], stop: Callable[[int], object]) -> T:
    """Run something that runs in no copy in a thread of its own, which cannot write files.

    What other threads do is not held back, but for those that it starts.

    Args:
        run: what is run.
        stop: called with the number of the thread where this one is interrupted while it waits.

    Raises:
        OSError: if this system cannot take the right to write from a thread.
    """
    ended: list[Callable[[], T]] = []

    def begin() -> None:
        _thread.copy = True
        try:
            landlock.restrict([os.devnull, _LOCKS, place])
            refuse()
            found = run()
            ended.append(lambda: found)
        except BaseException as problem:  # noqa: BLE001  # it is raised again in the thread that waits
            ended.append(functools.partial(_raised, problem))

    thread = threading.Thread(target=begin, daemon=True)
    with released(), tempfile.TemporaryDirectory() as place:
        before, tempfile.tempdir = tempfile.tempdir, place
        try:
            thread.start()
            thread.join()
        except BaseException:
            stop(thread.ident or 0)
            thread.join()
            raise
        finally:
            tempfile.tempdir = before
    return ended[0]()


def _raised(problem: BaseException) -> NoReturn:
    raise problem


def _run(
    run: Callable[[Send], None], output: int, parent: int, limits: tuple[float, int], place: str
) -> None:
    _state.copy = True
    try:
        gc.disable()  # it would copy what is shared with the process that waits
        os.setpgid(0, 0)
        end_with(parent)
        end_children_with_this_process()
        detach([output])
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
        limit(*limits)
        os.environ["TMPDIR"] = tempfile.tempdir = place
        landlock.restrict([os.devnull, _LOCKS, place])
        refuse()
        with confined(environment=True):
            if _state.prepare is not None:
                _state.prepare()
            run(lambda data: _send(output, data))
    finally:
        os._exit(0)


def _send(output: int, data: bytes) -> None:
    while data:
        data = data[os.write(output, data) :]


def _awaited(pid: int, reading: int, seconds: float, wait: float) -> tuple[bytes, bool]:
    """Read what a copy sends until it ends."""
    end, watch = time.monotonic() + wait, Watch(pid)
    data, stopped = b"", False
    sent = select.poll()  # whatever the number of the descriptor
    sent.register(reading, select.POLLIN)
    try:
        while True:
            if sent.poll(_TICK):
                part = os.read(reading, 1 << 20)
                if not part:
                    break
                data += part
            elif time.monotonic() > end or _processor_time(pid) > seconds or watch.is_idle():
                stopped = True
                break
    finally:
        os.close(reading)
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
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
