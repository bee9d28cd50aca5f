"""Functions that Keras's activations are, as operations, by their names.

Source: ``keras.src.backend.tensorflow.nn``: ``hard_sigmoid`` is ``relu6(x + 3) / 6``, ``silu`` is
``x * sigmoid(x)``, ``gelu`` is ``x / 2 * erfc(-x / sqrt(2))``, ``softsign`` is ``x / (1 + |x|)``,
``hard_tanh`` cuts at -1 and 1; ``mish`` of ``keras.src.ops.nn`` is ``x * tanh(softplus(x))``. TFLite's
converter takes ``softplus`` apart as ``log(exp(x) + 1)``, and ``selu`` as ``scale * x`` above 0 and
``scale * alpha * (exp(x) - 1)`` elsewhere (https://arxiv.org/abs/1706.02515).
"""

from __future__ import annotations

from math import isclose, sqrt
from typing import TypeAlias

Term: TypeAlias = "tuple[object, ...]"

#: What a value is multiplied by, as a function of itself, and the name of their product.
_GATED = {
    ("function", "sigmoid"): "silu",
    ("function", "hard_sigmoid"): "hard_silu",
    ("function", "tanh", "softplus"): "mish",
}
#: How far constants may be apart that are stored as 16-bit floats.
_NEAR = 1e-3
#: The two slopes of selu.
_SELU, _SELU_BELOW = 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772
#: The constants between which a value is cut, and the name of that.
_CUTS = {(-1.0, 1.0): "hard_tanh", (0.0, 6.0): "relu6"}


def number_of(term: Term) -> float | None:
    """Return the value of a constant scalar.

    Args:
        term: the term.

    Example:
        >>> number_of(("constant", 3.0)), number_of(("value", "x"))
        (3.0, None)
    """
    number = term[1] if term[0] == "constant" and len(term) == 2 else None
    return number if isinstance(number, float) else None


def product_of(factors: list[Term]) -> Term:
    """Return a product, or the function that it is.

    Args:
        factors: the two factors, in order.

    Example:
        >>> x = ("value", "x")
        >>> product_of([("function", "sigmoid", x), x])
        ('function', 'silu', ('value', 'x'))
    """
    plain: Term = ("product", *factors)
    for one, other in (factors, factors[::-1]) if len(factors) == 2 else ():
        factor = number_of(one)
        if factor == 1:
            return other
        found = _gated(one, other) if factor is None else _scaled(other, factor)
        found = found or _gelu(one, other)
        if found is not None:
            return found
    return plain


def quotient_of(term: Term, divisor: Term) -> Term | None:
    """Return the function that a quotient is; None for another one.

    Args:
        term: what is divided.
        divisor: by what.
    """
    number = number_of(divisor)
    if number is not None:
        return _scaled(term, 1 / number) if number else None
    soft: Term = ("sum", ("constant", 1.0), ("function", "absolute", term))
    return ("function", "softsign", term) if divisor == soft else None


def cut_of(term: Term, name: str, bound: Term) -> Term | None:
    """Return the larger or smaller one of a value and a constant, or the function that this is.

    Args:
        term: the value.
        name: ``larger`` or ``smaller``.
        bound: the constant.

    Returns:
        None where the bound is no constant.
    """
    number = number_of(bound)
    if number is None:
        return None
    inner = term[2] if len(term) == 3 and isinstance(term[1], float) else None
    if isinstance(inner, tuple) and {term[0], name} == {"larger", "smaller"}:
        low, high = (number, term[1]) if name == "larger" else (term[1], number)
        found = _CUTS.get((low, high)) if isinstance(low, float) and isinstance(high, float) else None
        if found is not None:
            return ("function", found, inner)
    return (name, number, term)


def logarithm_of(term: Term) -> Term | None:
    """Return the function that a logarithm is; None for another one.

    Args:
        term: of what it is taken.

    Example:
        >>> logarithm_of(("sum", ("constant", 1.0), ("function", "exponential", ("value", "x"))))
        ('function', 'softplus', ('value', 'x'))
    """
    parts = [part for part in term[1:] if isinstance(part, tuple) and number_of(part) != 1]
    if term[0] != "sum" or len(term) != 3 or len(parts) != 1 or parts[0][:2] != ("function", "exponential"):
        return None
    return ("function", "softplus", parts[0][2])


def choice_of(condition: Term, yes: Term, no: Term) -> Term | None:
    """Return the function that a choice between two values is; None for another one.

    Args:
        condition: what is asked.
        yes: the value where it holds.
        no: the value elsewhere.
    """
    if condition[0] != "greater" or not isinstance(condition[1], tuple) or condition[2] != ("constant", 0.0):
        return None
    value = condition[1]
    below: Term = ("function", "expm1", value)
    sides = [
        [factor for factor, other in _factors(term) if factor is not None and other == wanted]
        for term, wanted in ((yes, value), (no, below))
    ]
    found = all(
        len(one) == 1 and isclose(one[0], slope, rel_tol=_NEAR)
        for one, slope in zip(sides, (_SELU, _SELU_BELOW), strict=True)
    )
    return ("function", "selu", value) if found else None


def _gated(one: Term, other: Term) -> Term | None:
    inner, names = other, list[object]()
    while inner[0] == "function" and len(inner) == 3 and isinstance(inner[2], tuple):
        names.append(inner[1])
        inner = inner[2]
        found = _GATED.get(("function", *names))  # type: ignore[arg-type]  # other tuples are no keys
        if found is not None and inner == one:
            return ("function", found, one)
    return None


def _scaled(term: Term, factor: float) -> Term | None:
    """Match ``relu6(x + 3) / 6``."""
    if term[:2] != ("function", "relu6") or not isclose(factor, 1 / 6, rel_tol=_NEAR):
        return None
    inner = term[2]
    if not isinstance(inner, tuple) or inner[0] != "sum":
        return None
    rest = [part for part in inner[1:] if isinstance(part, tuple) and number_of(part) != 3]
    if len(rest) != len(inner) - 2:
        return None
    return ("function", "hard_sigmoid", rest[0] if len(rest) == 1 else ("sum", *rest))


def _gelu(half: Term, error: Term) -> Term | None:
    """Match ``(x / 2) * erfc(-x / sqrt(2))``."""
    for part, value in _factors(half):
        turned = error[2] if error[:2] == ("function", "erfc") else None
        if part is None or not isclose(part, 0.5) or not isinstance(turned, tuple):
            continue
        for factor, negative in _factors(turned):
            exact = factor is not None and isclose(factor, sqrt(0.5), rel_tol=_NEAR)
            if exact and negative == ("function", "negative", value):
                return ("function", "gelu", value)
    return None


def _factors(term: Term) -> list[tuple[float | None, Term]]:
    parts = [part for part in term[1:] if isinstance(part, tuple)]
    if term[0] != "product" or len(parts) != 2:
        return []
    return [(number_of(parts[0]), parts[1]), (number_of(parts[1]), parts[0])]
