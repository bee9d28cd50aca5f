"""A command in a terminal of its own: the one place of the suite that opens a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Sequence
from typing import NamedTuple

COLUMNS, ROWS = 80, 24
#: What would change what a terminal shows, on the machine that the suite runs on.
_CHANGING = (
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "CI",
    "PAGER",
    "LESS",
    "COLUMNS",
    "LINES",
)


class Shown(NamedTuple):
    """How a command ended.

    Args:
        code: its exit code.
        terminal: what the terminal got.
        out: what came through the pipe that was its standard output; empty where that was the terminal.
    """

    code: int
    terminal: str
    out: str


def in_a_terminal(
    words: Sequence[str],
    *,
    out: bool = True,
    rows: int = ROWS,
    columns: int = COLUMNS,
    standard_input: bytes | None = None,
    environment: dict[str, str] | None = None,
) -> Shown:
    """Run a command in a terminal, with its output or its input on a pipe where that is asked for.

    Args:
        words: the command.
        out: whether its standard output is the terminal, and not a pipe.
        rows: the rows of the terminal.
        columns: its columns.
        standard_input: what is piped in; None where its input is the terminal.
        environment: what is added to the environment, without what changes how a terminal is written to.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in _CHANGING}
    process = subprocess.Popen(
        words,
        stdin=theirs if standard_input is None else subprocess.PIPE,
        stdout=theirs if out else subprocess.PIPE,
        stderr=theirs,
        env={**kept, "TERM": "xterm", **(environment or {})},
        start_new_session=True,
    )
    os.close(theirs)
    piped: list[bytes] = []
    # A pipe and a terminal hold so much and no more: each has a reader.
    reader = threading.Thread(target=lambda: piped.extend(process.communicate(standard_input)[:1]))
    reader.start()
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    reader.join()
    text = (piped[0] or b"").decode() if piped else ""
    return Shown(process.wait(), shown.decode().replace("\r\n", "\n"), text)
