"""Every formula gives the same on integers, numpy arrays and symbols that are then replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeinspect import rules
from shapeinspect.dims import UNKNOWN, Expr, parse, substitute, symbol

# Each formula of one length n, with drawn settings; the last says from which n on it has a meaning.
FORMULAS: dict[str, Callable[..., Any]] = {
    "conv": lambda n, a, b, c: rules.conv_size(n, a, b, c, 0, 2),
    "same": lambda n, a, b, c: rules.same_size(n, b),
    "same padding": lambda n, a, b, c: rules.same_padding(n, a + b, b, c + 1),
    "transposed": lambda n, a, b, c: rules.conv_transpose_size(n, a, b, c, 1, 2, 1),
    "transposed same": lambda n, a, b, c: rules.conv_transpose_same_size(n, b, a),
    "transposed valid": lambda n, a, b, c: rules.conv_transpose_valid_size(n, a, b),
    "pool": lambda n, a, b, c: rules.pool_size(n, a, b, c, c),
    "pool with ceil_mode": lambda n, a, b, c: rules.pool_size(n, a, b, c, c, 1, True),
    "unpool": lambda n, a, b, c: rules.unpool_size(n, a, b, c, c),
    "adaptive start": lambda n, a, b, c: rules.adaptive_start(c, n, a + c),
    "adaptive end": lambda n, a, b, c: rules.adaptive_end(c, n, a + c),
    "scaled": lambda n, a, b, c: rules.scaled_size(n, a / 4),
    "scaled in 32 bits": lambda n, a, b, c: rules.scaled_size(n, a / 4, True),
    "shuffled": lambda n, a, b, c: rules.shuffled_channels(n, b),
    "padded": lambda n, a, b, c: rules.pad_size(n, a, -c),
    "concatenated": lambda n, a, b, c: rules.concat_size((a, n, b)),
    "recurrent step": lambda n, a, b, c: rules.step_macs(n, a, b, c + 1),
    "attention": lambda n, a, b, c: rules.attention_macs(n, n, a, b, c),
    "up": lambda n, a, b, c: rules.ceil_div(n, a),
    "from the second on": lambda n, a, b, c: rules.slice_size(n, 1, n, b),
    "backwards": lambda n, a, b, c: rules.backward_slice_size(n, n - 1, -1, b),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
@settings(max_examples=40, deadline=None)
@given(a=st.integers(1, 6), b=st.integers(1, 5), c=st.integers(0, 3))
def test_the_same_on_integers_arrays_and_symbols(name: str, a: int, b: int, c: int) -> None:
    formula = FORMULAS[name]
    sizes = np.arange(1, 60)
    one_by_one = [formula(int(n), a, b, c) for n in sizes]
    np.testing.assert_array_equal(formula(sizes, a, b, c), one_by_one)
    symbolic = formula(symbol("n"), a, b, c)
    assert isinstance(symbolic, int | Expr)
    assert [substitute(symbolic, {"n": int(n)}) for n in sizes] == one_by_one
    assert formula(UNKNOWN, a, b, c) in (UNKNOWN, *one_by_one[:1])


def test_what_depends_on_the_symbol_is_written_and_not_guessed() -> None:
    n = symbol("n")
    assert str(rules.slice_size(n, 0, 10)) == "min(n, 10)"
    assert str(rules.slice_size(n, 2, n)) == "max(n - 2, 0)"  # nothing says that n is at least 2
    assert str(rules.slice_size(n, 2, 10)) == "max(min(n, 10) - 2, 0)"
    assert rules.scaled_size(n, 0.29) == UNKNOWN
    assert str(rules.larger(n, 3)) == "max(n, 3)"
    assert rules.larger(n, 1) == n


@settings(max_examples=300, deadline=None)
@given(
    start=st.integers(-9, 9) | st.none(),
    end=st.integers(-9, 9) | st.sampled_from((None, 10**9, 2**31 - 1, 2**63 - 1)),
    step=st.integers(1, 3),
    n=st.integers(1, 12),
)
def test_a_slice_of_a_symbol_is_right_for_every_value(
    start: int | None, end: int | None, step: int, n: int
) -> None:
    settings_ = {"starts": (start,), "ends": (end,), "steps": (step,)}
    ((found,),) = rules.output_shapes("slice", settings_, ((symbol("n"),),))
    assert substitute(found, {"n": n}) == len(range(n)[start:end:step])
    assert parse(str(found)) == found


@settings(max_examples=200, deadline=None)
@given(factor=st.integers(-3, 3), shift=st.integers(-6, 6), divisor=st.integers(1, 4), n=st.integers(1, 30))
def test_larger_of_symbols_is_right_for_every_value(factor: int, shift: int, divisor: int, n: int) -> None:
    left, right = (factor * symbol("n") + shift) // divisor, symbol("n") // 2 + 1
    found = rules.larger(left, right)
    values = {"n": n}
    assert substitute(found, values) == max(substitute(left, values), substitute(right, values))
    assert parse(str(found)) == found


@settings(max_examples=300, deadline=None)
@given(n=st.integers(1, 40), kernel=st.integers(1, 6), stride=st.integers(1, 6), dilation=st.integers(1, 3))
def test_same_padding_makes_the_windows_fit(n: int, kernel: int, stride: int, dilation: int) -> None:
    # The definition: the last of ceil(n/s) windows ends where the padded input ends, or nothing is added.
    out = -(-n // stride)
    needed = (out - 1) * stride + (kernel - 1) * dilation + 1
    assert rules.same_padding(n, kernel, stride, dilation) == max(needed - n, 0)
    assert (
        rules.conv_size(n, kernel, stride, rules.same_padding(n, kernel, stride, dilation), 0, dilation)
        == out
    )


def test_causal_padding_keeps_the_length() -> None:
    for kernel in range(1, 5):
        for dilation in range(1, 4):
            assert rules.conv_size(17, kernel, 1, rules.causal_padding(kernel, dilation), 0, dilation) == 17


@settings(max_examples=100, deadline=None)
@given(scale=st.floats(0.05, 5), single=st.booleans())
def test_any_factor_is_the_same_on_integers_and_arrays(scale: float, single: bool) -> None:
    sizes = np.arange(1, 200)
    one_by_one = [rules.scaled_size(int(n), scale, single) for n in sizes]
    np.testing.assert_array_equal(rules.scaled_size(sizes, scale, single), one_by_one)
