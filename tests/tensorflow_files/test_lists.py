"""Lists that loops fill: as many entries as were reserved, where that follows from the inputs' lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect.dims import symbol


def _saved(folder: Path) -> tuple[str, Any]:
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]  # tensorflow has no types
        def __init__(self) -> None:
            super().__init__()
            self.kernel = tf.Variable(tf.ones((5, 7)), name="kernel")

        def filled(self, made: Any, count: Any, row: Any) -> Any:
            def step(i: Any, made: Any) -> Any:
                return i + 1, made.write(i, row(i) @ self.kernel)

            return tf.while_loop(lambda i, _: i < count, step, (0, made))[1].stack()

        @tf.function(input_signature=[tf.TensorSpec((None, None, 5))])  # type: ignore[misc]  # no types
        def rows(self, x: Any) -> Any:
            count = tf.shape(x)[1]
            return self.filled(tf.TensorArray(tf.float32, count), count, lambda i: x[:, i])

        @tf.function(input_signature=[tf.TensorSpec((None, 5))])  # type: ignore[misc]  # no types
        def mapped(self, x: Any) -> Any:
            return tf.map_fn(lambda row: tf.linalg.matvec(self.kernel, row, transpose_a=True), x)

        @tf.function(  # type: ignore[misc]  # no types
            input_signature=[tf.TensorSpec((None, 5)), tf.TensorSpec((), tf.int32)]
        )
        def asked(self, x: Any, n: Any) -> Any:
            return self.filled(tf.TensorArray(tf.float32, n), n, lambda _: x)

        @tf.function(input_signature=[tf.TensorSpec((None, 5))])  # type: ignore[misc]  # no types
        def growing(self, x: Any) -> Any:
            made = tf.TensorArray(tf.float32, 2, dynamic_size=True)
            return self.filled(made, tf.shape(x)[0], lambda i: x[i : i + 1])

    module = Module()
    names = ("rows", "mapped", "asked", "growing")
    tf.saved_model.save(module, str(folder), signatures={name: getattr(module, name) for name in names})
    return str(folder), module


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    return _saved(tmp_path_factory.mktemp("lists") / "module")


@pytest.mark.parametrize(("name", "size"), [("rows", (3, 11, 5)), ("mapped", (6, 5))])
def test_a_list_has_the_entries_that_were_reserved(saved: Any, name: str, size: tuple[int, ...]) -> None:
    import tensorflow as tf

    path, module = saved
    real = tuple(int(dim) for dim in getattr(module, name)(tf.zeros(size)).shape)
    model = inspect(path, size, signature=name).model
    ours = model.values[model.outputs[0]].shape or ()
    assert len(ours) == len(real)
    assert ours[0] == real[0]
    assert ours[-1] == real[-1]
    free = inspect(path, signature=name).model
    given = free.values[free.inputs[0]].shape or ()
    assert (free.values[free.outputs[0]].shape or ())[0] == given[1 if name == "rows" else 0]


#: The products of as many rounds as a call asks for; slices whose ends a loop counts have no known length.
WORK = {"asked": 5 * 7 * symbol("n") * symbol("N2"), "growing": None}


@pytest.mark.parametrize("name", WORK)
def test_a_number_that_only_the_call_tells_stays_open(saved: Any, name: str) -> None:
    report = inspect(saved[0], signature=name)
    model = report.model
    shape = model.values[model.outputs[0]].shape or ()
    assert str(shape[0]) == "?"
    assert report.totals.macs == WORK[name]
