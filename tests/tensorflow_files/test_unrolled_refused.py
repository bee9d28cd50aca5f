"""Steps that are written one by one: what is a recurrent layer, and what only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect

#: For each case, how many layers it is as a SavedModel and in TFLite.
CASES = {
    "plain": (1, 1),
    "backwards": (1, 1),
    "states of ones": (1, 0),  # the converter multiplies them with the matrix
    "another matrix": (0, 0),
    "another bias": (0, 0),
    "another order": (0, 0),
    "another function": (0, 0),
    "an inner value is read": (0, 0),
}


def _saved(case: str, path: Path) -> int:
    """Save a network of five steps, and return how many numbers are trained."""
    import tensorflow as tf

    def number(*shape: int, seed: int = 5) -> Any:
        return tf.Variable(tf.random.stateless_normal(shape, (sum(shape), seed)))

    class Net(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernel, self.matrix, self.bias = number(6, 7), number(7, 7), number(7)
            self.further = number(7, 7, seed=6) if case == "another matrix" else None
            self.other = number(7, seed=6) if case == "another bias" else None

        @tf.function(input_signature=[tf.TensorSpec((2, 5, 6), tf.float32)])
        def run(self, x: Any) -> Any:
            rows = tf.unstack(x, axis=1)
            if case == "backwards":
                rows.reverse()
            if case == "another order":
                rows[1], rows[3] = rows[3], rows[1]
            value = tf.ones((2, 7)) if case == "states of ones" else tf.zeros((2, 7))
            further = []
            for place, row in enumerate(rows):
                odd = place == 2
                matrix = self.further if odd and self.further is not None else self.matrix
                bias = self.other if odd and self.other is not None else self.bias
                total = tf.matmul(row, self.kernel) + bias + tf.matmul(value, matrix)
                if odd:
                    further.append(total)
                value = tf.nn.relu(total) if odd and case == "another function" else tf.tanh(total)
            return [value, *further] if case == "an inner value is read" else [value]

    net = Net()
    tf.saved_model.save(net, str(path), signatures=net.run)
    return sum(int(tf.size(one)) for one in net.trainable_variables)


@pytest.mark.parametrize("case", CASES)
def test_only_equal_steps_from_known_states_are_a_layer(case: str, tmp_path: Path) -> None:
    import tensorflow as tf

    trained = _saved(case, tmp_path / "saved")
    lite = tmp_path / "network.tflite"
    lite.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert())
    for path, layers in zip((tmp_path / "saved", lite), CASES[case], strict=True):
        report = inspect(str(path))
        found = [layer for layer in report.model.layers if layer.kind == "rnn"]
        assert len(found) == layers, path
        assert [one.attributes.get("direction") for one in found] == [
            "reverse" if case == "backwards" else None for _ in found
        ]
        assert {report.model.values[name].shape for name in report.model.outputs} == {(2, 7)}
        if layers:
            assert report.totals.params == trained
            assert (found[0].attributes.get("initial_states") == 1) == (case == "states of ones")
