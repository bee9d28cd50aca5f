"""A command whose standard error is a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Sequence

import pytest

#: The exit code of a command, and what came on its standard output and on the terminal.
Shown = tuple[int, str, str]


def _on_a_terminal(words: Sequence[str], **more: str) -> Shown:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **more}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    out, _ = process.communicate()
    return process.returncode, out.decode(), shown.decode()


@pytest.fixture
def on_a_terminal() -> Callable[..., Shown]:
    """Run a command with a terminal as standard error, in a changed environment."""
    return _on_a_terminal
