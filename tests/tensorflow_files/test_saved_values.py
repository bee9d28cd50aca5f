"""The values of a SavedModel's variables are those of TensorFlow, and of the same network as a Keras file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shapeinspect
from shapeinspect import inspect

_DATA = "variables/variables.data-00000-of-00001"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Return a network, and the folder of what it was saved as."""
    import keras
    import tensorflow as tf
    from keras import layers as k

    net = keras.Sequential([
        keras.Input((20, 24, 3)), k.Conv2D(5, 3, use_bias=False), k.BatchNormalization(),
        k.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False), k.Reshape((-1, 10)), k.Conv1D(6, 4),
        k.LSTM(7, return_sequences=True), k.GRU(8), k.Dense(9),
    ])  # fmt: skip
    for seed, weight in enumerate(net.weights):
        weight.assign(tf.random.stateless_uniform(weight.shape, (seed, 7)))
    folder = tmp_path_factory.mktemp("saved")
    net.save(folder / "net.keras")
    net.export(str(folder / "export"), verbose=False)
    return net, folder


def _copy(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder / "export", target / "export"))


def _read(path: Path) -> dict[str, Any]:
    model = inspect(str(path)).model
    weights = [weight for layer in model.layers for weight in layer.weights]
    assert len({weight.name for weight in weights}) == len(weights)
    return {weight.name: weight.values() if weight.values else None for weight in weights}


def test_each_variable_has_the_values_that_tensorflow_reads(network: tuple[Any, Path]) -> None:
    import tensorflow as tf

    net, folder = network
    checkpoint = tf.train.load_checkpoint(str(folder / "export/variables/variables"))
    restored = tf.saved_model.load(str(folder / "export"))
    live = {variable.name.removesuffix(":0"): variable.numpy() for variable in restored.variables}
    ours = _read(folder / "export")
    assert set(ours) == set(live)
    assert len(ours) == len(net.variables)
    stored = [checkpoint.get_tensor(key) for key in checkpoint.get_variable_to_shape_map()]
    for name, values in ours.items():
        np.testing.assert_array_equal(values.reshape(live[name].shape), live[name], err_msg=name)
        assert any(np.array_equal(one, live[name]) for one in stored if isinstance(one, np.ndarray))


def test_variables_in_several_data_files(network: tuple[Any, Path], tmp_path: Path) -> None:
    import tensorflow as tf

    copy = _copy(network[1], tmp_path)
    whole = _read(copy)
    prefix = str(copy / "variables/variables")
    checkpoint = tf.train.load_checkpoint(prefix)
    keys = sorted(checkpoint.get_variable_to_shape_map())
    parts = []
    for number, some in enumerate((keys[::2], keys[1::2])):
        parts.append(str(tmp_path / f"part{number}"))
        values = [tf.constant(checkpoint.get_tensor(key)) for key in some]
        whole_ones = [""] * len(some)
        tf.raw_ops.SaveV2(prefix=parts[-1], tensor_names=some, shape_and_slices=whole_ones, tensors=values)
    shutil.rmtree(copy / "variables")
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=prefix, delete_old_dirs=False)
    files = sorted((copy / "variables").glob("*.data-*"))
    assert len(files) == 2
    again = _read(copy)
    assert all(np.array_equal(again[name], values) for name, values in whole.items())
    files[1].unlink()
    left = _read(copy)
    assert {None} < {None if values is None else "read" for values in left.values()}
    notes = [note.text for note in inspect(str(copy)).model.notes]
    assert f'the data file "{files[1].name}" is missing: values in it cannot be read' in notes


@pytest.mark.parametrize("damage", ["cut off", "no index", "short data"])
def test_what_cannot_be_read_leaves_the_graph_readable(
    network: tuple[Any, Path], tmp_path: Path, damage: str
) -> None:
    copy = _copy(network[1], tmp_path)
    index = copy / "variables/variables.index"
    if damage == "cut off":
        index.write_bytes(index.read_bytes()[:-40])
    elif damage == "no index":
        index.unlink()
    else:
        (copy / _DATA).write_bytes(b"")
    report = inspect(str(copy))
    assert report.totals.params == network[0].count_params()
    assert all(weight.values is None for layer in report.model.layers for weight in layer.weights)
    told = [note for note in report.model.notes if "values of the variables are unavailable" in note.text]
    assert len(told) == (damage == "cut off")


def test_the_index_that_is_another_models_gives_no_values(network: tuple[Any, Path], tmp_path: Path) -> None:
    import tensorflow as tf

    class Other(tf.Module):  # type: ignore[misc]  # tensorflow has no types
        def __init__(self) -> None:
            super().__init__()
            self.variables_ = tf.Variable(tf.ones((3, 4)))

    tf.saved_model.save(Other(), str(tmp_path / "other"))
    copy = _copy(network[1], tmp_path)
    shutil.rmtree(copy / "variables")
    shutil.copytree(tmp_path / "other/variables", copy / "variables")
    assert set(map(type, _read(copy).values())) == {type(None)}


def test_values_are_compared_with_those_of_the_keras_file(network: tuple[Any, Path], tmp_path: Path) -> None:
    import keras

    _, folder = network

    def figures(path: Path) -> list[tuple[str, bool]]:
        found = shapeinspect.diff(str(path), str(folder / "export"), values=True)
        pairs = [(layer.a, weight) for layer in found.layers for weight in layer.weights]
        return [(str(path), weight.figures.close) for path, weight in pairs if weight.figures]

    compared = figures(folder / "net.keras")
    assert len(compared) >= 14
    assert all(close for _, close in compared)
    changed = keras.models.load_model(folder / "net.keras")
    changed.layers[-1].kernel.assign(changed.layers[-1].kernel + 0.5)
    changed.save(tmp_path / "changed.keras")
    apart = [path for path, close in figures(tmp_path / "changed.keras") if not close]
    assert apart == [changed.layers[-1].name]


def test_normalized_values_are_those_of_the_keras_file(network: tuple[Any, Path], tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    _, folder = network
    sides = []
    for name in ("net.keras", "export"):
        shapeinspect.normalize(str(folder / name), tmp_path / f"{name}.safetensors", keep_unknown=False)
        sides.append(list(load_file(tmp_path / f"{name}.safetensors").values()))
    shown, saved = ([one for one in side if one.dtype == np.float32] for side in sides)
    assert len(shown) == len(saved) == 17
    for one in shown:
        assert sum(np.array_equal(one, other) for other in saved) == 1
