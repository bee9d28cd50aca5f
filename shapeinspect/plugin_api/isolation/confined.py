"""Runs code of the user's again so that it changes nothing outside: no files, no network, no processes."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

#: What Python reports before it acts on something outside, and what it is in words.
REFUSED = {
    "builtins.breakpoint": "it stops in a debugger",
    "builtins.input": "it waits for the keyboard",
    "ftplib.connect": "it opens a connection",
    "os.chmod": "it changes a file",
    "os.chown": "it changes a file",
    "os.exec": "it starts a process",
    "os.fork": "it starts a process",
    "os.forkpty": "it starts a process",
    "os.kill": "it ends a process",
    "os.link": "it writes a file",
    "os.mkdir": "it makes a folder",
    "os.posix_spawn": "it starts a process",
    "os.putenv": "it sets an environment variable",
    "os.remove": "it removes a file",
    "os.rename": "it moves a file",
    "os.rmdir": "it removes a folder",
    "os.spawn": "it starts a process",
    "os.symlink": "it writes a file",
    "os.system": "it starts a process",
    "os.truncate": "it writes a file",
    "os.unsetenv": "it sets an environment variable",
    "shutil.rmtree": "it removes a folder",
    "socket.bind": "it opens a connection",
    "socket.connect": "it opens a connection",
    "socket.getaddrinfo": "it opens a connection",
    "socket.sendto": "it opens a connection",
    "sqlite3.connect": "it opens a database",
    "subprocess.Popen": "it starts a process",
    "webbrowser.open": "it opens a browser",
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_state = threading.local()


class ConfinedError(PermissionError):
    """Code that is run again would have acted on something outside.

    Args:
        reason: what it does, as a clause.
    """

    def __init__(self, reason: str) -> None:
        self.reason = f"{reason}, which is not done a second time"
        super().__init__(self.reason)


@contextmanager
def confined(environment: bool = False) -> Iterator[None]:
    """Refuse what this thread does to files, processes and the network, and drop what it prints.

    Temporary files of its own and imports are allowed. Nothing is changed for other threads.

    Args:
        environment: whether environment variables may be set, as in a process of its own.

    Raises:
        ConfinedError: in the code that acts.

    Example:
        >>> try:
        ...     with confined():
        ...         print("not seen")
        ...         open("new.txt", "w")
        ... except ConfinedError as error:
        ...     print(error)
        it writes a file, which is not done a second time
    """
    _install()
    with suppress(OSError):
        tempfile.gettempdir()  # it is found by writing to it, once
    outer = getattr(_state, "own", None)
    before = sys.stdout, sys.stderr
    muted = [_Muted(output) for output in before]
    _state.own = set() if outer is None else outer
    allowed = getattr(_state, "environment", False)
    _state.environment = allowed or environment
    sys.stdout, sys.stderr = muted
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        _state.own, _state.environment = outer, allowed
        for output in muted:  # what was made inside may keep it
            output.thread = None


@contextmanager
def released() -> Iterator[None]:
    """Let our own code act inside :func:`confined`, such as start a process that reads a file."""
    outer = getattr(_state, "own", None)
    _state.own = None
    try:
        yield
    finally:
        _state.own = outer


@functools.cache
def _install() -> None:
    sys.addaudithook(_audit)  # it cannot be removed, and looks at nothing outside of the block


def _audit(event: str, given: tuple[Any, ...]) -> None:
    own = getattr(_state, "own", None)
    if own is None:
        return
    if event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
        own.add(_text(given[0]))
    elif event == "open":
        path, _, flags = given
        if isinstance(flags, int) and flags & _WRITING and not isinstance(path, int) and not _is_own(path):
            _refuse("it writes a file")
    elif event in ("os.putenv", "os.unsetenv") and _state.environment:
        return
    elif event == "os.mkdir" and os.path.isdir(_text(given[0])):
        return  # Python will say that it is there
    elif event == "os.putenv" and os.environb.get(given[0]) == given[1]:
        return  # it is set already
    elif event in REFUSED:
        inside_of_own = event in ("os.remove", "os.rmdir") and given[-1] not in (-1, None)
        files = event.startswith(("os.", "shutil."))
        if not inside_of_own and not (files and given and _is_own(given[0])):
            _refuse(REFUSED[event])


def _refuse(reason: str) -> None:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return  # a module is imported once, and not again
        frame = frame.f_back
    raise ConfinedError(reason)


def _is_own(path: Any) -> bool:
    text = _text(path)
    return text == os.devnull or any(text == own or text.startswith(own + os.sep) for own in _state.own)


def _text(path: Any) -> str:
    try:
        return os.path.abspath(os.fsdecode(path))
    except TypeError:  # no path, such as a number of a process
        return ""


class _Muted:
    """An output that drops what one thread writes.

    Args:
        output: where all other threads write to.
    """

    def __init__(self, output: Any) -> None:
        self._output = output
        #: The thread that is muted; None for none.
        self.thread: int | None = threading.get_ident()

    def write(self, text: str) -> int:
        """Write a text, unless the muted thread does.

        Args:
            text: the text.
        """
        if self._output is None or threading.get_ident() == self.thread:
            return len(text)
        return int(self._output.write(text) or 0)

    def flush(self) -> None:
        """Flush what other threads have written."""
        if self._output is not None:
            self._output.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)
