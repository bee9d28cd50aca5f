"""Lists that a branch or loop of TorchScript may change: a length that is shown is that of each real call."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import shapeinspect
from shapeinspect.dims import UNKNOWN


class Branch(nn.Module):
    """The numbers of the input decide whether there are two or three parts."""

    def forward(self, x: Tensor) -> Tensor:
        parts = [x, x + 1]
        if bool(x.sum() > 0):
            parts.append(x * 2)
        return torch.cat(parts, 1)


class Rounds(nn.Module):
    """The numbers of the input decide how many parts there are."""

    def forward(self, x: Tensor) -> Tensor:
        parts = [x]
        while bool(torch.cat(parts, 1).sum() < 20):
            parts.append(x)
        return torch.cat(parts, 1)


class Count(nn.Module):
    """The length of a list that a branch changes is that of an axis."""

    def forward(self, x: Tensor) -> Tensor:
        sizes = [2]
        if bool(x.sum() > 0):
            sizes.append(3)
        return torch.zeros(len(sizes), 7)


class Refusal(nn.Module):
    """Where the other branch only raises an error, the list has its length whenever there is an output."""

    def forward(self, x: Tensor) -> Tensor:
        parts = [x]
        if bool(x.sum() > 100):
            raise ValueError("too large")
        parts.append(x)
        return torch.cat(parts, 1)


class Own(nn.Module):
    """A list that the branch makes itself has its length."""

    def forward(self, x: Tensor) -> Tensor:
        count = 3
        if bool(x.sum() > 0):
            sizes = [7]
            sizes.append(9)
            sizes.append(11)
            count = len(sizes)
        return torch.zeros(count, 7)


def _shape(module: nn.Module, tmp_path: Path) -> tuple[object, ...] | None:
    torch.jit.script(module).save(str(tmp_path / "m.pt"))
    report = shapeinspect.inspect(tmp_path / "m.pt", input=(3, 5))
    [name] = report.model.outputs
    return report.model.values[name].shape


@pytest.mark.parametrize("module", [Branch(), Rounds(), Count()], ids=lambda module: type(module).__name__)
def test_a_length_that_the_numbers_decide_is_unknown(module: nn.Module, tmp_path: Path) -> None:
    few, many = torch.full((3, 5), -1.0), torch.full((3, 5), 1.0)
    real = {tuple(module(x).shape) for x in ((many, many * 0.5) if type(module) is Rounds else (few, many))}
    assert len(real) == 2
    shape = _shape(module, tmp_path)
    assert shape is None or UNKNOWN in shape


@pytest.mark.parametrize("module", [Refusal(), Own()], ids=lambda module: type(module).__name__)
def test_a_length_that_nothing_leaves_open_is_known(module: nn.Module, tmp_path: Path) -> None:
    assert _shape(module, tmp_path) == tuple(module(torch.full((3, 5), 1.0)).shape)
