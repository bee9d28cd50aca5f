"""Files of weights that do not load into a Keras model: table and fixes against what Keras really does."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import debug, explain_error

keras = pytest.importorskip("keras")
np = pytest.importorskip("numpy")
from keras import layers  # noqa: E402  # it needs Keras


def net(classes: int = 6, filters: int = 5, extra: bool = False) -> Any:
    return keras.Sequential(
        [
            keras.Input((14, 12, 3), name="picture"),
            layers.Conv2D(filters, 3, name="block1"),
            layers.BatchNormalization(name="norm"),
            *([layers.Conv2D(7, 3, name="block2")] if extra else []),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(classes, name="head"),
        ],
        name="net",
    )


def filled(model: Any) -> Any:
    """Fill a model with a number that no initializer gives, so that it shows what is loaded."""
    for variable in model.variables:
        variable.assign(np.full(variable.shape, 77.0))
    return model


def loaded(model: Any) -> int:
    return sum(1 for variable in model.variables if not bool((np.array(variable) == 77.0).all()))


#: How the file is saved, its name, what it is loaded into, and with which options.
CASES: dict[str, tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]] = {
    "other classes": ({}, "w.weights.h5", {"classes": 4}, {}),
    "other filters": ({"filters": 8}, "w.weights.h5", {}, {}),
    "another layer": ({}, "w.weights.h5", {"extra": True}, {}),
    "a layer less": ({"extra": True}, "w.weights.h5", {}, {}),
    "whole model, other classes": ({}, "w.keras", {"classes": 4}, {}),
    "Keras 2, other classes": ({}, "w.h5", {"classes": 4}, {}),
    "Keras 2, other filters": ({"filters": 8}, "w.h5", {}, {}),
    "Keras 2, another layer": ({}, "w.h5", {"extra": True}, {}),
    "Keras 3, by name": ({}, "w.weights.h5", {"classes": 4}, {"by_name": True}),
    "Keras 2, by name": ({"filters": 8}, "w.h5", {"extra": True}, {"by_name": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_table_and_fixes_are_what_keras_does(case: str, tmp_path: Path) -> None:
    saved, name, given, options = CASES[case]
    path = str(tmp_path / name)
    trained = net(**saved)
    if name == "w.weights.h5":
        trained.save_weights(path)
    else:
        trained.save(path)
    model = filled(net(**given))
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # its words are Keras's
        model.load_weights(path, **options)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    note = "\n".join(caught.value.__notes__)
    counted = re.search(r"^ +(?:keys +)?loaded +(\d+)", note, re.MULTILINE)
    assert counted is not None
    assert int(counted[1]) == loaded(model), note
    repairs = [tried for tried in diagnosis.fixes if "load_weights" in tried.text]
    assert repairs or case in {"Keras 2, other filters", "other filters", "Keras 2, by name"}
    for tried in repairs:
        fresh = filled(net(**given))
        eval(tried.text, {"model": fresh, "path": path})
        claimed = re.search(r"(?:all )?(\d+)(?: of \d+)? weights", tried.claim.text)
        assert claimed is not None
        assert int(claimed[1]) == loaded(fresh), tried.text


def test_a_file_with_the_ending_of_another_layout_is_copied(tmp_path: Path) -> None:
    net().save_weights(str(tmp_path / "a.weights.h5"))
    path = str(shutil.copy(tmp_path / "a.weights.h5", tmp_path / "b.h5"))
    model = filled(net())
    with pytest.raises(ValueError, match="Layer count mismatch") as caught:
        model.load_weights(path)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.cause == "file-layout"
    assert loaded(model) == 0
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.weights.h5", "b.h5"]
    exec(diagnosis.fixes[0].text, {"model": model, "path": path})
    assert loaded(model) == len(model.variables)


def test_the_user_s_model_stays_as_it_is(tmp_path: Path) -> None:
    path = str(tmp_path / "w.weights.h5")
    net().save_weights(path)
    model = net(classes=4)
    with pytest.raises(ValueError, match="could not be loaded") as caught:
        model.load_weights(path)
    before = [np.array(variable) for variable in model.variables]
    first = layers.Dense(3).name
    explain_error(caught.value)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, model.variables, strict=True))
    second = layers.Dense(3).name
    numbers = [int(name.removeprefix("dense").lstrip("_") or 0) for name in (first, second)]
    assert numbers[1] == numbers[0] + 1  # no name was used up


def test_endpoints_of_a_saved_model(tmp_path: Path) -> None:
    folder = str(tmp_path / "served")
    net().export(folder, verbose=False)
    with pytest.raises(ValueError, match="File format not supported") as caught:
        keras.models.load_model(folder)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    layer = eval(diagnosis.fixes[0].text, {"keras": keras, "folder": folder})
    assert tuple(layer(np.zeros((2, 14, 12, 3), "float32")).shape) == (2, 6)


def test_a_file_that_is_removed_on_the_error_s_way_out_is_read_before(tmp_path: Path) -> None:
    path = str(tmp_path / "saved.weights.h5")
    keras.Sequential([keras.Input((7,)), keras.layers.Dense(5, name="scores")]).save_weights(path)
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(3, name="scores")])
    before = os.remove

    def load() -> None:
        try:
            model.load_weights(path)
        finally:
            os.remove(path)

    with pytest.raises(ValueError, match="loaded") as caught, debug():
        load()
    assert "(7, 5), wanted (7, 3)" in "\n".join(getattr(caught.value, "__notes__", caught.value.args))
    assert os.remove is before
