"""Files whose configuration was edited by hand: Keras refuses to load them, and ``check`` says why."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import fits

EDITS: dict[str, tuple[Callable[[dict[str, Any]], None], tuple[str, str]]] = {
    "units": (lambda layers: layers["head"].update(units=9), ("head", "units=6")),
    "filters": (lambda layers: layers["conv"].update(filters=5), ("conv", "filters=4")),
    "kernel": (lambda layers: layers["conv"].update(kernel_size=[3, 5]), ("conv", "kernel_size=(3, 2)")),
    "tokens": (lambda layers: layers["table"].update(input_dim=17), ("table", "input_dim=13")),
    "height": (lambda layers: layers["image"].update(batch_shape=[None, 11, 12, 3]), ("head", "feed 10×12")),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, keras: Any) -> Path:
    layers = keras.layers
    image, ids = keras.Input((10, 12, 3), name="image"), keras.Input((7,), dtype="int32", name="ids")
    y = layers.Flatten()(layers.Conv2D(4, (3, 2), name="conv")(image))
    y = layers.Concatenate()([layers.Dense(6, name="head")(y), layers.Flatten()(
        layers.Embedding(13, 5, name="table")(ids)
    )])  # fmt: skip
    path = tmp_path_factory.mktemp("edited") / "good.keras"
    keras.Model([image, ids], layers.Dense(8, name="last")(y)).save(path)
    return path


def edited(good: Path, change: Callable[[dict[str, Any]], None], path: Path) -> Path:
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename == "config.json":
                config = json.loads(data)
                change({layer["config"]["name"]: layer["config"] for layer in config["config"]["layers"]})
                data = json.dumps(config).encode()
            new.writestr(info.filename, data)
    return path


@pytest.mark.parametrize("name", EDITS)
def test_what_keras_does_not_load_is_refused(keras: Any, good: Path, tmp_path: Path, name: str) -> None:
    change, (layer, fix) = EDITS[name]
    path = edited(good, change, tmp_path / "edited.keras")
    with pytest.raises(Exception):  # noqa: B017, PT011  # Keras raises several, and their texts are its own
        keras.saving.load_model(path)
    found = fits(path).diagnosis
    assert found is not None
    assert found.layer.path == layer
    assert any(fix in item.text for item in found.fixes), [item.text for item in found.fixes]


def test_the_file_itself_fits(good: Path) -> None:
    assert fits(good).diagnosis is None
