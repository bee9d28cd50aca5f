"""What the tests that run pytest inside pytest share."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import shapeinspect


@pytest.fixture(scope="session")
def imported() -> None:
    """Import once what the tests inside the tests need: pytester forgets what is imported in between."""
    import keras
    from torch import nn

    image = keras.Input((13, 17, 3))
    shapeinspect.inspect(keras.Model(image, keras.layers.Flatten()(image)))
    shapeinspect.inspect(nn.Linear(3, 5), (2, 3)).to_text()
    shapeinspect.inspect(Path(__file__).parents[1] / "data" / "lenet.onnx")
    for name in ("asserting", "debugging", "mismatch"):
        importlib.import_module(f"shapeinspect.{name}")


@pytest.fixture
def outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let snapshots be written."""
    monkeypatch.delenv("CI", raising=False)
