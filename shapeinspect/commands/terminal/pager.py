"""Shows what is longer than the screen in the user's pager."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from shapeinspect.render import screen

#: What less does where its user has not said: it ends if all fits, passes colors, and leaves the text.
_LESS = "FRX"


def pager(rows: int) -> list[str] | None:
    """Return the words that start the pager; None where a text is written as it is.

    That is where the output is no terminal or a dumb one, in CI, where the text fits, or there is no pager.

    Args:
        rows: how many rows of the terminal the text takes.
    """
    height = screen.height()
    if not screen.pager_is_wanted() or not screen.is_terminal() or height is None or rows < height:
        return None
    if os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return None
    named = os.environ.get("PAGER")
    if named is not None:
        with suppress(ValueError):  # a quotation that does not end
            words = shlex.split(named, posix=os.name != "nt")
            return words if words and words != ["cat"] else None
        return None
    return ["less"] if shutil.which("less") else None


def show(words: list[str], write: Callable[[IO[str]], None]) -> bool:
    """Show a text in a pager, and wait until it is closed.

    Args:
        words: what starts the pager.
        write: writes the text to a stream.

    Returns:
        whether the pager could be started.
    """
    encoding = sys.stdout.encoding or "utf-8"
    environment = {"LESS": _LESS, **os.environ}
    if encoding.lower().replace("-", "") == "utf8":
        environment.setdefault("LESSCHARSET", "utf-8")
    try:
        process = subprocess.Popen(  # noqa: S603  # the user's own program, named by the user's environment
            words, stdin=subprocess.PIPE, text=True, encoding=encoding, errors=sys.stdout.errors,
            env=environment,
        )  # fmt: skip
    except OSError:
        return False
    with _left_to_the_pager():
        # A pager that is closed before the end reads no further: all is well.
        if process.stdin is not None:
            with suppress(OSError):
                write(process.stdin)
            with suppress(OSError):
                process.stdin.close()
        process.wait()
    return True


@contextmanager
def _left_to_the_pager() -> Iterator[None]:
    """Leave Ctrl-C to the pager, which stops a search with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
