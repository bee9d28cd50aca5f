"""Operators that few networks have: the shapes of a real call, from the lengths of the inputs alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect

#: What is computed, the shapes that are declared, and those that are fed.
CASES: dict[str, tuple[Callable[..., Any], list[tuple[int | None, ...]], list[tuple[int, ...]]]] = {
    "roll": (lambda tf, x: tf.roll(x, (-2, 1), (1, 2)), [(None, 7, None)], [(3, 7, 5)]),
    "softmax": (lambda tf, x: tf.nn.softmax(x, axis=1), [(None, 7, None)], [(3, 7, 5)]),
    "igamma": (lambda tf, x, y: tf.math.igamma(x, y), [(None, 1, 7), (None, 7)], [(3, 1, 7), (5, 7)]),
    "cross": (lambda tf, x, y: tf.linalg.cross(x, y), [(None, 3), (None, 3)], [(5, 3), (5, 3)]),
    "solve": (lambda tf, x, y: tf.linalg.solve(x, y), [(None, 4, 4), (None, 4, 7)], [(3, 4, 4), (3, 4, 7)]),
    "triangle": (
        lambda tf, x, y: tf.linalg.triangular_solve(x, y), [(None, 4, 4), (None, 4, 7)],
        [(3, 4, 4), (3, 4, 7)],
    ),
    "filled": (
        lambda tf, x: tf.fill(tf.shape(x * 2), 1.0) + tf.cast(tf.rank(x), tf.float32), [(None, 7)], [(3, 7)]
    ),
    "values": (lambda tf, x: tf.linalg.eigh(x), [(None, 4, 4)], [(3, 4, 4)]),
    "determinant": (lambda tf, x: tf.linalg.slogdet(x), [(None, 4, 4)], [(3, 4, 4)]),
    "bound": (lambda tf, x, y: tf.raw_ops.LowerBound(sorted_inputs=x, values=y), [(None, 7), (None, 5)],
              [(3, 7), (3, 5)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_operator_has_the_shapes_of_a_real_call(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    call, declared, fed = CASES[name]
    module = tf.Module()
    specs = [tf.TensorSpec(shape, tf.float32, name=f"x{place}") for place, shape in enumerate(declared)]

    def outputs(*given: Any) -> dict[str, Any]:
        made = call(tf, *given)
        made = made if isinstance(made, list | tuple) else [made]
        return {f"y{place}": one for place, one in enumerate(made)}

    module.call = tf.function(outputs, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path), signatures=module.call)
    given = [tf.eye(*size[-2:], batch_shape=size[:-2]) + 0.5 for size in fed]
    real = {key: tuple(int(dim) for dim in one.shape) for key, one in outputs(*given).items()}
    free = inspect(str(tmp_path)).model
    assert not [name for name in free.outputs if "?" in map(str, free.values[name].shape or "?")]
    asked = {f"x{place}": size for place, size in enumerate(fed)}
    model = inspect(str(tmp_path), asked).model
    assert {name: model.values[name].shape for name in model.outputs} == real
    assert not [layer.type for layer in model.layers if layer.kind == "unknown"]
