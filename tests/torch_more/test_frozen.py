"""Frozen TorchScript: the weights are constants of the code, and belong to the calls that take them."""

from __future__ import annotations

import zipfile
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from shapeinspect import inspect
from shapeinspect.ir import Model
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER

pytestmark = pytest.mark.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 4, (3, 5), stride=2, groups=2)
        self.up = nn.ConvTranspose2d(4, 7, 3, bias=False)
        self.last = nn.Linear(7, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.up(self.conv(x)).mean((2, 3)) * torch.arange(1.0, 8.0))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(31, 6)
        self.lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.last = nn.Linear(10, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.lstm(self.embed(x))[0])


def frozen(net: nn.Module, given: torch.Tensor, path: Path, how: str = "traced") -> nn.Module:
    net = net.eval()
    # Equal constants become one: a zero bias would be another layer's, too.
    for at, parameter in enumerate(net.parameters()):
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(at))
    made = torch.jit.trace(net, given) if how == "traced" else torch.jit.script(net)
    torch.jit.save(torch.jit.freeze(made), path)
    return net


def read(path: Path) -> Model:
    return ADAPTER.read(from_path(path))


@pytest.mark.parametrize("how", ["traced", "scripted"])
def test_weights_of_a_frozen_network(tmp_path: Path, how: str) -> None:
    path = tmp_path / "net.pt"
    net = frozen(Net(), torch.randn(2, 6, 21, 33), path, how)
    layers = {layer.kind: layer for layer in read(path).layers if layer.weights}
    assert set(layers) == {"conv", "conv_transpose", "linear"}
    for kind, module in {"conv": net.conv, "conv_transpose": net.up, "linear": net.last}.items():
        held = {weight.role: weight for weight in layers[kind].weights}
        assert set(held) == set(module.state_dict())
        for role, tensor in module.state_dict().items():
            assert held[role].shape == tuple(tensor.shape)
            assert held[role].trainable is False
            assert held[role].layout is not None
            np.testing.assert_array_equal(held[role].values(), tensor.numpy())
    assert layers["conv"].attributes["stride"] == (2, 2)
    assert layers["conv"].attributes["groups"] == 2


def test_shapes_and_totals_of_a_frozen_network(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    net = frozen(Net(), torch.randn(2, 6, 21, 33), path)
    report = inspect(path, (2, 6, 21, 33))
    assert report["linear"].output_shape == (2, 9)
    assert report.totals.params == sum(parameter.numel() for parameter in net.parameters())
    assert all(layer.kind != "unknown" for layer in report.model.layers)


def test_a_frozen_stack_has_its_list_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "words.pt"
    net = frozen(Words(), torch.zeros(2, 3, dtype=torch.long), path)
    layer = next(layer for layer in read(path).layers if layer.kind == "lstm")
    assert {weight.role: weight.shape for weight in layer.weights} == {
        role: tuple(tensor.shape) for role, tensor in net.lstm.state_dict().items()
    }
    assert all(weight.layout is not None for weight in layer.weights)


def test_what_no_layer_takes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    frozen(Net(), torch.randn(2, 6, 21, 33), path)
    model = read(path)
    told = [note.text for note in model.notes]
    assert not any("holds no tensors" in text for text in told)
    assert any("no layer takes 1 constant (7 values) as a weight" in text for text in told)
    scaled = next(call for call in model.calls if call.layer == "mul")
    assert (7,) in [model.values[name].shape for name in scaled.inputs]


def test_what_the_constants_name_is_listed(tmp_path: Path) -> None:
    """A pickle beside the model's own is as much a place for code as that one."""
    net = Net().eval()
    torch.jit.save(torch.jit.trace(net, torch.randn(2, 6, 21, 33)), tmp_path / "net.pt")
    with zipfile.ZipFile(tmp_path / "net.pt") as old, zipfile.ZipFile(tmp_path / "bad.pt", "w") as new:
        for item in old.infolist():
            data = old.read(item)
            new.writestr(
                item.filename, b"cos\nsystem\n(S'ls'\ntR." if "constants.pkl" in item.filename else data
            )
    assert "os.system" in read(tmp_path / "bad.pt").metadata["globals"]


def test_constants_of_another_model_are_no_weights(tmp_path: Path) -> None:
    """A traced network that is not frozen counts its parameters as before."""
    net = Net().eval()
    torch.jit.save(torch.jit.trace(net, torch.randn(2, 6, 21, 33)), tmp_path / "net.pt")
    model = read(tmp_path / "net.pt")
    sizes = [prod(weight.shape) for layer in model.layers for weight in layer.weights]
    assert sum(sizes) == sum(parameter.numel() for parameter in net.parameters())
