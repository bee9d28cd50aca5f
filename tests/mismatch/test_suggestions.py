"""Suggested edits of a script, and the run of it that they come from: each script is a process of its own.

Expected are the edits with which torch itself runs the script.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.plugin_api.programs.copies import available

pytestmark = pytest.mark.skipif(
    not available(), reason="the system has no Landlock, so no script is run again"
)

_TELL = """
import json, runpy, sys
sys.argv = sys.argv[1:]
sys.path[0] = "."
import torch
from shapeinspect.plugin_api.programs.program import started
from shapeinspect_torch.debug.debugger import TorchDebugger
with started(sys.argv[0]):
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except Exception as error:
        found = TorchDebugger().suggestions(error)
        print(json.dumps([[one.rank, list(one.edits)] for one in found]))
"""

_SEQUENCES = """
import torch
from torch import nn

class Tagger(nn.Module):
    def __init__(self, words=30, width=12, tags=7):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, 10, batch_first=False)
        self.out = nn.Linear(10, tags)

    def forward(self, words, state):
        return self.out(self.lstm(self.embed(words), state)[0])

open("log.txt", "a").write("run ")
model = Tagger()
words = torch.randint(0, 30, (6, 9))
state = (torch.zeros(1, 6, 10), torch.zeros(1, 6, 10))
scores = model(words, state)
assert scores.shape == (6, 9, 7)
"""

_TARGETS = """
import torch
from torch import nn

def transform(boxes):
    return boxes[:, :2]

class Pictures:
    def __init__(self, count, transform=None):
        self.count, self.transform = count, transform

    def boxes(self):
        boxes = torch.rand(self.count, 4)
        return boxes if self.transform is None else self.transform(boxes)

scores = torch.rand(5, 2)
loss = (scores - Pictures(5).boxes()).sum()
"""


def _suggested(script: str, folder: Path) -> tuple[Any, str]:
    """Return what is suggested, and the text of the script."""
    (folder / "script.py").write_text(script, encoding="utf-8")
    (folder / "tell.py").write_text(_TELL, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "tell.py", "script.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), script


def _edited(script: str, edits: Any) -> str:
    raw = script.encode()
    for first, last, new in sorted(edits, reverse=True):
        raw = raw[:first] + new.encode() + raw[last:]
    return raw.decode()


def test_flag_of_a_layer_that_was_running(tmp_path: Path) -> None:
    """A state of six samples and sentences of six: the flag of the layer is among the first suggestions."""
    found, script = _suggested(_SEQUENCES.replace('open("log.txt", "a").write("run ")\n', ""), tmp_path)
    texts = [_edited(script, edits) for rank, edits in found if rank <= 1.5]
    assert any("batch_first=True" in text for text in texts)


def test_script_that_writes_is_not_run_again(tmp_path: Path) -> None:
    """A file that the script appends to is written once, by the script itself."""
    _suggested(_SEQUENCES, tmp_path)
    assert (tmp_path / "log.txt").read_text() == "run "


def test_argument_that_the_script_has_under_its_name(tmp_path: Path) -> None:
    """The script defines what an argument is called, and leaves the argument at its default."""
    found, script = _suggested(_TARGETS, tmp_path)
    texts = [_edited(script, edits) for rank, edits in found if rank < 1]
    assert any("Pictures(5, transform=transform)" in text for text in texts)


_STATES = """
import torch
from torch import nn

class Tagger(nn.Module):
    def __init__(self, rnn_layers):
        super().__init__()
        self.rnn_layers = rnn_layers
        self.rnn = nn.GRU(5, 7)

    def forward(self, steps):
        state = torch.zeros(self.rnn_layers, steps.size(1), 7)
        return self.rnn(steps, state)[0]

torch.save(torch.rand(4, 3, 5), "steps.pt")
steps = torch.load("steps.pt")
assert Tagger(2)(steps).shape == (4, 3, 7)
"""

_REGIONS = """
import torch

rows, columns = 4, 6
mask = torch.zeros(3, rows, columns)
scores = torch.rand(3 * rows * columns).view(3, -1)
for one in range(len(mask)):
    mask[one][scores[one] > 0.5] = 1
"""

_HEAD = """
import torch
from torch import nn

class Head(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.shrink = nn.Linear(11, width)
        self.out = nn.Linear(width, classes)

    def forward(self, x):
        return self.out(self.norm(x))

CLASSES = 4
head = Head(MADE)
print(head(torch.rand(2, GIVEN)).shape)
"""


def test_argument_that_the_script_has_a_name_for(tmp_path: Path) -> None:
    """States of two layers, and a layer that is left at one; a file that is saved does not hinder the run."""
    found, script = _suggested(_STATES, tmp_path)
    texts = [_edited(script, edits) for rank, edits in found if rank < 1]
    assert any("nn.GRU(5, 7, num_layers=self.rnn_layers)" in text for text in texts)


def test_flat_scores_in_the_shape_of_what_they_choose_from(tmp_path: Path) -> None:
    """As many elements in another shape: said by the names of its lengths, before any number is changed."""
    found, script = _suggested(_REGIONS, tmp_path)
    texts = [_edited(script, edits) for rank, edits in found if rank < 0.5]
    assert any("scores[one].reshape(rows, columns) > 0.5" in text for text in texts)


@pytest.mark.parametrize(
    ("made", "given", "wanted"),
    [("CLASSES, 9", "9", "Head(9, CLASSES)"), ("9, CLASSES", "11", "self.norm(self.shrink(x))")],
)
def test_what_is_exchanged_or_never_called(made: str, given: str, wanted: str, tmp_path: Path) -> None:
    """The arguments of a constructor further out, and a layer that is made and never called."""
    found, script = _suggested(_HEAD.replace("MADE", made).replace("GIVEN", given), tmp_path)
    texts = [_edited(script, edits) for rank, edits in found if rank < 1.3]
    assert any(wanted in text for text in texts)


def test_an_argument_that_is_never_read_is_not_exchanged(tmp_path: Path) -> None:
    """The number that a network leaves unread is the wanted one by chance."""
    script = _HEAD.replace("width, classes):", "width, classes, side=0):")
    found, text = _suggested(script.replace("MADE", "9, CLASSES, 11").replace("GIVEN", "11"), tmp_path)
    assert not any("Head(11, CLASSES, 9)" in _edited(text, edits) for _, edits in found)


@pytest.mark.parametrize(
    ("made", "failing", "wanted"),
    [
        (
            "loss = 0.5 * ids[:, 1:]",
            "kept = (loss * mask).sum() / mask.sum()",
            "kept = (loss * mask[:, 1:]).sum() / mask[:, 1:].sum()",
        ),
        ("loss = 0.5 * ids[:, :-1]", "kept = loss + mask", "kept = loss + mask[:, :-1]"),
        ("mask = mask + ids", "kept = 0.9 * mask[:, 1:] - mask", "kept = 0.9 * mask[:, 1:] - mask[:, :-1]"),
    ],
)
def test_what_is_not_shifted_as_the_others_are(made: str, failing: str, wanted: str, tmp_path: Path) -> None:
    """A slice leaves out one entry of an array, and the statement that fails reads another one whole."""
    begin = "import torch\nids = torch.rand(3, 8)\nmask = torch.ones(3, 8)\n"
    exec(f"{begin}{made}\n{wanted}\nassert kept.isfinite().all()", {})  # torch itself takes it so
    found, script = _suggested(f"{begin}{made}\n{failing}\n", tmp_path)
    _, edits = min(found, key=lambda one: one[0])
    assert wanted in _edited(script, edits)
