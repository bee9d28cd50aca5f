"""Batch norms that TensorFlow takes apart into sums, roots and products are one layer, as Keras counts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect.api.debugging import fits


def _disagreements(report: Any) -> list[str]:
    words = ("does not fit", "the source records", "in doubt")
    return [note.text for note in report.model.notes if any(word in note.text for word in words)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A small Keras network with batch norms of every kind of setting, behind convolutions and matrices."""
    import keras
    from keras import layers as k

    network = keras.Sequential(
        [
            keras.Input((13, 11, 3)),
            k.Conv2D(5, (3, 2), name="c1"),
            k.BatchNormalization(name="plain", epsilon=0.125),
            k.Conv2D(7, 2, name="c2"),
            k.BatchNormalization(name="unscaled", scale=False),
            k.GlobalAveragePooling2D(),
            k.Dense(6, name="d1"),
            k.BatchNormalization(name="uncentered", center=False),
            k.Dense(4, name="d2"),
            k.BatchNormalization(name="bare", scale=False, center=False),
        ]
    )
    folder = tmp_path_factory.mktemp("norms") / "export"
    network.export(str(folder), verbose=False)
    return folder, network


def test_a_batch_norm_is_one_layer_with_the_weights_that_keras_counts(exported: tuple[Path, Any]) -> None:
    folder, network = exported
    report = inspect(str(folder))
    norms = [layer for layer in report.model.layers if layer.kind == "batch_norm"]
    kept = [layer for layer in network.layers if type(layer).__name__ == "BatchNormalization"]
    assert len(norms) == len(kept) == 4
    for ours, theirs in zip(norms, kept, strict=True):
        want = {"gamma": "scale", "beta": "offset", "moving_mean": "mean", "moving_variance": "variance"}
        roles = [want[weight.path.rsplit("/", 1)[-1]] for weight in theirs.weights]
        assert sorted(weight.role for weight in ours.weights) == sorted(roles)
        assert ours.attributes["eps"] == pytest.approx(theirs.epsilon)
        assert sum(weight.size or 0 for weight in ours.weights) == theirs.count_params()
        output = next(call.outputs[0] for call in report.model.calls if call.layer == ours.path)
        assert (report.model.values[output].shape or ())[1:] == theirs.output.shape[1:]
    assert report.totals.params == network.count_params()
    assert _disagreements(report) == []
    assert fits(str(folder), (4, 13, 11, 3)).diagnosis is None


def test_operands_with_further_axes_of_length_one_keep_them(tmp_path: Path) -> None:
    """A stored vector that is reshaped to ``1 1 1 C`` makes four axes also where nothing else is an input."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]  # tensorflow has no types
        def __init__(self) -> None:
            super().__init__()
            self.one = tf.Variable(tf.ones((5,)), name="one")
            self.two = tf.Variable(tf.ones((5,)), name="two")

        @tf.function(input_signature=[tf.TensorSpec((None, 3, 4, 5), tf.float32)])  # type: ignore[misc]  # the same
        def __call__(self, x: Any) -> Any:
            factor = tf.reshape(self.one, (1, 1, 1, 5)) * tf.reshape(self.two, (1, 1, 1, 5))
            return x * tf.exp(factor)

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.__call__)
    report = inspect(str(tmp_path / "module"))
    shapes = {call.layer: report.model.values[call.outputs[0]].shape for call in report.model.calls}
    graph = module.__call__.get_concrete_function().graph
    for path, shape in shapes.items():
        want = graph.get_operation_by_name(path).outputs[0].shape.as_list()
        assert [dim if isinstance(dim, int) else None for dim in shape or ()] == want
    assert _disagreements(report) == []
    assert report.totals.params == 10


def test_a_norm_in_training_has_no_statistics_of_its_own(tmp_path: Path) -> None:
    """Keras 2 writes a layer norm as a batch norm in training, with vectors as long as batch and time."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]  # tensorflow has no types
        @tf.function(input_signature=[tf.TensorSpec((None, 7, 12), tf.float32)])  # type: ignore[misc]  # the same
        def __call__(self, x: Any) -> Any:
            rows = tf.shape(x)[0] * 7
            flat = tf.reshape(x, (1, rows, 12, 1))
            ones, zeros = tf.fill([rows], 1.0), tf.fill([rows], 0.0)
            norm = tf.raw_ops.FusedBatchNormV3(
                x=flat, scale=ones, offset=zeros, mean=tf.zeros((0,)), variance=tf.zeros((0,)),
                data_format="NCHW", is_training=True,
            )  # fmt: skip
            return tf.reshape(norm.y, tf.shape(x))

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.__call__)
    report = inspect(str(tmp_path / "module"), (3, 7, 12))
    (norm,) = [layer for layer in report.model.layers if layer.kind == "batch_norm"]
    assert norm.weights == ()
    assert _disagreements(report) == []
    assert fits(str(tmp_path / "module"), (3, 7, 12)).diagnosis is None


def test_a_convolution_over_one_axis_is_one_layer(tmp_path: Path) -> None:
    """TensorFlow slides it over two axes, and a dilated one over blocks of the batch."""
    import keras
    from keras import layers as k

    network = keras.Sequential(
        [
            keras.Input((None, 3)),
            k.Conv1D(5, 4, padding="causal", dilation_rate=2, name="dilated"),
            k.Conv1D(7, 2, strides=3, padding="same", name="plain"),
        ]
    )
    network.export(str(tmp_path / "export"), verbose=False)
    report = inspect(str(tmp_path / "export"))
    convs = [layer for layer in report.model.layers if layer.kind == "conv"]
    for ours, theirs in zip(convs, network.layers, strict=True):
        assert ours.weights[0].shape == tuple(theirs.kernel.shape)
        assert (ours.attributes["kernel_size"], ours.attributes["stride"]) == (
            theirs.kernel_size,
            theirs.strides,
        )
        assert ours.attributes["dilation"] == theirs.dilation_rate
    at_size = inspect(str(tmp_path / "export"), (2, 23, 3)).model
    assert at_size.values[at_size.outputs[0]].shape == network.compute_output_shape((2, 23, 3))
    assert _disagreements(report) == []
    assert report.totals.params == network.count_params()


@pytest.mark.parametrize(
    "options", [{}, {"center": False}, {"scale": False}, {"epsilon": 0.25, "axis": (-2, -1)}]
)
def test_a_layer_norm_is_one_layer(options: dict[str, Any], tmp_path: Path) -> None:
    import keras
    from keras import layers as k

    norm = k.LayerNormalization(**options)
    network = keras.Sequential([keras.Input((6, 5)), k.Dense(7), norm, k.Dense(3)])
    network.export(str(tmp_path / "export"), verbose=False)
    report = inspect(str(tmp_path / "export"))
    (ours,) = [layer for layer in report.model.layers if layer.kind == "layer_norm"]
    assert not [layer for layer in report.model.layers if layer.type in ("Rsqrt", "SquaredDifference")]
    want = {"gamma": "scale", "beta": "offset"}
    roles = [want[one.path.rpartition("/")[2]] for one in norm.weights]
    assert sorted(one.role for one in ours.weights) == sorted(roles)
    assert ours.attributes["eps"] == pytest.approx(norm.epsilon)
    assert ours.attributes["normalized_shape"] == ((6, 7) if "axis" in options else (7,))
    assert report.totals.params == network.count_params()
    assert _disagreements(report) == []
    assert fits(str(tmp_path / "export"), (4, 6, 5)).diagnosis is None


def test_a_norm_of_other_axes_than_the_last_is_named_by_its_own(tmp_path: Path) -> None:
    """A batch norm may stand on any axis; a group norm is computed like a layer norm, and is none."""
    import keras
    from keras import layers as k

    network = keras.Sequential(
        [keras.Input((6, 8)), k.BatchNormalization(axis=1, name="first"), k.GroupNormalization(groups=2)]
    )
    network.export(str(tmp_path / "export"), verbose=False)
    report = inspect(str(tmp_path / "export"))
    (ours,) = [layer for layer in report.model.layers if layer.kind == "batch_norm"]
    assert (ours.attributes["axis"], ours.attributes["num_features"]) == (-2, 6)
    assert not [layer for layer in report.model.layers if layer.kind == "layer_norm"]
    assert report.totals.params == network.count_params()
    assert _disagreements(report) == []
