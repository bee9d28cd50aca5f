"""Layers that another framework has as several, or whose weights it cuts otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorflow.python.keras.saving.hdf5_format import preprocess_weights_for_loading

import shapeinspect

Close = Callable[[Any, Any], None]


class Separable(torch.nn.Module):
    """A separable convolution as torch has it: 3·2 maps of their own, then 5 sums over them."""

    def __init__(self, space: int) -> None:
        super().__init__()
        conv: Any = (torch.nn.Conv1d, torch.nn.Conv2d)[space - 1]
        kernel = (3, 2)[:space]
        self.sep = torch.nn.ModuleDict(
            {
                "depthwise": conv(3, 6, kernel, stride=2, groups=3, bias=False),
                "pointwise": conv(6, 5, 1),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sep["pointwise"](self.sep["depthwise"](x))


def separable(space: int) -> keras.Model:
    image = keras.Input((*(9, 8)[:space], 3))
    layer: Any = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)[space - 1]
    out = layer(5, (3, 2)[:space], strides=2, depth_multiplier=2, name="sep")(image)
    model = keras.Model(image, out)
    rng = np.random.default_rng(space)
    for weight in model.weights:
        weight.assign(rng.random(weight.shape) - 0.5)
    return model


@pytest.mark.parametrize("space", [1, 2])
def test_a_separable_convolution_is_two_layers_of_torch(close: Close, space: int, tmp_path: Path) -> None:
    model, module = separable(space), Separable(space).eval()
    path = tmp_path / "sep.safetensors"
    shapeinspect.normalize(model, path, to="torch")
    module.load_state_dict(load_file(path))
    x = np.random.default_rng(0).random((2, *(9, 8)[:space], 3), np.float32)
    given = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
    with torch.no_grad():
        out = np.moveaxis(module(given).numpy(), 1, -1)
    close(out, model(x).numpy())

    report = shapeinspect.inspect(module, given)
    for sides in ((report, model), (model, report)):
        found = shapeinspect.diff(*sides, values=True)
        assert found.same, str(found)
        assert [layer.kind for layer in found.layers] == ["conv", "conv"]
        assert all(
            w.figures is not None and w.figures.max_abs == 0 for la in found.layers for w in la.weights
        )

    with torch.no_grad():  # the outputs of one channel are turned around
        weight = module.sep["depthwise"].weight
        weight.copy_(weight[[1, 0, 2, 3, 4, 5]])
    found = shapeinspect.diff(model, shapeinspect.inspect(module, given), values=True)
    assert [layer.a for layer in found.layers if layer.status != "same"] == ["sep.depthwise"]
    changed = Separable(space)
    changed.sep["depthwise"].stride = (1,) * space
    found = shapeinspect.diff(shapeinspect.inspect(changed, given), model)
    (layer,) = [layer for layer in found.layers if layer.status != "same"]
    assert (layer.a, [setting.name for setting in layer.settings]) == ("sep.depthwise", ["stride"])


def test_onnx_has_it_as_two_layers_too(tmp_path: Path) -> None:
    model, path = separable(2), tmp_path / "sep.safetensors"
    shapeinspect.normalize(model, path, to="onnx")
    kernel, point, bias = (torch.from_numpy(weight.numpy()) for weight in model.weights)
    found = load_file(path)
    assert sorted(found) == ["sep.depthwise.W", "sep.pointwise.B", "sep.pointwise.W"]
    assert torch.equal(found["sep.depthwise.W"], kernel.permute(2, 3, 0, 1).reshape(6, 1, 3, 2))
    assert torch.equal(found["sep.pointwise.W"], point.permute(3, 2, 0, 1))
    assert torch.equal(found["sep.pointwise.B"], bias)
    shapeinspect.normalize(model, path, to="keras")
    assert sorted(load_file(path)) == ["sep/bias", "sep/depthwise_kernel", "sep/pointwise_kernel"]


def test_gates_that_are_stored_one_by_one_are_one_weight(close: Close, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"W": (5, 3), "U": (3, 3), "b": (3,)}
    arrays = {
        f"{role}_{gate}": rng.standard_normal(shape).astype("float32")
        for gate in "icfo"  # the order in which Keras 1 writes them
        for role, shape in shapes.items()
    }
    old, path = tmp_path / "old.h5", tmp_path / "new.safetensors"
    settings = {
        "name": "lstm", "output_dim": 3, "batch_input_shape": [None, 7, 5], "return_sequences": True,
        "activation": "tanh", "inner_activation": "sigmoid", "consume_less": "cpu",
    }  # fmt: skip
    with h5py.File(old, "w") as file:
        file.attrs["keras_version"] = "1.2.2"
        layers = [{"class_name": "LSTM", "config": settings}]
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"lstm"]
        held = group.create_group("lstm")
        held.attrs["weight_names"] = [f"lstm_{role}".encode() for role in arrays]
        for role, array in arrays.items():
            held[f"lstm_{role}"] = array

    # TensorFlow's own conversion of such a file, run by Keras.
    layer = keras.layers.LSTM(3, return_sequences=True)
    layer.build((None, 7, 5))
    kind = type("LSTM", (), {"weights": layer.weights})
    layer.set_weights(preprocess_weights_for_loading(kind(), list(arrays.values()), "1", None))
    x = rng.random((2, 7, 5), np.float32)

    shapeinspect.normalize(old, path, to="torch")
    module = torch.nn.Module()
    module.lstm = torch.nn.LSTM(5, 3, batch_first=True)
    module.load_state_dict(load_file(path))
    with torch.no_grad():
        out = module.lstm(torch.from_numpy(x))[0].numpy()
    close(out, layer(x).numpy())

    state = tmp_path / "new.pt"
    torch.save(module.state_dict(), state)
    found = shapeinspect.diff(old, state, values=True)
    assert found.same, str(found)
    (pair,) = found.layers
    names = {weight.slot: weight.a.names for weight in pair.weights if weight.a is not None}
    assert names["weight_ih.l0"] == ("lstm_W_i", "lstm_W_f", "lstm_W_c", "lstm_W_o")
    shapeinspect.normalize(old, path)
    assert load_file(path)["lstm.weight_ih.l0"].shape == (4, 3, 5)

    state_dict = module.state_dict()
    state_dict["lstm.weight_hh_l0"] = state_dict["lstm.weight_hh_l0"].roll(3, 0)
    torch.save(state_dict, state)
    (pair,) = shapeinspect.diff(old, state, values=True).layers
    assert [weight.slot for weight in pair.weights if weight.status != "same"] == ["weight_hh.l0"]
