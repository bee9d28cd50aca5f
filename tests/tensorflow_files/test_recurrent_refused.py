"""Loops that only look like a recurrent layer of Keras stay loops, and malformed ones raise nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect_tensorflow.graph.flow import Ref, Step
from shapeinspect_tensorflow.graph.nodes import Node
from shapeinspect_tensorflow.graph.recurrence.terms import Terms

KINDS = ("lstm", "gru", "rnn")
CASES = {
    "keras": True,
    "another function of the memory": False,
    "a kernel that is computed": False,
    "its counter is an output": False,
    "a third factor": False,
}
OPERATORS = (
    *("Sub", "Mul", "MatMul", "SelectV2", "Split", "SplitV", "Tanh", "Unpack", "StridedSlice"),
    *("TensorListSetItem", "TensorListGetItem", "FULLY_CONNECTED"),
)


def _saved(case: str, folder: Path) -> str:
    """Save an LSTM that is written as a loop, with one difference from Keras's."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]  # tensorflow has no types
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.ones((5, 28)), name="kernel")
            self.matrix = tf.Variable(tf.ones((7, 28)), name="matrix")

        @tf.function(input_signature=[tf.TensorSpec((None, 9, 5), tf.float32)])  # type: ignore[misc]  # the same
        def __call__(self, x: Any) -> Any:
            x = tf.transpose(x, (1, 0, 2))
            states = tf.zeros((tf.shape(x)[1], 7)), tf.zeros((tf.shape(x)[1], 7))
            rows = tf.TensorArray(tf.float32, 9).unstack(x)
            end = tf.nn.relu if case == "another function of the memory" else tf.tanh

            def body(t: Any, h: Any, c: Any, made: Any) -> Any:
                kernel = tf.round(self.kernel) if case == "a kernel that is computed" else self.kernel
                gates = tf.matmul(rows.read(t), kernel) + tf.matmul(h, self.matrix)
                i, f, g, o = tf.split(gates, 4, 1)
                kept = tf.sigmoid(f) * c
                kept = kept * tf.sigmoid(i) if case == "a third factor" else kept
                c = kept + tf.sigmoid(i) * tf.tanh(g)
                h = tf.sigmoid(o) * end(c)
                return t + 1, h, c, made.write(t, h)

            start = (0, *states, tf.TensorArray(tf.float32, 9, element_shape=(None, 7)))
            t, *_, made = tf.while_loop(lambda t, *_: t < 9, body, start)
            result = {"y": tf.transpose(made.stack(), (1, 0, 2))}
            return {**result, "t": t} if case == "its counter is an output" else result

    module = Module()
    tf.saved_model.save(module, str(folder), signatures=module.__call__)
    return str(folder)


@pytest.mark.parametrize("case", CASES)
def test_a_loop_that_differs_from_keras_stays_a_loop(case: str, tmp_path: Path) -> None:
    report = inspect(_saved(case, tmp_path / "module"))
    recognized = [layer.kind for layer in report.model.layers if layer.kind in KINDS]
    assert recognized == (["lstm"] if CASES[case] else [])
    made = {name for call in report.model.calls for name in call.outputs}
    assert made.issuperset(report.model.outputs)


@pytest.mark.parametrize("op", OPERATORS)
def test_an_operator_with_too_few_inputs_is_a_value(op: str) -> None:
    def step(ref: Ref) -> Step:
        return Step(ref.path, Node("", op, (), {}), ())

    assert Terms(step, frozenset()).of(Ref("x")) == ("value", Ref("x"))
