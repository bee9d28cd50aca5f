"""The formulas that people read are those that the rules compute, over drawn numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shapeinspect.explanation.notation import write
from shapeinspect.rules import (
    conv_size,
    conv_transpose_same_size,
    conv_transpose_size,
    conv_transpose_valid_size,
    formula_text,
    pad_size,
    pool_size,
    same_size,
    scaled_size,
    sliding,
)
from shapeinspect.rules.kinds import pad, pool, resize

N, K, S, P, D = (
    st.integers(1, 90),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(1, 4),
)
FUNCTIONS = {"floor": math.floor, "ceil": math.ceil, "min": min, "max": max}


def worth(text: formula_text.Text) -> Any:
    """Work a formula out exactly: every number a fraction, so that / divides and floor rounds down."""
    names = {name: Fraction(number) for name, number in text[1]}
    return eval(text[0], {"__builtins__": {}}, {**FUNCTIONS, **names})


@given(N, K, S, P, P, D)
def test_sliding(n: int, k: int, s: int, before: int, after: int, d: int) -> None:
    assert worth(sliding.conv_text(n, k, s, before, after, d)) == conv_size(n, k, s, before, after, d)


@given(N, K, S, P, P, D)
def test_ceil_mode(n: int, k: int, s: int, before: int, after: int, d: int) -> None:
    expected = pool_size(n, k, s, before, after, d, ceil_mode=True)
    assert worth(pool.ceiled_text(n, k, s, before, after, d)) == expected


@given(N, S)
def test_same(n: int, s: int) -> None:
    assert worth(sliding.same_text(n, s)) == same_size(n, s)


@given(N, K, S, P, P, D, st.integers(0, 3))
def test_transposed(n: int, k: int, s: int, before: int, after: int, d: int, extra: int) -> None:
    expected = conv_transpose_size(n, k, s, before, after, d, extra)
    assert worth(sliding.conv_transpose_text(n, k, s, before, after, d, extra)) == expected


@given(N, K, S, D, st.booleans())
def test_transposed_by_name(n: int, k: int, s: int, d: int, short: bool) -> None:
    assert worth(sliding.conv_transpose_valid_text(n, k, s, d)) == conv_transpose_valid_size(n, k, s, d)
    extent = k if short else None
    assert worth(sliding.conv_transpose_same_text(n, s, extent)) == conv_transpose_same_size(n, s, extent)


@given(N, st.integers(-4, 4), st.integers(-4, 4))
def test_padded(n: int, before: int, after: int) -> None:
    assert worth(pad.padded_text(n, before, after)) == pad_size(n, before, after)


@given(N, st.sampled_from([0.25, 0.5, 0.75, 1.5, 2, 3]))
def test_scaled(n: int, scale: float) -> None:
    assert worth(resize.scaled_text(n, scale)) == scaled_size(n, scale)


@given(st.lists(N, min_size=1, max_size=4))
def test_sums_and_products(lengths: list[int]) -> None:
    assert worth(formula_text.sum_of(tuple(lengths))) == sum(lengths)
    named = {f"a{place}": n for place, n in enumerate(lengths)}
    assert worth(formula_text.product_of(named)) == math.prod(lengths)


@settings(max_examples=60)
@given(N, K, S, P, D)
def test_what_is_written_means_the_same(n: int, k: int, s: int, p: int, d: int) -> None:
    """The written text, read back into Python's signs, is worth the same: no bracket is lost."""
    text, values = sliding.conv_text(n, k, s, p, p, d)
    shown = write(text, dict(values))
    back = shown.replace("⌊", "floor(").replace("⌋", ")").replace("−", "-").replace("·", "*")
    numbers = "".join(f"Fraction({part})" if part.isdigit() else part for part in _split(back))
    assert eval(numbers, {"Fraction": Fraction, **FUNCTIONS}) == conv_size(n, k, s, p, p, d)


def _split(text: str) -> list[str]:
    import re

    return re.findall(r"\d+|\D+", text)


def test_a_formula_holds_nothing_else() -> None:
    with pytest.raises(ValueError, match="no part of a formula"):
        write("n ** 2")
    assert write("a - (b - c)") == "a − (b − c)"
    assert write("(a + b)*c / (d*e)") == "(a + b)·c / (d·e)"
