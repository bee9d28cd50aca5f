"""Flat lists of arrays, such as ``get_weights()`` saved as .npz, against the model that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

import shapeinspect

Array = np.ndarray[Any, Any]


class Net(nn.Module):
    """C3 H6 W5: convolution, batch norm, flatten, linear; the Keras model below with the same sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 7, (3, 2))
        self.norm = nn.BatchNorm2d(7)
        self.head = nn.Linear(7 * 4 * 4, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.stem(x))).flatten(1))


def keras_net() -> keras.Model:
    layers = keras.layers
    x = inputs = keras.Input((6, 5, 3))
    x = layers.Conv2D(7, (3, 2), name="stem")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    return keras.Model(inputs, layers.Dense(9, name="head")(layers.Flatten()(x)))


def numbered(arrays: Sequence[Array]) -> dict[str, Array]:
    return {f"w{index}": array for index, array in enumerate(arrays)}


def plain(arrays: Sequence[Array]) -> dict[str, Array]:
    return {f"arr_{index}": array for index, array in enumerate(arrays)}


@pytest.mark.parametrize("named", [numbered, plain])
def test_the_weights_of_a_keras_model_pair_slot_by_slot(
    named: Callable[[Sequence[Array]], dict[str, Array]], tmp_path: Path
) -> None:
    model = keras_net()
    np.savez(tmp_path / "list.npz", **named(model.get_weights()))
    found = shapeinspect.diff(tmp_path / "list.npz", model, values=True)
    assert found.same, str(found)
    assert [layer.b for layer in found.layers if layer.weights] == ["stem", "norm", "head"]
    assert "in the order in which keras lists them" in str(found).replace("\n      ", " ")
    model.get_layer("head").bias.assign(model.get_layer("head").bias + 0.5)
    found = shapeinspect.diff(tmp_path / "list.npz", model, values=True)
    assert {layer.b for layer in found.layers if layer.status == "differs"} == {"head"}


def test_a_list_of_another_framework_is_taken_in_its_order(tmp_path: Path) -> None:
    model, module = keras_net(), Net().eval()
    shapeinspect.normalize(model, tmp_path / "w.safetensors", like=module)
    from safetensors.torch import load_file

    module.load_state_dict(load_file(tmp_path / "w.safetensors"), strict=False)
    np.savez(tmp_path / "list.npz", *model.get_weights())
    found = shapeinspect.diff(tmp_path / "list.npz", shapeinspect.inspect(module, (1, 3, 6, 5)), values=True)
    assert {layer.b: layer.status for layer in found.layers if layer.weights}["stem"] == "same"
    assert "in the order in which keras lists them" in str(found).replace("\n      ", " ")


def test_one_array_of_other_lengths_is_a_difference_and_not_another_order(tmp_path: Path) -> None:
    model = keras_net()
    arrays = model.get_weights()
    arrays[0] = arrays[0].transpose(1, 0, 2, 3)
    np.savez(tmp_path / "list.npz", *arrays)
    found = shapeinspect.diff(tmp_path / "list.npz", model)
    assert {layer.b: layer.status for layer in found.layers if layer.weights} == {
        "stem": "differs", "norm": "same", "head": "same",
    }  # fmt: skip


def test_names_that_say_something_are_no_list(tmp_path: Path) -> None:
    np.savez(tmp_path / "named.npz", **{f"w{index}": np.zeros((index + 2, 3)) for index in (0, 2, 5)})
    found = shapeinspect.diff(tmp_path / "named.npz", Net())
    assert not any("have no names" in note.text for note in found.comparison.notes)
