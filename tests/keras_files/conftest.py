"""Models that Keras itself saves, once a session, and the way they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import infer, layout, source
from shapeinspect.dims import symbol
from shapeinspect.ir import Model
from shapeinspect_keras.files import ADAPTER


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


@pytest.fixture(scope="session")
def check() -> Callable[..., None]:
    """Compare a read model with the live one it was saved from: every layer's shapes and counts."""

    def run(model: Model, live: Any, prefix: tuple[str, ...] = ()) -> None:
        layers = {layer.path: layer for layer in model.layers}
        calls: dict[str, list[Any]] = {}
        for call in model.calls:
            calls.setdefault(call.layer, []).append(call)
        for layer in live._flatten_layers(include_self=False, recursive=False) if prefix else live.layers:
            path = "/".join((*prefix, layer.name))
            assert path in layers
            below = [one for one in model.layers if one.path == path or one.path.startswith(f"{path}/")]
            sizes = [weight.size for one in below for weight in one.weights]
            assert sum(sizes) == layer.count_params(), path
            nodes = layer._inbound_nodes
            expected = [_shapes(node.output_tensors) for node in nodes]
            got = [
                [model.values[name].shape for name in call.outputs][: len(want)]
                for call, want in zip(calls[path], expected, strict=False)
            ]
            assert got == expected[: len(got)], path
            assert got, path
        distinct = {
            weight.storage or f"{layer.path}/{weight.role}": weight.size
            for layer in model.layers
            for weight in layer.weights
        }
        assert prefix or sum(distinct.values()) == live.count_params()

    return run
