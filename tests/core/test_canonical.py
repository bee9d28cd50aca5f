"""Slots: what all frameworks agree on, cut out of their weights and put together again."""

from __future__ import annotations

import numpy as np
import pytest

from shapeinspect.errors import LayoutError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout, Weight
from shapeinspect.layout import canonical

ZRN = (("gate", "z r n", "r z n"),)
BIASES = ("two", ("bias_ih", "bias_hh"))
ONNX = Layout(
    "dir (two gate o)", "dir two gate o", Frozen(two=2, gate=3), ZRN, (), "{two}.l0{dir}",
    (("dir", ("", ".reverse")), BIASES),
)  # fmt: skip
KERAS = Layout("two (gate o)", "two gate o", Frozen(gate=3), ZRN, (), "{two}.l0", (BIASES,))
SUM = Layout("(gate o)", "gate o", Frozen(gate=3), ZRN, (), "bias_ih.l0+bias_hh.l0")


def _values(layout: Layout, array: np.ndarray) -> dict[str, np.ndarray]:
    weight = Weight("w", "w", array.shape, layout=layout, values=lambda: array)
    return {slot: reader() for slot, reader in canonical.read([weight]).items()}


def test_every_direction_and_bias_is_cut_out_with_its_gates_in_order() -> None:
    stored = np.arange(2 * 2 * 3 * 5).reshape(2, 30)
    values = _values(ONNX, stored)
    assert sorted(values) == ["bias_hh.l0", "bias_hh.l0.reverse", "bias_ih.l0", "bias_ih.l0.reverse"]
    # Stored z r n: the second direction's recurrent bias begins at 15; common order r z n.
    reverse = stored[1, 15:].reshape(3, 5)
    np.testing.assert_array_equal(values["bias_hh.l0.reverse"], reverse[[1, 0, 2]])
    np.testing.assert_array_equal(canonical.write(ONNX, (2, 30), values), stored)


def test_a_sum_is_made_of_two_and_taken_apart_as_one_and_zero() -> None:
    rng = np.random.default_rng(3)
    stored = rng.standard_normal((2, 15))
    values = _values(KERAS, stored)
    summed = canonical.write(SUM, (15,), values)
    np.testing.assert_array_equal(summed, stored.sum(0))
    apart = canonical.write(KERAS, (2, 15), _values(SUM, summed))
    np.testing.assert_array_equal(apart, np.stack([summed, np.zeros(15)]))


def test_a_missing_or_wrong_slot_is_refused() -> None:
    with pytest.raises(LayoutError, match="no slot is named bias_ih"):
        canonical.write(KERAS, (2, 15), {"weight": np.zeros(3)})
    with pytest.raises(LayoutError, match="does not fit"):
        canonical.write(KERAS, (2, 15), {"bias_ih.l0": np.zeros((3, 4)), "bias_hh.l0": np.zeros((3, 5))})
    wrong = Layout("a b", "a b", slot="{a}", splits=(("a", ("x", "y")),))
    with pytest.raises(LayoutError, match="holds 3 slots"):
        canonical.pieces(Weight("w", "w", (3, 4), layout=wrong))
