"""A live model and the file that it is saved to are read alike, row by row, and as Keras has them."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import shapeinspect
from shapeinspect.dims import Expr
from shapeinspect.ir import Weight
from shapeinspect.rules.registry import unregistered

ZOO = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("zoo.py"))))

MODELS: dict[str, Callable[[], Any]] = {
    "layers": lambda: ZOO.together(ZOO.LAYERS),
    "operations": lambda: ZOO.together(ZOO.OPERATIONS),
    **ZOO.MODELS,
}

#: Public classes that stand for no layer of a functional model, and why.
NO_LAYER = {
    "Layer": "the base of all layers",
    "Wrapper": "the base of wrappers",
    "InputLayer": "it is in every model",
    "Pipeline": "it chains augmentations outside of a model",
    "Equalization": "called on a symbol it returns the symbol, which Keras takes for a circle",
    "MaxNumBoundingBoxes": "it works on dictionaries of bounding boxes",
    "FlaxLayer": "it needs jax",
    "JaxLayer": "it needs jax",
    "TFSMLayer": "it needs a SavedModel",
    "TorchModuleWrapper": "it needs the torch backend",
}

#: Rows of which a file holds fewer bytes than the live layer, and why.
DIFFERENT = {"lora": "the file holds the kernel with the low-rank update added in, and no update"}


@dataclass(frozen=True)
class Pair:
    """A model, and the two reports of it."""

    model: Any
    live: shapeinspect.Report
    saved: shapeinspect.Report


@pytest.fixture(scope="module", params=MODELS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    model = MODELS[request.param]()
    path = tmp_path_factory.mktemp("zoo") / "model.keras"
    model.save(path)
    return Pair(model, shapeinspect.inspect(model), shapeinspect.inspect(path))


def rows(report: shapeinspect.Report) -> Iterator[tuple[str, dict[str, Any]]]:
    values = report.model.values
    for row in report:
        inputs = [[(values[name].shape, values[name].axes) for name in call.inputs] for call in row.calls]
        outputs = [[(values[name].shape, values[name].axes) for name in call.outputs] for call in row.calls]
        yield (
            row.path,
            {
                "kind": row.kind,
                "settings": dict(row.attributes),
                "inputs": inputs,
                "outputs": outputs,
                "calls": row.calls,
                "params": row.params,
                "weights": [weight(one) for one in row.weights],
            },
        )


def plain(name: str) -> str:
    """Leave out the number that Keras puts behind a name which the process has used before."""
    return re.sub(r"_\d+$", "", name)


def weight(one: Weight) -> Weight:
    """Leave out how a file spells the name of a weight, and of the one that it is tied to."""
    return replace(one, name="", storage="tied" if one.storage else None)


def test_rows_are_alike(pair: Pair) -> None:
    live, saved = dict(rows(pair.live)), dict(rows(pair.saved))
    assert list(live) == list(saved)
    for path, row in live.items():
        if plain(path) not in DIFFERENT:
            assert row == saved[path], path
        assert not unregistered(row["kind"], frozenset(row["settings"])), path
    for side in (pair.live, pair.saved):
        assert not [row.path for row in side if row.kind == "unknown"]


def fits(shape: Any, keras_shape: tuple[int | None, ...]) -> bool:
    """Tell whether a shape is that of Keras; where Keras leaves a length open, ours may say more."""
    lengths = zip(shape, keras_shape, strict=True)
    return len(shape) == len(keras_shape) and all(length is None or dim == length for dim, length in lengths)


def test_shapes_are_those_of_keras(pair: Pair) -> None:
    import keras

    for side in (pair.live, pair.saved):
        for operation in getattr(pair.model, "operations", pair.model.layers):
            call = side[operation.name].calls[0]
            shapes = [tensor.shape for tensor in keras.tree.flatten(operation._inbound_nodes[0].outputs)]
            for name, shape in zip(call.outputs, shapes, strict=True):
                found = side.model.values[name].shape
                assert fits(found, shape), operation.name
                assert shape[:1] != (None,) or isinstance(found[0], Expr), operation.name


def test_counts_are_those_of_keras(pair: Pair) -> None:
    for side in (pair.live, pair.saved):
        for layer in pair.model.layers:
            below = [row for row in side if f"{row.path}/".startswith(f"{layer.name}/")]
            counts = {one.storage or one.name: one.size for row in below for one in row.weights}
            assert sum(counts.values()) == layer.count_params(), layer.name


def test_a_file_says_that_it_holds_no_low_rank_update(pair: Pair) -> None:
    about = {plain(note.about or "") for note in pair.saved.model.notes if "low-rank" in note.text}
    assert about == {plain(row.path) for row in pair.saved if plain(row.path) in DIFFERENT}


def test_every_public_layer_is_in_the_zoo() -> None:
    from keras import layers

    shown = {getattr(layers, name.split()[0]).__name__ for name in ZOO.LAYERS}
    classes = {
        value.__name__
        for value in vars(layers).values()
        if inspect.isclass(value) and issubclass(value, layers.Layer)
    }
    assert classes - shown == NO_LAYER.keys()
