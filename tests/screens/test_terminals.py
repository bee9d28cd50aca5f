"""The terminal of the tests: it takes what is longer than a pipe holds, and nothing of the machine's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from terminals import in_a_terminal

if TYPE_CHECKING:
    import pytest

#: More than a pipe or a terminal holds.
LONG = 300_000


def test_what_is_longer_than_a_pipe_holds_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("CI", "true")
    code = (
        f"import os, sys; sys.stdout.write('o' * {LONG}); sys.stderr.write('e' * {LONG}); "
        "print(len(sys.stdin.read()), os.environ.get('NO_COLOR'), os.environ.get('CI'), os.environ['HERE']); "
        "sys.exit(3)"
    )
    shown = in_a_terminal(
        [sys.executable, "-c", code], out=False, standard_input=b"i" * LONG, environment={"HERE": "yes"}
    )
    assert shown.code == 3
    assert shown.out == f"{'o' * LONG}{LONG} None None yes\n"
    assert shown.terminal == "e" * LONG


def test_a_terminal_takes_all_of_the_output() -> None:
    code = f"import sys; sys.stdout.write('o' * {LONG}); print(sys.stdout.isatty(), sys.stdin.isatty())"
    shown = in_a_terminal([sys.executable, "-c", code], columns=100)
    assert shown == (0, f"{'o' * LONG}True True\n", "")
