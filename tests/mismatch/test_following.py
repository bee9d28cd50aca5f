"""What follows the failed call is run with a fix, too; one that it refuses does not stand alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect.plugin_api.claims import Level

HEAD = """
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 4, 2, 2), nn.ConvTranspose2d(4, 4, 2, 2)
        self.first, self.out = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(8, 5, 1)

    def forward(self, x):
        return self.out(torch.cat([self.first(x), self.up(self.down(x))], 1))

"""


def diagnosed(tmp_path: Path, body: str) -> Diagnosis:
    script = tmp_path / "train.py"
    script.write_text(HEAD + body)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    with pytest.raises((RuntimeError, ValueError)) as caught:
        exec(compile(script.read_text(), str(script), "exec"), space)
    found = explain_error(caught.value)
    assert found is not None
    return found


def test_the_masks_of_other_pictures_have_their_size(tmp_path: Path) -> None:
    body = """
model, criterion = Net(), nn.CrossEntropyLoss()
images, masks = torch.zeros(2, 3, 35, 37), torch.zeros(2, 35, 37).long()
out = model(images)
loss = criterion(out, masks)
loss.backward()
"""
    found = diagnosed(tmp_path, body)
    assert found.fixes[0].text == "feed 36×38 (multiples of 2 fit)"
    assert found.fixes[0].claim.rest == "so does what follows, to line 19, with masks of (2, 36, 38)"
    assert "masks of (2, 36, 38)" in " ".join(describe(found).split())


def test_the_loss_below_is_diagnosed_with_the_call(tmp_path: Path) -> None:
    body = """
model = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 3))
x, y = torch.zeros(12, 9), torch.zeros(12, 1).long()
pred = model(x)
loss = F.cross_entropy(pred, y)
"""
    found = diagnosed(tmp_path, body)
    assert found.layer.path == "0"
    assert found.fixes[0].text == 'in_features=9 in "0", pass y.squeeze(1)'
    assert found.fixes[0].claim.level is Level.WHOLE


def test_a_fix_that_the_rest_of_a_function_refuses_does_not_stand(tmp_path: Path) -> None:
    body = """
head = nn.Linear(772, 6)

def values(pictures, actions):
    x = torch.cat([pictures, actions], -1)
    return head(x)

values(torch.zeros(9, 3, 16, 16), torch.zeros(9, 4))
"""
    found = diagnosed(tmp_path, body)
    assert [tried.text for tried in found.fixes] == ["feed pictures.flatten(1)"]


def test_what_cannot_be_run_again_is_said_to_be_left(tmp_path: Path) -> None:
    body = """
def score(values):
    return values.shape

model = nn.Linear(7, 3)
out = model(torch.zeros(5, 9))
out = out.relu()
worth = score(out)
"""
    found = diagnosed(tmp_path, body)
    assert found.fixes[0].text.startswith("in_features=9")
    assert found.fixes[0].claim.rest == "so does what follows, to line 21; line 22 was not run"
