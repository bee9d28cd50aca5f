"""TorchScript whose code computes with sizes: the shapes are those of a real call, at three sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapeinspect
from shapeinspect.api.debugging import fits


class Shuffle(nn.Module):
    """Views with computed lengths, and a branch that the size decides."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 12, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        n, c, h, w = x.shape
        x = x.view(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, -1, h, w)
        if h % 2 == 1:
            x = F.pad(x, [0, 0, 0, 1])
        return x[:, :, : h // 2]


class Windows(nn.Module):
    """Windows as Swin cuts them, with the padding that fills the last one, and a list that is written to."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = [2, 2]
        self.mix = nn.Linear(5, 7)

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        shift = self.shift.copy()
        if h <= 4:
            shift[0] = 0
        x = F.pad(x, [0, 0, 0, (4 - w % 4) % 4, 0, (4 - h % 4) % 4])
        if sum(shift) > 0:
            x = torch.roll(x, [-shift[0], -shift[1]], [1, 2])
        rows, columns = x.shape[1] // 4, x.shape[2] // 4
        x = x.view(n, rows, 4, columns, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(n * rows * columns, 16, c)
        mask = x.new_zeros(x.shape[0], 16, 1)
        return self.mix(x + mask)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, kdim=10, vdim=14, batch_first=True)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.attention(q, k, v)[0]


class Remembers(nn.Module):
    """A state that is empty at first, and indexed where it is not."""

    def __init__(self) -> None:
        super().__init__()
        self.state = torch.zeros(0)
        self.cell = nn.LSTMCell(5, 7)

    def forward(self, x: Tensor) -> Tensor:
        if len(self.state):
            h, c = self.cell(x, (self.state[0], self.state[1]))
        else:
            h, c = self.cell(x)
        self.state = torch.stack([h, c])
        return h


class Either(nn.Module):
    """A branch that the numbers decide; in the one that is not taken, nothing fits."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Linear(5, 7), nn.Linear(6, 7)

    def forward(self, x: Tensor) -> Tensor:
        if bool(x.sum() > 1e9):
            return self.wide(x)
        return self.narrow(x)


class Lists(nn.Module):
    """Tensors that are gathered in lists: what ``+`` and ``*`` make of lists are lists."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(5, 7), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens: list[Tensor] = []
        tokens.append(self.wide(x))
        every = tokens + [self.narrow(x)]  # noqa: RUF005  # TorchScript knows no stars
        tokens += [x]
        tokens.extend(every)
        tokens.insert(0, x)
        last = tokens.pop()
        tokens.reverse()
        del tokens[0]
        if len(tokens) > 3:
            raise ValueError
        return torch.cat(tokens + [last] * 2, 1)


class Options(nn.Module):
    """Inputs with defaults, which a call may leave out; the sizes follow from them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 4)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        deep: bool = True,
        times: int = 3,
        pool: str = "mean, (max",
    ) -> Tensor:
        y = self.first(x)
        if mask is not None:
            y = y * mask
        if deep:
            y = self.second(y)
        if any([len(pool) > 99, times > 2]) and all([deep, times > 0]):
            y = torch.cat([y] * times, 1)
        return y


def _saved(net: nn.Module, how: str, example: tuple[Tensor, ...], folder: Path) -> Path:
    module: Any = (
        torch.jit.script(net) if how == "script" else torch.jit.trace(net, example, check_trace=False)
    )
    module.save(str(folder / "net.pt"))
    return folder / "net.pt"


@pytest.mark.parametrize(
    ("net", "how", "sizes"),
    [
        (Shuffle(), "script", [[(2, 6, 9, 11)], [(3, 6, 8, 10)], [(1, 6, 15, 4)]]),
        (Shuffle(), "trace", [[(2, 6, 9, 11)], [(3, 6, 9, 10)], [(1, 6, 9, 4)]]),
        (Windows(), "script", [[(2, 9, 11, 5)], [(3, 4, 8, 5)], [(1, 3, 6, 5)]]),
        (Windows(), "trace", [[(2, 9, 11, 5)], [(3, 9, 11, 5)], [(1, 9, 11, 5)]]),
        (
            Attention(),
            "trace",
            [
                [(2, 5, 12), (2, 7, 10), (2, 7, 14)],
                [(3, 4, 12), (3, 9, 10), (3, 9, 14)],
                [(1, 8, 12), (1, 6, 10), (1, 6, 14)],
            ],
        ),
        (Remembers(), "script", [[(2, 5)], [(3, 5)], [(4, 5)]]),
        (Lists(), "script", [[(2, 5)], [(3, 5)], [(4, 5)]]),
        (Options(), "script", [[(2, 5)], [(3, 5), (3, 7)], [(6, 5), (6, 1)]]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_the_shapes_are_those_of_a_call(
    net: nn.Module, how: str, sizes: list[list[tuple[int, ...]]], tmp_path: Path
) -> None:
    path = _saved(net.eval(), how, tuple(torch.zeros(shape) for shape in sizes[0]), tmp_path)
    for shapes in sizes:
        want = torch.jit.load(str(path))(*(torch.zeros(shape) for shape in shapes)).shape
        report = shapeinspect.inspect(path, shapes)
        assert [value.shape for value in report.outputs] == [tuple(want)]
        assert not any("does not fit" in note.text for note in report.notes)
        assert report.totals.macs_unknown == ()
        assert fits(path, shapes).diagnosis is None


def test_a_branch_that_is_not_taken_proves_nothing(tmp_path: Path) -> None:
    path = _saved(Either().eval(), "script", (), tmp_path)
    assert torch.jit.load(str(path))(torch.zeros(3, 5)).shape == (3, 7)
    report = shapeinspect.inspect(path, (3, 5))
    assert {call.layer: call.conditional for call in report.model.calls}["wide"]
    assert not any("does not fit" in note.text for note in report.notes)
    # Neither branch's work is sure.
    assert report.totals.macs is None
    assert set(report.totals.macs_unknown) == {"wide", "narrow"}
    assert fits(path, [(3, 5)]).diagnosis is None


def test_an_input_that_is_left_out_has_its_default(tmp_path: Path) -> None:
    path = _saved(Options().eval(), "script", (), tmp_path)
    named = {"without": shapeinspect.inspect(path, (2, 5)), "unasked": shapeinspect.inspect(path)}
    named["with"] = shapeinspect.inspect(path, {"x": (2, 5), "mask": (2, 7)})
    assert {key: [value.name for value in report.inputs] for key, report in named.items()} == {
        "without": ["x"],
        "with": ["x", "mask"],
        "unasked": ["x", "mask"],
    }
    assert ["mul" in report for report in named.values()] == [False, True, True]


def test_the_groups_in_the_code_tell_the_axes_of_a_traced_transposed_convolution(tmp_path: Path) -> None:
    net = nn.ConvTranspose2d(6, 8, 3, groups=2).eval()
    path = _saved(nn.Sequential(net), "trace", (torch.zeros(2, 6, 9, 11),), tmp_path)
    weight = shapeinspect.inspect(path)["0"].weights[0]
    # 8 outputs, each of 6 / 2 inputs.
    assert weight.common_shape == (8, 3, 3, 3)


@pytest.mark.parametrize(
    "line",
    [
        "torch.arange(1.e400)", "torch.arange(torch.mul(1.e400, 0))", "torch.arange(0, 1, 0)",
        "torch.append([])", "torch.pow(999999999999999999, 999999999999999999)",
        "torch.pow(-2, 0.5)", "int(1.e400)",
    ],
)  # fmt: skip
def test_numbers_that_no_length_can_be_are_unknown(line: str, tmp_path: Path) -> None:
    torch.jit.script(nn.Sequential(nn.Linear(3, 5))).save(str(tmp_path / "sound.pt"))
    with ZipFile(tmp_path / "sound.pt") as sound, ZipFile(tmp_path / "odd.pt", "w") as odd:
        for name in sound.namelist():
            text = sound.read(name)
            if text.startswith(b"class Sequential"):
                head, _, body = text.partition(b"-> Tensor:\n")
                text = head + b"-> Tensor:\n    odd = " + line.encode() + b"\n" + body
            odd.writestr(name, text)
    model = shapeinspect.inspect(tmp_path / "odd.pt").model
    assert "Linear" in {layer.type for layer in model.layers}
    assert "0" in {call.layer for call in model.calls}
