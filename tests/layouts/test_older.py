"""Rows of Keras 1 and of cuDNN against TensorFlow's own conversion of such weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tensorflow.python.keras.saving.hdf5_format import preprocess_weights_for_loading
from torch.nn import functional as F

from shapeinspect.ir import Weight
from shapeinspect.layout import canonical
from shapeinspect_keras.vocabulary.parts import bind

TENSORFLOW, THEANO = "tensorflow", "theano"


def _slots(
    name: str, config: dict[str, Any], arrays: dict[str, Any], backend: str | None = TENSORFLOW
) -> dict[str, Any]:
    weights = []
    for role, array in arrays.items():
        layout = bind(name, config, role, array.shape, backend)
        assert layout is not None, role
        weights.append(Weight(role, role, array.shape, layout=layout, values=lambda array=array: array))
    return {slot: reader() for slot, reader in canonical.read(weights).items()}


class _Shape(tuple):  # type: ignore[type-arg]  # of no lengths
    """The shape of a layer's own kernel as the converter compares it: the same as any."""

    def __ne__(self, other: object) -> bool:
        return False


def _converted(name: str, arrays: dict[str, Any], version: str = "1", **settings: Any) -> list[Any]:
    """Convert old weights as TensorFlow does when it loads an old file."""
    kernel = type("Kernel", (), {"shape": _Shape()})
    layer = type(name, (), {"weights": [kernel, kernel], "reset_after": False, **settings})
    return preprocess_weights_for_loading(layer(), list(arrays.values()), version, None)


def _random(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


GATES = {"LSTM": "icfo", "GRU": "zrh", "ConvLSTM2D": "icfo"}


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_a_gate_a_weight(name: str) -> None:
    arrays = {
        f"{role}_{gate}": _random(*shape) + at
        for at, gate in enumerate(GATES[name])
        for role, shape in (("W", (3, 5)), ("U", (5, 5)), ("b", (5,)))
    }
    kernel, recurrent, bias = _converted(name, arrays)
    new = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
    expected = _slots(name, {}, new)
    found = _slots(name, {}, arrays)
    assert sorted(found) == sorted(expected) == ["bias_ih.l0+bias_hh.l0", "weight_hh.l0", "weight_ih.l0"]
    for slot, value in expected.items():
        np.testing.assert_array_equal(found[slot], value)
    # And all gates in one weight, as consume_less="gpu" stores them.
    whole = _slots(name, {}, {"W": kernel, "U": recurrent, "b": bias})
    for slot, value in expected.items():
        np.testing.assert_array_equal(whole[slot], value)
    # A weight of one gate is cut from the whole again.
    layout = bind(name, {}, f"U_{GATES[name][1]}", (5, 5))
    assert layout is not None
    np.testing.assert_array_equal(canonical.write(layout, (5, 5), expected), arrays[f"U_{GATES[name][1]}"])


def test_conv_lstm_of_keras_1() -> None:
    shapes = (("W", (2, 7, 3, 5)), ("U", (2, 7, 5, 5)), ("b", (5,)))
    old = {f"{role}_{gate}": _random(*shape) + at for at, gate in enumerate("icfo") for role, shape in shapes}
    kernel, recurrent, bias = _converted("ConvLSTM2D", old, data_format="channels_last")
    expected = _slots("ConvLSTM2D", {}, {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias})
    # TensorFlow joins the gates of the other order along the kernel's width, so that one is turned by hand.
    turned = {role: np.transpose(w, (3, 2, 0, 1)) if w.ndim == 4 else w for role, w in old.items()}
    for found in (_slots("ConvLSTM2D", {}, old), _slots("ConvLSTM2D", {"dim_ordering": "th"}, turned)):
        assert set(found) == set(expected)
        for slot, value in expected.items():
            np.testing.assert_array_equal(found[slot], value)


@pytest.mark.parametrize(
    ("name", "ordering", "shape", "settings"),
    [
        ("Conv1D", None, (2, 1, 3, 5), {"kernel_size": (2,), "filters": 5}),
        ("Conv1D", None, (5, 3, 2, 1), {"kernel_size": (2,), "filters": 5}),
        ("Conv2D", "tf", (2, 7, 3, 5), {"data_format": "channels_last"}),
        ("Conv2D", "th", (5, 3, 2, 7), {"data_format": "channels_first"}),
        ("Conv2DTranspose", "tf", (2, 7, 3, 5), {"data_format": "channels_last"}),
        ("Conv2DTranspose", "th", (5, 3, 2, 7), {"data_format": "channels_first"}),
        ("Conv3D", "tf", (2, 7, 11, 3, 5), {"data_format": "channels_last"}),
        ("Conv3D", "th", (5, 3, 2, 7, 11), {"data_format": "channels_first"}),
        # The same with one length for all axes, where only the settings tell.
        ("Conv2D", "th", (3, 3, 3, 3), {"data_format": "channels_first"}),
        ("Conv2DTranspose", "tf", (3, 3, 3, 3), {"data_format": "channels_last"}),
        ("Conv2DTranspose", "th", (3, 3, 3, 3), {"data_format": "channels_first"}),
    ],
)
def test_convolutions_of_keras_1(
    name: str, ordering: str | None, shape: tuple[int, ...], settings: dict[str, Any]
) -> None:
    old = {"W": _random(*shape), "b": _random(5)}
    config = {"dim_ordering": ordering} if ordering else {}
    kernel, bias = _converted(name, old, **settings)
    expected = _slots(name, {}, {"kernel": kernel, "bias": bias})
    found = _slots(name, config, old)
    assert set(found) == {"weight", "bias"}
    np.testing.assert_array_equal(found["weight"], expected["weight"])
    np.testing.assert_array_equal(found["bias"], old["b"])


@pytest.mark.parametrize(
    ("config", "shape", "backend"),
    [
        ({"dim_ordering": "th"}, (5, 3, 2, 4), None),
        ({"dim_ordering": "th"}, (5, 3, 2, 4), THEANO),
        ({}, (2, 4, 3, 5), THEANO),
    ],
)
def test_theano_turns_its_kernels_around(
    config: dict[str, Any], shape: tuple[int, ...], backend: str | None
) -> None:
    role = "W" if config else "kernel"
    kernel = _random(*shape)
    weight = _slots("Conv2D", config, {role: kernel}, backend)["weight"]
    x = _random(1, 3, 6, 7)
    found = F.conv2d(torch.as_tensor(x), torch.as_tensor(weight.copy())).numpy()
    plain = kernel if config else kernel.transpose(3, 2, 0, 1)
    # A convolution in the sense of mathematics: the kernel runs against the image.
    expected = np.zeros((1, 5, 5, 4))
    for row in range(5):
        for column in range(4):
            patch = x[0, :, row : row + 2, column : column + 4]
            for a in range(2):
                for b in range(4):
                    expected[0, :, row, column] += plain[:, :, a, b] @ patch[:, 1 - a, 3 - b]
    np.testing.assert_allclose(found, expected, atol=1e-10)
    unflipped = _slots("Conv2D", config, {role: kernel}, TENSORFLOW)["weight"]
    np.testing.assert_array_equal(unflipped, weight[:, :, ::-1, ::-1])


@pytest.mark.parametrize(("name", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_cudnn(name: str, gates: int) -> None:
    old = {
        "kernel": _random(3, gates * 5),
        "recurrent_kernel": _random(5, gates * 5),
        "bias": _random(2 * gates * 5),
    }

    # The converter knows its target by the bias.
    own = [0, 0, np.zeros((2, 15) if name == "GRU" else 20)]
    _, recurrent, bias = _converted(name, old, "2", weights=own, units=5, reset_after=True)
    new = {"recurrent_kernel": recurrent, "bias": bias}
    expected = _slots(name, {}, new)
    # Its input kernel keeps the shape and not the order of the numbers: no pattern says that.
    assert bind(f"CuDNN{name}", {}, "kernel", (3, gates * 5)) is None
    del old["kernel"]
    found = _slots(f"CuDNN{name}", {}, old)
    np.testing.assert_array_equal(found["weight_hh.l0"], expected["weight_hh.l0"])
    if name == "LSTM":
        summed = found["bias_ih.l0"] + found["bias_hh.l0"]
        np.testing.assert_allclose(summed, expected["bias_ih.l0+bias_hh.l0"])
    else:
        for slot in ("bias_ih.l0", "bias_hh.l0"):
            np.testing.assert_array_equal(found[slot], expected[slot])
