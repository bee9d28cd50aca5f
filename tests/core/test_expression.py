"""The reader of expressions against Python's own, its bounds, and where it says that a text is wrong."""

from __future__ import annotations

import operator
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeinspect.check import arithmetic
from shapeinspect.dims import parse
from shapeinspect.errors import UsageError
from shapeinspect.expression import ExpressionError, Language

NUMBERS: Language[Fraction] = Language(
    Fraction,
    {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
     "%": operator.mod},
    operator.neg,
    functions={"max": (None, max), "Mod": (2, operator.mod)},
    constructor="Symbol",
)  # fmt: skip
NAMES = {"h": Fraction(7), "w_1": Fraction(12)}

texts = st.recursive(
    st.one_of(st.sampled_from(["h", "w_1"]), st.integers(0, 30).map(str)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", " * ", "/", "//", "%"]), inner).map("".join),
        inner.map(lambda text: f"( {text})"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, inner).map(lambda pair: f"max({pair[0]}, {pair[1]})"),
    ),
    max_leaves=12,
)


@given(texts)
def test_a_text_has_the_value_that_python_gives_it(text: str) -> None:
    # Python's own grammar, with a fraction for each number.
    exact = re.sub(r"\b\d+\b", r"Fraction(\g<0>)", text)
    try:
        expected = eval(exact, {**NAMES, "max": max, "Fraction": Fraction})
    except ZeroDivisionError:
        with pytest.raises((ZeroDivisionError, ExpressionError)):
            NUMBERS.evaluate(NUMBERS.read(text), NAMES.__getitem__)
        return
    assert NUMBERS.evaluate(NUMBERS.read(text), NAMES.__getitem__) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "incomplete expression at character 1"),
        ("h +", "incomplete expression at character 4"),
        ("h + )", "unexpected ')' at character 5"),
        ("(h + (2*h)", "unclosed parenthesis at character 1"),
        ("h)", "unexpected ')' at character 2"),
        ("h**2", "unexpected '**' at character 2"),
        ("h  ^ 2", "unexpected '^' at character 4, not one of + - * / // % ( )"),
        ("3 h", "no operator between '3' and 'h' at character 3"),
        ("h//0", "division by 0 at character 2"),
        ("1 + f(h)", "unknown function 'f' at character 5"),
        ("Mod(h)", "Mod takes 2 arguments, not 1, at character 1"),
        ("Symbol(h)", "unexpected 'h' at character 8"),
        ("9" * 20, "a number of more than 19 digits at character 1"),
        ("1 + " + "(" * 101 + "h" + ")" * 101, "more than 100 levels at character 105"),
        ("-" * 101 + "h", "more than 100 levels at character 101"),
        ("+".join("h" * 201), "more than 400 names and signs at character 401"),
        (" " * 20_001, "too long at character 20001"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as error:
        NUMBERS.read(text)
    assert str(error.value) == message


def test_a_name_may_be_spelled_as_a_call() -> None:
    compiled = NUMBERS.read("max(Symbol('w_1', positive=True, integer=True), h, 2)")
    assert compiled.names == ("w_1", "h")
    assert NUMBERS.evaluate(compiled, NAMES.__getitem__) == 12
    with pytest.raises(ExpressionError, match="incomplete"):
        NUMBERS.read("Symbol('w_1', positive=")


def test_what_is_as_deep_and_as_long_as_allowed_is_read() -> None:
    deep = NUMBERS.read("(" * 100 + "h" + ")" * 100)
    assert NUMBERS.evaluate(deep, NAMES.__getitem__) == 7
    assert parse("+".join("h" * 200)) == 200 * parse("h")


def test_a_space_multiplies_only_where_the_language_says_so() -> None:
    assert arithmetic.value(arithmetic.read("(head dim)"), {"head": 6, "dim": 11}) == 66
    assert arithmetic.value(arithmetic.read("(2 (h 3))"), {"h": 5}) == 30
    with pytest.raises(ExpressionError, match=r"no operator between 'h' and '\(' at character 2"):
        arithmetic.read("h(w)")
    with pytest.raises(UsageError, match="no operator between 'head' and 'dim' at character 6"):
        parse("head dim")
