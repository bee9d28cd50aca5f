"""A script that fails is run again with changes, and the screen says which one was run to which end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import dedent

import pytest

from shapeinspect.trials.client import available

pytestmark = pytest.mark.skipif(not available(), reason="trials need Landlock")


def screen(folder: Path, text: str, name: str = "program.py") -> str:
    """Return what the debugger prints of a script, its lines joined."""
    (folder / name).write_text(dedent(text).lstrip())
    return run(folder, name)


def run(folder: Path, *words: str) -> str:
    """Return what the debugger prints of a script, its lines joined."""
    ended = subprocess.run(
        [sys.executable, "-m", "shapeinspect", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    return " ".join(ended.stderr.partition("shapeinspect:")[2].split())


def test_the_number_that_is_wrong_is_changed_where_it_stands(tmp_path: Path) -> None:
    found = screen(
        tmp_path,
        """
        import numpy as np

        CHUNK = 408
        window, hop = 20, 10

        def framed(x):
            count = (len(x) - window) // hop + 1
            return np.stack([x[hop * i : hop * i + window] for i in range(count)])

        def joined(frames):
            return np.concatenate([frames[:, :hop].reshape(-1), frames[-1, hop:]])

        x = np.arange(float(CHUNK))
        print((joined(framed(x)) - x).sum())
        open("done.txt", "w").write("done")
        """,
    )
    assert "fix CHUNK = 400 instead of CHUNK = 408" in found
    assert "it was tried: the whole script runs to its end with it; the change is in program.py:3" in found
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


def test_two_mistakes_take_two_changes(tmp_path: Path) -> None:
    found = screen(
        tmp_path,
        """
        import numpy as np

        weight = np.zeros((30, 7))
        bias = np.zeros(11)
        x = np.zeros((5, 21))
        y = x @ weight
        print(y + bias)
        """,
    )
    assert "fix " in found
    assert "the whole script runs to its end with it; the change is in program.py:" in found


def test_a_loop_that_goes_on_is_not_said_to_end(tmp_path: Path) -> None:
    found = screen(
        tmp_path,
        """
        import numpy as np

        size = 24
        kernel = np.zeros((17, 3))
        x = np.zeros((5, size))
        for step in range(10**12):
            y = x @ kernel
        """,
    )
    assert "size = 17 instead of size = 24" in found
    assert "the failing statement runs to its end with it; the script was stopped" in found
    assert "the whole script" not in found


@pytest.mark.parametrize(
    ("mark", "ends"), [("", "\r\n"), ("\ufeff", "\n"), ("", "\n\f")], ids=["CRLF", "byte order mark", "pages"]
)
def test_a_source_of_another_editor_is_edited_where_it_stands(tmp_path: Path, mark: str, ends: str) -> None:
    lines = [
        'note = "Größe\u2028 – 寸法"',
        "import numpy as np",
        "size = 24",
        "kernel = np.zeros((17, 3))",
        "if True:",
        "\ty = np.zeros((5, size)) @ kernel",
        "print(y.shape)",
        "",
    ]
    (tmp_path / "program.py").write_bytes((mark + ends.join(lines)).encode())
    found = run(tmp_path, "program.py")
    assert "size = 17 instead of size = 24" in found
    assert "the whole script runs to its end with it; the change is in program.py:3" in found


def test_a_change_after_which_sizes_are_broadcast_with_a_warning_is_no_repair(tmp_path: Path) -> None:
    found = screen(
        tmp_path,
        """
        import warnings

        import numpy as np

        def distance(a, b):
            if a.shape != b.shape:
                warnings.warn(f"a target size {b.shape} is different to the input size {a.shape}")
            return ((a - b) ** 2).sum()

        columns = 7
        scores = np.zeros((5, columns))
        labels = np.zeros(5)
        print(distance(scores, labels))
        """,
    )
    assert "columns = 5" not in found
    assert "columns = 1" not in found


def test_what_a_trial_went_on_without_is_told(tmp_path: Path) -> None:
    found = screen(
        tmp_path,
        """
        import subprocess
        import numpy as np

        size = 24
        try:
            subprocess.run(["true"])
        except OSError:
            pass
        print(np.zeros((5, size)) @ np.zeros((17, 3)))
        """,
    )
    assert "size = 17 instead of size = 24" in found
    assert "program.py:4; what it does outside was refused: it starts a process" in found


def test_height_and_width_stand_before_one_factor_and_before_a_bare_number(tmp_path: Path) -> None:
    found = screen(
        tmp_path,
        """
        import numpy as np

        channels = 12
        kernel = np.zeros((channels * 4 * 4, 7))
        pictures = np.zeros((5, channels, 6, 6))
        print((pictures.reshape(5, -1) @ kernel).shape)
        """,
    )
    fixes = found.partition(" fix ")[2]
    assert "channels * 6 * 6" in fixes[: fixes.index(" instead of ")]


def test_a_change_of_what_is_read_does_not_end_the_search(tmp_path: Path) -> None:
    found = screen(
        tmp_path,
        """
        import numpy as np

        batch_size = 5
        kernel = np.zeros((24, 7))
        x = np.zeros((batch_size, 17))
        y = (x @ kernel) + np.zeros((batch_size, 7))
        """,
    )
    assert "the whole script runs to its end with it" in found
    assert "it changes how many samples" not in found.partition(" fix ")[2].partition(" or ")[0]


def test_an_axis_and_the_size_that_follows_from_it_are_changed_together(tmp_path: Path) -> None:
    """Another axis makes another call fail, nearer to the beginning; both changes together are the repair."""
    found = screen(
        tmp_path,
        """
        import torch
        from torch import nn

        BRANCHES, HIDDEN = 3, 8

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.branch = nn.Linear(5, HIDDEN)
                self.out = nn.Linear(HIDDEN, 4)

            def forward(self, x):
                parts = [self.branch(x[:, place]) for place in range(BRANCHES)]
                return self.out(torch.cat(parts, 0))

        scores = Net()(torch.rand(7, BRANCHES, 5))
        loss = nn.CrossEntropyLoss()(scores, torch.tensor([0, 3, 1, 2, 0, 1, 3]))
        print(loss.shape)
        """,
    )
    assert "torch.cat(parts, 1) instead of torch.cat(parts, 0)" in found
    assert "nn.Linear(HIDDEN * BRANCHES, 4) instead of nn.Linear(HIDDEN, 4)" in found


@pytest.mark.parametrize("started", ["elsewhere", ".", "temporary"])
def test_a_script_is_run_again_from_wherever_it_was_started(tmp_path: Path, started: str) -> None:
    """Beside its folder, above it, and where temporary files lie, the mirror of the script among them."""
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    text = "import numpy as np\n\na, b = np.ones((4, 7)), np.ones((9, 5))\nprint((a @ b).sum())\n"
    (folder / "program.py").write_text(text)
    here = Path(tempfile.gettempdir()) if started == "temporary" else tmp_path / started
    found = run(here, str(folder / "program.py"))
    assert "it was tried: the whole script runs to its end with it" in found
