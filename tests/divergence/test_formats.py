"""Models of every format that can be run, against the framework that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn

import shapeinspect
from shapeinspect.errors import UsageError
from shapeinspect.testing import assert_same_outputs


class Net(nn.Module):
    """C3 H9 W8: convolution and batch norm, which an exporter folds; two LSTMs over the columns."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.rnn = nn.LSTM(54, 5, num_layers=2, batch_first=True)
        self.out = nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        return self.out(self.rnn(x.permute(0, 3, 1, 2).flatten(2))[0])


def keras_net() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((9, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.DepthwiseConv2D((2, 3), name="depth")(x)
    return keras.Model(inputs, layers.Dense(4, name="out")(layers.GlobalAveragePooling2D()(x)))


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(1)
    made = Net().eval()
    with torch.no_grad():
        made.norm.running_mean.uniform_(-0.3, 0.3)
        made.norm.running_var.uniform_(0.4, 0.9)
    return made


def test_an_onnx_export_agrees_with_its_module(module: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    torch.onnx.export(module, (torch.rand(1, 3, 9, 8),), str(path), dynamo=False, input_names=["picture"])
    found = shapeinspect.diverge(path, module)
    assert found.same, str(found)
    assert {step.kind for step in found.steps if step.verdict == "same"} >= {"conv", "linear"}


def test_a_changed_initializer_is_found_in_its_layer(module: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    torch.onnx.export(module, (torch.rand(1, 3, 9, 8),), str(path), dynamo=False)
    with torch.no_grad():
        module.out.bias[2] += 0.5
    found = shapeinspect.diverge(module, path)
    assert found.found[0].step.a == "out"
    assert found.found[0].step.apart == pytest.approx(0.5, rel=1e-4)


def test_a_tflite_file_agrees_with_its_keras_model(tmp_path: Path) -> None:
    model = keras_net()
    path = tmp_path / "net.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    found = shapeinspect.diverge(model, path)
    assert found.same, str(found)
    assert {step.a for step in found.steps if step.verdict == "same"} >= {"conv", "depth", "out", "output"}


def test_an_archive_agrees_with_the_model_that_it_was_saved_from(tmp_path: Path) -> None:
    model = keras_net()
    model.save(tmp_path / "net.keras")
    assert_same_outputs(model, tmp_path / "net.keras")
    model.save(tmp_path / "net.h5")
    assert_same_outputs(model, tmp_path / "net.h5")
    kernel = model.get_layer("depth").kernel
    kernel.assign(kernel.numpy()[::-1])
    with pytest.raises(AssertionError) as caught:
        assert_same_outputs(model, tmp_path / "net.keras")
    assert 'they part at "depth"' in str(caught.value)


@pytest.mark.parametrize("name", ["net.weights.h5", "net.pt"])
def test_weights_alone_are_refused(module: nn.Module, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    keras_net().save_weights(path) if name.endswith("h5") else torch.save(module.state_dict(), path)
    with pytest.raises(UsageError) as caught:
        shapeinspect.diverge(path, module, input_b=(1, 3, 9, 8))
    assert "run" in str(caught.value)


def test_inputs_that_fit_in_no_order_are_refused(module: nn.Module) -> None:
    other: Any = keras.Sequential([keras.Input((9, 7, 3)), keras.layers.Conv2D(6, 3)])
    with pytest.raises(UsageError) as caught:
        shapeinspect.diverge(other, module, input_b=(1, 3, 9, 8))
    assert "in any order of its axes" in str(caught.value)
    assert not np.isnan(float(module(torch.zeros(1, 3, 9, 8)).sum()))


def test_the_layers_of_a_stack_stand_where_the_stack_runs(module: nn.Module) -> None:
    """Two single LSTMs against a stack of two: the last layer of the stack shows what the stack returns."""
    layers = keras.layers
    x = inputs = keras.Input((8, 54))
    for _ in range(2):
        x = layers.LSTM(5, return_sequences=True)(x)
    model = keras.Model(inputs, layers.Dense(4, name="out")(x))
    rows = nn.Sequential(module.rnn, _First(), module.out)
    found = shapeinspect.diverge(rows, model)
    assert [step.a for step in found.steps] == ["0.l0", "0.l1", "2", "output"]
    assert found.found[0].step.a == "0.l1"


class _First(nn.Module):
    def forward(self, given: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return given[0]


class TwoOutputs(nn.Module):
    """Two outputs, and layers that are called as these are."""

    def __init__(self) -> None:
        super().__init__()
        self.output_first, self.output_second = nn.Linear(5, 3), nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.output_first(x), self.output_second(torch.relu(x))


def test_layers_called_output_are_layers_and_several_outputs_agree() -> None:
    torch.manual_seed(3)
    one, other = TwoOutputs().eval(), TwoOutputs().eval()
    other.load_state_dict(one.state_dict())
    found = shapeinspect.diverge(one, other, (2, 5))
    assert found.verdict == "all 2 layers that could be compared agree, and so do the outputs"
    assert found.same
    other.output_second.weight.data[0] += 1
    found = shapeinspect.diverge(one, other, (2, 5))
    assert found.verdict.startswith('they part at "output_second": ')
    assert "  2 C4  " in str(found)
    assert "None" not in str(found)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path]]:
    """Each kind of file that is a program, and the live model that it is of."""
    folder = tmp_path_factory.mktemp("programs")
    torch.manual_seed(5)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 6, 5)).eval()
    example = torch.rand(1, 3, 9, 8)
    torch.export.save(torch.export.export(module, (example,)), folder / "net.pt2")
    torch.jit.trace(module, example).save(folder / "net.pt")
    model = keras_net()
    model.export(folder / "saved", verbose=False)
    called = keras.Sequential(
        [keras.Input((5,)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(3)]
    )
    called.save(folder / "lambda.keras")
    return {
        "net.pt2": (module, folder / "net.pt2"),
        "net.pt": (module, folder / "net.pt"),
        "saved": (model, folder / "saved"),
        "lambda.keras": (called, folder / "lambda.keras"),
    }


@pytest.mark.parametrize("name", ["net.pt2", "net.pt", "saved", "lambda.keras"])
def test_a_program_is_run_only_where_that_is_allowed(
    name: str, programs: dict[str, tuple[Any, Path]]
) -> None:
    model, path = programs[name]
    shape = (1, 3, 9, 8) if name.startswith("net") else None
    with pytest.raises(UsageError) as caught:
        shapeinspect.diverge(model, path, shape)
    assert "--run-code" in str(caught.value)
    assert "trust" in str(caught.value)
    found = shapeinspect.diverge(model, path, shape, run_code=True)
    assert found.same, str(found)
    inner = {step.a for step in found.steps if step.verdict == "same"} - {"output"}
    assert inner or name == "net.pt", "TorchScript alone shows nothing of what is inside"
    assert bool(inner) == (found.verdict != "the output agrees; no layer inside could be compared")


def test_a_changed_weight_is_found_inside_of_a_program(programs: dict[str, tuple[Any, Path]]) -> None:
    module, path = programs["net.pt2"]
    with torch.no_grad():
        module[3].bias[1] += 1
        found = shapeinspect.diverge(module, path, (1, 3, 9, 8), run_code=True)
        module[3].bias[1] -= 1
    assert found.found[0].step.a == "3", str(found)
    model, path = programs["saved"]
    bias = model.get_layer("out").bias
    bias.assign(bias.numpy() + 1)
    found = shapeinspect.diverge(model, path, run_code=True)
    bias.assign(bias.numpy() - 1)
    assert found.found[0].step.a == "out", str(found)


class Encoder(nn.Module):
    """Ids, a mask and token types, as text encoders take them."""

    def __init__(self) -> None:
        super().__init__()
        self.word, self.kinds = nn.Embedding(11, 6), nn.Embedding(2, 6)
        self.out = nn.Linear(6, 4)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        x = self.word(input_ids) + self.kinds(token_type_ids)
        scores = (x @ x.transpose(1, 2)).masked_fill(attention_mask[:, None] == 0, float("-inf"))
        return {"states": self.out(scores.softmax(-1) @ x)}


def test_ids_stay_below_their_table_and_a_mask_leaves_something(tmp_path: Path) -> None:
    torch.manual_seed(2)
    module = Encoder().eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    ones = tuple(torch.ones(2, 7, dtype=torch.int64) for _ in names)
    path = tmp_path / "encoder.onnx"
    torch.onnx.export(module, ones, str(path), dynamo=False, input_names=names, output_names=["states"])
    shapes = dict.fromkeys(names, "2,7:int64")
    for a, b, given in ((module, path, shapes), (path, module, None)):
        found = shapeinspect.diverge(a, b, given, input_b=None if given else shapes)
        assert found.same, str(found)
        assert not any(np.isnan(step.apart or 0) for step in found.steps)
