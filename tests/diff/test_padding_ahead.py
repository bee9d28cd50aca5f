"""A padding that stands ahead as a layer of its own is the layer's padding, by the outputs of both models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # the field's name

import shapeinspect

L: Any = keras.layers


class Stem(nn.Module):
    """C3 H10 W13: a convolution and a pool that pad by themselves, then a head."""

    def __init__(self, padding_mode: str = "zeros") -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, (5, 3), stride=2, padding=(2, 1), padding_mode=padding_mode)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv(x)), 3, 2, padding=1)
        return self.head(x.mean((2, 3)))


def stem(ends: tuple[tuple[int, int], tuple[int, int]] = ((2, 2), (1, 1))) -> keras.Model:
    """The same in Keras, where the padding stands ahead."""
    x = inputs = keras.Input((10, 13, 3))
    x = L.Conv2D(6, (5, 3), strides=2, activation="relu", name="conv")(L.ZeroPadding2D(ends)(x))
    x = L.MaxPooling2D(3, 2)(L.ZeroPadding2D(1)(x))
    return keras.Model(inputs, L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x)))


def loaded(source: Any, target: Any, path: Path, **given: Any) -> Any:
    written = shapeinspect.normalize(source, path, like=target, script=True, **given)
    assert written.script is not None
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(written.script, "load.py", "exec"), space)  # the script that a user runs
    return space["load"](target)


def settings(a: Any, b: Any, **given: Any) -> dict[str, tuple[str, str]]:
    found = shapeinspect.diff(a, b, **given)
    return {setting.name: (setting.a, setting.b) for pair in found.layers for setting in pair.settings}


PICTURE = np.random.default_rng(5).normal(size=(2, 3, 10, 13)).astype("float32")


def test_padding_layers_of_keras_are_the_padding_of_torch(tmp_path: Path) -> None:
    torch.manual_seed(4)
    module, model = Stem().eval(), stem()
    assert settings(module, model, input_a=(1, 3, 10, 13)) == {}
    assert loaded(module, model, tmp_path / "w.safetensors", input=(1, 3, 10, 13)) is model
    there = model(PICTURE.transpose(0, 2, 3, 1)).numpy()
    here = module(torch.from_numpy(PICTURE)).detach().numpy()
    np.testing.assert_allclose(there, here, atol=1e-6)

    other = Stem().eval()
    loaded(model, other, tmp_path / "back.safetensors", input_like=(1, 3, 10, 13))
    np.testing.assert_allclose(other(torch.from_numpy(PICTURE)).detach().numpy(), here, atol=1e-6)


def test_another_amount_ahead_is_found_and_set(tmp_path: Path) -> None:
    torch.manual_seed(4)
    model, module = stem(((3, 1), (0, 2))), Stem().eval()
    assert settings(module, model, input_a=(1, 3, 10, 13)) == {"padding": ("2+2 × 1+1", "3+1 × 0+2")}
    loaded(model, module, tmp_path / "w.safetensors", input_like=(1, 3, 10, 13))
    np.testing.assert_allclose(
        module(torch.from_numpy(PICTURE)).detach().numpy(),
        model(PICTURE.transpose(0, 2, 3, 1)).numpy(),
        atol=1e-6,
    )


@pytest.mark.parametrize("how", ["reflect", "replicate"])
def test_a_padding_of_another_mode_is_that_of_its_export(how: str, tmp_path: Path) -> None:
    """The exporter writes a Pad ahead, whose amounts the graph computes."""
    torch.manual_seed(4)
    module, path = Stem(how).eval(), tmp_path / "stem.onnx"
    torch.onnx.export(module, (torch.from_numpy(PICTURE),), str(path), dynamo=False, opset_version=20)
    assert settings(module, path, input_a=(2, 3, 10, 13)) == {}
    assert settings(Stem(), path, input_a=(2, 3, 10, 13)) == {"padding_mode": ("zeros", how)}


def test_zeros_around_numbers_below_zero_are_not_those_of_a_maximum() -> None:
    """A pool of maxima pads by what is never one: zeros ahead of it change the corners of negative maps."""

    class Pool(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 6, (5, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.max_pool2d(self.conv(x), 3, 2, padding=1)

    x = inputs = keras.Input((10, 13, 3))
    x = L.MaxPooling2D(3, 2)(L.ZeroPadding2D(1)(L.Conv2D(6, (5, 3), name="conv")(x)))
    found = settings(Pool(), keras.Model(inputs, x), input_a=(1, 3, 10, 13))
    assert found["padding"] == ("1+1", "0+0")


def test_functions_inside_of_a_recurrent_layer_are_compared_with_its_export(tmp_path: Path) -> None:
    class Steps(nn.Module):
        def __init__(self, function: str) -> None:
            super().__init__()
            self.rnn = nn.RNN(3, 5, nonlinearity=function, bidirectional=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.rnn(x)[0]

    path = tmp_path / "rnn.onnx"
    torch.onnx.export(Steps("relu").eval(), (torch.rand(7, 2, 3),), str(path), dynamo=False)
    assert settings(Steps("relu"), path, input_a=(7, 2, 3)) == {}
    assert settings(Steps("tanh"), path, input_a=(7, 2, 3)) == {"cell_function": ("tanh", "relu")}


def test_ways_to_resize_and_to_pad_have_one_name_in_all_frameworks(tmp_path: Path) -> None:
    class Up(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 6, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.interpolate(self.conv(x), scale_factor=2, mode="bilinear")
            x = F.interpolate(F.softplus(x), scale_factor=2, mode="bicubic", align_corners=True)
            return F.grid_sample(
                x, x[:, :2, :7, :5].permute(0, 2, 3, 1), padding_mode="border", align_corners=False
            )

    module, path = Up().eval(), tmp_path / "up.onnx"
    torch.onnx.export(module, (torch.from_numpy(PICTURE),), str(path), dynamo=False, opset_version=20)
    assert settings(module, path, input_a=(2, 3, 10, 13)) == {}
