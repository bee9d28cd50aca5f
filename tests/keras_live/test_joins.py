"""Operations that join values add an axis to those that have too few, as numpy's of the same name do."""

from __future__ import annotations

from typing import Any

import pytest

from shapeinspect import inspect

SHAPES: dict[str, tuple[int, ...]] = {"matrices": (6, 5), "images": (6, 5, 3)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", ["vstack", "hstack", "dstack"])
def test_a_join_has_the_shape_that_keras_computes(name: str, shape: tuple[int, ...]) -> None:
    import keras

    def join(values: list[Any]) -> Any:
        return getattr(keras.ops, name)(values)

    inputs = [keras.Input(batch_shape=shape) for _ in range(2)]
    model = keras.Model(inputs, join(inputs))
    report = inspect(model)
    values = report.model.values
    assert values[report.model.outputs[0]].shape == tuple(join([keras.ops.zeros(shape)] * 2).shape)
    assert not [note.text for note in report.model.notes if "in doubt" in note.text]
