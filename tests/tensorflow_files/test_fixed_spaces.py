"""Transposed convolutions whose output has a fixed space: the inputs that TensorFlow and TFLite refuse.

TFLite's kernel over two axes takes any input; before this was held, ours said of all others that they fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect.api.debugging import fits

SPACE = (8, 6, 10)


def _runs(function: Any, *inputs: Any) -> bool:
    import tensorflow as tf

    try:
        function(*inputs)
    except (tf.errors.OpError, ValueError, RuntimeError):
        return False
    return True


def _invoke(path: Path, size: tuple[int, ...]) -> None:
    import numpy as np
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(path))
    index = runner.get_input_details()[0]["index"]
    runner.resize_tensor_input(index, size)
    runner.allocate_tensors()
    runner.set_tensor(index, np.ones(size, np.float32))
    runner.invoke()


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("axes", [2, 3])
def test_the_inputs_that_fit_are_those_that_run(axes: int, padding: str, tmp_path: Path) -> None:
    import tensorflow as tf

    space = SPACE[:axes]
    module = tf.Module()
    module.filter = tf.Variable(tf.ones((*(2,) * axes, 4, 3)))
    call = getattr(tf.nn, f"conv{axes}d_transpose")
    spec = tf.TensorSpec((1, *(None,) * axes, 3), tf.float32)
    module.run = tf.function(
        lambda x: call(x, module.filter, (1, *space, 4), 2, padding), input_signature=[spec]
    )
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=module.run)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "net"))
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    seen = set()
    for more in (-1, 0, 1):
        size = (1, *(length // 2 + more for length in space), 3)
        runs = _runs(module.run, tf.ones(size))
        assert (fits(str(tmp_path / "net"), {"x": size}).diagnosis is None) == runs, size
        lite = _runs(_invoke, tmp_path / "net.tflite", size)
        assert (fits(str(tmp_path / "net.tflite"), [size]).diagnosis is None) == lite, size
        seen.add(runs)
    assert seen == {True, False}
