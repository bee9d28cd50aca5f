"""Orders trials of a script, and takes their results as they come."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.isolation import landlock
from shapeinspect.plugin_api.user_code.frames import is_installed
from shapeinspect.trials.copy_of_process import Copy
from shapeinspect.trials.marks import Running

T = TypeVar("T")

#: A hurried trial may take so many times what the script takes so up to its failure, and so many seconds.
_TIMES, _LEAST = 4.0, 1.0


@dataclass(frozen=True, slots=True)
class Script:
    """A script that has failed.

    Args:
        folder: the folder that holds what the script may change: its own, or the one that it was started in.
        path: the script's path in that folder.
        cwd: the path in that folder of the folder that it was started in; an absolute one for one elsewhere.
        argv: its arguments.
        since: when it began, in seconds since 1970.
        memory: how much memory a trial may take, in bytes.
        beside: whether it may read what stands beside the folder.
    """

    folder: str
    path: str
    cwd: str
    argv: tuple[str, ...]
    since: float
    memory: int
    beside: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """How a trial ended.

    Args:
        status: ``passed`` (the script ran to its end), ``failed``, ``running`` (it was stopped at its limit),
            ``refused`` (it would have acted on something outside) or ``crashed``.
        passed: whether the statement that had failed ran to its end, with data; where the script ran to its
            end, whether those around it did, too.
        error: the class of the exception.
        message: its message.
        frames: file and line of the user's frames, the outermost first.
        seconds: how much processor time it took.
        waited: how long it neither worked nor waited for a processor, in seconds.
        warned: the warnings about sizes that differ.
        refused: what it would have done outside and went on without, a clause each.
    """

    status: str
    passed: bool
    error: str
    message: str
    frames: tuple[tuple[str, int], ...]
    seconds: float
    waited: float = 0.0
    warned: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def available() -> bool:
    """Return whether this system can run trials: it forks, and takes the right to write from a process."""
    return hasattr(os, "fork") and landlock.version() > 0


def imported(folder: str) -> list[str]:
    """Return the installed packages that are imported now, but none of the user's folder.

    Args:
        folder: the user's folder.
    """
    names = []
    for name, module in [*sys.modules.items()]:
        file = getattr(module, "__file__", None)
        if "." in name or name.startswith("_") or not isinstance(file, str):
            continue
        if is_installed(file) and not os.path.abspath(file).startswith(folder + os.sep):
            names.append(name)
    return names


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """A trial to run.

    Args:
        key: what is tried.
        changed: the changed texts by their path in the script's folder.
        running: the places whose statements have to run to their end.
    """

    key: T
    changed: Mapping[str, str]
    running: tuple[Running, ...] = ()


class Trials(Generic[T]):
    """A server of trials; used in a ``with`` block.

    Args:
        script: the script.
        at_once: how many trials run at a time.
        prepare: what the frameworks need in a copy of this process; None where they cannot run in one, so
            that a process of its own imports them anew.
        begun: such a process, where it has been started before, or a copy of this one that was made earlier.
    """

    def __init__(
        self,
        script: Script,
        at_once: int = 2,
        prepare: Callable[[], object] | None = None,
        begun: subprocess.Popen[bytes] | Copy | None = None,
    ) -> None:
        self._script = script
        self._at_once = at_once
        self._waiting: dict[int, tuple[Order[T], bool]] = {}
        #: Trials of what has passed with less than all that takes time: they are waited for.
        self._sure: set[int] = set()
        self._number = 0
        self._input = b""
        self._hurried = False
        #: How long the script takes so up to its failure, in seconds of processor time; None for unknown.
        self._base: float | None = None
        self._process: subprocess.Popen[bytes] | Copy = (
            Copy(script.folder, prepare) if prepare is not None else begun or started(script.folder)
        )
        if self._process is begun and isinstance(begun, Copy):
            _tell(begun, imported(script.folder))

    def __enter__(self) -> Trials[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]  # both are pipes
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def hurry(self, order: Order[T], limit: float, late: Callable[[], bool]) -> Result | None:
        """Run the script as it is, and each order from now on, with less than all that takes time.

        What passes so is run again as it is.

        Args:
            order: the script as it is.
            limit: how long it may take, in seconds of processor time.
            late: whether it is not waited for any more.

        Returns:
            How the script fails so; None where it does not, and nothing is left out therefore.
        """
        self._hurried = True
        result = next((result for _, result in self.run(iter([order]), limit, late)), None)
        self._hurried = result is not None and result.status == "failed" and bool(result.frames)
        self._base = result.seconds if result is not None and self._hurried else None
        return result if self._hurried else None

    def run(
        self, orders: Iterator[Order[T]], limit: float, late: Callable[[], bool]
    ) -> Iterator[tuple[T, Result]]:
        """Run a trial for each order, several at a time, and yield each with its result.

        Args:
            orders: the trials. The next is asked for when there is room for it.
            limit: how long a trial may take, in seconds of processor time.
            late: whether no more trial is to be started or waited for, but one of what has passed already
                with less than all that takes time.
        """
        more = True
        while more or self._waiting:
            while more and len(self._waiting) < self._at_once and not late():
                order = next(orders, None)
                more = order is not None
                if order is not None and not self._send(order, limit, self._hurried):
                    return
            if late() and not self._sure:
                return
            for number, result in self._received():
                order, hurried = self._waiting.pop(number)
                self._sure.discard(number)
                if hurried and result.passed and result.status in ("passed", "running"):
                    self._send(order, limit, hurried=False)
                    self._sure.add(self._number)
                else:
                    yield order.key, result
            if self._process.poll() is not None:
                return

    def _send(self, order: Order[T], limit: float, hurried: bool) -> bool:
        self._number += 1
        self._waiting[self._number] = order, hurried
        script, base = self._script, self._base if hurried else None
        told = {
            "id": self._number,
            "script": script.path,
            "folder": script.folder,
            "cwd": script.cwd,
            "argv": script.argv,
            "changed": dict(order.changed),
            "since": script.since,
            "limit": limit if base is None else min(limit, allowed(max(_LEAST, _TIMES * base))),
            "beyond": limit if base is None else allowed(max(_LEAST, base)),
            "memory": script.memory,
            "beside": script.beside,
            "running": [asdict(place) for place in order.running],
            "hurried": hurried,
        }
        try:
            self._process.stdin.write(json.dumps(told).encode() + b"\n")  # type: ignore[union-attr]  # a pipe
            self._process.stdin.flush()  # type: ignore[union-attr]  # a pipe
        except OSError:
            return False
        return True

    def _received(self) -> list[tuple[int, Result]]:
        pipe = self._process.stdout.fileno()  # type: ignore[union-attr]  # a pipe
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_READ)
            if not ready.select(timeout=0.2):
                return []
        *lines, self._input = (self._input + os.read(pipe, 1 << 20)).split(b"\n")
        return [_result(json.loads(line)) for line in lines]


def started(folder: str) -> subprocess.Popen[bytes]:
    """Start a server that imports what is imported here; it ends with this process.

    Args:
        folder: the user's folder, of which it imports nothing.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    start = f"import sys; sys.path.insert(0, {home!r}); from shapeinspect.trials.server import serve; serve()"
    process = subprocess.Popen(  # noqa: S603  # our own module, by the interpreter that runs now
        [sys.executable, "-c", start],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    _tell(process, imported(folder))
    return process


def _tell(process: subprocess.Popen[bytes] | Copy, modules: list[str]) -> None:
    """Tell a server what it imports."""
    with suppress(OSError):
        process.stdin.write(json.dumps({"path": sys.path[1:], "modules": modules}).encode() + b"\n")  # type: ignore[union-attr]  # a pipe
        process.stdin.flush()  # type: ignore[union-attr]  # a pipe


def end(process: subprocess.Popen[bytes] | Copy) -> None:
    """End a server.

    Args:
        process: the server.
    """
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            stream.close()  # type: ignore[union-attr]  # both are pipes


def _result(told: dict[str, Any]) -> tuple[int, Result]:
    frames = tuple((str(file), int(line)) for file, line in told["frames"])
    return int(told["id"]), Result(
        told["status"],
        bool(told["passed"]),
        told.get("type", ""),
        told["message"],
        frames,
        float(told["seconds"]),
        float(told.get("waited", 0.0)),
        tuple(told.get("warned", ())),
        tuple(told.get("refused", ())),
    )
