"""Formulas that SymPy prints, against Python's own arithmetic of fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from shapeinspect.dims import Expr, substitute, symbol
from shapeinspect_onnx.graph.inference import read_symbol
from shapeinspect_onnx.graph.symbolic import formula

FORMULAS = [
    "floor(H/2 - 1/2) + 1",
    "floor(floor(floor(H/2 - 1/2)/2)/2) + 1",
    "(floor(H/2 - 1/2) + 1)*(floor(W/4) + 3)",
    "ceiling(2*H/3)*W",
    "floor(3*(H + W)/7 - 2/3)",
    "H**2 - W",
    "-W + 64*floor(H/64 + 7)",
    "Mod(H, 8) + H//3 + W % 5",
    "2*(H/2 + W/2)",
    "H*W/2 + H*W/2",
]


def exact(text: str, h: int, w: int) -> Fraction | int:
    for number in "0123456789":  # 1/2 has to be a fraction, not a float
        text = text.replace(f"{number}/", f"{number}*one/")
    names = {"H": Fraction(h), "W": Fraction(w), "one": Fraction(1)}
    functions = {"floor": math.floor, "ceiling": math.ceil, "Mod": lambda a, b: a % b}
    return eval(text, {**names, **functions})


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_has_the_value_that_arithmetic_gives(text: str) -> None:
    found = formula(text)
    assert isinstance(found, Expr)
    for h in range(1, 40):
        w = 2 * h + 5
        assert substitute(found, {"H": h, "W": w}) == exact(text, h, w), (text, h)


@pytest.mark.parametrize(
    "text",
    [
        "H/2",
        "H/W",
        "f(H)",
        "H +",
        "floor(H",
        "floor()",
        "H^2",
        "H**W",
        "H**99",
        "Mod(H, 0)",
        "(" * 500,
        "1e9",
        "a b",
    ],
)
def test_other_texts_are_names(text: str) -> None:
    assert formula(text) is None
    assert str(read_symbol(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "*".join(f"(a{i} + b{i})" for i in range(60)),
        "(((a + b + c)**8)**8)**8",
        "*".join(["a"] * 150),
        "*".join(["9999999999"] * 40),
        "+".join(f"a{i}" for i in range(150)),
    ],
)
def test_what_grows_without_end_is_a_name(text: str) -> None:
    assert formula(text) is None


def test_names_with_dots_are_names() -> None:
    assert formula("floor(x.1/2)") == symbol("x.1") // 2
    assert str(read_symbol("DynamicDimension.0")) == "DynamicDimension.0"
