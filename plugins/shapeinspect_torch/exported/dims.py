"""The lengths of torch.export: numbers, and expressions that SymPy wrote as text."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from shapeinspect.dims import UNKNOWN, Dim, symbol
from shapeinspect.expression import ExpressionError, Language

_MAX_POWER = 8


class _NotADimError(Exception):
    """The text is not an expression that a dimension can represent."""


def read_dim(text: str) -> Dim:
    """Read an expression, in SymPy's own spelling (``Add(Symbol('s0'), ...)``) or an ordinary one.

    Args:
        text: the expression in the file.

    Returns:
        The dimension; UNKNOWN for an expression that is none, such as a maximum or a fraction.

    Source:
        ``torch/_export/serde/serialize.py`` (``serialize_sym_int``: ``sympy.printing.repr.srepr``,
        before 2.7 ``str``) and the functions of ``torch/utils/_sympy/functions.py``.

    Example:
        >>> read_dim("Add(FloorDiv(Symbol('s5', positive=True, integer=True), Integer(2)), Integer(1))")
        s5//2 + 1
        >>> read_dim("2*s0 + 1"), read_dim("Max(1, s0)")
        (2*s0 + 1, ?)
    """
    try:
        return _EXPRESSIONS.evaluate(_EXPRESSIONS.read(text), symbol)
    except (ExpressionError, _NotADimError, ArithmeticError):
        return UNKNOWN


def _add(left: Dim, right: Dim) -> Dim:
    return left + right


def _multiply(left: Dim, right: Dim) -> Dim:
    return left * right


def _floor_divide(left: Dim, right: Dim) -> Dim:
    return left // right


def _remainder(left: Dim, right: Dim) -> Dim:
    return left % right


def _power(base: Dim, exponent: Dim) -> Dim:
    if not isinstance(exponent, int) or not 0 <= exponent <= _MAX_POWER:
        raise _NotADimError
    total: Dim = 1
    for _ in range(exponent):
        total = total * base
    return total


def _all(function: Callable[[Dim, Dim], Dim]) -> tuple[None, Callable[..., Dim]]:
    """Return a function of one or more arguments."""
    return None, lambda *dims: reduce(function, dims)


def _itself(dim: Dim) -> Dim:
    return dim


_EXPRESSIONS: Language[Dim] = Language(
    number=_itself,
    operators={
        "+": _add,
        "-": lambda left, right: left - right,
        "*": _multiply,
        "//": _floor_divide,
        "%": _remainder,
        "**": _power,
    },
    negative=lambda dim: -dim,
    functions={
        "Integer": (1, _itself),
        "Identity": (1, _itself),
        "Add": _all(_add),
        "Mul": _all(_multiply),
        "Pow": (2, _power),
        "PowByNatural": (2, _power),
        "FloorDiv": (2, _floor_divide),
        "CleanDiv": (2, _floor_divide),
        "CeilDiv": (2, lambda left, right: -(-left // right)),
        "Mod": (2, _remainder),
        "PythonMod": (2, _remainder),
        "ModularIndexing": (3, lambda base, divisor, modulus: base // divisor % modulus),
    },
    constructor="Symbol",
    tokens=5_000,
)
