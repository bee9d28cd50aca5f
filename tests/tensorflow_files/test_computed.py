"""Operators whose settings only the run tells: nothing is claimed that TensorFlow's inference leaves open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.report import analyze
from shapeinspect.sources.source import from_path
from shapeinspect_tensorflow.adapters.graphdef import ADAPTER


def _fed(*shape: int) -> Any:
    import tensorflow as tf

    return tf.compat.v1.placeholder(tf.int32, shape)


def _filter(*shape: int) -> Any:
    import tensorflow as tf

    return tf.compat.v1.placeholder(tf.float32, shape)


def _operators(tf: Any) -> dict[str, Callable[[Any], Any]]:
    return {
        "Mean": lambda x: tf.reduce_mean(x, _fed(1)),
        "Max, axes kept": lambda x: tf.reduce_max(x, _fed(1), keepdims=True),
        "ArgMax": lambda x: tf.argmax(x, _fed()),
        "Transpose": lambda x: tf.transpose(x, _fed(4)),
        "ExpandDims": lambda x: tf.expand_dims(x, _fed()),
        "ConcatV2": lambda x: tf.concat([x, x], _fed()),
        "Split": lambda x: tf.split(x, 1, _fed())[0],
        "SplitV": lambda x: tf.raw_ops.SplitV(value=x, size_splits=_fed(2), axis=_fed(), num_split=2)[0],
        "Tile": lambda x: tf.tile(x, _fed(4)),
        "Pad": lambda x: tf.pad(x, _fed(4, 2)),
        "Slice": lambda x: tf.slice(x, _fed(4), _fed(4)),
        "StridedSlice": lambda x: x[_fed() : _fed()],
        "OneHot": lambda x: tf.one_hot(tf.cast(x, tf.int32), _fed()),
        "TopKV2": lambda x: tf.math.top_k(x, _fed())[0],
        "Reshape": lambda x: tf.reshape(x, _fed(2)),
        "BroadcastTo": lambda x: tf.broadcast_to(x, _fed(5)),
        "Fill": lambda _: tf.fill(_fed(2), 1.0),
        "GatherV2": lambda x: tf.gather(x, _fed(6), axis=_fed()),
        "ResizeBilinear": lambda x: tf.image.resize(x, _fed(2)),
        "Conv2D": lambda x: tf.nn.conv2d(x, _filter(1, 4, 7, 9), 1, "SAME"),
        "Conv2DBackpropInput": lambda x: tf.raw_ops.Conv2DBackpropInput(
            input_sizes=_fed(4), filter=_filter(1, 4, 9, 7), out_backprop=x, strides=[1] * 4, padding="SAME"
        ),
    }


NAMES = (
    *("Mean", "Max, axes kept", "ArgMax", "Transpose", "ExpandDims", "ConcatV2", "Split", "SplitV", "Tile"),
    *("Pad", "Slice", "StridedSlice", "OneHot", "TopKV2", "Reshape", "BroadcastTo", "Fill", "GatherV2"),
    *("ResizeBilinear", "Conv2D", "Conv2DBackpropInput"),
)


@pytest.mark.parametrize("name", NAMES)
def test_no_length_is_guessed(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (2, 3, 5, 7), name="x")
        result = tf.identity(_operators(tf)[name](x), name="result")
    path = tmp_path / "m.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    source = from_path(path)
    model = analyze(ADAPTER.read(source), source).model
    own, known = model.values[model.outputs[-1]].shape, result.shape
    if own is None:
        return  # unknown is never wrong
    assert known.rank == len(own)
    for dim, length in zip(own, known.as_list(), strict=True):
        assert not isinstance(dim, int) or dim == length


def test_every_operator_is_tried() -> None:
    import tensorflow as tf

    assert set(_operators(tf)) == set(NAMES)
