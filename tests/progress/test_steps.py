"""Every step of a command that may take over a second says how far it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shapeinspect.api.fitting import fit
from shapeinspect.progress import counted, listening, report, steps
from shapeinspect.render import progress_bar

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")
_FILES = {"OUT": "out.safetensors", "PAGE": "page.html", "SCALED": "scaled.safetensors"}


def _scaled(file: Path) -> None:
    """Write two layers of 8-bit weights, each with its scale."""
    from ml_dtypes import float8_e4m3fn
    from safetensors.numpy import save_file

    weights = {f"{name}.weight": np.ones((6, 4), float8_e4m3fn) for name in ("a", "b")}
    scales = {f"{name}.weight_scale_inv": np.ones((1, 1), np.float32) for name in ("a", "b")}
    save_file({**weights, **scales}, file)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", LENET], {"nodes", "computing shapes of calls"}),
        (["explain", LENET], {"nodes", "computing shapes of calls"}),
        (["fit", LENET], {"nodes", "computing shapes of calls", "trying sizes, layer by layer"}),
        (["check", LENET], {"nodes", "walking calls"}),
        (["diff", LENET, LENET], {"nodes", "laying out layers", "comparing layers"}),
        (["diff", LENET, LENET, "--values"], {"nodes", "laying out layers", "layers"}),
        (["normalize", LENET, "-o", "OUT"], {"nodes", "laying out layers", "writing weights"}),
        (["view", LENET, "-o", "PAGE"], {"nodes", "grouping layers", "explaining layers"}),
        (
            ["view", "SCALED", "-o", "PAGE"],
            {"tensors", "reading weights", "recognizing layers", "grouping layers", "explaining layers"},
        ),
    ],
)
def test_a_command_tells_its_steps_to_their_end(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path, words: list[str], told: set[str]
) -> None:
    files = {name: str(tmp_path / file) for name, file in _FILES.items()}
    _scaled(Path(files["SCALED"]))
    seen: dict[str, tuple[int, int]] = {}
    with listening(lambda done, total, what: seen.update({what: (done, total)})):
        code, _, err = run(*(files.get(word, word) for word in words))
    assert (code, err) == (0, "")
    assert told <= set(seen)
    assert all(done == total for done, total in seen.values())


def test_the_runs_of_a_live_network_are_counted_and_nothing_inside_them() -> None:
    from torch import nn

    class Sized(nn.Module):
        """Computes a length with numbers, so that it has to be run at many."""

        def forward(self, x):  # type: ignore[no-untyped-def]
            return x[:, :, : max(3, int(x.shape[2] ** 0.5))]

    told: list[tuple[int, int, str]] = []
    with listening(lambda *step: told.append(step)):
        fit(Sized(), (2, 5, 49))
    runs = [index for index, (_, _, what) in enumerate(told) if what == "running sizes, at most"]
    assert runs
    assert runs == list(range(runs[0], runs[-1] + 1))  # no step of another kind among them
    assert told[runs[-1]][0] == told[runs[-1]][1]


def test_a_block_of_steps_ends_its_report_whatever_happens() -> None:
    told: list[tuple[int, int, str]] = []

    def fail() -> None:
        with steps(9, "running") as done:
            done(3)
            report(1, 2, "inside")
            list(counted("ab", "inside"))
            raise KeyError

    with listening(lambda *step: told.append(step)), pytest.raises(KeyError):
        fail()
    assert told == [(3, 9, "running"), (9, 9, "running")]
    with steps(9, "running") as done:
        done(1)  # without a listener


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_short_task_has_no_bar_and_a_long_one_few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, drawn = _Clock(), []
    monkeypatch.setattr(progress_bar, "time", clock)
    monkeypatch.setattr("sys.stderr", _Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(
        "rich.progress.Progress.update", lambda self, task, **more: drawn.append(more["completed"])
    )
    monkeypatch.setattr("rich.progress.Progress.start", lambda self: None)
    with progress_bar.bar():
        clock.now += 9
        report(0, 1000, "short things")
        clock.now += 0.01
        report(1000, 1000, "short things")
        assert drawn == []
        for done in range(1000):  # a millisecond each
            report(done, 1000, "long things")
            clock.now += 0.001
        report(1000, 1000, "long things")
    assert drawn[0] >= 199
    assert 10 <= len(drawn) <= 20
