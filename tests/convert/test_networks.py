"""Whole networks moved from one framework into another: the same output, and no difference to be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shapeinspect

Close = Callable[[Any, Any], None]
NETWORKS = ["cnn", "tagger", "block"]


@pytest.mark.parametrize("name", NETWORKS)
def test_from_torch_into_keras(close: Close, nets: Any, name: str, tmp_path: Path) -> None:
    module, model, x = nets.random_torch(name), nets.random_keras(name), nets.example(name)
    report = shapeinspect.inspect(module, nets.torch.from_numpy(x))
    assert np.abs(nets.run_keras(model, x) - nets.run_torch(module, x)).max() > 1e-3
    path = str(tmp_path / "moved.safetensors")
    shapeinspect.normalize(report, path, to="keras")
    nets.load_keras(model, path)
    close(nets.run_keras(model, x), nets.run_torch(module, x))
    found = shapeinspect.diff(report, model, values=True)
    assert found.same, str(found)
    assert all(w.figures is not None for layer in found.layers for w in layer.weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_from_keras_into_torch(close: Close, nets: Any, name: str, tmp_path: Path) -> None:
    module, model, x = nets.random_torch(name), nets.random_keras(name), nets.example(name)
    saved = tmp_path / "model.keras"
    model.save(saved)
    path = str(tmp_path / "moved.safetensors")
    shapeinspect.normalize(saved, path, to="torch")
    nets.load_torch(module, path)
    close(nets.run_torch(module, x), nets.run_keras(model, x))
    found = shapeinspect.diff(saved, shapeinspect.inspect(module, nets.torch.from_numpy(x)), values=True)
    assert found.same, str(found)


def _permute(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Take (C H W) for (H W C), as a port does that forgets the flatten; C10 H4 W6."""
    units = array.shape[1]
    return array.reshape(4, 6, 10, units).transpose(2, 0, 1, 3).reshape(240, units)


def _roll_gates(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.roll(array, 7, axis=1)


def _swap_heads(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array[:, [1, 0, 2]]


@pytest.mark.parametrize(
    ("name", "layer", "spoil"),
    [("cnn", "hidden", _permute), ("tagger", "both", _roll_gates), ("block", "attention", _swap_heads)],
)
def test_a_permutation_left_out_is_found_in_its_layer_alone(
    nets: Any, name: str, layer: str, spoil: Any, tmp_path: Path
) -> None:
    module, model, x = nets.random_torch(name), nets.random_keras(name), nets.example(name)
    report = shapeinspect.inspect(module, nets.torch.from_numpy(x))
    path = str(tmp_path / "moved.safetensors")
    shapeinspect.normalize(report, path, to="keras")
    nets.load_keras(model, path)
    kernel = model.get_layer(layer).weights[0]
    kernel.assign(spoil(kernel.numpy()))
    for found in (
        shapeinspect.diff(report, model, values=True),
        shapeinspect.diff(model, report, values=True),
    ):
        wrong = {pair.a: [w.slot for w in pair.weights if w.status != "same"] for pair in found.layers if
                 pair.status != "same"}  # fmt: skip
        assert len(wrong) == 1
        assert list(wrong) == [layer]
        assert len(wrong[layer]) == 1
    assert shapeinspect.diff(report, model).same, "without the numbers there is nothing to see"


@pytest.mark.parametrize("name", NETWORKS)
def test_through_the_file_and_back_every_bit_is_the_same(nets: Any, name: str, tmp_path: Path) -> None:
    module, x = nets.random_torch(name), nets.example(name)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    there, back = str(tmp_path / "there.safetensors"), str(tmp_path / "back.safetensors")
    shapeinspect.normalize(shapeinspect.inspect(module, nets.torch.from_numpy(x)), there, to="keras")
    model = nets.random_keras(name)
    nets.load_keras(model, there)
    shapeinspect.normalize(model, back, to="torch")
    nets.load_torch(module, back)
    for key, value in module.state_dict().items():
        # Keras's LSTM holds the sum of the two biases: torch gets it in the first.
        if "both.bias_ih" in key:
            value, other = value + 0, before[key] + before[key.replace("bias_ih", "bias_hh")]  # noqa: PLW2901  # the value with its bias
            assert nets.torch.equal(value, other)
        elif "both.bias_hh" in key:
            assert not value.any()
        else:
            assert nets.torch.equal(value, before[key]), key
