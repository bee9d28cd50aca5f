"""Which targets a loss takes, as the frameworks themselves have it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.ir import Layer
from shapeinspect.mismatch.sizes.loss_shapes import targets_of

SAMPLES, CLASSES, STEPS = 4, 3, 5
SCORES = torch.rand(SAMPLES, CLASSES, STEPS)
TARGETS = {
    "same": torch.rand(SAMPLES, CLASSES, STEPS),
    "indices": torch.zeros(SAMPLES, STEPS, dtype=torch.int64),
}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("CrossEntropyLoss", "indices"),
        ("NLLLoss", "indices"),
        ("MSELoss", "same"),
        ("L1Loss", "same"),
        ("BCELoss", "same"),
        ("BCEWithLogitsLoss", "same"),
        ("PoissonNLLLoss", "same"),
        ("SmoothL1Loss", "same"),
    ],
)
def test_losses_of_torch(name: str, form: str) -> None:
    assert targets_of(Layer("loss", "loss", name)) == form
    getattr(nn, name)()(SCORES, TARGETS[form])


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("sparse_categorical_crossentropy", "sparse"),
        ("categorical_crossentropy", "one-hot"),
        ("binary_crossentropy", "same"),
        ("mean_squared_error", "same"),
    ],
)
def test_losses_of_keras(name: str, form: str) -> None:
    assert targets_of(Layer("loss", "loss", name)) == form
    outputs = np.full((SAMPLES, STEPS, CLASSES), 1 / CLASSES)
    targets = np.zeros((SAMPLES, STEPS)) if form == "sparse" else np.zeros((SAMPLES, STEPS, CLASSES))
    assert keras.losses.get(name)(targets, outputs).shape == (SAMPLES, STEPS)


def test_a_negative_log_likelihood_wants_class_indices() -> None:
    loss, scores = nn.NLLLoss(), torch.rand(SAMPLES, CLASSES).log()
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug():
        loss(scores, torch.zeros(SAMPLES, 1, dtype=torch.int64))
    note = "\n".join(getattr(caught.value, "__notes__", ())) or str(caught.value)
    assert "expected  targets of (4,), a class index each" in note


@pytest.mark.parametrize("channels", [3, 7])
def test_maps_that_differ_in_one_side_alone_are_explained(channels: int) -> None:
    """Of pictures the channels come first; of (N 7 H W) the last axis could be the channels."""
    loss = nn.L1Loss()
    with pytest.raises(RuntimeError) as caught, shapeinspect.debug():
        loss(torch.rand(2, channels, 12, 9), torch.rand(2, channels, 14, 9))
    text = "\n".join(caught.value.__notes__)
    assert "no diagnosis" not in text
    assert f"targets of (2, {channels}, 12, 9)" in text
