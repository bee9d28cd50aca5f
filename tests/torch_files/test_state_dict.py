"""A state dict in memory is read as the file that torch.save makes of it, and nothing in it changes."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import shapeinspect
from shapeinspect import Report, UsageError
from shapeinspect.api.debugging import fits
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import from_object, from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER

pytestmark = pytest.mark.filterwarnings(
    "ignore:Sparse CSR", "ignore:The PyTorch API of nested", "ignore:torch.quantize"
)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(11, 13)
        self.conv = nn.Conv2d(3, 5, (2, 4))
        self.bn = nn.BatchNorm2d(5)
        self.lstm = nn.LSTM(3, 7)
        self.head = nn.Linear(13, 11, bias=False)
        self.head.weight = self.emb.weight


def sparse() -> dict[str, torch.Tensor]:
    return {"fc.weight": torch.eye(3, 5).to_sparse(), "rows.weight": torch.eye(3, 7).to_sparse_csr()}


def optimizer(net: nn.Module) -> dict[str, Any]:
    adam = torch.optim.Adam(net.parameters())
    sum(parameter.sum() for parameter in net.parameters()).backward()
    adam.step()
    return adam.state_dict()


def training() -> dict[str, Any]:
    net = Net()
    average = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    return {"state_dict": net.state_dict(), "ema": average, "optimizer": optimizer(net), "epoch": 3}


HELD: list[tuple[str, Callable[[], Any]]] = [
    ("plain", lambda: Net().state_dict()),
    ("parameters", lambda: dict(Net().named_parameters())),
    ("nested", lambda: {"state_dict": Net().state_dict(), "epoch": 3}),
    ("model", lambda: {"model": Net().state_dict(), "args": {"lr": 0.1}}),
    ("training", training),
    ("two deep", lambda: {"checkpoint": {"model": Net().state_dict()}, "version": "2"}),
    ("module.", lambda: {f"module.{name}": tensor for name, tensor in Net().state_dict().items()}),
    ("half", lambda: {name: tensor.half() for name, tensor in Net().state_dict().items()}),
    ("numbers", lambda: {"a": [torch.zeros(3), torch.zeros(5)], "b": {7: torch.zeros(2, 3)}}),
    ("arrays", lambda: {"fc.weight": np.zeros((3, 5), "float32"), "fc.bias": np.zeros(3, "float32")}),
    ("views", lambda: dict(zip("abc", torch.arange(24.0).view(2, 3, 4).unbind(2), strict=False))),
    ("sparse", sparse),
]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any], Report]:
    """The report of the file that torch.save makes of an object."""

    def save(held: Any) -> Report:
        torch.save(held, tmp_path / "held.pt")
        return shapeinspect.inspect(tmp_path / "held.pt")

    return save


@pytest.mark.parametrize("make", [make for _, make in HELD], ids=[name for name, _ in HELD])
def test_it_is_read_as_its_file_is(make: Callable[[], Any], saved: Callable[[Any], Report]) -> None:
    held = make()
    live, file = shapeinspect.inspect(held), saved(held)
    assert live.to_dict()["layers"] == file.to_dict()["layers"]
    assert live.totals == file.totals
    assert len(live) > 0
    for ours, theirs in zip(live, file, strict=True):
        for weight, other in zip(ours.weights, theirs.weights, strict=True):
            if other.values is not None:  # the numbers of arrays in a pickle are not read
                assert weight.values is not None
                np.testing.assert_array_equal(weight.values(), other.values())


def test_the_kinds_and_the_tie() -> None:
    report = shapeinspect.inspect(Net().state_dict())
    kinds = {layer.path: layer.kind for layer in report}
    assert (kinds["conv"], kinds["bn"], kinds["lstm"]) == ("conv", "batch_norm", "lstm")
    assert report.totals.params == sum(parameter.numel() for parameter in Net().parameters())
    assert (report.model.format, report.model.source, report.model.adapter) == (
        "state-dict",
        "OrderedDict",
        "torch",
    )
    assert [note.text for note in report.notes if "weights only" in note.text]


def test_what_stands_beside_the_model_is_named() -> None:
    notes = [note.text for note in shapeinspect.inspect(training()).notes]
    [text] = [text for text in notes if text.startswith('shown is "state_dict"; the state dict also holds ')]
    assert '"ema" (768 values in 13 tensors)' in text
    assert '"optimizer"' in text
    assert not any("the file" in text for text in notes)


def test_a_state_dict_on_the_meta_device() -> None:
    with torch.device("meta"):
        meta = Net().state_dict()
    live, real = shapeinspect.inspect(meta), shapeinspect.inspect(Net().state_dict())
    assert live.to_dict()["layers"] == real.to_dict()["layers"]
    assert all(weight.values is None for layer in live for weight in layer.weights)


def test_lazy_nested_and_quantized_tensors() -> None:
    jagged = torch.nested.nested_tensor([torch.zeros(2, 3), torch.zeros(4, 3)])
    quantized = torch.quantize_per_tensor(torch.zeros(3, 5), 0.1, 0, torch.qint8)
    held = {
        "lazy": nn.LazyLinear(3).weight,
        "jagged": jagged,
        "fc.weight": quantized,
        "fc.bias": torch.zeros(3),
    }
    weights = {weight.name: weight for layer in shapeinspect.inspect(held) for weight in layer.weights}
    assert weights.keys() == {"jagged", "fc.weight", "fc.bias"}
    assert (weights["jagged"].size, len(weights["jagged"].shape)) == (18, 3)
    assert (weights["fc.weight"].dtype, weights["fc.weight"].nbytes) == ("qint8", 15)


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float16", "complex64"])
def test_numbers_of_every_width(dtype: str) -> None:
    tensor = torch.tensor([[1.0, -2.0, 0.5]]).to(getattr(torch, dtype))
    [weight] = shapeinspect.inspect({"fc.weight": tensor.T})[0].weights
    assert weight.values is not None
    values = weight.values()
    assert (weight.dtype, values.dtype.name, values.shape) == (dtype, dtype, (3, 1))
    assert values.astype("complex64").ravel().tolist() == [1.0, -2.0, 0.5]


def test_a_tensor_without_numbers() -> None:
    with FakeTensorMode():
        held = {"fc.weight": torch.zeros(3, 5)}
    [weight] = shapeinspect.inspect(held)[0].weights
    assert (weight.shape, weight.dtype, weight.nbytes, weight.values) == ((3, 5), "float32", 60, None)


def snapshot(held: Any) -> Any:
    """Everything that reading must not change."""
    if isinstance(held, Mapping):
        return [(key, snapshot(value)) for key, value in held.items()]
    if isinstance(held, torch.Tensor):
        return (id(held), held._version, held.requires_grad, held.tolist())
    return (id(held), held.tolist()) if isinstance(held, np.ndarray) else repr(held)


@pytest.mark.parametrize("make", [make for _, make in HELD if make is not sparse][:7])
def test_nothing_changes(make: Callable[[], Any]) -> None:
    held = make()
    before = snapshot(held)
    shapeinspect.inspect(held).to_text()
    assert snapshot(held) == before


def test_any_mapping(saved: Callable[[Any], Report]) -> None:
    state = Net().state_dict()
    expected = saved(state).to_dict()["layers"]
    for held in (MappingProxyType(state), OrderedDict(state), {"model": MappingProxyType(state)}):
        assert shapeinspect.inspect(held).to_dict()["layers"] == expected


def test_arrays_of_texts_and_objects_are_no_weights() -> None:
    report = shapeinspect.inspect({"a": np.array("x"), "b": np.array([None]), "fc.weight": np.zeros((3, 5))})
    assert list(report.keys()) == ["fc"]
    empty = shapeinspect.inspect({"a": np.array("x")})
    assert len(empty) == 0
    assert "the state dict holds no tensors" in [note.text for note in empty.notes]


@pytest.mark.parametrize("held", [{}, {"lr": 0.1}, {"model": {"epoch": 3}}, [torch.zeros(3)]])
def test_what_holds_no_tensor_is_no_state_dict(held: object) -> None:
    with pytest.raises(UsageError, match="no installed adapter reads") as caught:
        shapeinspect.inspect(held)
    assert "a live state dict" in (caught.value.hint or "")


def test_one_that_holds_itself_or_two_of_a_name() -> None:
    held: dict[str, Any] = {"a.b": torch.zeros(3), "a": {"b": torch.zeros(5)}}
    with pytest.raises(UnreadableFileError, match=r"two of its tensors are named 'a\.b'"):
        shapeinspect.inspect(held)
    held = {"a": torch.zeros(3)}
    held["self"] = held
    with pytest.raises(UnreadableFileError, match="nested deeper"):
        shapeinspect.inspect(held)
    deep: Any = torch.zeros(3)
    for _ in range(200):
        deep = [deep]
    with pytest.raises(UsageError, match="nested deeper than 100"):
        shapeinspect.inspect({"deep": deep})


def test_arrays_alone_import_no_torch() -> None:
    code = """
import sys
import numpy as np
import shapeinspect
report = shapeinspect.inspect({"fc.weight": np.zeros((3, 5)), "fc.bias": np.zeros(3)})
print(report["fc"].kind, report["fc"].in_features, "torch" in sys.modules)
print([note.text for note in report.notes if "framework" in note.text])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kind, notes = done.stdout.splitlines()
    assert kind == "linear 5 False"
    assert "read as PyTorch's" in notes


def test_a_state_dict_is_compared_with_the_module_it_is_loaded_into() -> None:
    net = Net()
    found = shapeinspect.diff(net.state_dict(), net, values=True)
    assert found.refusal is not None
    assert found.refusal.refused == 0
    state = net.state_dict()
    state["conv.weight"] = torch.zeros(5, 3, 4, 2)
    found = shapeinspect.diff(state, net)
    assert found.refusal is not None
    assert [one.key for one in found.refusal.mismatched] == ["conv.weight"]


def test_the_adapter_takes_state_dicts_and_no_other_objects() -> None:
    assert ADAPTER.match(from_object(Net().state_dict())) == 2
    assert ADAPTER.match(from_object(Net())) == 0
    assert ADAPTER.match(from_object("text")) == 0
    assert ADAPTER.match(from_path("pyproject.toml")) == 0


def test_a_state_dict_has_no_shapes_to_check() -> None:
    with pytest.raises(UsageError, match="has no graph, so its calls cannot be checked") as caught:
        fits(Net().state_dict())
    assert caught.value.got == "weights alone (state-dict)"
    assert fits(Net().state_dict(), graph=False).diagnosis is None
