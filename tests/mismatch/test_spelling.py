"""A fix is written in the words of the framework that failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import shapeinspect
from shapeinspect.api.debugging import explain_error
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.arrays.numpy_text import in_numpy
from shapeinspect.plugin_api.changes import Around, FewerStates, InsteadOf, MoreSamples, Wording
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect_keras.debug.spelling import Speller
from shapeinspect_onnx.debug import spelling as in_onnx
from shapeinspect_torch.debug import spelling as in_torch


class Reshaping(keras.Model):
    """Counts pixels into the batch: (5, 6, 6, 7) becomes (70, 18)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = layers.Conv2D(7, 3), layers.Dense(4, name="dense")

    def call(self, x: Any) -> Any:
        return self.dense(ops.reshape(self.conv(x), (-1, 18)))


class Flattening(Reshaping):
    """The same as the fix has it."""

    def call(self, x: Any) -> Any:
        return self.dense(layers.Flatten()(self.conv(x)))


def test_a_reshape_of_the_batch_in_a_model_of_keras() -> None:
    x, y = np.zeros((5, 8, 8, 3)), np.zeros((5,))
    model = Reshaping()
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(Exception, match="logits and labels") as caught, shapeinspect.debug(model):
        model.fit(x, y, verbose=0)
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "batch-mixed"
    assert [tried.text for tried in found.fixes] == [
        'layers.Flatten() in place of "reshape", 252 input features for "dense"'
    ]
    model = Flattening()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    assert model.dense.kernel.shape == (252, 4)


def test_a_pool_before_a_flatten_of_keras_keeps_the_channels_last() -> None:
    out = keras.Sequential([keras.Input((2, 2, 5)), layers.Flatten(), layers.Dense(3)]).layers[-1]
    image = keras.Input((9, 11, 5), name="image")
    with pytest.raises(ValueError, match="incompatible") as caught, shapeinspect.debug():
        out(layers.Flatten(name="flat")(image))
    found = explain_error(caught.value)
    assert found is not None
    assert 'layers.AdaptiveAveragePooling2D((2, 2))(image) before "flat"' in [one.text for one in found.fixes]
    assert out(layers.Flatten()(layers.AdaptiveAveragePooling2D((2, 2))(image))).shape == (None, 3)


FAILURE = Failure(Model("", "live", "torch", "torch-live"), Layer("norm", "layer_norm", "LayerNorm"), (), "")
FLAT, MORE, FEWER = InsteadOf("view", (("flatten", 1),)), MoreSamples(2), FewerStates(3)


def _torch(wording: Wording) -> str:
    return in_torch.spell(wording, "", FAILURE)


def _keras(wording: Wording) -> str:
    return Speller(data=True, shapes=Frozen())(wording, "")


@pytest.mark.parametrize(
    ("spell", "flat", "more", "fewer"),
    [
        (
            _torch,
            'flatten(1) in place of "view"',
            "DataLoader's drop_last=True",
            "DataLoader's drop_last=True",
        ),
        (_keras, 'layers.Flatten() in place of "view"', "drop_remainder=True", "drop_remainder=True"),
        (lambda one: in_onnx.spell(one, ""), 'a Flatten in place of "view"', "2 samples", "[:, :3]"),
        (
            lambda one: in_numpy(one, ""),
            'x.reshape(*x.shape[:1], -1) in place of "view"',
            "2 samples",
            "[:, :3]",
        ),
    ],
    ids=["torch", "keras", "onnx", "numpy"],
)
def test_each_framework_has_its_own_words(
    spell: Callable[[Wording], str], flat: str, more: str, fewer: str
) -> None:
    assert spell(FLAT) == flat
    assert more in spell(MORE)
    assert fewer in spell(FEWER)


def test_a_permutation_around_a_layer_is_undone_behind_it() -> None:
    text = in_torch.spell(Around("body.norm", (0, 2, 3, 1)), "", FAILURE)
    assert text == 'norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) instead of norm(x) at "body.norm"'
