"""The transposed matrix: 2000 to 4800 units, as Keras stores it and as torch does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import shapeinspect

Close = Callable[[Any, Any], None]

Run = Callable[..., tuple[int, str, str]]


def test_keras_stores_inputs_first_and_torch_outputs_first(run: Run, at_models: Path) -> None:
    _, keras_screen, _ = run("explain", "dense.keras", "dense")
    assert "dense/kernel (2000, 4800)" in keras_screen
    assert "common order: o i = (4800, 2000)" in keras_screen
    assert "a batch of rows X computes X·W\n" in keras_screen
    _, torch_screen, _ = run("explain", "networks:Dense", "0", "--input", "3,2000")
    assert "0.weight (4800, 2000)" in torch_screen
    assert "stored in the common order: o i" in torch_screen
    assert "X·Wᵀ" in torch_screen


def test_the_two_products_are_one(close: Close, at_models: Path) -> None:
    """The transform on the screen, given to einops, makes torch's matrix of Keras's."""
    import keras
    from einops import rearrange

    weight = shapeinspect.explain("dense.keras", "dense")[0].weights[0]
    layer = keras.models.load_model("dense.keras").get_layer("dense")
    kernel = np.asarray(layer.kernel)
    assert weight.transform is not None
    moved = torch.tensor(rearrange(kernel, weight.transform))
    x = np.random.default_rng(1).normal(size=(3, 2000)).astype("float32")
    got = torch.nn.functional.linear(torch.tensor(x), moved, torch.tensor(np.asarray(layer.bias)))
    close(got.numpy(), np.asarray(layer(x)))
