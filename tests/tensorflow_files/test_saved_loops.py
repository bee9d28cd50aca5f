"""Loops and branches of SavedModels that are no recurrent layers, held against a run of the same functions.

The same Python code is called without a graph: then every round and every product is run one by one, and what
they are is counted. Before these graphs were opened, all of the work in them was unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect

FOUND: dict[str, Callable[[Any, Any], Any]] = {}
#: The lengths of the input, with a free one as None, and a size for it.
SIZES: dict[str, tuple[tuple[int | None, ...], tuple[int, ...]]] = {}


def loop(free: tuple[int | None, ...], size: tuple[int, ...]) -> Callable[[Any], Any]:
    def add(make: Callable[[Any, Any], Any]) -> Any:
        FOUND[make.__name__], SIZES[make.__name__] = make, (free, size)
        return make

    return add


@dataclass
class Seen:
    """The products of a run without a graph."""

    macs: int = 0
    made: list[tuple[int, ...]] = field(default_factory=list)


SEEN: list[Seen] = []


def product(a: Any, b: Any) -> Any:
    import tensorflow as tf

    made = tf.matmul(a, b)
    if SEEN:
        rows = [int(length) for length in made.shape]
        SEEN[0].made.append(tuple(rows))
        SEEN[0].macs += int(a.shape[-1]) * int(tf.size(made))
    return made


@contextmanager
def counted() -> Iterator[Seen]:
    SEEN.append(Seen())
    yield SEEN[0]
    SEEN.clear()


@loop((None, 6), (5, 6))
def by_twos(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def once(place: Any, value: Any) -> Any:
        return place + 2, tf.tanh(product(value, matrix))

    return tf.while_loop(lambda place, _value: place <= 12, once, [tf.constant(3), x])[1]


@loop((2, 6), (2, 6))
def growing(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def once(place: Any, value: Any) -> Any:
        return place + 1, tf.concat([value, product(x, matrix)], 0)

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 6])]
    return tf.while_loop(lambda place, _value: place < 3, once, [tf.constant(0), x], shapes)[1]


@loop((9, 6), (9, 6))
def shrinking(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def once(place: Any, value: Any) -> Any:
        return place + 1, product(value[1:], matrix)

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 6])]
    return tf.while_loop(lambda place, _value: place < 3, once, [tf.constant(0), x], shapes)[1]


@loop((None, 6), (9, 6))
def cut_to_a_computed_length(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    half = tf.shape(x)[0] // 2

    def once(place: Any, value: Any) -> Any:
        return place + 1, value + product(tf.slice(x, [place, 0], [half, 6]), matrix)

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 6])]
    given = [tf.constant(0), tf.zeros((half, 6))]
    return tf.while_loop(lambda place, _value: place < 3, once, given, shapes)[1]


@loop((None, 6), (7, 6))
def nested(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def outer(place: Any, value: Any) -> Any:
        def inner(place: Any, value: Any) -> Any:
            return place + 1, tf.tanh(product(value, matrix))

        value = tf.while_loop(lambda place, _value: place < 4, inner, [tf.constant(0), value])[1]
        return place + 1, product(value, matrix)

    return tf.while_loop(lambda place, _value: place < 3, outer, [tf.constant(0), x])[1]


@loop((None, 6), (5, 6))
def for_each_row(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    rows = tf.TensorArray(tf.float32, size=tf.shape(x)[0])

    def once(place: Any, listed: Any, state: Any) -> Any:
        state = tf.tanh(product(x[None, place], matrix) + state)
        return place + 1, listed.write(place, state), state

    given = [tf.constant(0), rows, tf.zeros((1, 6))]
    return tf.while_loop(lambda place, *_others: place < tf.shape(x)[0], once, given)[1].stack()


@loop((None, 4, 6), (5, 4, 6))
def mapped(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    return tf.map_fn(lambda row: tf.nn.relu(product(row, matrix)), x)


@loop((None, 2, 6), (5, 2, 6))
def scanned(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    return tf.scan(lambda old, row: tf.tanh(product(old, matrix) + row), x)


@loop((None, 4, None, 6), (5, 4, 3, 6))
def mapped_with_free_space(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    return tf.map_fn(lambda row: product(row[1:], matrix), x)


@loop((None, 6), (5, 6))
def either(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def more() -> Any:
        return product(product(x, matrix), matrix)

    return tf.cond(tf.reduce_sum(x) > 0.0, more, lambda: product(x, matrix))


@loop((None, 6), (5, 6))
def one_of_three(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def more() -> Any:
        return product(product(x, matrix), matrix)

    branches = [lambda: product(x, matrix), more, lambda: x + 1.0]
    return tf.switch_case(tf.cast(tf.reduce_sum(x) > 0.0, tf.int32), branches)


@loop((None, 6), (5, 6))
def choice_in_a_loop(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def once(place: Any, value: Any) -> Any:
        made = tf.cond(tf.reduce_sum(value) > -1e9, lambda: product(value, matrix), lambda: value)
        return place + 1, made

    return tf.while_loop(lambda place, _value: place < 4, once, [tf.constant(0), x])[1]


@loop((None, 6), (5, 6))
def at_most(x: Any, matrix: Any) -> Any:
    import tensorflow as tf

    def once(place: Any, value: Any) -> Any:
        return place + 1, product(value, matrix)

    given = (tf.constant(0), x)
    return tf.while_loop(lambda place, _value: place < 9, once, given, maximum_iterations=4)[1]


@pytest.fixture(scope="module")
def matrix() -> Any:
    import tensorflow as tf

    return tf.Variable(tf.random.stateless_normal((6, 6), (3, 5)) * 0.2, name="matrix")


def saved(folder: Path, make: Callable[[Any, Any], Any], free: tuple[int | None, ...], matrix: Any) -> Path:
    import tensorflow as tf

    module = tf.Module()
    module.matrix = matrix
    spec = tf.TensorSpec(free, tf.float32, name="x")
    module.run = tf.function(lambda x: make(x, matrix), input_signature=[spec])
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.run)
    return folder / "saved"


@pytest.mark.parametrize("name", list(FOUND))
def test_a_loop_does_what_its_rounds_do_one_by_one(name: str, tmp_path: Path, matrix: Any) -> None:
    import tensorflow as tf

    open_lengths, size = SIZES[name]
    path = saved(tmp_path, FOUND[name], open_lengths, matrix)
    with counted() as seen:
        made = FOUND[name](tf.ones(size), matrix)
    free = inspect(str(path))
    report = inspect(str(path), [size])
    assert [report.model.values[one].shape for one in report.model.outputs] == [tuple(made.shape)]
    assert report.totals.macs == seen.macs
    assert not report.totals.macs_unknown
    assert not free.totals.macs_unknown
    assert report.totals.params == 6 * 6
    assert not [layer.type for layer in report.model.layers if layer.kind == "unknown"]
    outputs = [
        report.model.values[call.outputs[0]].shape or ()
        for call in report.model.calls
        if "MatMul" in call.layer.rpartition("/")[2] and not call.spare
    ]
    grows = {shape for shape in outputs if not all(isinstance(length, int) for length in shape)}
    assert {shape for shape in outputs if shape not in grows} <= set(seen.made)
    assert bool(grows) == (len(set(seen.made)) > len(set(outputs)))


def test_the_work_of_a_loop_for_every_sample_is_written_with_their_number(
    tmp_path: Path, matrix: Any
) -> None:
    from shapeinspect.dims import symbol

    report = inspect(str(saved(tmp_path, scanned, SIZES["scanned"][0], matrix)))
    assert report.totals.macs == (symbol("N") - 1) * 2 * 6 * 6
    assert str(report).endswith("MACs        72*N - 72")


def test_a_loop_that_ends_by_its_numbers_says_that_its_work_is_unknown(tmp_path: Path, matrix: Any) -> None:
    import tensorflow as tf

    def until_small(x: Any, matrix: Any) -> Any:
        def again(value: Any) -> Any:
            return tf.reduce_sum(value) > 1.0

        return tf.while_loop(again, lambda value: (tf.matmul(value, matrix) * 0.01,), [x])[0]

    report = inspect(str(saved(tmp_path, until_small, (None, 6), matrix)), [(5, 6)])
    made = until_small(tf.ones((5, 6)), matrix)
    assert [report.model.values[one].shape for one in report.model.outputs] == [tuple(made.shape)]
    assert report.totals.macs is None
    assert report.totals.macs_unknown == ("while/body/MatMul",)
    wanted = "how often this loop runs depends on its numbers, so its work is not known"
    assert wanted in [note.text for note in report.model.notes if note.about == "while"]
    assert {"while/cond/Sum", "while/cond/Greater"} < {layer.path for layer in report.model.layers}
