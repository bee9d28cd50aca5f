"""Lengths computed with real numbers, against NumPy's arithmetic of the same width."""

from __future__ import annotations

import numpy as np
import pytest

from shapeinspect import rules
from shapeinspect.dims import UNKNOWN, substitute, symbol
from shapeinspect.rules.rounding import LONGEST, Product, over, quotient_of, rounded, times

FACTORS = (0.7, 1.3, 0.3, 2 / 3, 1.7, 0.45, 0.6, 0.29, 1 / 3, 0.1, 0.9, 1.1, 0.75, 2.2, 3.3, 0.123456)
EVERY = np.arange(1, LONGEST + 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", FACTORS)
def test_a_quotient_is_the_rounded_product_of_every_length(factor: float, dtype: str) -> None:
    made = EVERY.astype(dtype) * np.dtype(dtype).type(factor)
    for up, really in ((False, np.floor(made)), (True, np.ceil(made))):
        found = quotient_of(factor, dtype, up)
        if found is not None:
            above, below = found
            assert (really == (-((-EVERY * above) // below) if up else EVERY * above // below)).all()


def test_most_factors_that_people_write_have_a_quotient() -> None:
    found = [factor for factor in FACTORS if quotient_of(factor, "float32")]
    assert len(found) == len(FACTORS) - 2
    assert quotient_of(1.3, "float32") is None  # floor(1.3 * 640) is 831 in 32 bits


def test_a_resized_symbol_is_right_for_every_length() -> None:
    for factor in FACTORS:
        found = rules.scaled_size(symbol("H"), factor, single=True)
        if found == UNKNOWN:
            continue
        for length in (1, 2, 3, 7, 10, 33, 100, 229, 640, 1023, 65_535):
            really = int(np.floor(np.float32(length) * np.float32(factor)))
            assert (
                substitute(found, {"H": length}) == rules.scaled_size(length, factor, single=True) == really
            )


@pytest.mark.parametrize(("before", "after"), [(10, 7), (32, 41), (61, 42), (7, 3)])
def test_numbers_are_rounded_at_every_step(before: int, after: int) -> None:
    ratio = np.float32(before) / np.float32(after)
    assert over(before, after, "float32") == ratio
    assert times(over(before, after, "float32"), after, "float32") == ratio * np.float32(after)


def test_a_length_divided_and_multiplied_by_the_same_comes_back_only_where_it_always_does() -> None:
    assert Product(symbol("H"), divisor=16).scaled(16) == symbol("H")
    assert Product(symbol("H"), divisor=7).scaled(7) == UNKNOWN
    single = np.float32
    assert any(np.floor(single(n) / single(7) * single(7)) != n for n in range(1, 100))


def test_half_precision_is_rounded_as_such() -> None:
    assert rounded(0.7, "float16") == np.float16(0.7)
    assert over(1, 3, "float16") == np.float16(1) / np.float16(3)
