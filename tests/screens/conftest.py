"""A terminal of 80 columns and 24 rows, and what a command writes to it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"
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

#: The exit code of a command, and what the terminal got.
Shown = tuple[int, str]


@pytest.fixture
def lenet() -> str:
    return str(LENET)


@pytest.fixture
def terminal(tmp_path: Path) -> Callable[..., Shown]:
    """Run a command in a terminal of its own, with a changed environment."""

    def run(
        words: Sequence[str], *, rows: int = ROWS, standard_input: bytes | None = None, **more: str
    ) -> Shown:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, COLUMNS, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in _CHANGING}
        environment = {**kept, "TERM": "xterm", "TMPDIR": str(tmp_path), "PAGER": "", **more}
        given = theirs if standard_input is None else subprocess.PIPE
        process = subprocess.Popen(
            words, stdin=given, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        if process.stdin is not None and standard_input is not None:
            process.stdin.write(standard_input)
            process.stdin.close()
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(ours)
        return process.wait(), shown.decode().replace("\r\n", "\n")

    return run


@pytest.fixture
def shapeinspect(terminal: Callable[..., Shown]) -> Callable[..., Shown]:
    """Run a command of shapeinspect in a terminal."""

    def run(*words: str, **more: str) -> Shown:
        return terminal([sys.executable, "-m", "shapeinspect", *words], **more)

    return run
