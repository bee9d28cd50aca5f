"""What is said of the sizes that do not fit: where in the program they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.mismatch import Diagnosis, describe, to_dict
from shapeinspect.mismatch.reasons.layers import reasons
from shapeinspect.mismatch.sizes.requirements import problem_of
from shapeinspect.plugin_api.rerun import Failure

HEAD = """
import torch
from torch import nn

def run(forward, *shapes, **parts):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            for name, part in parts.items():
                keep = self.register_buffer if isinstance(part, torch.Tensor) else self.__setattr__
                keep(name, part)
        def forward(self, *given):
            return forward(self, *given)
    Net()(*(torch.zeros(shape) for shape in shapes))

"""
#: The lines of a forward, from line 18 on, the shapes that it is fed, its parts, and what is said.
CASES = {
    "windows": (
        "return x.view(2, x.shape[1] // 7, 7, x.shape[2] // 7, 7, 5)",
        "(2, 48, 64, 5)",
        "",
        "48 and 64 are no multiples of the window 7 (6·7 = 42, 9·7 = 63)",
    ),
    "one window": (
        "return x.reshape(2, 3, x.shape[2] // 4, 4)",
        "(2, 3, 13)",
        "",
        "13 is no multiple of the window 4 (3·4 = 12)",
    ),
    "elements": (
        "return x.view(4, 5, 32)",
        "(7, 6, 16)",
        "",
        "4·5·32 = 640 elements are asked for, 7·6·16 = 672 are there",
    ),
    "rows": ("return x.view(-1, 64, 4)", "(5, 96)", "", "5·96 = 480 elements are no multiple of 64·4 = 256"),
    "table": (
        "return x + self.pe[:, :x.size(1)]",
        "(3, 140, 8)",
        "pe=torch.zeros(1, 100, 8)",
        '"pe" holds 100 entries, 140 are asked for',
    ),
    "squares": (
        "return x + self.places",
        "(3, 257, 8)",
        "places=torch.zeros(1, 197, 8)",
        '"places" holds 197 entries, 257 are asked for: 197 = 14·14 + 1, 257 = 16·16 + 1',
    ),
    "positions": (
        "return self.places(torch.arange(x.size(1)))",
        "(2, 150)",
        "places=nn.Embedding(128, 6)",
        "the table holds 128 positions, 150 are asked for",
    ),
    "unsqueeze": (
        "x = x.unsqueeze(1)\n    return self.conv(x)",
        "(6, 1, 40)",
        "conv=nn.Conv1d(1, 4, 3)",
        '"unsqueeze" at line 18 added an axis to (6, 1, 40)',
    ),
    "odd": (
        "y = self.up(self.down(x))\n    return torch.cat([x, y], 1)",
        "(2, 3, 26, 25)",
        "down=nn.MaxPool2d(2), up=nn.Upsample(scale_factor=2)",
        '25 is odd: "down" makes it 12; 24 is twice that',
    ),
    "parts": (
        "return torch.cat([x[:, 0::2], x[:, 1::2]], 2)",
        "(2, 7, 6)",
        "",
        "7 is odd: its parts are 4 and 3",
    ),
    "last axes": (
        "return x + y",
        "(5, 16, 20, 28), (5, 16)",
        "",
        "(5, 16) lacks the last 2 axes of (5, 16, 20, 28): axes are aligned from the last one",
    ),
    "inner axes": (
        "return x.masked_fill(y == 0, 0.0)",
        "(4, 6, 15, 15), (4, 15)",
        "",
        "(4, 15) lacks the 2 axes between the first and the last of (4, 6, 15, 15)",
    ),
    "batch reduced": (
        "return x.mean(0).gather(1, y.long())",
        "(32, 5, 3), (32, 1)",
        "",
        '"mean" at line 18 reduces axis 0 of (32, 5, 3), which is the batch',
    ),
    "broadcast before": (
        "y = x - y\n    return y + torch.zeros(3, 7)",
        "(12,), (12, 1)",
        "",
        '"sub" at line 18 broadcasts (12,) and (12, 1) to (12, 12)',
    ),
    "state of a batch": (
        "return self.gru(x, torch.zeros(2, 16, 7))",
        "(10, 30, 5)",
        "gru=nn.GRU(5, 7, 2, batch_first=True)",
        "the state is made for 16 samples, 10 are read",
    ),
    "state batch first": (
        "return self.gru(x, torch.zeros(10, 2, 7))",
        "(10, 30, 5)",
        "gru=nn.GRU(5, 7, 2, batch_first=True)",
        "a state has its layers first and its batch second, whatever batch_first says",
    ),
    "time read as batch": (
        "return self.gru(x, torch.zeros(1, 10, 7))",
        "(10, 35, 5)",
        "gru=nn.GRU(5, 7)",
        "the state is made for 10 samples, 35 are read; axis 0 of (10, 35, 5) is 10, and "
        "batch_first=False reads it as time",
    ),
    "joined": (
        "return self.fc(torch.cat([x, y], 1))",
        "(4, 30), (4, 12)",
        "fc=nn.Linear(40, 3)",
        '"cat" at line 18 joins 30 and 12 to 42',
    ),
    "shrunk": (
        "return self.pool(self.pool(self.pool(self.pool(x))))",
        "(2, 3, 15, 64)",
        "pool=nn.MaxPool2d(2)",
        "the length shrinks from step to step: 15 → 7 → 3 → 1",
    ),
    "rounded": (
        "return self.a(self.a(x)) + self.b(x)",
        "(2, 3, 40, 37)",
        "a=nn.Conv2d(3, 3, 3, 2, 1), b=nn.AvgPool2d(4)",
        "37 is no multiple of 4: 9 rounds it down, 10 rounds it up",
    ),
    "turned": (
        "return x.permute(1, 0, 2) * 2.0 + x",
        "(8, 20, 6)",
        "",
        '"permute" at line 18 turns (8, 20, 6) to (20, 8, 6)',
    ),
    "two batches": (
        "return x * 2.0 + y",
        "(16, 7), (12, 7)",
        "",
        '"given.0" holds 16 samples, "given.1" holds 12',
    ),
    "a mask of one column": (
        "return x[y == 0]",
        "(4, 9), (4, 1)",
        "",
        "the mask of (4, 1) differs from (4, 9) on axis 1",
    ),
    "a length of nothing": (
        "return x.view(2, x.size(1) // 16, 12)",
        "(2, 12)",
        "",
        "a length of 0 is asked for, in (2, 0, 12)",
    ),
    "resized": (
        "return (x[:, :, ::2] * 2.0).masked_fill(y == 0, 0.0)",
        "(3, 4, 240), (3, 1, 240)",
        "",
        '"getitem" at line 18 makes 120 of 240: (3, 4, 240) to (3, 4, 120)',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_reason(case: str, tmp_path: Path) -> None:
    forward, shapes, parts, said = CASES[case]
    script = tmp_path / "train.py"
    script.write_text(
        f"{HEAD}def forward(self, x, *more):\n    y = more[0] if more else None\n    {forward}\n\n"
        f"run(forward, {shapes}{', ' + parts if parts else ''})\n"
    )
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    with pytest.raises((RuntimeError, ValueError, IndexError)) as caught:
        exec(compile(script.read_text(), str(script), "exec"), space)
    found = explain_error(caught.value)
    assert found is not None
    assert found.because[0] == said
    assert to_dict(found)["because"][0] == said
    assert "because   " in describe(found)


def test_a_write_into_a_part_of_a_tensor_is_explained(tmp_path: Path) -> None:
    found = _explained(
        tmp_path,
        "class Memory:\n    def __init__(self):\n        self.weights = torch.ones(50)\n"
        "net, memory, index = nn.Linear(6, 1), Memory(), torch.arange(12)\n"
        "error = torch.ones(12) - net(torch.ones(12, 6))\n"
        "memory.weights[index] = error.detach()\n",
    )
    assert found.layer.kind == "scatter"
    assert found.because == ('"sub" at line 7 broadcasts (12,) and (12, 1) to (12, 12)',)


def test_an_index_of_bytes_is_read_as_a_mask(tmp_path: Path) -> None:
    found = _explained(
        tmp_path,
        "values, chosen = torch.zeros(9, 4), torch.ones(9, dtype=torch.uint8)\n"
        "values[torch.arange(9), chosen] = torch.ones(9)\n",
    )
    assert found.cause == "dtype"
    assert found.fixes[0].text == "feed chosen.long()"


def test_an_index_outside_of_a_tensor(tmp_path: Path) -> None:
    found = _explained(
        tmp_path,
        "class Net(nn.Module):\n"
        "    def forward(self, x, edges):\n"
        "        return torch.zeros(x.size(0)).index_add_(0, edges, torch.ones(edges.numel()))\n"
        "Net()(torch.ones(6, 3), torch.tensor([0, 4, 19, 2]))\n",
    )
    assert found.cause == "index-range"
    assert "indices from 0 to 5: there are 6 entries" in describe(found)
    assert "19, in (4,)" in describe(found)


def test_a_number_without_axes_among_the_operands_of_a_loss() -> None:
    flat, total = Layer("flat", "reshape", "reshape"), Layer("total", "reduce", "sum")
    calls = (Call("flat", ("x",), ("rows",)), Call("total", ("rows",), ("sum",)))
    shapes = {"x": (4, 5), "rows": (20,), "sum": (), "y": (7,)}
    values = Frozen({name: Value(name, shape) for name, shape in shapes.items()})
    model = Model("", "live", "keras", "keras-live", (flat, total), calls, values, inputs=("x", "y"))
    failure = Failure(model, Layer("mse", "loss", "mse"), ("sum", "y"), "")
    assert not any("rows of" in text for text in reasons(failure, problem_of(failure)))


def _explained(tmp_path: Path, body: str) -> Diagnosis:
    script = tmp_path / "train.py"
    script.write_text(f"import torch\nfrom torch import nn\n{body}")
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(script)}
    with pytest.raises((RuntimeError, IndexError)) as caught:
        exec(compile(script.read_text(), str(script), "exec"), space)
    found = explain_error(caught.value)
    assert found is not None
    return found
