"""Models that Keras itself saves, once a session, and the way they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import infer, layout
from shapeinspect.dims import symbol
from shapeinspect.ir import Model
from shapeinspect.sources import source
from shapeinspect_keras.adapters.files import ADAPTER


@pytest.fixture(scope="session")
def read() -> Callable[[Path], Model]:
    def run(path: Path) -> Model:
        request = source.from_path(path)
        assert ADAPTER.match(request) > 0
        return infer.infer(layout.normalize(ADAPTER.read(request)))

    return run


@pytest.fixture(scope="session")
def keras() -> Any:
    import keras

    keras.utils.set_random_seed(7)
    return keras


def _shapes(tensors: Any) -> list[tuple[Any, ...]]:
    import keras

    return [
        tuple(symbol("N") if dim is None else dim for dim in one.shape) for one in keras.tree.flatten(tensors)
    ]


def _compare(model: Model, live: Any, prefix: tuple[str, ...], calls: dict[str, list[Any]]) -> None:
    paths = {layer.path for layer in model.layers}
    for layer in live.layers:
        path = "/".join((*prefix, layer.name))
        assert path in paths
        below = [one for one in model.layers if one.path == path or one.path.startswith(f"{path}/")]
        # A layer that two models share is counted in both, as count_params does.
        assert sum(w.size for one in below for w in one.weights) == layer.count_params(), path
        expected = [_shapes(node.output_tensors) for node in layer._inbound_nodes]
        got = [[model.values[name].shape for name in call.outputs] for call in calls[path]]
        if prefix:  # the outer model may call it again; its own graph holds the first call
            expected, got = expected[:1], got[:1]
        assert [shapes[: len(want)] for shapes, want in zip(got, expected, strict=True)] == expected, path
        if type(layer).__name__ in ("Functional", "Sequential"):
            _compare(model, layer, (*prefix, layer.name), calls)


@pytest.fixture(scope="session")
def check() -> Callable[[Model, Any], None]:
    """Compare a read model with the live one it was saved from: every layer's shapes and counts."""

    def run(model: Model, live: Any) -> None:
        calls: dict[str, list[Any]] = {}
        for call in model.calls:
            calls.setdefault(call.layer, []).append(call)
        _compare(model, live, (), calls)
        distinct = {
            weight.storage or f"{layer.path} {weight.role}": weight.size
            for layer in model.layers
            for weight in layer.weights
        }
        assert sum(distinct.values()) == live.count_params()
        assert [model.values[name].shape for name in model.inputs] == _shapes(live.inputs)
        assert [model.values[name].shape for name in model.outputs] == _shapes(live.outputs)

    return run
