"""When colors are written: as the user asks, else as the environment asks, else on a terminal."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, get_origin

import pytest

from shapeinspect.commands.terminal.screen_options import with_screen_options
from shapeinspect.render import screen

ESCAPE = "\x1b["


@pytest.mark.parametrize(
    ("option", "environment", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"CLICOLOR_FORCE": "1"}, True),
        ([], {"FORCE_COLOR": "0"}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": "", "CLICOLOR_FORCE": "1"}, True),  # empty means that it is not set
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_a_pipe_is_colored_where_it_is_asked_for(
    lenet: str,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    option: list[str],
    environment: dict[str, str],
    colored: bool,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, out, _ = run("show", lenet, *option)
    assert code == 0
    assert (ESCAPE in out) is colored
    assert "conv1" in out


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({}, True),
        ({"TERM": "dumb"}, False),
        ({"CLICOLOR": "0"}, False),
        ({"NO_COLOR": "1"}, False),
        ({"CLICOLOR": "0", "FORCE_COLOR": "3"}, True),
    ],
)
def test_a_terminal_is_colored_unless_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colored: bool
) -> None:
    monkeypatch.setattr(screen, "is_terminal", lambda: True)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    assert screen.colored() is colored


def test_colors_are_written_to_a_dumb_terminal_for_who_asks(
    lenet: str, shapeinspect: Callable[..., tuple[int, str]]
) -> None:
    code, shown = shapeinspect("show", lenet, "--color", "always", TERM="dumb")
    assert code == 0
    assert ESCAPE in shown


def test_one_run_leaves_nothing_to_the_next(lenet: str, run: Callable[..., tuple[int, str, str]]) -> None:
    assert ESCAPE in run("show", lenet, "--color", "always")[1]
    assert ESCAPE not in run("show", lenet)[1]


def test_another_word_is_refused(lenet: str, run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("show", lenet, "--color", "sometimes")
    assert (code, out) == (2, "")
    assert "invalid value 'sometimes' for '--color'" in err
    assert "always" in err


@pytest.mark.parametrize(
    "what", ["report", "shapeinspect.explain(report, 'fc1')", "shapeinspect.fit(report.model.source)"]
)
def test_what_is_printed_fits_the_terminal(
    terminal: Callable[..., tuple[int, str]], lenet: str, what: str
) -> None:
    code = f"import shapeinspect, sys\nreport = shapeinspect.inspect(sys.argv[1])\nprint({what})"
    status, shown = terminal([sys.executable, "-c", code, lenet])
    assert status == 0, shown
    assert "fc1" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_pipe_gets_every_column(lenet: str) -> None:
    code = "import shapeinspect, sys\nprint(shapeinspect.inspect(sys.argv[1]))"
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", code, lenet], capture_output=True, text=True, check=True, env=environment
    )
    assert "hidden" not in done.stdout


@pytest.mark.parametrize("name", ["show", "view", "explain", "fit", "check", "diff", "normalize", "layouts"])
def test_every_option_keeps_its_words(name: str) -> None:
    """Python 3.10 wraps annotations whose default is None, where it is asked for hints in the usual way."""
    run = with_screen_options(import_module(f"shapeinspect.commands.{name}").run)
    for parameter in inspect.signature(run).parameters.values():
        assert get_origin(parameter.annotation) is Annotated, parameter
    assert {"color", "no_pager"} < set(inspect.signature(run).parameters)
