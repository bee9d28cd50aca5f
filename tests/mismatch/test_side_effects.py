"""A diagnosis runs the user's code again: nothing of the user's may be different afterwards."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.claims import Level
from shapeinspect.plugin_api.isolation.confined import ConfinedError, confined, released

HEAD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 6), nn.Linear(5, 3)

    def forward(self, x):
        return self.b(self.a(x))

net, x = Net(), torch.ones(4, 8)
"""


def diagnosed(tmp_path: Path, body: str, head: str = HEAD, **given: Any) -> tuple[Diagnosis, dict[str, Any]]:
    script = tmp_path / "train.py"
    script.write_text(head + body)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script), "folder": tmp_path, **given}
    with pytest.raises(RuntimeError) as caught:
        exec(compile(script.read_text(), str(script), "exec"), space)
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes
    return found, space


class Log:
    """A logger whose methods have names of a tensor's."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def log(self, line: Any) -> None:
        self.lines.append(line)


@pytest.mark.parametrize(
    "statement",
    [
        'torch.save(out, str(folder / "out.pt"))',
        "y = run.log(out)",
        "y = runs[0].log(out)",
        "y = waiting.put(out)",
        "torch.set_default_dtype(torch.float64)",
        "torch.set_num_threads(7)",
        'os.environ["SHAPEINSPECT_TEST"] = "1"',
        "torch.backends.cudnn.benchmark = out",
        "y = sum(numbers) + out",
        "y = numbers, out",
        "Log.last = out",
        "y = array.sort(), out",
    ],
)
def test_what_follows_does_nothing_but_compute(tmp_path: Path, statement: str) -> None:
    import numpy as np
    import torch

    runs, waiting, numbers = [Log()], queue.Queue[Any](), iter(range(9))
    array, threads = np.array([3, 1, 2]), torch.get_num_threads()
    body = f"out = net(x)\n{statement}\nloss = out.sum()\n"
    given = {"runs": runs, "run": runs[0], "waiting": waiting, "numbers": numbers, "array": array}
    found, _ = diagnosed(tmp_path, body, os=os, Log=Log, **given)
    assert found.fixes[0].text == 'in_features=6 in "b"'
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]
    assert (runs[0].lines, waiting.qsize(), next(numbers)) == ([], 0, 0)
    assert (torch.get_default_dtype(), torch.get_num_threads()) == (torch.float32, threads)
    assert "SHAPEINSPECT_TEST" not in os.environ
    assert type(torch.backends.cudnn.benchmark) is bool
    assert not hasattr(Log, "last")
    assert array.tolist() == [3, 1, 2]


def test_what_follows_and_computes_is_run(tmp_path: Path) -> None:
    body = """
rate, sizes = 0.5, {"a": torch.ones(3)}
out = net(x)
scaled = out.log_softmax(-1) * sizes["a"].exp() / len(sizes)
loss = torch.stack([scaled, out]).mean() * rate
"""
    found, _ = diagnosed(tmp_path, body)
    assert found.fixes[0].claim.rest == "so does what follows, to line 18"


def test_a_forward_prints_and_writes_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = HEAD.replace(
        "        return",
        '        print("runs")\n'
        '        with open(folder / "seen.txt", "a") as file:\n            file.write("x")\n        return',
    )
    found, _ = diagnosed(tmp_path, "net(x)\n", head)
    assert capsys.readouterr().out == "runs\n"
    assert (tmp_path / "seen.txt").read_text() == "x"
    assert found.fixes[0].claim.level is Level.PART
    assert found.fixes[0].claim.rest == "it writes a file, which is not done a second time"


def _connect() -> object:
    return socket.create_connection(("127.0.0.1", 9), timeout=0.1)


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda folder: (folder / "a").mkdir(), "it makes a folder"),
        (lambda folder: (folder / "kept").unlink(), "it removes a file"),
        (lambda folder: (folder / "kept").rename(folder / "b"), "it moves a file"),
        (lambda folder: os.open(folder / "kept", os.O_RDWR), "it writes a file"),
        (lambda _: os.environ.update(SHAPEINSPECT_TEST="1"), "it sets an environment variable"),
        (lambda _: subprocess.run([sys.executable, "-V"], check=False), "it starts a process"),
        (lambda _: _connect(), "it opens a connection"),
        (lambda _: input(), "it waits for the keyboard"),
    ],
)
def test_confined_code_acts_on_nothing(tmp_path: Path, act: Callable[[Path], Any], what: str) -> None:
    (tmp_path / "kept").write_text("as it was")
    with confined(), pytest.raises(ConfinedError, match=what):
        act(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("kept", "as it was")]
    assert "SHAPEINSPECT_TEST" not in os.environ


def test_confined_code_may_read_and_use_temporary_files(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("as it was")
    with confined():
        assert (tmp_path / "kept").read_text() == "as it was"
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a").mkdir()
            Path(folder, "a", "b").write_text("x")
        assert not Path(folder).exists()


def test_other_threads_are_not_confined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def act() -> None:
        print("from another thread")
        (tmp_path / "new").write_text("x")

    with confined():
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        print("not printed")
    print("behind")
    assert capsys.readouterr().out == "from another thread\nbehind\n"
    assert (tmp_path / "new").read_text() == "x"


STATEFUL = """
import io, itertools, queue
import numpy as np
import torch
from torch import nn

class Counter:
    __slots__ = ("count",)

    def __init__(self):
        self.count = 0

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(8, 6), nn.Linear(5, 3)
        self.counter, self.seen, self.file = Counter(), np.zeros(2), io.StringIO()
        self.waiting, self.steps, self.places = queue.Queue(), itertools.count(), iter([5, 6, 7, 8])

    def forward(self, x):
        self.counter.count += 1
        self.seen[1] += 1
        self.file.write("x")
        self.waiting.put(1)
        next(self.steps), next(self.places)
        return self.b(self.a(x))

net, x = Net(), torch.ones(4, 8)
"""


def test_what_a_model_holds_stays_as_it_is(tmp_path: Path) -> None:
    found, space = diagnosed(tmp_path, "net(x)\n", STATEFUL)
    net = space["net"]
    assert found.fixes[0].claim.level is Level.WHOLE
    assert (net.counter.count, net.seen.tolist(), net.file.getvalue()) == (1, [0.0, 1.0], "x")
    assert (net.waiting.qsize(), next(net.steps), next(net.places)) == (1, 1, 6)


def test_a_generator_that_a_model_reads_is_not_advanced(tmp_path: Path) -> None:
    head = HEAD.replace("super().__init__()", "super().__init__()\n        self.draws = draws").replace(
        "        return", "        next(self.draws)\n        return"
    )
    draws = (number for number in range(9))
    found, _ = diagnosed(tmp_path, "net(x)\n", head, draws=draws)
    assert next(draws) == 1
    assert found.fixes[0].claim.rest == "it reads on from an iterator, which is not done a second time"
    assert found.fixes[0].claim.level is Level.PART


def test_a_statement_on_arrays_advances_nothing(tmp_path: Path) -> None:
    body = """
parts = (torch.ones(2, 3 + k) for k in range(9))
first = next(parts)
y = torch.stack([first, torch.ones(5)]) + sum(parts)
"""
    script = tmp_path / "train.py"
    script.write_text(HEAD + body)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    with pytest.raises(RuntimeError) as caught:
        exec(compile(script.read_text(), str(script), "exec"), space)
    explain_error(caught.value)
    assert tuple(next(space["parts"]).shape) == (2, 4)


def test_a_line_that_is_not_run_is_named(tmp_path: Path) -> None:
    body = "def check(y):\n    pass\n\nout = net(x)\nprint(out.shape)\ncheck(out)\nloss = out.sum()\n"
    found, _ = diagnosed(tmp_path, body)
    assert found.fixes[0].claim.rest == "so does what follows, to line 20; line 19 was not run"


def test_released_code_may_act(tmp_path: Path) -> None:
    with confined():
        with released():
            (tmp_path / "new").write_text("x")
        with pytest.raises(ConfinedError):
            (tmp_path / "other").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_model_that_exits_when_it_runs_again_leaves_the_exception(tmp_path: Path) -> None:
    head = HEAD.replace(
        "        return",
        "        if runs:\n            raise SystemExit(3)\n        runs.append(1)\n        return",
    )
    script = tmp_path / "train.py"
    script.write_text(head + "net(x)\n")
    runs: list[int] = []
    space: dict[str, Any] = {"__name__": "__main__", "runs": runs}
    with pytest.raises(RuntimeError) as caught:
        exec(compile(script.read_text(), str(script), "exec"), space)
    assert explain_error(caught.value) is None
    assert "no diagnosis (SystemExit: 3)" in str(getattr(caught.value, "__notes__", caught.value.args))


def test_no_run_begins_when_the_user_has_waited_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["shapeinspect.mismatch.diagnose"], "_WAIT", -1.0)
    script = tmp_path / "train.py"
    script.write_text(HEAD + "net(x)\n")
    with pytest.raises(RuntimeError) as caught:
        exec(compile(script.read_text(), str(script), "exec"), {"__name__": "__main__"})
    found = explain_error(caught.value)
    assert found is not None
    assert (found.fixes, found.failure.layer.path) == ((), "b")
