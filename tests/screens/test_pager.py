"""What is longer than the screen goes to the user's pager, on a terminal and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.commands.terminal.pager import pager as pager_for
from shapeinspect.render import screen

#: A pager that says what it got.
PAGER = """
import sys
text = sys.stdin.read()
print(f"paged {text.count(chr(10))} lines, {'conv1' in text and 'fc3' in text}, colored: {chr(27) in text}")
sys.exit(3)
"""


@pytest.fixture
def pager(tmp_path: Path) -> str:
    program = tmp_path / "a pager.py"
    program.write_text(PAGER)
    return f"{sys.executable} '{program}'"


Shell = Callable[..., tuple[int, str]]


def test_a_long_table_is_paged(shapeinspect: Shell, lenet: str, pager: str) -> None:
    code, shown = shapeinspect("show", lenet, PAGER=pager)
    assert code == 0  # how the pager ends is its own affair
    assert "lines, True, colored: True" in shown
    assert "conv2" not in shown


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let this process take its output for a terminal of 24 rows."""
    monkeypatch.setattr(screen, "is_terminal", lambda: True)
    monkeypatch.setattr(screen, "height", lambda: 24)
    for name in ("CI", "PAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


@pytest.mark.parametrize(
    ("environment", "rows", "words"),
    [
        ({"PAGER": "more -c 'a b'"}, 24, ["more", "-c", "a b"]),
        ({"PAGER": "more"}, 23, None),  # it fits
        ({"PAGER": "more", "CI": "true"}, 99, None),
        ({"PAGER": "more", "TERM": "dumb"}, 99, None),
        ({"PAGER": ""}, 99, None),
        ({"PAGER": "cat"}, 99, None),
        ({"PAGER": "'unended"}, 99, None),
    ],
)
def test_which_pager_is_used(
    on_a_terminal: pytest.MonkeyPatch, environment: dict[str, str], rows: int, words: list[str] | None
) -> None:
    for name, value in environment.items():
        on_a_terminal.setenv(name, value)
    assert pager_for(rows) == words


@pytest.mark.parametrize("there", [True, False])
def test_less_is_used_where_there_is_one(on_a_terminal: pytest.MonkeyPatch, there: bool) -> None:
    on_a_terminal.setattr("shutil.which", lambda name: f"/bin/{name}" if there else None)
    assert pager_for(99) == (["less"] if there else None)


def test_who_asks_for_none_gets_none(shapeinspect: Shell, lenet: str, pager: str) -> None:
    code, shown = shapeinspect("show", lenet, "--no-pager", PAGER=pager)
    assert code == 0
    assert "paged" not in shown
    assert "fc3" in shown


def test_a_pager_that_is_not_there_is_done_without(shapeinspect: Shell, lenet: str) -> None:
    code, shown = shapeinspect("show", lenet, PAGER="no-such-pager-here")
    assert code == 0
    assert "fc3" in shown


def test_a_pager_that_is_closed_at_once_is_no_error(shapeinspect: Shell, lenet: str) -> None:
    code, shown = shapeinspect("show", lenet, PAGER=f"{sys.executable} -c pass")
    assert (code, shown) == (0, "")


def test_a_pipe_is_never_paged(lenet: str, pager: str) -> None:
    words = [sys.executable, "-m", "shapeinspect", "show", lenet]
    environment = {**os.environ, "PAGER": pager, "LINES": "5"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert "paged" not in done.stdout
    assert "fc3" in done.stdout


def test_a_reader_that_goes_away_is_no_error_where_it_gets_colors(lenet: str) -> None:
    words = [sys.executable, "-m", "shapeinspect", "show", lenet, "--color", "always"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()  # before anything is written
    assert process.wait() == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
