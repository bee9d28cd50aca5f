"""A kernel of other lengths that is given to a Keras layer: each setting with its own number."""

from __future__ import annotations

from collections.abc import Callable

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
