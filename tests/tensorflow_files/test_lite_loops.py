"""Loops of TFLite that are no recurrent layers: rounds, work and lengths, as TensorFlow runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect

SIZE = (2, 6)
#: What a round of each loop multiplies: a product of a matrix with 2 rows of 6 numbers.
PRODUCT = 2 * 6 * 6


def _written(path: Path, make: Callable[[Any, Any], Any]) -> tuple[Path, Any]:
    """Convert a function of a tensor and a matrix, and return the interpreter's output for ones."""
    import numpy as np
    import tensorflow as tf

    class Net(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = tf.Variable(tf.random.stateless_normal((6, 6), (3, 5)))

        @tf.function(input_signature=[tf.TensorSpec(SIZE, tf.float32)])
        def run(self, x: Any) -> Any:
            return make(x, self.matrix)

    net = Net()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.run.get_concrete_function()], net)
    path.write_bytes(converter.convert())
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.ones(SIZE, np.float32))
    interpreter.invoke()
    return path, interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _counted(start: int, stop: int, step: int) -> Callable[[Any, Any], Any]:
    def make(x: Any, matrix: Any) -> Any:
        import tensorflow as tf

        def again(place: Any, _value: Any) -> Any:
            return place < stop

        def once(place: Any, value: Any) -> Any:
            return place + step, tf.tanh(tf.matmul(value, matrix))

        return tf.while_loop(again, once, [tf.constant(start), x])[1]

    return make


def _growing(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def once(place: Any, value: Any) -> Any:
        return place + 1, tf.concat([value, tf.matmul(x, matrix)], 0)

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 6])]
    return tf.while_loop(lambda place, _value: place < 3, once, [tf.constant(0), x], shapes)[1]


def _until_small(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def again(value: Any) -> Any:
        return tf.reduce_sum(value) > 1.0

    return tf.while_loop(again, lambda value: (tf.matmul(value, matrix) * 0.01,), [x])[0]


@pytest.mark.parametrize(("start", "stop", "step"), [(0, 5, 1), (3, 12, 2), (4, 4, 1)])
def test_a_loop_that_counts_does_the_work_of_all_rounds(
    start: int, stop: int, step: int, tmp_path: Path
) -> None:
    path, made = _written(tmp_path / "loop.tflite", _counted(start, stop, step))
    report = inspect(str(path))
    assert report.totals.macs == len(range(start, stop, step)) * PRODUCT
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert not [layer.path for layer in report.model.layers if layer.kind == "unknown"]


def test_what_grows_with_every_round_is_as_long_as_the_last_one(tmp_path: Path) -> None:
    path, made = _written(tmp_path / "grows.tflite", _growing)
    report = inspect(str(path))
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.macs == 3 * PRODUCT


def test_what_a_loop_in_a_loop_makes_longer_is_as_long_as_the_last_round(tmp_path: Path) -> None:
    """Both end with the same operator: the inner one, which ends first, used to end behind the outer one."""
    import tensorflow as tf

    def make(x: Any, matrix: Any) -> Any:
        shapes = [tf.TensorShape([]), tf.TensorShape([None, 6])]

        def outer(place: Any, value: Any) -> Any:
            def inner(place: Any, value: Any) -> Any:
                return place + 1, tf.concat([value, tf.matmul(x, matrix)], 0)

            given = [tf.constant(0), value]
            return place + 1, tf.while_loop(lambda place, _value: place < 4, inner, given, shapes)[1]

        return tf.while_loop(lambda place, _value: place < 3, outer, [tf.constant(0), x], shapes)[1]

    path, made = _written(tmp_path / "nested.tflite", make)
    report = inspect(str(path))
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.macs == 3 * 4 * PRODUCT


@pytest.mark.parametrize("place", ["inputs", "outputs"])
def test_a_round_that_carries_fewer_values_than_its_loop_has_unknown_work(place: str, tmp_path: Path) -> None:
    from tensorflow.lite.tools import flatbuffer_utils

    path, _ = _written(tmp_path / "loop.tflite", _counted(0, 5, 1))
    whole = flatbuffer_utils.read_model(str(path))
    (loop,) = [
        one for one in whole.subgraphs[0].operators if hasattr(one.builtinOptions, "bodySubgraphIndex")
    ]
    body = whole.subgraphs[loop.builtinOptions.bodySubgraphIndex]
    setattr(body, place, list(getattr(body, place))[:-1])
    flatbuffer_utils.write_model(whole, str(path))
    report = inspect(str(path))
    assert [layer.kind for layer in report.model.layers if layer.type == "WHILE"] == ["unknown"]
    assert report.totals.macs_unknown == ("while",)


def test_work_that_is_less_in_every_round_is_that_of_all_rounds(tmp_path: Path) -> None:
    import tensorflow as tf

    def make(x: Any, matrix: Any) -> Any:
        def once(place: Any, value: Any) -> Any:
            return place + 1, tf.matmul(value[1:], matrix)

        shapes = [tf.TensorShape([]), tf.TensorShape([None, 6])]
        given = [tf.constant(0), tf.tile(x, [4, 1])]
        return tf.while_loop(lambda place, _value: place < 3, once, given, shapes)[1]

    path, made = _written(tmp_path / "shrinks.tflite", make)
    report = inspect(str(path))
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.macs == (7 + 6 + 5) * 6 * 6


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("rows", [9, 14])
def test_a_slice_of_a_length_that_the_graph_computes(rows: int, tmp_path: Path) -> None:
    import numpy as np
    import tensorflow as tf

    class Net(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = tf.Variable(tf.random.stateless_normal((6, 6), (3, 5)))

        @tf.function(input_signature=[tf.TensorSpec((None, 6), tf.float32)])
        def run(self, x: Any) -> Any:
            half = tf.shape(x)[0] // 2

            def once(place: Any, value: Any) -> Any:
                part = tf.slice(x, tf.stack([place, 0]), tf.stack([half, 6]))
                return place + 1, value + tf.matmul(part, self.matrix)

            shapes = [tf.TensorShape([]), tf.TensorShape([None, 6])]
            given = [tf.constant(0), tf.zeros((half, 6))]
            return tf.while_loop(lambda place, _value: place < 3, once, given, shapes)[1]

    net, path = Net(), tmp_path / "cut.tflite"
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.run.get_concrete_function()], net)
    path.write_bytes(converter.convert())
    runner = tf.lite.Interpreter(str(path))
    runner.resize_tensor_input(runner.get_input_details()[0]["index"], (rows, 6))
    runner.allocate_tensors()
    runner.set_tensor(runner.get_input_details()[0]["index"], np.ones((rows, 6), np.float32))
    runner.invoke()
    made = runner.get_tensor(runner.get_output_details()[0]["index"])
    report = inspect(str(path), [(rows, 6)])
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.macs == 3 * (rows // 2) * 6 * 6


def test_a_loop_that_ends_by_its_numbers_says_that_its_work_is_unknown(tmp_path: Path) -> None:
    path, made = _written(tmp_path / "ends.tflite", _until_small)
    report = inspect(str(path))
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.macs is None
    assert len(report.totals.macs_unknown) == 1
    (loop,) = [layer.path for layer in report.model.layers if layer.type == "WHILE"]
    wanted = "how often this loop runs depends on its numbers, so its work is not known"
    assert [note.about for note in report.model.notes if note.text == wanted] == [loop]


def test_of_two_branches_the_one_with_more_work_counts(tmp_path: Path) -> None:
    def make(x: Any, matrix: Any) -> Any:
        import tensorflow as tf

        def yes() -> Any:
            return tf.matmul(tf.matmul(x, matrix), matrix)

        return tf.cond(tf.reduce_sum(x) > 0.0, yes, lambda: tf.matmul(x, matrix))

    path, made = _written(tmp_path / "branch.tflite", make)
    report = inspect(str(path))
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.macs == 2 * PRODUCT


def test_a_loop_in_a_loop_does_the_work_of_both(tmp_path: Path) -> None:
    def make(x: Any, matrix: Any) -> Any:
        import tensorflow as tf

        def outer(place: Any, value: Any) -> Any:
            def inner(place: Any, value: Any) -> Any:
                return place + 1, tf.tanh(tf.matmul(value, matrix))

            value = tf.while_loop(lambda place, _value: place < 4, inner, [tf.constant(0), value])[1]
            return place + 1, tf.matmul(value, matrix)

        return tf.while_loop(lambda place, _value: place < 3, outer, [tf.constant(0), x])[1]

    path, made = _written(tmp_path / "nested.tflite", make)
    report = inspect(str(path))
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.macs == 3 * (4 + 1) * PRODUCT


def test_a_scan_counts_no_zeros_that_fill_up_its_list(tmp_path: Path) -> None:
    def make(x: Any, matrix: Any) -> Any:
        import tensorflow as tf

        return tf.scan(lambda old, row: tf.tanh(tf.linalg.matvec(matrix, old) + row), tf.tile(x, [2, 1]))

    path, made = _written(tmp_path / "scan.tflite", make)
    report = inspect(str(path))
    assert [report.model.values[name].shape for name in report.model.outputs] == [made.shape]
    assert report.totals.params == 6 * 6
    assert report.totals.macs == 3 * 6 * 6
