"""What a person at a terminal sees while changes of a failed script are run, and what an early end leaves."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from shapeinspect.api import script_progress
from shapeinspect.trials import search
from shapeinspect.trials.client import Result, available
from shapeinspect.trials.task import Searched
from shapeinspect.trials.written import Written

pytestmark = pytest.mark.skipif(not available(), reason="trials need Landlock")

#: No change of a number that is near repairs it, so that the search goes on.
SCRIPT = """
import torch
from torch import nn

torch.manual_seed(2)
rows, columns, inner = 6, 9, 13
sizes = [rows, columns, inner, 21, 34, 55]
model = nn.Sequential(nn.Linear(sizes[1], sizes[3]), nn.ReLU(), nn.Linear(sizes[4], sizes[2]))
for step in range(4):
    out = model(torch.randn(sizes[0], sizes[1] * 2 + step))
    assert out.shape == (rows, 77), out.shape
""".lstrip()


def seen(folder: Path, interrupted_at: str, number: int = signal.SIGINT) -> tuple[str, int]:
    """Return the screen and the exit code of a run at a terminal, with a signal once a text is on it."""
    (folder / "program.py").write_text(SCRIPT)
    pid, terminal = os.forkpty()
    if pid == 0:
        os.chdir(folder)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
        os.execve(sys.executable, [sys.executable, "-m", "shapeinspect", "program.py"], environment)
    screen, pressed, end = "", False, time.monotonic() + 240
    try:
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 0.5)[0]:
                continue
            try:
                data = os.read(terminal, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            screen += data.decode()
            if not pressed and re.search(interrupted_at, screen):
                os.write(terminal, b"\x03") if number == signal.SIGINT else os.kill(pid, number)
                pressed = True
        return screen, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(terminal)


@pytest.mark.parametrize("at", ["; change 2, line \\d+", "; finding out what RuntimeError comes from"])
def test_what_is_known_is_said_at_once_and_stays_when_the_search_is_ended(tmp_path: Path, at: str) -> None:
    screen, code = seen(tmp_path, at)
    assert code == 130
    assert "mat1 and mat2 shapes cannot be multiplied" in screen
    assert "KeyboardInterrupt" not in screen
    if "change" in at:
        first = screen.index('shapeinspect: layer "')
        assert first < screen.index("; change 1, line ") < screen.index("Traceback")
        assert "Ctrl-C ended the search" in " ".join(screen[screen.index("Traceback") :].split())


def test_what_asks_the_process_to_end_leaves_what_is_known(tmp_path: Path) -> None:
    screen, code = seen(tmp_path, "; change 2, line \\d+", signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    last = " ".join(screen[screen.index("Traceback") :].split())
    assert 'shapeinspect: layer "0" (linear)' in last
    assert "SIGTERM ended the search" in last
    assert "KeyboardInterrupt" not in screen


def test_the_line_that_tells_a_change_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change = Written("nn.Linear(sizes[1],\n  sizes[3])" * 4, "nn.Linear(\n)", "a.py", 7)
    monkeypatch.setattr(script_progress, "is_shown", lambda: True)
    script_progress.trial(3, lambda: (change,))
    script_progress.line("")
    told, last = capsys.readouterr().err.split("\r")[1:3]
    assert told.startswith("Ctrl-C ends this; change 3, line 7: nn.Linear(sizes[1], sizes[3])")
    assert len(told) == len(last) == 79
    assert not last.strip()


class _Endless:
    """Trials that all fail, and take as long as they are told to."""

    took, slept = 1.0, 0.0

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> _Endless:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, orders, _limit, late):
        while not late() and (order := next(orders, None)) is not None:
            yield (
                order.key,
                Result("failed", False, "ValueError", "8 and 15", (("a.py", 2),), self.took, self.slept),
            )


@pytest.mark.parametrize(
    ("patience", "took", "slept", "ended"),
    [
        ("1", 15.0, 0.0, "the limit of 40 s of processor time ended the search"),
        ("1", 0.0, 25.0, "they have waited for 60 s, which ended the search"),
        ("2.5", 35.0, 0.0, "the limit of 100 s of processor time ended the search"),
    ],
)
def test_it_is_said_which_limit_ended_a_search(
    monkeypatch: pytest.MonkeyPatch, patience: str, took: float, slept: float, ended: str
) -> None:
    from shapeinspect.plugin_api.edit_words import EditWords
    from shapeinspect.trials.client import Script
    from shapeinspect.trials.sizes import Sizes
    from shapeinspect.trials.source_file import File
    from shapeinspect.trials.task import Hints, Means, Wrong

    monkeypatch.setenv("SHAPEINSPECT_PATIENCE", patience)
    monkeypatch.setattr(search, "Trials", type("Slow", (_Endless,), {"__class_getitem__": lambda c, _: c}))
    monkeypatch.setattr(_Endless, "took", took)
    monkeypatch.setattr(_Endless, "slept", slept)
    text = (
        "import numpy as np\nx = np.zeros((4, 15)) @ np.zeros((8, 3)) + np.ones((9, 6)) + np.ones((5, 2))\n"
    )
    wrong = Wrong(
        (("a.py", 2),), "ValueError", "8 and 15", Sizes(((8, 15),), frozenset()), {}, frozenset({"np"})
    )
    script = Script("/", "a.py", ".", (), 0.0, 1 << 30)
    found = search.Search(
        script, [File.parsed("a.py", text)], wrong, Means(1.0), Hints(EditWords()), lambda *_: None
    ).run()
    assert found == Searched((), 3, ended)
