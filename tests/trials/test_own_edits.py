"""Fixes of the debugger as edits of the user's source, and where the layers are made that they set."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.api.own_edits import making_lines, own_edits
from shapeinspect.mismatch import Diagnosis
from shapeinspect.trials.source_file import File

JOINED = """
import torch
a, b = torch.zeros(2, 3, 5), torch.zeros(2, 4, 5)
c = torch.cat([a, b], {axis})
"""
NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 9), nn.Linear(8, 5))

    def forward(self, x):
        return self.body(x)

Net()(torch.zeros(3, 6))
"""


def failed(folder: Path, text: str) -> tuple[Diagnosis, File, list[tuple[str, int]]]:
    """Run a text, and return its diagnosis, its file and the place of its last line."""
    path = folder / "train.py"
    path.write_text(text)
    with pytest.raises(RuntimeError) as caught:
        exec(compile(text, str(path), "exec"), {"__name__": "__main__", "__file__": str(path)})
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    return diagnosis, File.parsed("train.py", text), [("train.py", len(text.splitlines()))]


@pytest.mark.parametrize("axis", ["dim=2", "dim=2,"])
def test_an_argument_is_set_where_the_function_is_called(tmp_path: Path, axis: str) -> None:
    text = JOINED.format(axis=axis)
    diagnosis, file, places = failed(tmp_path, text)
    (one,) = own_edits(diagnosis, [file], places)
    (edit,) = one.edits
    changed = (text.encode()[: edit.first] + edit.new.encode() + text.encode()[edit.last :]).decode()
    assert changed == text.replace("dim=2", "dim=1")
    exec(compile(changed, "train.py", "exec"), {})  # what torch itself takes


def test_no_layer_is_set_in_the_line_that_calls_the_model(tmp_path: Path) -> None:
    diagnosis, file, places = failed(tmp_path, NET)
    assert diagnosis.fixes[0].text == 'in_features=9 in "body.1"'
    assert [*own_edits(diagnosis, [file], places)] == []


def test_the_line_is_told_at_which_the_layer_is_made(tmp_path: Path) -> None:
    diagnosis, file, _ = failed(tmp_path, NET)
    (line,) = making_lines(diagnosis, [file])
    assert line.startswith('"body" is nn.Sequential(nn.Linear(6, 9), nn.Linear(8')
    assert line.endswith(", line 8")
