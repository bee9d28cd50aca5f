"""Two commands below the first table that a terminal shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.commands.terminal.next_steps import next_steps
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.render import screen
from shapeinspect.render.grid import as_text

Shell = Callable[..., tuple[int, str]]

#: A shell that stays, so that its two commands have one terminal and one session.
TWICE = "{0} -m shapeinspect show '{1}' --color never; {0} -m shapeinspect show '{1}' --color never"


def test_a_terminal_is_told_once(terminal: Shell, lenet: str) -> None:
    code, shown = terminal(["bash", "-c", TWICE.format(sys.executable, lenet)])
    assert code == 0
    assert shown.count("fc3") == 2
    assert shown.count(f"next  shapeinspect explain {lenet} conv1") == 1
    assert shown.count(f"      shapeinspect view {lenet}") == 1


def test_a_pipe_is_told_nothing(lenet: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-m", "shapeinspect", "show", lenet]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert "next" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Return what a new terminal is told of a model."""
    monkeypatch.setattr(screen, "is_terminal", lambda: True)

    def tell(named: str, *inputs: str, layer: str = "conv1", width: int = 120) -> str:
        for file in tmp_path.glob("shapeinspect-*"):
            file.unlink()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        layers = (
            Layer("relu0", "activation", "ReLU"),
            Layer(layer, "conv", "Conv", weights=(Weight(layer, "weight", (3, 5)),)),
        )
        model = Model(named, "f", "f", "a", layers)
        return as_text(next_steps(model, named, list(inputs), width))

    return tell


def test_the_commands_repeat_what_was_asked(told: Callable[..., str]) -> None:
    text = told("nets:Net", "x=2,3:int64", "7,9")
    assert "shapeinspect explain nets:Net conv1 --input x=2,3:int64 --input 7,9 " in text
    assert re.search(r"shapeinspect view nets:Net --input x=2,3:int64 --input 7,9 ", text)


@pytest.mark.skipif(sys.platform == "win32", reason="the shell of Windows quotes in another way")
def test_names_are_quoted_for_the_shell(told: Callable[..., str]) -> None:
    text = told("a model $(x).onnx", layer="conv; rm -r *")
    command = text.strip().splitlines()[0].removeprefix("next  ").partition("  ")[0]
    script = f"shapeinspect() {{ printf '%s\\n' \"$@\"; }}; {command}"
    words = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert words.stdout.splitlines() == ["explain", "a model $(x).onnx", "conv; rm -r *"]


@pytest.mark.parametrize(("width", "lines"), [(70, 2), (50, 0)])
def test_what_a_command_does_is_said_where_there_is_room(
    told: Callable[..., str], width: int, lines: int
) -> None:
    text = told("models/net.onnx", width=width)
    assert text.count("#") == lines
    assert max(map(len, text.splitlines())) <= width


def test_a_name_that_a_terminal_could_act_on_is_not_offered(told: Callable[..., str]) -> None:
    assert told("m.onnx", layer="conv\x1b[31m") == ""
    assert told("m\u202e.onnx") == ""


def test_what_came_from_a_pipe_is_gone(told: Callable[..., str]) -> None:
    assert told("-") == ""


def test_where_nothing_can_be_remembered_nothing_is_told(
    told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/no/such/folder")
    assert told("m.onnx") == ""
