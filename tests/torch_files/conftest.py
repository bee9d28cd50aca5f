"""What the tests of PyTorch's files share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER as TORCH
from shapeinspect_torch.adapters.safetensors import ADAPTER as SAFETENSORS


@pytest.fixture
def read() -> Callable[[Path], Model]:
    """Read a file or directory with the adapter that matches it best."""

    def reading(path: Path) -> Model:
        source = from_path(path)
        score, adapter = max(((a.match(source), a) for a in (TORCH, SAFETENSORS)), key=lambda pair: pair[0])
        assert score > 0, f"nothing matches {path.name}"
        return adapter.read(source)

    return reading


@pytest.fixture
def weights() -> Callable[[Model], dict[str, Weight]]:
    """Every weight of a model by its name, no name twice."""

    def listing(model: Model) -> dict[str, Weight]:
        every = [weight for layer in model.layers for weight in layer.weights]
        found = {weight.name: weight for weight in every}
        assert len(found) == len(every)
        return found

    return listing


@pytest.fixture
def layers() -> Callable[[Model], dict[str, Layer]]:
    """Every layer of a model by its path, no path twice."""

    def listing(model: Model) -> dict[str, Layer]:
        found = {layer.path: layer for layer in model.layers}
        assert len(found) == len(model.layers)
        return found

    return listing
