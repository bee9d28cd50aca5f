"""Ports whose layers one side has as functions, by numbers alone, or taken apart; proven by the outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn
from torch.nn import functional

import shapeinspect
from shapeinspect.compare.granularity.directions import join_directions
from shapeinspect.ir import Layer, Layout, Weight

L: Any = keras.layers
Array = np.ndarray[Any, Any]


def drawn(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(8)
    for weight in model.weights:
        weight.assign(rng.random(tuple(weight.shape)) * 0.8 - 0.3)
    return model


def close(source: Any, target: nn.Module, x: torch.Tensor, wanted: Array, path: Path) -> str:
    """Move the weights by the script, compare the outputs, and return the script."""
    written = shapeinspect.normalize(source, path, like=target.eval(), input_like=x, script=True, strict=True)
    assert written.script is not None
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(written.script, "load.py", "exec"), space)  # the script that a user runs
    with torch.no_grad():
        got = space["load"](target)(x).numpy()
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
    return written.script


class Functions(nn.Module):
    """C3 H9 W8: two convolutions with pools that are functions of torch's."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 5, (3, 2)), nn.Conv2d(5, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.avg_pool2d(self.first(x), 3, 2, padding=1, count_include_pad=False)
        return self.second(functional.leaky_relu(x, 0.3))


def test_a_setting_of_a_function_is_a_comment_in_the_script(tmp_path: Path) -> None:
    x = inputs = keras.Input((9, 8, 3))
    x = L.AveragePooling2D(3, 2, padding="same")(L.Conv2D(5, (3, 2), name="first")(x))
    model = drawn(keras.Model(inputs, L.Conv2D(4, 1, name="second")(L.LeakyReLU()(x))))
    given = torch.rand(2, 3, 9, 8, generator=torch.Generator().manual_seed(2))
    target = Functions().eval()
    # H7 W7: "same" pads by 1 at both ends of each axis, as the function does.
    wanted = np.moveaxis(np.asarray(model(given.numpy().transpose(0, 2, 3, 1))), -1, 1)
    close(model, target, given, wanted, tmp_path / "w.safetensors")

    class Other(Functions):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = functional.avg_pool2d(self.first(x), 3, 2, padding=1)
            return self.second(functional.leaky_relu(x, 0.3))

    written = shapeinspect.normalize(
        model, tmp_path / "w.safetensors", like=Other().eval(), input_like=given, script=True
    )
    script = str(written.script)
    assert "count_include_pad is False in the source, True here: to be changed where F.avg_pool2d" in script
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(script, "load.py", "exec"), space)  # the script that a user runs
    space["load"](Other())


class Mixer(nn.Module):
    """T5 E6: an attention, and a feed-forward whose two kernels have the same two lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(6, 2, batch_first=True)
        self.wide, self.narrow = nn.Linear(6, 10), nn.Linear(10, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attend(x, x, x, need_weights=False)[0]
        return x + self.narrow(torch.tanh(self.wide(x)))


def mixer() -> keras.Model:
    x = inputs = keras.Input((5, 6))
    x = L.Add()([x, L.MultiHeadAttention(2, 3, name="heads")(x, x)])
    y = L.Dense(10, activation="tanh", name="a")(x)
    return drawn(keras.Model(inputs, L.Add()([x, L.Dense(6, name="b")(y)])))


@pytest.mark.parametrize("form", ["tflite", "weights.h5"])
def test_an_attention_of_a_file(form: str, tmp_path: Path) -> None:
    """TensorFlow Lite has it as products, a reshape and a sum; a weights file has numbers alone.

    Before, the products and biases of the one, and the two kernels of the other, were left where they are.
    """
    model, file = mixer(), tmp_path / f"m.{form}"
    if form == "tflite":
        file.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    else:
        model.save_weights(file)
    x = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(2))
    close(file, Mixer(), x, np.asarray(model(x.numpy())), tmp_path / "w.safetensors")


class Depth(nn.Module):
    """C3 H7 W6: a depthwise convolution of multiplier 2, whose groups Keras stores by a type of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.point = nn.Conv2d(3, 6, (3, 2), groups=3), nn.Conv2d(6, 5, 1)
        self.grouped = nn.Conv2d(5, 10, 1, groups=5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.grouped(torch.relu(self.point(torch.relu(self.depth(x)))))


def test_a_list_of_arrays_has_depthwise_kernels(tmp_path: Path) -> None:
    x = inputs = keras.Input((7, 6, 3))
    x = L.DepthwiseConv2D((3, 2), depth_multiplier=2, activation="relu")(x)
    x = L.Conv2D(5, 1, activation="relu")(x)
    model = drawn(keras.Model(inputs, L.Conv2D(10, 1, groups=5)(x)))
    np.savez(tmp_path / "w.npz", **{f"w{at}": array for at, array in enumerate(model.get_weights())})
    given = torch.rand(2, 3, 7, 6, generator=torch.Generator().manual_seed(2))
    wanted = np.moveaxis(np.asarray(model(given.numpy().transpose(0, 2, 3, 1))), -1, 1)
    close(tmp_path / "w.npz", Depth(), given, wanted, tmp_path / "w.safetensors")


def _gru(name: str, *suffixes: str) -> Layer:
    layout = {
        (slot, suffix): Layout("(gate o) i", "gate o i", sizes={"gate": 3}, slot=f"{slot}.l0{suffix}")
        for suffix in suffixes
        for slot in ("weight_ih", "weight_hh")
    }
    weights = tuple(
        Weight(f"{name}.{slot}{suffix}", slot, (12, 5 if slot == "weight_ih" else 4), layout=one)
        for (slot, suffix), one in layout.items()
    )
    return Layer(name, "gru", "GRU", tuple(name.split(".")), weights=weights)


@pytest.mark.parametrize(("names", "wanted", "noted"), [
    (("enc.b", "enc.f"), ("enc.f", "enc.b"), 0),
    (("enc.rtl", "enc.ltr"), ("enc.ltr", "enc.rtl"), 0),
    (("gru", "gru_b"), ("gru", "gru_b"), 1),
])  # fmt: skip
def test_a_letter_tells_a_direction(names: tuple[str, str], wanted: tuple[str, str], noted: int) -> None:
    joined = join_directions([_gru(name, "") for name in names], [_gru("both", "", ".reverse")])
    assert list(joined.members.values()) == [wanted]
    assert len(joined.notes) == noted


class Exported(nn.Module):
    """T5 E6: an attention and a slope for each channel, as the exporter by torch.export writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(6, 2, batch_first=True)
        self.slope, self.last = nn.PReLU(5), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.slope(x + self.attend(x, x, x, need_weights=False)[0]))


def test_an_attention_that_an_exporter_took_apart(tmp_path: Path) -> None:
    """The exporter by torch.export packs query, key and value in one product, under names of its own."""
    pytest.importorskip("onnxscript")
    module = Exported().eval()
    for key, tensor in module.state_dict().items():
        torch.nn.init.uniform_(tensor, -0.4, 0.5, generator=torch.Generator().manual_seed(len(key)))
    given = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(2))
    program = torch.onnx.export(module, (given,), dynamo=True, verbose=False)
    program.save(str(tmp_path / "m.onnx"))
    found = shapeinspect.diff(module, tmp_path / "m.onnx", True, input_a=given)
    assert found.same, str(found)
    x = inputs = keras.Input((5, 6))
    y = L.PReLU(shared_axes=[2], name="lean")(L.Add()([x, L.MultiHeadAttention(2, 3, name="heads")(x, x)]))
    model = drawn(keras.Model(inputs, L.Dense(4, name="end")(y)))
    with torch.no_grad():
        wanted = module(given).numpy()
    written = shapeinspect.normalize(
        tmp_path / "m.onnx", tmp_path / "w.safetensors", like=model, script=True, strict=True
    )
    space: dict[str, Any] = {"__name__": "load_weights"}
    exec(compile(str(written.script), "load.py", "exec"), space)  # the script that a user runs
    got = np.asarray(space["load"](model)(given.numpy()))
    assert np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
    # Two of its rows are exchanged: query for key.
    state = module.state_dict()["attend.in_proj_weight"]
    state[:12] = state[:12].roll(6, 0)
    found = shapeinspect.diff(module, tmp_path / "m.onnx", True, input_a=given)
    assert [str(pair.a) for pair in found.layers if pair.status != "same"] == ["attend"], str(found)
