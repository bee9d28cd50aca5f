"""Layouts that are only shown: each moves random weights so that the common formula gives the same result."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from einops import rearrange

from shapeinspect.registry import native_table

GENERATOR = np.random.default_rng(3)


def moved(type_: str, weight: str, array: Any, **lengths: int) -> Any:
    """Apply what the row of a weight says."""
    table = native_table("keras")
    assert table is not None
    row = next(row for row in table.shown if (row.type, row.weight) == (type_, weight))
    if row.code:
        return eval(row.code, {"np": np, "weight": array})  # the project's own row, which a user would paste
    return rearrange(array, row.transform, **lengths)


def test_an_einsum_dense_is_a_product() -> None:
    layer = keras.layers.EinsumDense("ab,bc->ac", output_shape=5, bias_axes="c")
    x = GENERATOR.standard_normal((2, 3)).astype("float32")
    expected = layer(x).numpy()
    kernel, bias = layer.get_weights()
    found = x @ moved("EinsumDense", "kernel", kernel).T + moved("EinsumDense", "bias", bias)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_maxout_is_the_largest_of_products() -> None:
    """Keras 1: ``K.max(K.dot(x, W) + b, axis=1)``, where W is (features, in, out)."""
    x, w, b = (GENERATOR.standard_normal(shape) for shape in ((2, 3), (4, 3, 5), (4, 5)))
    expected = (np.tensordot(x, w.transpose(1, 0, 2), 1) + b).max(1)
    common = np.einsum("ni,poi->npo", x, moved("MaxoutDense", "W", w)) + moved("MaxoutDense", "b", b)
    np.testing.assert_allclose(common.max(1), expected)


def test_highway_carries_what_its_gate_leaves() -> None:
    """The square matrices are told apart from their transposes by numbers alone."""
    x, w, carry = (GENERATOR.standard_normal(shape) for shape in ((2, 3), (3, 3), (3, 3)))
    gate = 1 / (1 + np.exp(-(x @ carry)))
    expected = gate * np.tanh(x @ w) + (1 - gate) * x
    gate = 1 / (1 + np.exp(-(x @ moved("Highway", "W_carry", carry).T)))
    found = gate * np.tanh(x @ moved("Highway", "W", w).T) + (1 - gate) * x
    np.testing.assert_allclose(found, expected)


def test_a_locally_connected_picture_has_a_kernel_at_every_place() -> None:
    """Keras 2: the flattened patch of ``x[:, row, column, :]`` times the kernel of its place."""
    rows, columns, kh, kw, i, o = 4, 5, 2, 3, 6, 7
    x = GENERATOR.standard_normal((rows + kh - 1, columns + kw - 1, i))
    kernel, bias = (
        GENERATOR.standard_normal((rows * columns, kh * kw * i, o)),
        GENERATOR.standard_normal((rows, columns, o)),
    )
    expected = np.empty((rows, columns, o))
    for at in np.ndindex(rows, columns):
        patch = x[at[0] : at[0] + kh, at[1] : at[1] + kw].reshape(-1)
        expected[at] = patch @ kernel[at[0] * columns + at[1]] + bias[at]
    common = moved("LocallyConnected2D", "kernel", kernel, H=rows, W=columns, kh=kh, kw=kw, i=i)
    windows = np.lib.stride_tricks.sliding_window_view(x.transpose(2, 0, 1), (kh, kw), (1, 2))
    found = np.einsum("ihwkl,ohwikl->ohw", windows, common) + moved("LocallyConnected2D", "bias", bias)
    np.testing.assert_allclose(found.transpose(1, 2, 0), expected)


def test_a_locally_connected_sequence_has_a_kernel_at_every_step() -> None:
    steps, kl, i, o = 4, 2, 6, 7
    x = GENERATOR.standard_normal((steps + kl - 1, i))
    kernel, bias = GENERATOR.standard_normal((steps, kl * i, o)), GENERATOR.standard_normal((steps, o))
    expected = np.stack([x[at : at + kl].reshape(-1) @ kernel[at] + bias[at] for at in range(steps)])
    common = moved("LocallyConnected1D", "kernel", kernel, kl=kl, i=i)
    windows = np.lib.stride_tricks.sliding_window_view(x.T, kl, 1)
    found = np.einsum("ilk,olik->ol", windows, common) + moved("LocallyConnected1D", "bias", bias)
    np.testing.assert_allclose(found.T, expected)


@pytest.mark.parametrize(("type_", "order"), [("CuDNNLSTM", [0, 1, 2, 3]), ("CuDNNGRU", [1, 0, 2])])
def test_the_blocks_of_cudnn_are_its_flat_parameters(type_: str, order: list[int]) -> None:
    """CuDNN reads one flat buffer, gate by gate, each a matrix of out by in."""
    gates, i, o = len(order), 3, 5
    kernel = GENERATOR.standard_normal((i, gates * o))
    buffer = np.concatenate([kernel[:, gate * o : (gate + 1) * o].ravel() for gate in range(gates)])
    matrices = buffer.reshape(gates, o, i)
    np.testing.assert_array_equal(moved(type_, "kernel", kernel), matrices[order])
