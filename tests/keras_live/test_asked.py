"""The input shapes that are asked for are those that are shown, whatever a model was built with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest

import shapeinspect
from shapeinspect.errors import UsageError

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


def network(*space: int | None) -> keras.Model:
    image = keras.Input((*space, 3), name="image")
    x = keras.layers.Conv2D(7, (3, 5), strides=2, name="conv")(image)
    return keras.Model(image, keras.layers.Conv2D(11, 2, name="out")(x))


@pytest.mark.parametrize("given", [(2, 20, 31, 3), "image=2,20,31,3", np.zeros((2, 20, 31, 3), np.float32)])
@pytest.mark.parametrize("space", [(None, None), (16, 19)])
def test_a_functional_model_takes_them(space: tuple[int | None, ...], given: Any, tmp_path: Path) -> None:
    model = network(*space)
    expected = network(20, 31)
    found = shapeinspect.inspect(model, given)
    assert found["conv"].output_shape == (2, *expected.get_layer("conv").output.shape[1:])
    assert found["out"].output_shape == (2, *expected.output.shape[1:])
    assert found.inputs[0].shape == (2, 20, 31, 3)
    model.save(tmp_path / "model.keras")
    saved = shapeinspect.inspect(tmp_path / "model.keras", given)
    assert saved["out"].output_shape == found["out"].output_shape
    assert saved.totals.macs == found.totals.macs


def test_what_does_not_fit_is_said() -> None:
    image = keras.Input((16, 19, 3), name="image")
    model = keras.Model(image, keras.layers.Dense(5, name="fc")(keras.layers.Flatten()(image)))
    found = shapeinspect.inspect(model, (2, 20, 31, 3))
    assert found["fc"].output_shape is None
    note = found.notes[0]
    assert "expects i = 912, and got 1860" in note.text  # 16·19·3 and 20·31·3
    with pytest.raises(UsageError, match="4 axes, not 3"):
        shapeinspect.inspect(model, (20, 31, 3))
    with pytest.raises(UsageError, match='no input "x"'):
        shapeinspect.inspect(model, {"x": (2, 20, 31, 3)})


@pytest.mark.parametrize("source", [LENET, onnx.load(LENET)], ids=["file", "live"])
@pytest.mark.parametrize("given", [(7, 1, 36, 40), np.zeros((7, 1, 36, 40), np.float32)])
def test_onnx_takes_example_tensors_too(source: Any, given: Any) -> None:
    assert shapeinspect.inspect(source, given)["conv1"].output_shape == (7, 6, 32, 36)
    assert shapeinspect.inspect(source, {"image": given})["conv1"].output_shape == (7, 6, 32, 36)
