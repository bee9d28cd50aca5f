"""A layer of every class with weights is the same in ``.keras`` and ``.weights.h5``, which numbers them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shapeinspect

#: For each class its options and the shape of its input.
LAYERS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "depthwise": ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, (11, 5)),
    "separable": ("SeparableConv2D", {"filters": 7, "kernel_size": (3, 2)}, (11, 12, 5)),
    "separable, wider": ("SeparableConv1D", {"filters": 7, "kernel_size": 3, "depth_multiplier": 2}, (11, 5)),
    "einsum": (
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": (None, 7, 3), "bias_axes": "de"},
        (9, 5),
    ),
}


def test_a_gru_without_a_bias_does_not_tell_where_its_reset_gate_stands(tmp_path: Path) -> None:
    from keras import layers as k

    _saved(tmp_path, k.GRU(7, reset_after=False, use_bias=False), shape=(9, 5))
    assert shapeinspect.diff(tmp_path / "model.keras", tmp_path / "model.weights.h5", values=True).same


def test_a_normalized_layer_is_one_layer(tmp_path: Path) -> None:
    from keras import layers as k

    model = _saved(tmp_path, k.SpectralNormalization(k.Conv2D(7, 3)), k.Conv2D(3, 2), shape=(9, 8, 5))
    assert shapeinspect.diff(tmp_path / "model.keras", tmp_path / "model.weights.h5", values=True).same
    report = shapeinspect.inspect(tmp_path / "model.weights.h5")
    assert report.totals.params == model.count_params()


def _saved(folder: Path, *layers: Any, shape: tuple[int, ...]) -> Any:
    import keras

    model = keras.Sequential([keras.Input(shape), *layers])
    for seed, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(seed).random(weight.shape))
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    return model


@pytest.mark.parametrize("case", LAYERS)
def test_a_layer_is_that_of_the_weights(case: str, tmp_path: Path) -> None:
    import keras

    kind, options, shape = LAYERS[case]
    _saved(tmp_path, getattr(keras.layers, kind)(**options), shape=shape)
    assert shapeinspect.diff(tmp_path / "model.keras", tmp_path / "model.weights.h5", values=True).same


def test_layers_of_one_shape_are_told_apart_by_their_names_and_values(tmp_path: Path) -> None:
    from keras import layers as k

    steps = [k.SeparableConv2D(5, 3), k.SeparableConv2D(5, 3), k.DepthwiseConv2D(3), k.DepthwiseConv2D(3)]
    model = _saved(tmp_path, *steps, shape=(17, 19, 5))
    files = tmp_path / "model.keras", tmp_path / "model.weights.h5"
    assert shapeinspect.diff(*files, values=True).same
    model.layers[1].weights[0].assign(model.layers[1].weights[0] + 1)
    model.save_weights(files[1])
    changed = shapeinspect.diff(*files, values=True)
    assert not changed.same
    assert [pair.status for pair in changed.layers].count("same") == 3
