"""Whole pickled modules and TorchScript: the tree, the classes, the settings, the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER
from shapeinspect_torch.vocabulary.kinds import describe


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, (3, 5), stride=2, padding=(1, 2), groups=2)
        self.norm = nn.BatchNorm2d(6, eps=1e-3)
        self.act = nn.ReLU()
        self.gain = nn.Parameter(torch.ones(3))
        self.register_buffer("grid", torch.zeros(2, 2), persistent=False)

    def forward(self, x):
        return self.act(self.norm(self.conv(x))) * self.gain[0]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.up = nn.ConvTranspose2d(6, 4, 3, groups=2)
        self.head = nn.Linear(4, 7)
        self.head.weight.requires_grad_(False)

    def forward(self, x):
        return self.up(self.blocks[0](x))


CONTAINERS = {"zip": {}, "legacy": {"_use_new_zipfile_serialization": False}}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.filterwarnings("ignore")
def test_pickled_module(tmp_path: Path, read, weights, layers, container: str) -> None:
    net = Net()
    path = tmp_path / "net.pt"
    torch.save(net, path, **CONTAINERS[container])
    model = read(path)
    found = layers(model)
    oracle = {name or "Net": module for name, module in net.named_modules()}
    assert list(found) == list(oracle)
    for name, module in oracle.items():
        layer = found[name]
        assert layer.type == type(module).__name__
        kind, attributes = describe(layer.type, vars(module))
        assert layer.kind == ("module" if kind == "unknown" else kind)
        assert dict(layer.attributes) == attributes
    held = weights(model)
    tensors = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    assert {name: w.shape for name, w in held.items()} == {n: tuple(t.shape) for n, t in tensors.items()}
    assert {n for n, w in held.items() if w.buffer} == {name for name, _ in net.named_buffers()}
    assert {n for n, w in held.items() if w.trainable} == {
        n for n, p in net.named_parameters() if p.requires_grad
    }
    assert held["up.weight"].layout.sizes == {"g": 2}
    assert any(
        "not executed; globals referenced: " in note.text and "Net" in note.text for note in model.notes
    )
    assert "torch.nn.modules.conv.Conv2d" in model.metadata["globals"]


def test_a_leaf_alone_and_a_module_in_a_checkpoint(tmp_path: Path, read, layers) -> None:
    path = tmp_path / "a.pt"
    torch.save(nn.Linear(3, 5), path)
    found = layers(read(path))
    assert (found["Linear"].kind, found["Linear"].attributes["in_features"]) == ("linear", 3)
    torch.save(
        {"model": Net(), "ema": Net(), "optimizer": {"state": {0: torch.zeros(2)}, "param_groups": []}}, path
    )
    model = read(path)
    assert "blocks.0.conv" in layers(model)
    assert any('"model"' in note.text and '"optimizer" (2 values' in note.text for note in model.notes)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("key", [None, "model"])
def test_a_traced_module_is_its_modules(
    tmp_path: Path, weights, layers, container: str, key: str | None
) -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, (3, 7), stride=2), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(60, 11))
    traced = torch.fx.symbolic_trace(net.eval())
    path = tmp_path / "net.pt"
    torch.save(traced if key is None else {key: traced, "epoch": 3}, path, **CONTAINERS[container])
    model = ADAPTER.read(from_path(path))
    kinds = {"0": "conv", "1": "batch_norm", "2": "flatten", "3": "linear"}
    assert {path: layer.kind for path, layer in layers(model).items()} == {"GraphModule": "module", **kinds}
    assert {name: tuple(weight.shape) for name, weight in weights(model).items()} == {
        name: tuple(tensor.shape) for name, tensor in traced.state_dict().items()
    }
    assert not any("no tensors" in note.text for note in model.notes)


class Given:
    """An object that is built from a tensor."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> tuple[object, ...]:
        return Given, (self.tensor,)


class Strange:
    """An object that is built from a storage, in a way that torch does not know."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> tuple[object, ...]:
        return Strange, (self.tensor.storage(), (3, 7))


@pytest.mark.filterwarnings("ignore")
def test_what_an_object_is_built_from_is_counted_or_said_to_be_left_out(tmp_path: Path, weights) -> None:
    path = tmp_path / "objects.pt"
    torch.save({"given": Given(torch.zeros(3, 7)), "w": torch.zeros(2, 5)}, path)
    model = ADAPTER.read(from_path(path))
    assert {tuple(weight.shape) for weight in weights(model).values()} == {(3, 7), (2, 5)}
    torch.save({"strange": Strange(torch.zeros(3, 7)), "w": torch.zeros(2, 5)}, path)
    model = ADAPTER.read(from_path(path))
    assert {tuple(weight.shape) for weight in weights(model).values()} == {(2, 5)}
    assert [note.text for note in model.notes if "not counted" in note.text] == [
        "1 storage belongs to objects of an unknown form: not counted"
    ]


def test_shared_module_counts_once(tmp_path: Path, read, weights) -> None:
    inner = nn.Linear(3, 3)
    path = tmp_path / "a.pt"
    torch.save(nn.Sequential(inner, nn.ReLU(), inner), path)
    held = weights(read(path))
    assert held["0.weight"].storage == held["2.weight"].storage is not None


def test_a_class_with_settings_it_cannot_have(tmp_path: Path, read, layers) -> None:
    conv = nn.Conv2d(3, 5, 2)
    conv.kernel_size = "wide"
    conv.stride = (1, "x")
    path = tmp_path / "a.pt"
    torch.save(conv, path)
    (layer,) = layers(read(path)).values()
    assert layer.type == "Conv2d"


@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.filterwarnings("ignore")
def test_torchscript(tmp_path: Path, read, weights, layers, how: str) -> None:
    net = Block().eval()
    example = torch.zeros(1, 4, 9, 9)
    compiled = torch.jit.script(net) if how == "script" else torch.jit.trace(net, example)
    path = tmp_path / "net.pt"
    compiled.save(path)
    model = read(path)
    assert model.format == "torchscript"
    loaded = torch.jit.load(path)
    oracle = {name or "Block": module for name, module in loaded.named_modules()}
    found = layers(model)
    assert set(found) >= set(oracle) - {"act"}
    for name, module in oracle.items():
        if name in found:
            assert found[name].type == module.original_name
    held = weights(model)
    tensors = {**dict(loaded.named_parameters()), **dict(loaded.named_buffers())}
    assert {n: (w.shape, w.buffer) for n, w in held.items()} == {
        name: (tuple(tensor.shape), name in dict(loaded.named_buffers())) for name, tensor in tensors.items()
    }
    if how == "script":
        assert found["conv"].attributes["stride"] == (2, 2)
        assert found["conv"].attributes["groups"] == 2
        assert found["conv"].attributes["padding"] == ((1, 1), (2, 2))


@pytest.mark.parametrize("how", ["whole", "scripted"])
def test_weights_that_are_packed_for_a_kernel(tmp_path: Path, how: str) -> None:
    """A dynamically quantized linear layer has no parameters; its object holds weight and bias."""
    net = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(5, 7)), {nn.Linear})
    if how == "whole":
        torch.save(net, tmp_path / "net.pt")
    else:
        torch.jit.save(torch.jit.script(net), tmp_path / "net.pt")
    model = ADAPTER.read(from_path(tmp_path / "net.pt"))
    held = {weight.name: (weight.shape, weight.dtype) for layer in model.layers for weight in layer.weights}
    weight, bias = net.state_dict()["0._packed_params._packed_params"]
    assert held == {
        "0._packed_params._packed_params.0": (tuple(weight.shape), "qint8"),
        "0._packed_params._packed_params.1": (tuple(bias.shape), "float32"),
    }
    assert not any("holds no tensors" in note.text for note in model.notes)
