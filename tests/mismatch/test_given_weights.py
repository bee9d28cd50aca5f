"""A kernel of other lengths that is given to a Keras layer: each setting with its own number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import describe


def test_two_settings_of_one_kernel(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="weight shape") as caught:
        run("""
import keras, numpy as np
net = keras.Sequential([keras.Input((99, 2, 1)), keras.layers.Conv2D(12, (10, 1), name="conv")])
net.get_layer("conv").set_weights([np.zeros((8, 1, 6, 12)), np.zeros(12)])
""")
    found = explain_error(caught.value)
    assert found is not None
    text = " ".join(describe(found).split())
    assert "the weights that are loaded have other shapes than the layers" in text
    assert 'kernel_size=(8, 1) and 6 input channels for "conv"' in text


GATES = """
import keras
import numpy as np
x = keras.Input((None, 5))
gru = keras.layers.GRU(7, reset_after=False, name="gru")
net = keras.Model(x, gru(x))
w, u, b = np.zeros((5, 7)), np.zeros((7, 7)), np.zeros(7)
gru.set_weights([w, u, b, w, u, b, w, u, b])
"""
MANY = GATES.replace("[w, u, b, w, u, b, w, u, b]", "[w, u, b, w]")


def test_weights_of_single_gates_are_put_side_by_side(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="set_weights") as caught:
        run(GATES)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.cause == "fused"
    code = diagnosis.fixes[0].text
    assert code.startswith("gru.set_weights([np.concatenate([w, w, w], -1)")
    run(GATES.replace("gru.set_weights([w, u, b, w, u, b, w, u, b])", code))


def test_a_list_with_too_many_weights_is_no_checkpoint(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="set_weights") as caught:
        run(MANY)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.cause == "weights-too-many"


def test_a_normalization_along_another_axis_is_no_output_layer(
    run: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the script leaves its file
    text = """
import keras
def build(axis):
    x = keras.Input((9, 8, 6))
    return keras.Model(x, keras.layers.BatchNormalization(axis=axis, name="norm")(x))
build(3).save_weights("net.weights.h5")
build(1).load_weights("net.weights.h5")
"""
    with pytest.raises(ValueError, match="norm") as caught:
        run(text)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.cause == "axis"
    assert '"norm" works along axis 1, of 9; what is stored fits axis 3, of 6' in describe(diagnosis)
