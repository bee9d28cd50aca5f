"""Whole pickled modules of classes that are not torch's: what they inherit shows in their settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

from shapeinspect import inspect
from shapeinspect.ir import Layer, Model
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER

pytestmark = pytest.mark.filterwarnings("ignore")


class Mine(nn.Conv2d):
    pass


class MineUp(nn.ConvTranspose1d):
    pass


class Wide(nn.Linear):
    pass


class Table(nn.Embedding):
    pass


class NormAct(nn.BatchNorm2d):
    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.act = nn.ReLU()


class Channels(nn.LayerNorm):
    pass


class Groups(nn.GroupNorm):
    pass


class Memory(nn.LSTM):
    pass


class MineRMSNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(7))
        self.eps = 1e-5


class Conv1D(nn.Module):
    """As GPT-2 has it: in × out."""

    def __init__(self) -> None:
        super().__init__()
        self.nx, self.nf = 5, 7
        self.weight, self.bias = nn.Parameter(torch.zeros(5, 7)), nn.Parameter(torch.zeros(7))


class Linear(nn.Module):
    """Called as torch's and none."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(7, 3, 2))


class Conv2d(nn.Module):
    """A block that somebody called so."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 5, (7, 1))
        self.scale = nn.Parameter(torch.zeros(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) * self.scale[:, None, None]


class Claims(nn.Module):
    """Settings of a linear layer with a weight that is not one's."""

    def __init__(self) -> None:
        super().__init__()
        self.in_features, self.out_features = 5, 7
        self.weight = nn.Parameter(torch.zeros(5, 7))


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def read(net: nn.Module, path: Path) -> Model:
    torch.save(net, path)
    return ADAPTER.read(from_path(path))


def only(net: nn.Module, path: Path) -> Layer:
    return {layer.path: layer for layer in read(nn.Sequential(net), path).layers}["0"]


@pytest.mark.parametrize(("net", "kind", "told"), [
    (Mine(6, 8, (3, 5), stride=2, groups=2), "conv", {"in_channels": 6, "stride": (2, 2), "groups": 2}),
    (MineUp(6, 4, 3), "conv_transpose", {"in_channels": 6, "out_channels": 4, "kernel_size": (3,)}),
    (Wide(5, 7), "linear", {"in_features": 5, "out_features": 7}),
    (Table(11, 5), "embedding", {"num_embeddings": 11, "embedding_dim": 5}),
    (NormAct(5), "batch_norm", {"num_features": 5, "eps": 1e-5}),
    (Channels((3, 5)), "layer_norm", {"normalized_shape": (3, 5)}),
    (Groups(2, 6), "group_norm", {"num_groups": 2, "num_channels": 6}),
    (Memory(3, 5, num_layers=2, batch_first=True), "lstm", {"hidden_size": 5, "num_layers": 2}),
    (MineRMSNorm(), "rms_norm", {"normalized_shape": (7,), "eps": 1e-5}),
    (Conv1D(), "linear", {"in_features": 5, "out_features": 7}),
])  # fmt: skip
def test_what_a_class_inherits(tmp_path: Path, net: nn.Module, kind: str, told: dict[str, object]) -> None:
    layer = only(net, tmp_path / "net.pt")
    assert (layer.kind, layer.type) == (kind, type(net).__name__)
    assert told.items() <= dict(layer.attributes).items()
    assert all(weight.layout is not None for weight in layer.weights if weight.role in ("weight", "bias"))


@pytest.mark.parametrize("net", [Linear(), Claims()])
def test_a_name_or_a_claim_alone_proves_nothing(tmp_path: Path, net: nn.Module) -> None:
    layer = only(net, tmp_path / "net.pt")
    assert layer.kind == "unknown"
    assert layer.weights[0].layout is None


def test_a_block_that_is_called_as_a_layer(tmp_path: Path) -> None:
    model = read(nn.Sequential(Conv2d()), tmp_path / "net.pt")
    assert {layer.path: layer.kind for layer in model.layers} == {
        "Sequential": "module", "0": "module", "0.inner": "conv",
    }  # fmt: skip


@pytest.mark.parametrize("block", [Conv2d(), Mine(3, 5, (7, 1))])
def test_its_script_counts_the_work_once(tmp_path: Path, block: nn.Module) -> None:
    torch.jit.save(torch.jit.script(nn.Sequential(block)), tmp_path / "net.pt")
    report = inspect(tmp_path / "net.pt", (2, 3, 9, 11))
    assert report.totals.macs == 2 * 5 * (3 * 7) * (9 - 7 + 1) * 11
    assert report.model.outputs


def test_what_runs_commands_is_named_first(tmp_path: Path) -> None:
    """A network of many layers must not hide it behind "and 7 more"."""
    net = nn.Sequential(
        nn.ReLU(),
        nn.GELU(),
        nn.SiLU(),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.Identity(),
        nn.Flatten(),
        nn.Mish(),
        Wide(5, 7),
    )
    net.extra = Trap()
    notes = [note.text for note in read(net, tmp_path / "net.pt").notes]
    (listed,) = [text for text in notes if text.startswith("not executed; globals referenced: ")]
    first, second, third, *_ = listed.partition(": ")[2].split(", ")
    assert first == f"{os.system.__module__}.system"
    assert second == f"{__name__}.Wide"
    assert third.startswith("torch.nn.")
