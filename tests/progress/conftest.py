"""A command whose standard error is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from terminals import in_a_terminal

#: The exit code of a command, and what came on its standard output and on the terminal.
Shown = tuple[int, str, str]


@pytest.fixture
def on_a_terminal() -> Callable[..., Shown]:
    """Run a command with a terminal as standard error, in a changed environment."""

    def run(words: Sequence[str], **more: str) -> Shown:
        shown = in_a_terminal(words, out=False, columns=100, environment=more)
        return shown.code, shown.out, shown.terminal

    return run
