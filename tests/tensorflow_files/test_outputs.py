"""What a SavedModel returns, against a call of it: outputs' shapes and element types, and parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeinspect import inspect


@pytest.mark.parametrize("name", ["resizes", "numbers"])
def test_outputs_are_those_of_a_call(name: str, tmp_path: Path) -> None:
    import keras
    import numpy as np
    import tensorflow as tf
    from keras import ops

    x = keras.Input((8, 9, 3))
    if name == "resizes":
        modes = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")
        made = [ops.image.resize(x, (5, 7), interpolation=mode) for mode in modes]
        made.append(ops.image.resize(x, (5, 7), antialias=True))
    else:
        made = [*ops.top_k(x, 2), ops.argmax(x, -1), ops.argsort(x, -1), ops.argmin(x, 1)]
    network = keras.Model(x, made)
    network.export(str(tmp_path / "export"), verbose=False)
    report = inspect(str(tmp_path / "export"), (2, 8, 9, 3))
    images = np.random.default_rng(3).random((2, 8, 9, 3), np.float32)
    called = tf.saved_model.load(str(tmp_path / "export")).signatures["serving_default"](tf.constant(images))
    values = report.model.values
    found = {key: (values[key].shape, values[key].dtype) for key in report.model.outputs}
    assert found == {key: (tuple(value.shape), value.dtype.name) for key, value in called.items()}
    assert report.totals.params == network.count_params() == 0
    assert not [layer.type for layer in report.model.layers if layer.kind == "unknown"]
