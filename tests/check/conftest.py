"""Models on disk, the same models in memory, and the command."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def check(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call ``shapeinspect check``: its exit code, and what it wrote to both streams."""
    monkeypatch.setenv("COLUMNS", "80")
    return partial(run, "check")


def _picture() -> Any:
    import keras
    from keras import layers as K

    x = image = keras.Input((12, 10, 3), name="image")
    x = K.MaxPooling2D(name="pool")(K.Conv2D(5, 3, name="conv")(x))
    return keras.Model(image, K.Dense(7, name="scores")(K.Flatten(name="flat")(x)))


def _open() -> Any:
    """Any height and width, down to what the layers need."""
    import keras
    from keras import layers as K

    x = image = keras.Input((None, None, 3), name="image")
    x = K.Conv2D(8, 3, strides=2, name="deep")(K.Conv2D(5, 3, name="conv")(x))
    return keras.Model(image, K.Dense(7, name="scores")(K.GlobalAveragePooling2D(name="mean")(x)))


def _two() -> Any:
    """Words and a table: two inputs with names."""
    import keras
    from keras import layers as K

    words = keras.Input((None,), dtype="int32", name="words")
    facts = keras.Input((4,), name="facts")
    x = K.LSTM(6, name="reader")(K.Embedding(50, 5, name="table")(words))
    x = K.Concatenate(name="join")([x, K.Dense(3, name="plain")(facts)])
    return keras.Model([words, facts], K.Dense(2, name="classes")(x))


def _steps() -> Any:
    """A sequence of five features, of any length."""
    import keras
    from keras import layers as K

    x = series = keras.Input((None, 5), name="series")
    x = K.Conv1D(8, 4, name="conv")(x)
    return keras.Model(series, K.Dense(1, name="out")(K.LSTM(6, name="lstm")(x)))


MAKERS = {"picture": _picture, "open": _open, "two": _two, "steps": _steps}


@pytest.fixture(scope="session")
def models() -> dict[str, Any]:
    """The models in memory."""
    return {name: make() for name, make in MAKERS.items()}


@pytest.fixture(scope="session")
def files(models: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model as ``NAME.keras`` and ``NAME.h5``."""
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        for ending in ("keras", "h5"):
            model.save(folder / f"{name}.{ending}")
    return folder
