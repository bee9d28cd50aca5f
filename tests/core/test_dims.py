"""Expressions against Python's own integer arithmetic, on drawn expressions and values."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeinspect.dims import UNKNOWN, Dim, known, parse, product, substitute, symbol, symbols
from shapeinspect.errors import UsageError

Build = Callable[[dict[str, Dim]], Dim]
OPS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def _leaf(name_or_number: str | int) -> Build:
    if isinstance(name_or_number, int):
        return lambda _: name_or_number
    return lambda env: env[name_or_number]


def _binary(args: tuple[str, Build, Build]) -> Build:
    op, left, right = args
    return lambda env: OPS[op](left(env), right(env))


def _division(args: tuple[str, Build, int]) -> Build:
    op, left, divisor = args
    if op == "//":
        return lambda env: left(env) // divisor
    return lambda env: left(env) % divisor


builds = st.recursive(
    st.one_of(st.sampled_from(["H", "W"]), st.integers(-9, 9)).map(_leaf),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*"), inner, inner).map(_binary),
        st.tuples(st.sampled_from(["//", "%"]), inner, st.integers(1, 7)).map(_division),
    ),
    max_leaves=8,
)


@given(builds, st.integers(0, 50), st.integers(0, 50))
def test_an_expression_means_what_integers_mean(build: Build, height: int, width: int) -> None:
    symbolic = build({"H": symbol("H"), "W": symbol("W")})
    values: dict[str, Dim] = {"H": height, "W": width}
    assert substitute(symbolic, values) == build(values)


@given(builds)
def test_the_text_reads_back_as_the_same_expression(build: Build) -> None:
    expression = build({"H": symbol("H"), "W": symbol("W")})
    assert parse(str(expression)) == expression


def test_five_halvings_become_one_division() -> None:
    size: Dim = symbol("H")
    for _ in range(5):
        size = (size + 2 * 1 - 3) // 2 + 1
    assert str(size) == "(H + 31)//32"


def test_dividing_by_an_expression_is_exact_where_it_can_be() -> None:
    h, w = symbol("H"), symbol("W")
    assert (6 * h * w) // (2 * h) == 3 * w
    assert (h * w) % w == 0
    assert str((h + 1) // w) == "(H + 1)//W"


def test_unknown_absorbs() -> None:
    for result in (UNKNOWN + 1, 2 - UNKNOWN, symbol("H") * UNKNOWN, UNKNOWN // 2, 7 % UNKNOWN, -UNKNOWN):
        assert result is UNKNOWN
    assert product((2, UNKNOWN)) is UNKNOWN
    assert not known((1, UNKNOWN))


def test_symbols_are_found_inside_divisions() -> None:
    assert symbols((symbol("a") + symbol("b") // 3) % 5) == {"a", "b"}


@pytest.mark.parametrize("text", ["", "H +", "(H", "H)", "2 3", "H / 2", "5//0", "+".join("H" * 300)])
def test_what_is_no_dimension_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_an_expression_that_grows_without_end_is_unknown() -> None:
    small = parse("*".join(f"(a{number} + b{number})" for number in range(8)))
    assert len(str(small).split(" + ")) == 2**8
    assert parse("*".join(f"(a{number} + b{number})" for number in range(60))) is UNKNOWN
    squared: Dim = symbol("H")
    for _ in range(6):
        squared = squared * squared
    assert str(squared).count("H") == 2**6
    assert squared * squared is UNKNOWN
    doubled: Dim = symbol("H")
    for _ in range(60):
        doubled = doubled + (doubled + 1) // 3
    assert doubled is UNKNOWN
