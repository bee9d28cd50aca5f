"""``fits`` and ``shapeinspect check`` of a live model compare what Keras compares on numbers."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from shapeinspect.api.debugging import fits
from shapeinspect.errors import UsageError


def _pictures() -> keras.Model:
    return keras.Sequential(
        [keras.Input((28, 24, 1), name="picture"), layers.Conv2D(6, 5, name="conv"), layers.Flatten()]
    )


def _two() -> keras.Model:
    title, body = keras.Input((10,), name="title"), keras.Input((50,), name="body")
    joined = layers.Concatenate()([layers.Dense(8, name="t")(title), layers.Dense(7, name="b")(body)])
    return keras.Model([title, body], joined)


def test_another_number_of_channels_than_the_convolution_was_built_for() -> None:
    found = fits(_pictures(), (2, 28, 24, 3)).diagnosis
    assert found is not None
    assert (found.layer.path, found.cause) == ("conv", "channels")


def test_the_shapes_that_were_asked_for_are_walked() -> None:
    found = fits(_pictures(), (2, 28, 24, 1))
    assert found.diagnosis is None
    assert found.model.values[found.model.outputs[0]].shape == (2, 24 * 20 * 6)


def test_inputs_are_named_as_the_model_names_them() -> None:
    assert fits(_two(), {"body": (4, 50), "title": (4, 10)}).diagnosis is None
    found = fits(_two(), {"body": (4, 10), "title": (4, 50)}).diagnosis
    assert found is not None
    assert found.layer.path == "t"
    assert found.fixes[0].text == "feed title of shape (4, 10) and body of shape (4, 50)"
    with pytest.raises(UsageError, match='there is no input "text"'):
        fits(_two(), {"text": (4, 10)})
