"""Dictionaries in TorchScript: which tensors they hold follows from the code, or is unknown."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import shapeinspect


class Pyramid(nn.Module):
    """Layers whose outputs a dictionary names, and a head that reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 5, 3, stride=2), nn.Conv2d(5, 7, 3, stride=2)
        self.kept = {"first": "low", "second": "high"}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        x = self.first(x)
        if "first" in self.kept:
            found[self.kept["first"]] = x
        x = self.second(x)
        if "third" in self.kept:
            raise ValueError
        found[self.kept["second"]] = x
        result = {"sum": torch.cat([part.flatten(1) for part in found.values()], 1), "high": found["high"]}
        if len(result) > 1:
            result["low"] = found.get("low", x)
        return result


class Ordered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(5, 7)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        result = OrderedDict([("in", x)])
        for name in list(result.keys()):
            result[name + "!"] = self.mix(result["in"])
        return result


class Cached(nn.Module):
    """A table under a name that the code computes from the device."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(4, 9))
        self.register_buffer("places", torch.arange(6) % 9)
        self.cache = torch.jit.Attribute({}, dict[str, Tensor])

    def forward(self, x: Tensor) -> Tensor:
        key = str(x.device)
        if key not in self.cache:
            self.cache[key] = self.table[:, self.places]
        return torch.matmul(x, self.cache[key])


class Doubtful(nn.Module):
    """An entry that the numbers decide."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        found = {"x": x}
        if bool(x.sum() > 0):
            found["x"] = y
        return found["x"].flatten()


def _shapes(net: nn.Module, *shapes: tuple[int, ...], path: Path) -> tuple[list[object], list[object]]:
    network = torch.jit.script(net.eval())
    network.save(str(path))
    result = network(*map(torch.zeros, shapes))
    parts = list(result.values()) if isinstance(result, dict) else [result]
    report = shapeinspect.inspect(path, shapes)
    return [value.shape for value in report.outputs], [tuple(part.shape) for part in parts]


@pytest.mark.parametrize(
    ("net", "shape"),
    [(Pyramid(), (2, 3, 13, 17)), (Cached(), (3, 4)), (Ordered(), (2, 5))],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_the_outputs_are_those_of_a_call(net: nn.Module, shape: tuple[int, ...], tmp_path: Path) -> None:
    got, want = _shapes(net, shape, path=tmp_path / "net.pt")
    assert got == want


def test_an_entry_that_the_input_decides_is_unknown(tmp_path: Path) -> None:
    got, want = _shapes(Doubtful(), (2, 3), (5, 7), path=tmp_path / "net.pt")
    assert want == [(6,)]
    assert not [shape for shape in got if shape is not None]
