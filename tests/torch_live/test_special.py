"""Modules that are more than they seem: parametrized, quantized, wrapped, overridden, patched."""

from __future__ import annotations

import copy
import math
import re
import types
from typing import Any

import jsonschema
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import shapeinspect
from shapeinspect import schema


def _shapes(found: Any) -> dict[str, tuple[int, ...]]:
    return {weight.name: weight.shape for layer in found.layers for weight in layer.weights}


@pytest.mark.parametrize(
    "apply",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        lambda layer: nn.utils.prune.l1_unstructured(layer, "weight", 0.5),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_parametrized_layer_is_still_that_layer(apply: Any, check: Any) -> None:
    import torch.nn.utils.prune

    model = nn.Sequential(
        apply(nn.Conv2d(4, 6, (2, 3), groups=2)), nn.ReLU(), apply(nn.ConvTranspose2d(6, 4, 3))
    )
    found = check(model, torch.randn(2, 4, 7, 9), skip=("0.param", "2.param"))
    assert [layer.type for layer in found.layers] == ["Conv2d", "ReLU", "ConvTranspose2d"]
    assert [layer.kind for layer in found.layers] == ["conv", "activation", "conv_transpose"]
    assert _shapes(found) == {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    main = next(w for w in found.layers[0].weights if w.shape == (6, 2, 2, 3) and "mask" not in w.name)
    assert main.layout is not None
    assert main.layout.native == "o i kh kw"


class Doubled(nn.Conv2d):
    """Only its construction differs."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 2 * channels, 3)


class Standardized(nn.Conv2d):
    """Its forward is its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def test_subclasses_are_the_layer_unless_their_forward_is_their_own(check: Any) -> None:
    found = check(nn.Sequential(Doubled(3), Standardized(6, 5, 3)), torch.randn(2, 3, 9, 11))
    rows = [(layer.path, layer.kind, layer.type) for layer in found.layers]
    assert rows == [
        ("0", "conv", "Doubled"),
        ("1", "module", "Standardized"),
        ("1.mean", "reduce", "Tensor.mean"),
        ("1.sub", "elementwise", "Tensor.sub"),
        ("1.conv2d", "conv", "F.conv2d"),
    ]
    assert found.layers[0].weights[0].layout is not None
    assert {weight.role for weight in found.layers[1].weights} == {"weight", "bias"}


def test_a_patched_forward_runs_on_the_copy(check: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 6))

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.seen = x
        return F.linear(x, self.weight) + 1

    model[1].forward = types.MethodType(forward, model[1])
    found = check(model, torch.randn(3, 4))
    del model[1].seen  # the real forward of the check wrote it
    assert [layer.kind for layer in found.layers] == ["linear", "module", "linear", "elementwise"]
    check_again = check(model, torch.randn(3, 4))
    assert check_again.layers == found.layers


def test_wrappers_are_taken_off(read: Any) -> None:
    inner = nn.Sequential(nn.Linear(4, 5))
    for wrapped, name in (
        (nn.DataParallel(inner), "DataParallel"),
        (torch.compile(inner), "OptimizedModule (torch.compile)"),
    ):
        found = read(wrapped, (3, 4))
        assert [layer.path for layer in found.layers] == ["0"]
        assert f"shown without the {name} around it" in [note.text for note in found.notes]
    outer = nn.Sequential(nn.DataParallel(inner), nn.ReLU())
    found = read(outer, (3, 4))
    assert found.values[found.outputs[0]].shape == (3, 5)
    assert "0.module.0.weight" in _shapes(found)


def test_a_wrapped_model_is_debugged_and_explained_as_it_was() -> None:
    inner = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(6, 7))
    fitting = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(315, 7))
    x = torch.randn(2, 3, 9, 11)
    for wrap in (nn.DataParallel, lambda model: torch.compile(model, backend="eager")):
        with pytest.raises(RuntimeError) as caught:
            shapeinspect.debug(wrap(inner), x)
        notes = "\n".join(caught.value.__notes__)
        assert 'layer "2" (linear)' in notes
        assert "in_features=315" in notes
        explained = shapeinspect.explain(wrap(fitting), "2", x)
        (note,) = explained.notes
        assert re.fullmatch(
            r"shown without the (DataParallel|OptimizedModule \(torch.compile\)) around it", note
        )
        plain = shapeinspect.explain(fitting, "2", x)
        assert explained.to_text() == f"{plain.to_text()}\n\nnote      {note}"
        assert explained.to_dict() == {**plain.to_dict(), "source": explained.source, "notes": [note]}
        jsonschema.validate(explained.to_dict(), schema.load("explain"))


class Branched(nn.Module):
    """Its code holds what a run of one input would not show."""

    def __init__(self) -> None:
        super().__init__()
        self.c, self.n, self.h = nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x = x * 2
        return self.h(torch.relu(self.n(self.c(x))).mean((2, 3)))


@pytest.mark.parametrize(
    "scripted",
    [
        torch.jit.script,
        lambda model: torch.jit.trace(model, torch.randn(2, 3, 8, 9)),
        lambda model: copy.deepcopy(torch.jit.script(model)),
        lambda model: copy.deepcopy(torch.jit.trace(model, torch.randn(2, 3, 8, 9))),
    ],
    ids=["script", "trace", "copied script", "copied trace"],
)
def test_a_live_script_is_read_from_its_code(scripted: Any) -> None:
    model = scripted(Branched().eval())
    before = copy.deepcopy(model.state_dict())
    found = shapeinspect.inspect(model, (2, 3, 8, 9)).model
    layers = [(layer.path, layer.kind) for layer in found.layers if layer.kind != "module"]
    assert layers == [
        ("c", "conv"), ("n", "batch_norm"), ("relu", "activation"), ("mean", "reduce"), ("h", "linear"),
    ]  # fmt: skip
    assert {name: tuple(tensor.shape) for name, tensor in before.items()} == _shapes(found)
    x = torch.randn(2, 3, 8, 9)
    assert [found.values[name].shape for name in found.outputs] == [tuple(model(x).shape)]
    assert shapeinspect.inspect(model, x).model.values == found.values
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_frozen_live_script_is_read_from_its_code() -> None:
    model = torch.jit.freeze(torch.jit.script(Branched().eval()))
    found = shapeinspect.inspect(model, (2, 3, 8, 9)).model
    assert [found.values[name].shape for name in found.outputs] == [(2, 5)]
    assert sum(math.prod(shape) for shape in _shapes(found).values()) == 4 * 27 + 4 + 4 * 5 + 5


def test_torchscript_inside_a_model_is_run_and_not_looked_into(read: Any) -> None:
    found = read(nn.Sequential(torch.jit.script(nn.Linear(4, 5)), nn.ReLU()), (3, 4))
    assert [(layer.path, layer.kind) for layer in found.layers] == [("0", "linear"), ("1", "activation")]
    assert found.values[found.outputs[0]].shape == (3, 5)
    assert found.notes == ()


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("traced", [False, True])
def test_a_script_inside_a_model_is_one_call(traced: bool, copied: bool) -> None:
    inner = Branched().eval()
    example = torch.randn(2, 3, 8, 9)
    script = torch.jit.trace(inner, example) if traced else torch.jit.script(inner)
    model = nn.Sequential(nn.Identity(), script, nn.Softmax(-1))
    model = copy.deepcopy(model) if copied else model
    for given in ((2, 3, 8, 9), example):
        report = shapeinspect.inspect(model, given)
        found = report.model
        (call,) = (call for call in found.calls if call.layer == "1")
        assert [found.values[name].shape for name in (*call.inputs, *call.outputs)] == [(2, 3, 8, 9), (2, 5)]
        assert [found.values[name].shape for name in found.outputs] == [(2, 5)]
        assert {layer.path for layer in found.layers} == {"0", "1", "1.c", "1.n", "1.h", "2"}
        assert report.totals.params == sum(weight.numel() for weight in inner.parameters())


def test_a_module_that_holds_itself_ends(read: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 5))
    model[0].owner = model
    del model[0]._modules["owner"]
    model[0].__dict__["owner"] = model
    found = read(model, (3, 4))
    assert [layer.path for layer in found.layers] == ["0"]


def test_modules_never_called_stand_at_the_end_of_their_container(read: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(2, 3)
            self.block = nn.Sequential(nn.Linear(4, 5))
            self.block.spare = nn.Sequential(nn.Linear(6, 7))
            self.block.forward = self.block[0].forward

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.block[0](x))

    found = read(Net(), (3, 4))
    assert [layer.path for layer in found.layers] == [
        "block",
        "block.0",
        "block.spare",
        "block.spare.0",
        "relu",
        "spare",
    ]
    assert 'never called in this forward: "spare", "block.spare", "block.spare.0"' in [
        n.text for n in found.notes
    ]


def test_modules_in_a_plain_list_are_followed(read: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(4, 5), nn.Linear(5, 6)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = layer(x)
            return x

    found = read(Net(), (3, 4))
    assert [layer.type for layer in found.layers] == ["F.linear", "F.linear"]
    assert found.notes[0].text.startswith("2 modules (Linear) are kept in a plain list")
    assert found.values[found.outputs[0]].shape == (3, 6)


def test_batch_norm_takes_a_batch_of_one_in_training(read: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)).train()
    assert read(model, (1, 4)).values["v2"].shape == (1, 5)


def test_packed_sequences_go_through_a_recurrent_layer(check: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 6, 2, bidirectional=True, batch_first=True)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> Any:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            out, _ = self.lstm(packed)
            return nn.utils.rnn.pad_packed_sequence(out, batch_first=True)[0]

    check(Net(), torch.randn(3, 9, 4), torch.tensor([9, 5, 2]))


def test_quantized_layers_are_named_and_traced() -> None:
    from shapeinspect.sources.source import from_object, with_inputs
    from shapeinspect_torch.adapters.live import ADAPTER

    nnq = torch.ao.nn.quantized
    model = nn.Sequential(
        nnq.Quantize(0.1, 0, torch.quint8),
        nnq.Conv2d(3, 4, (2, 3), stride=2),
        nnq.ReLU6(),
        nn.Flatten(),
        nnq.Linear(48, 5),
        nnq.DeQuantize(),
        nnq.dynamic.Linear(5, 6),
    )
    found = ADAPTER.read(with_inputs(from_object(model), (2, 3, 6, 9)))
    rows = {layer.path: (layer.kind, layer.type) for layer in found.layers}
    assert rows == {
        "0": ("quantize", "quantized.Quantize"),
        "1": ("conv", "quantized.Conv2d"),
        "2": ("activation", "quantized.ReLU6"),
        "3": ("flatten", "Flatten"),
        "4": ("linear", "quantized.Linear"),
        "5": ("dequantize", "quantized.DeQuantize"),
        "6": ("linear", "quantized.dynamic.Linear"),
    }
    assert found.values[found.outputs[0]].shape == (2, 6)
    weights = {w.name: (w.shape, w.dtype) for layer in found.layers for w in layer.weights}
    assert weights["1.weight"] == ((4, 3, 2, 3), "qint8")
    assert weights["6.weight"] == ((6, 5), "qint8")
    by_name = {w.name: w for layer in found.layers for w in layer.weights}
    assert (by_name["4.weight"].values() == model[4].weight().dequantize().numpy()).all()
    assert any("quantized" in note.text for note in found.notes)
