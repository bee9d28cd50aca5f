"""Writes that a backward refuses: the edit of the line is printed, and torch runs the edited program."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error

HEAD = """
import functools
import torch
from torch import nn
import shapeinspect

def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(4, 5)

"""
CALL = "net = Net()\nnet(torch.ones(3, 4)).pow(2).sum().backward()\n"
#: The rest of the program, the statement that writes, and what is to be written in its place.
CASES = {
    "an item of a list": (
        "    def forward(self, x):\n"
        "        maps = [torch.sigmoid(self.a(x)), self.b(x)]\n"
        "        maps[0] += maps[1]\n"
        f"        return maps[0]\n{CALL}",
        "maps[0] += maps[1]",
        "maps[0] = maps[0] + maps[1]",
    ),
    "a method on an item of a dictionary": (
        "    def forward(self, x):\n"
        "        state = {'h': torch.tanh(self.a(x))}\n"
        "        state['h'].mul_(0.5)\n"
        f"        return state['h']\n{CALL}",
        "state['h'].mul_(0.5)",
        "state['h'] = state['h'].mul(0.5)",
    ),
    "another name for self": (
        "    def forward(this, x):\n"
        "        y = torch.tanh(this.a(x))\n"
        "        y += 1\n"
        f"        return y\n{CALL}",
        "y += 1",
        "y = y + 1",
    ),
    "several statements on a line": (
        "    def forward(self, x):\n"
        "        y = torch.tanh(self.a(x)); y += 1; z = y * 2\n"
        "        return z\n"
        "net = Net(); net(torch.ones(3, 4)).sum().backward()\n",
        "y += 1",
        "y = y + 1",
    ),
    "a decorated forward": (
        "    @timed\n"
        "    def forward(self, x):\n"
        "        y = torch.tanh(self.a(x))\n"
        "        y += 1\n"
        f"        return y\n{CALL}",
        "y += 1",
        "y = y + 1",
    ),
    "a decorated step": (
        "net = nn.Linear(4, 5)\n"
        "@timed\n"
        "def step(x):\n"
        "    maps = {'y': torch.sigmoid(net(x))}\n"
        "    maps['y'] -= 0.5\n"
        "    loss = maps['y'].pow(2).sum()\n"
        "    loss.backward()\n"
        "step(torch.ones(3, 4))\n",
        "maps['y'] -= 0.5",
        "maps['y'] = maps['y'] - 0.5",
    ),
    "a step under the debugger": (
        "net = nn.Linear(4, 5)\n"
        "@shapeinspect.debug\n"
        "def step(x):\n"
        "    y = torch.sigmoid(net(x))\n"
        "    y -= 0.5\n"
        "    y.pow(2).sum().backward()\n"
        "step(torch.ones(3, 4))\n",
        "y -= 0.5",
        "y = y - 0.5",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_edit_runs(case: str, run: Callable[[str], None]) -> None:
    body, old, new = CASES[case]
    with pytest.raises(RuntimeError, match="inplace operation") as caught:
        run(HEAD + body)
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes[0].text == f"{new} instead of {old}"
    assert body.count(old) == 1
    run(HEAD + body.replace(old, new))
