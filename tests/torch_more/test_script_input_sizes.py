"""The sizes of TorchScript's inputs that follow from its layers, against real calls at several sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.api.debugging import fits
from shapeinspect.dims import Shape, substitute


class Residual(nn.Module):
    """Two branches, a view that computes its sizes, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.left = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.head = nn.Linear(32, 11)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(torch.relu(x))
        x = self.pool(x + self.left(x))
        return self.head(x.view(x.size(0), -1))


class Tokens(nn.Module):
    """An embedding, a recurrent layer and a head on its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 12)
        self.cells = nn.GRU(12, 7, batch_first=True)
        self.head = nn.Linear(7, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.cells(self.table(x))
        return self.head(states[:, -1])


class Refusing(nn.Module):
    """Its code refuses what has no batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(6, 4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() != 2:
            raise ValueError("no batch, please")
        return self.conv(x)


class Two(nn.Module):
    """Inputs of two kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = nn.Conv2d(3, 6, 3)
        self.numbers = nn.Linear(9, 6)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.picture(a).mean([2, 3]) + self.numbers(b)


CASES = {
    "Residual": (Residual, ("N", 3, "H", "W"), [(2, 3, 17, 22), (5, 3, 32, 48), (1, 3, 9, 64)]),
    "Tokens": (Tokens, None, [(2, 6), (3, 9)]),
    "Refusing": (Refusing, (6, "L"), [(6, 9), (6, 31)]),
}


def saved(net: nn.Module, how: str, example: tuple[torch.Tensor, ...], folder: Path) -> Path:
    made = torch.jit.script(net) if how == "script" else torch.jit.trace(net, example)
    made.save(str(folder / "model.pt"))
    return folder / "model.pt"


def at(shape: Shape | None, given: Shape | None, size: tuple[int, ...]) -> tuple[object, ...]:
    assert shape is not None
    assert given is not None
    lengths = {str(dim): length for dim, length in zip(given, size, strict=True) if not isinstance(dim, int)}
    return tuple(substitute(dim, lengths) for dim in shape)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("name", CASES)
def test_sizes_follow_from_the_layers(name: str, how: str, tmp_path: Path) -> None:
    build, written, sizes = CASES[name]
    dtype = torch.int64 if name == "Tokens" else torch.float32
    net = build().eval()
    path = saved(net, how, (torch.zeros(sizes[0], dtype=dtype),), tmp_path)
    report = shapeinspect.inspect(path)
    (given,), (made,) = report.inputs, report.outputs
    if written is not None and not (name == "Refusing" and how == "trace"):
        assert given.shape is not None
        assert tuple(dim if isinstance(dim, int) else str(dim) for dim in given.shape) == written
        for size in sizes:
            want = net(torch.zeros(size, dtype=dtype)).shape
            assert at(made.shape, given.shape, size) == tuple(want)
    assert any("follow from the layers that take them" in note.text for note in report.notes)
    assert fits(path).diagnosis is None


def test_several_inputs_have_symbols_of_their_own(tmp_path: Path) -> None:
    report = shapeinspect.inspect(saved(Two().eval(), "script", (), tmp_path))
    assert [tuple(map(str, value.shape or ())) for value in report.inputs] == [
        ("a_dim_0", "3", "a_dim_2", "a_dim_3"),
        ("b_dim_0", "9"),
    ]


def test_what_else_fits_is_said(tmp_path: Path) -> None:
    plain = shapeinspect.inspect(saved(nn.Sequential(nn.Conv2d(3, 8, 3)).eval(), "script", (), tmp_path))
    assert [str(dim) for dim in plain.outputs[0].shape or ()] == ["N", "8", "H - 2", "W - 2"]
    assert any("3 axes fit, too" in note.text for note in plain.notes)
    loose = shapeinspect.inspect(saved(nn.Sequential(nn.Linear(9, 4)).eval(), "script", (), tmp_path))
    assert any("other numbers of axes fit, too" in note.text for note in loose.notes)


def test_nothing_is_said_where_no_layer_tells(tmp_path: Path) -> None:
    class Free(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x).flatten(1)

    report = shapeinspect.inspect(saved(Free().eval(), "script", (), tmp_path))
    assert [value.shape for value in (*report.inputs, *report.outputs)] == [None, None]
    assert any("name one with --input" in note.text for note in report.notes)


class Unfollowed(nn.Module):
    """It adds a tensor of a dictionary that is fed, and multiplies by a number that is fed."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: torch.Tensor, others: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.conv(x)
        return x + others["bias"], x * 2.0


def test_an_operand_that_is_not_followed_leaves_the_sum_open(tmp_path: Path) -> None:
    net = Unfollowed().eval()
    # What is added may be the larger one.
    assert net(torch.zeros(1, 3, 5, 7), {"bias": torch.zeros(4, 1, 1, 1)})[0].shape == (4, 8, 3, 5)
    path = saved(net, "script", (), tmp_path)
    for report in (shapeinspect.inspect(path), shapeinspect.inspect(path, (1, 3, 5, 7))):
        added, scaled = report.outputs
        assert added.shape is None
        assert scaled.shape is not None
        assert len(scaled.shape) == 4


class Pictures(nn.Module):
    """It takes a list of pictures and pools each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)

    def forward(self, images: list[torch.Tensor]) -> torch.Tensor:
        pooled: list[torch.Tensor] = []
        for image in images:
            pooled.append(self.conv(image).mean([1, 2]))
        return torch.stack(pooled)


def test_the_tensors_of_a_list_are_named_by_their_places(tmp_path: Path) -> None:
    net = Pictures().eval()
    path = saved(net, "script", (), tmp_path)
    report = shapeinspect.inspect(path, {"images.0": (3, 9, 11), "images.1": (3, 20, 17)})
    assert [value.name for value in report.inputs] == ["images.0", "images.1"]
    assert (
        report.outputs[0].shape == tuple(net([torch.zeros(3, 9, 11), torch.zeros(3, 20, 17)]).shape) == (2, 6)
    )
    assert [call.layer for call in report.model.calls].count("conv") == 2
