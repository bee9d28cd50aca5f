"""A layer that does not report its settings: those of its Keras class are read, and it is said."""

from __future__ import annotations

from typing import Any

import keras

from shapeinspect import inspect


class Silent(keras.layers.Conv2D):
    def get_config(self) -> dict[str, Any]:
        raise ValueError("it was never written")


def test_the_settings_are_those_of_the_class_that_it_is_made_from() -> None:
    model = keras.Sequential([keras.Input((9, 8, 2)), Silent(5, 3, strides=2, name="silent")])
    report = inspect(model)
    layer = report["silent"]
    assert (layer.attributes["kernel_size"], layer.attributes["stride"]) == ((3, 3), (2, 2))
    assert tuple(model.output_shape[1:]) == (4, 3, 5)
    assert str(layer.macs) == f"{4 * 3 * 5 * 3 * 3 * 2}*N"
    assert [(note.text, note.about) for note in report.model.notes] == [
        (
            "get_config() of Silent fails; its settings are those of the Keras layer that it is made from",
            "silent",
        )
    ]
