"""keras.applications, saved by Keras, against what Keras says of every layer."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIZES = {
    "ResNet50": (64, 96, 3),
    "MobileNetV2": (64, 96, 3),
    "EfficientNetB0": (64, 96, 3),
    "InceptionV3": (96, 128, 3),
}


@pytest.fixture(scope="module")
def saved(keras, tmp_path_factory) -> dict[str, tuple[Any, Path]]:
    folder = tmp_path_factory.mktemp("applications")
    found = {}
    for name, shape in SIZES.items():
        model = getattr(keras.applications, name)(weights=None, input_shape=shape, classes=11)
        for ending in ("keras", "h5"):
            model.save(folder / f"{name}.{ending}")
        found[name] = (model, folder / name)
    return found


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", SIZES)
def test_every_shape_and_count(name, ending, saved, read, check):
    live, path = saved[name]
    model = read(path.with_suffix(ending))
    assert len(model.layers) == len(live.layers)
    check(model, live)
    assert not model.notes
    assert model.framework == "keras"
    trainable = sum(w.size for layer in model.layers for w in layer.weights if w.trainable)
    assert trainable == sum(prod(variable.shape) for variable in live.trainable_weights)
    # Every weight's axes are known, and its size in bytes is that of its values.
    for layer in model.layers:
        for weight in layer.weights:
            assert weight.common_shape is not None, weight.name
            # EfficientNet's Normalization counts what it has seen in an int64; all else is float32.
            counter = weight.role == "count"
            assert weight.dtype == ("int64" if counter else "float32")
            assert weight.nbytes == (8 if counter else 4) * prod(weight.shape)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_values_are_read_where_keras_put_them(ending, saved, read):
    live, path = saved["MobileNetV2"]
    model = read(path.with_suffix(ending))
    for layer in model.layers:
        for weight in layer.weights:
            variable = getattr(live.get_layer(layer.path), weight.role)
            np.testing.assert_array_equal(weight.values(), np.asarray(variable))


def test_a_cut_off_file_is_unreadable_wherever_it_is_cut(saved, tmp_path):
    from shapeinspect.errors import UnreadableFileError
    from shapeinspect.sources import source
    from shapeinspect_keras.adapters.files import ADAPTER

    _, path = saved["MobileNetV2"]
    whole = path.with_suffix(".keras").read_bytes()
    for part in range(1, 40):
        cut = tmp_path / "cut.keras"
        cut.write_bytes(whole[: len(whole) * part // 40])
        with pytest.raises(UnreadableFileError):
            ADAPTER.read(source.from_path(cut))
