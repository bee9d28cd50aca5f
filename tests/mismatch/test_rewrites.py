"""A fix in the user's own expressions: it is pasted, and torch runs the program."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error

HEAD = "import torch\nfrom torch import nn\n"
#: A program, what is to be written, and instead of what.
CASES = {
    "a norm of steps": (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.lstm, self.norm = nn.LSTM(5, 8, batch_first=True), nn.BatchNorm1d(8)\n"
        "    def forward(self, x):\n"
        "        y, _ = self.lstm(x)\n"
        "        return self.norm(y) + y\n"
        "Net()(torch.ones(3, 11, 5))\n",
        "self.norm(y.transpose(1, 2)).transpose(1, 2)",
        "self.norm(y)",
    ),
    "a layer of a Sequential": (
        "net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4 * 6 * 7, 5))\n"
        "net(torch.ones(2, 3, 8, 9))\n",
        "nn.Flatten(), nn.Linear(4 * 6 * 7, 5)",
        "nn.Linear(4 * 6 * 7, 5)",
    ),
    "lengths before a stride": (
        "net, loss = nn.Conv1d(9, 5, 3, stride=2, padding=1), nn.CTCLoss()\n"
        "mel, text = torch.ones(4, 9, 60), torch.ones(4, 7, dtype=torch.long)\n"
        "scores = net(mel).permute(2, 0, 1).log_softmax(2)\n"
        "steps, letters = torch.full((4,), 7), torch.full((4,), 7)\n"
        "steps = torch.full((4,), mel.size(2))\n"
        "loss(scores, text, steps, letters)\n",
        "torch.full((4,), scores.size(0))",
        "torch.full((4,), mel.size(2))",
    ),
    "a state of a batch": (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.gru = nn.GRU(5, 7, 2, batch_first=True)\n"
        "    def forward(self, x):\n"
        "        return self.gru(x, torch.ones(2, 16, 7))[0]\n"
        "Net()(torch.ones(10, 30, 5))\n",
        "torch.ones(2, x.size(0), 7)",
        "torch.ones(2, 16, 7)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rewritten_program_runs(case: str, run: Callable[[str], None]) -> None:
    body, new, old = CASES[case]
    with pytest.raises(RuntimeError) as caught:
        run(HEAD + body)
    found = explain_error(caught.value)
    assert found is not None
    assert found.fixes[0].text == f"{new} instead of {old}"
    assert body.count(old) == 1
    run(HEAD + body.replace(old, new))


def test_several_layers_of_one_line_are_one_edit(run: Callable[[str], None]) -> None:
    body = (
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.convs = nn.ModuleList(nn.Conv1d(9, 4, size) for size in (3, 4, 5))\n"
        "    def forward(self, x):\n"
        "        return [conv(x).amax(2) for conv in self.convs]\n"
        "Net()(torch.ones(2, 15, 9) * 1)\n"
    )
    with pytest.raises(RuntimeError) as caught:
        run(HEAD + body)
    found = explain_error(caught.value)
    assert found is not None
    text = found.fixes[0].text
    assert "transpose(1, 2)" in text
    assert text.count("transpose") == 1


def test_a_picture_in_color_is_no_batch_of_gray_ones() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.nn.Conv2d(1, 6, 3)(torch.ones(1, 3, 64, 48))
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "channels"
    assert found.fixes[0].text == 'in_channels=3 in "Conv2d"'
