"""Loops and choices of TensorFlow 1: the shapes of a run, the layers and the work of TensorFlow 2's form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect import inspect
from shapeinspect.api.report import Report
from shapeinspect.dims import substitute

#: The operators of TensorFlow 1's loops, choices and tensor arrays.
OLD = {"Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch", "TensorArrayV3"}


@pytest.fixture(params=[True, False], ids=["frames", "functions"])
def frames(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Have TensorFlow write loops in either form."""
    import tensorflow as tf

    if request.param:
        tf.compat.v1.disable_control_flow_v2()
    yield request.param
    tf.compat.v1.enable_control_flow_v2()


def numbers(*shape: int) -> Any:
    import tensorflow as tf

    return tf.constant(np.random.default_rng(len(shape)).normal(size=shape).astype("f"))


def dense(x: Any) -> Any:
    import tensorflow as tf

    weight, bias = numbers(7, 7), numbers(7)

    def step(count: Any, y: Any) -> Any:
        return count + 1, tf.nn.relu(tf.nn.bias_add(tf.matmul(y, weight), bias))

    _, y = tf.compat.v1.while_loop(lambda count, y: count < 5, step, [tf.constant(0), x])
    return tf.matmul(y, numbers(7, 3))


def nested(x: Any) -> Any:
    import tensorflow as tf

    weight = numbers(7, 7)

    def inner(count: Any, y: Any) -> Any:
        return count + 2, tf.tanh(tf.matmul(y, weight))

    def outer(count: Any, y: Any) -> Any:
        _, y = tf.compat.v1.while_loop(lambda count, y: count < 6, inner, [tf.constant(0), y])
        return count + 1, tf.matmul(y, weight)

    _, y = tf.compat.v1.while_loop(lambda count, y: count < 5, outer, [tf.constant(0), x])
    return y


def growing(x: Any) -> Any:
    import tensorflow as tf

    def step(count: Any, y: Any) -> Any:
        return count + 1, tf.concat([y, x], 0)

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 7])]
    start = [tf.constant(0), x]
    _, y = tf.compat.v1.while_loop(lambda count, y: count < 4, step, start, shape_invariants=shapes)
    return tf.matmul(y, numbers(7, 3))


def mapped(x: Any) -> Any:
    import tensorflow as tf

    weight = numbers(7, 4)
    return tf.map_fn(lambda row: tf.matmul(row, weight), tf.tile(x[:, None], (1, 9, 1)))


def recurrent(x: Any) -> Any:
    """A cell with one matrix for the data and the state, as those of TensorFlow 1 have."""
    import tensorflow as tf

    rows = tf.transpose(tf.tile(x[:, None], (1, 11, 1)), (1, 0, 2))
    weight, count = numbers(7 + 6, 24), tf.shape(x)[0]
    read = tf.TensorArray(tf.float32, 11).unstack(rows)
    written = tf.TensorArray(tf.float32, 11)

    def step(time: Any, written: Any, cell: Any, state: Any) -> Any:
        gates = tf.matmul(tf.concat([read.read(time), state], 1), weight)
        i, j, f, o = tf.split(gates, 4, 1)
        cell = cell * tf.sigmoid(f) + tf.sigmoid(i) * tf.tanh(j)
        state = tf.tanh(cell) * tf.sigmoid(o)
        return time + 1, written.write(time, state), cell, state

    zeros = tf.zeros([count, 6])
    start = [tf.constant(0), written, zeros, zeros]
    _, written, _, state = tf.compat.v1.while_loop(lambda time, *_: time < 11, step, start)
    return tf.transpose(written.stack(), (1, 0, 2)), tf.matmul(state, numbers(6, 3))


def chosen(x: Any) -> Any:
    """Two values of one choice, which have a product in common, with a choice and a loop inside."""
    import tensorflow as tf

    wide, flat = numbers(7, 9), numbers(7, 9)
    narrow = numbers(9, 4)

    def then() -> Any:
        y = tf.cond(tf.reduce_sum(x) > 1, lambda: tf.matmul(x, wide), lambda: tf.tanh(tf.matmul(x, flat)))
        return tf.matmul(y, narrow), tf.nn.relu(y)

    def otherwise() -> Any:
        def step(count: Any, y: Any) -> Any:
            return count + 1, tf.matmul(y, square)

        square = numbers(9, 9)
        _, y = tf.compat.v1.while_loop(lambda count, y: count < 3, step, [tf.constant(0), tf.matmul(x, wide)])
        return tf.matmul(y, narrow), y

    return tf.cond(tf.reduce_sum(x) > 0, then, otherwise)


#: For each graph the multiply-accumulates of one row.
GRAPHS: dict[Callable[[Any], Any], int] = {
    dense: 5 * 7 * 7 + 7 * 3,
    nested: 5 * (3 * 7 * 7 + 7 * 7),
    growing: 5 * 7 * 3,
    mapped: 9 * 7 * 4,
    chosen: 7 * 9 + 3 * 9 * 9 + 9 * 4,
    recurrent: 11 * 13 * 24 + 6 * 3,
}


def saved(graph: Callable[[Any], Any], path: Path) -> tuple[set[str], list[tuple[int, ...]]]:
    """Write a graph; return its operators, and the shapes that its outputs have for 5 rows."""
    import tensorflow as tf

    built = tf.Graph()
    with built.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (None, 7), "x")
        results = graph(x)
        results = results if isinstance(results, tuple) else (results,)
        outputs = [tf.identity(one, f"out{place}") for place, one in enumerate(results)]
    written = built.as_graph_def()
    path.write_bytes(written.SerializeToString())
    with tf.compat.v1.Session(graph=built) as session:
        made = session.run(outputs, {x: np.zeros((5, 7), "f")})
    return {node.op for node in written.node}, [one.shape for one in made]


def words(shape: object) -> list[str]:
    return re.findall(r"\w+", re.sub(r"\w+_0", "before", str(shape)))


def facts(report: Report) -> Counter[tuple[object, ...]]:
    """Return the layers that compute, with what comes out; the length of what grows is called differently."""
    kinds = {"linear", "activation", "concat", "split", "elementwise"}
    shapes = {name: value.shape for name, value in report.model.values.items()}
    by_path = {layer.path: layer for layer in report}
    return Counter(
        (by_path[call.layer].kind, *(tuple(sorted(words(shapes[name]))) for name in call.outputs))
        for call in report.model.calls
        if by_path[call.layer].kind in kinds and call.outputs and shapes[call.outputs[0]] != ()
    )


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_loop_has_the_shapes_and_the_work_of_a_run(
    graph: Callable[[Any], Any], frames: bool, tmp_path: Path
) -> None:
    operators, wanted = saved(graph, tmp_path / "loop.pb")
    assert bool(operators & OLD) is frames
    report = inspect(tmp_path / "loop.pb")
    assert not {layer.type for layer in report} & OLD
    found = [value.shape for value in report.outputs]
    assert [tuple(substitute(dim, {"N": 5}) for dim in shape or ()) for shape in found] == wanted
    assert str(report.totals.macs) == f"{GRAPHS[graph]}*N"
    assert not report.notes or len(wanted) > 1


@pytest.mark.parametrize("graph", GRAPHS)
def test_both_forms_of_a_loop_have_the_same_layers(graph: Callable[[Any], Any], tmp_path: Path) -> None:
    import tensorflow as tf

    found = []
    for switch in (tf.compat.v1.disable_control_flow_v2, tf.compat.v1.enable_control_flow_v2):
        switch()
        saved(graph, tmp_path / "loop.pb")
        found.append(facts(inspect(tmp_path / "loop.pb")))
    assert found[0] == found[1]


@pytest.mark.parametrize("masked", [False, True])
def test_a_frozen_keras_network_has_its_recurrent_layers(masked: bool, tmp_path: Path) -> None:
    """Freezing writes the loops of TensorFlow 2 as frames, and records no shapes."""
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((11, 5)),
            *([layers.Masking()] if masked else []),
            layers.LSTM(6, return_sequences=True),
            layers.Bidirectional(layers.GRU(4)),
            layers.Dense(3),
        ]
    )
    call = tf.function(network).get_concrete_function(tf.TensorSpec((None, 11, 5)))
    frozen = convert_variables_to_constants_v2(call).graph.as_graph_def()
    assert {node.op for node in frozen.node} | {"TensorArrayV3"} >= OLD
    (tmp_path / "frozen.pb").write_bytes(frozen.SerializeToString())
    report = inspect(tmp_path / "frozen.pb")
    assert [layer.kind for layer in report if layer.kind in ("lstm", "gru", "linear")] == [
        "lstm", "gru", "gru", "linear",
    ]  # fmt: skip
    assert not {layer.type for layer in report} & (OLD | {"While"})
    assert report.totals.params == network.count_params()
    assert [str(value.shape) for value in (*report.inputs, *report.outputs)] == ["(N, 11, 5)", "(N, 3)"]
    gates = 11 * (4 * 6 * (5 + 6) + 2 * 3 * 4 * (6 + 4))
    assert str(report.totals.macs) == f"{gates + 8 * 3}*N"


def test_a_graph_that_trains_keeps_its_forward_pass(frames: bool, tmp_path: Path) -> None:
    """The gradient of a choice reads what is inside of its branches, and comes after it."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    built = tf.Graph()
    with built.as_default():
        x, train = tf1.placeholder(tf.float32, (None, 7), "x"), tf1.placeholder(tf.bool, (), "train")
        weight = tf1.get_variable("weight", (7, 7), use_resource=False)
        wide = tf1.get_variable("wide", (7, 9), use_resource=False)

        def step(count: Any, y: Any) -> Any:
            return count + 1, tf.nn.relu(tf.matmul(y, weight))

        _, y = tf1.while_loop(lambda count, y: count < 5, step, [tf.constant(0), x])
        y = tf.cond(train, lambda: tf.tanh(tf.matmul(y, wide)), lambda: tf.matmul(y, wide))
        loss = tf.reduce_mean(tf.square(tf.identity(y, "logits")))
        tf1.train.GradientDescentOptimizer(0.1).minimize(loss)
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            whole = built.as_graph_def()
            frozen = tf1.graph_util.convert_variables_to_constants(session, whole, ["logits"])
    (tmp_path / "whole.pb").write_bytes(whole.SerializeToString())
    (tmp_path / "frozen.pb").write_bytes(frozen.SerializeToString())
    report = inspect(tmp_path / "frozen.pb")
    assert (str(report.totals.macs), report.totals.params) == ("308*N1", 7 * 7 + 7 * 9)
    assert [str(value.shape) for value in report.outputs] == ["(N1, 9)"]
    trained = inspect(tmp_path / "whole.pb")
    calls = Counter(call.layer for call in trained.model.calls)
    assert set(calls.values()) == {1}
    paths = {
        layer.path: layer for layer in trained if layer.kind == "linear" and "gradients" not in layer.path
    }
    assert {path: str(layer.macs) for path, layer in paths.items() if path.startswith("while")} == {
        "while/body/MatMul": "245*N1"
    }
    assert [str(layer.macs) for path, layer in paths.items() if "then" in path] == ["63*N1"]


def graph(*nodes: tuple[str, str, list[str], str]) -> bytes:
    """Return a graph of nodes, each with its operator, its inputs and the name of its frame."""
    from tensorflow.core.framework import graph_pb2

    written = graph_pb2.GraphDef()
    for name, op, inputs, frame in nodes:
        node = written.node.add(name=name, op=op, input=inputs)
        if frame:
            node.attr["frame_name"].s = frame.encode()
    return written.SerializeToString()


def one_loop(name: str, start: str, inside: str = "") -> list[tuple[str, str, list[str], str]]:
    """Return a loop of one value; what is inside of it is the name of a value that the round returns."""
    return [
        (f"{name}/Enter", "Enter", [start], name),
        (f"{name}/Merge", "Merge", [f"{name}/Enter", f"{name}/Next"], ""),
        (f"{name}/LoopCond", "LoopCond", [f"{name}/Less"], ""),
        (f"{name}/Less", "Less", [f"{name}/Merge", f"{name}/Merge"], ""),
        (f"{name}/Switch", "Switch", [f"{name}/Merge", f"{name}/LoopCond"], ""),
        (f"{name}/Exit", "Exit", [f"{name}/Switch"], ""),
        (f"{name}/Next", "NextIteration", [inside or f"{name}/Switch:1"], ""),
    ]


X = ("x", "Placeholder", [], "")
Y = ("y", "Relu", ["m"], "")
ODD: dict[str, list[tuple[str, str, list[str], str]]] = {
    "two loops, each inside of the other": [
        X,
        *one_loop("a", "b/Switch:1", "b/Exit"),
        *one_loop("b", "a/Switch:1", "a/Exit"),
    ],
    "a loop inside of itself": [X, *one_loop("a", "x", "a/Exit")],
    "a round that begins where it ends": [X, *one_loop("a", "x", "a/Next")],
    "no condition": [X, *(node for node in one_loop("a", "x") if node[1] != "LoopCond")],
    "no next round": [X, *(node for node in one_loop("a", "x") if node[1] != "NextIteration")],
    "nothing enters": [("a/Enter", "Enter", [], "a"), *one_loop("a", "x")[1:]],
    "a value of two loops": [
        X,
        *one_loop("a", "x"),
        ("b/Enter", "Enter", ["x"], "a"),
        ("c/Enter", "Enter", ["x"], "c"),
    ],
    "a choice without a condition": [X, ("m", "Merge", ["x", "m"], ""), Y],
    "a choice of its own result": [
        X,
        ("s", "Switch", ["m", "x"], ""),
        ("m", "Merge", ["s", "s:1"], ""),
        Y,
    ],
    "a list in a list": [
        X,
        ("t", "TensorArrayV3", ["t:1"], ""),
        ("y", "TensorArrayReadV3", ["t", "x", "t:1"], ""),
    ],
}


@pytest.mark.parametrize("case", ODD)
def test_odd_control_flow_is_read_as_it_is(case: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.pb"
    path.write_bytes(graph(*ODD[case]))
    report = inspect(path)
    assert [value.name for value in report.inputs] == ["x"] * (case != "nothing enters")


def test_loops_deep_inside_of_each_other_take_little_work(tmp_path: Path) -> None:
    """Each of them needs the one inside, which is named after it."""
    nodes = [X]
    for number in range(60):
        start = f"loop{number - 1}/Switch:1" if number else "x"
        nodes += one_loop(f"loop{number}", start, f"loop{number + 1}/Exit" if number < 59 else "")
    path = tmp_path / "deep.pb"
    path.write_bytes(graph(*nodes, ("y", "Relu", ["loop0/Exit"], "")))
    assert str(inspect(path).outputs[0].shape) == "None"
