"""Formulas in Python syntax, written in mathematical notation."""

from __future__ import annotations

import ast
import math
import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any

from shapeinspect.dims import Dim

_SIGNS = {ast.Add: (" + ", 1), ast.Sub: (" − ", 1), ast.Mult: ("·", 2), ast.Div: (" / ", 2)}
_BRACKETS = {"floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}
_ATOM = 3
_WORKED_OUT: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "max": max,
    "min": min,
    "single": lambda x: struct.unpack("f", struct.pack("f", x))[0],
}


#: A sum or a product of more parts is no tree, which would be too deep for Python, and is written shortened.
_MOST_PARTS = 100


def _chain(text: str) -> tuple[type[ast.operator], list[str]] | None:
    """Return the sign and the parts of a long sum or product of names and numbers, as a concat has one."""
    for sign, kind in ((" + ", ast.Add), ("*", ast.Mult)):
        parts = text.split(sign)
        if len(parts) > _MOST_PARTS and all(part.isidentifier() or part.isdigit() for part in parts):
            return kind, parts
    return None


@lru_cache(4096)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def write(text: str, values: Mapping[str, Dim] | None = None) -> str:
    """Write a formula in mathematical notation, with names replaced by the given numbers.

    Args:
        text: an expression of names, integers, ``+ - * /`` and ``floor, ceil, max, min``.
        values: the number of each name.

    Raises:
        ValueError: if the expression contains anything else.

    Example:
        >>> write("floor((n + 2*p - k) / s) + 1")
        '⌊(n + 2·p − k) / s⌋ + 1'
        >>> write("(n - 1)*s + k", {"n": 7, "s": 2, "k": -1})
        '(7 − 1)·2 + (−1)'
        >>> write(" + ".join(f"n{i}" for i in range(5000)), {"n4999": 7})
        'n0 + n1 + n2 + … + 7'
    """
    chain = _chain(text)
    if chain is not None:
        kind, parts = chain
        sign, level = _SIGNS[kind]
        first, second, third, last = (
            _inside(_parsed(part), level, values or {}) for part in (*parts[:3], parts[-1])
        )
        return sign.join((first, second, third, "…", last))
    return _write(_parsed(text), values or {})[0]


def worth(text: str, values: Mapping[str, Any]) -> Any:
    """Evaluate a formula; integers are divided exactly.

    Args:
        text: as for ``write``.
        values: the number of each name.

    Raises:
        ValueError: if the expression contains anything else.

    Example:
        >>> worth("floor((n - k) / s) + 1", {"n": 7, "k": 2, "s": 2})
        3
        >>> worth(" + ".join(f"n{i}" for i in range(5000)), {f"n{i}": i for i in range(5000)})
        12497500
    """
    chain = _chain(text)
    if chain is not None:
        kind, parts = chain
        result = reduce(_WORKED_OUT[kind], (_worth(_parsed(part), values) for part in parts))
    else:
        result = _worth(_parsed(text), values)
    return int(result) if result == int(result) else result


def _worth(node: ast.expr, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.BinOp) and type(node.op) in _WORKED_OUT:
        return _WORKED_OUT[type(node.op)](_worth(node.left, values), _worth(node.right, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        return _FUNCTIONS[node.func.id](*(_worth(arg, values) for arg in node.args))
    if isinstance(node, ast.Name) and node.id in values:
        value = values[node.id]
        return Fraction(value) if isinstance(value, int) else value
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return Fraction(node.value)
    raise ValueError(f"{ast.dump(node)} is no part of a formula")


def holds(text: str, values: Mapping[str, Any], result: Dim) -> bool:
    """Tell whether a formula evaluates to a result; true for a formula with symbols.

    Args:
        text: as for ``write``.
        values: the number of each name.
        result: what it should give.

    Example:
        >>> holds("n - k + 1", {"n": 300, "k": 5}, 296), holds("n - k", {"n": 300, "k": 5}, 296)
        (True, False)
    """
    if not isinstance(result, int) or not all(isinstance(value, int | float) for value in values.values()):
        return True
    try:
        return bool(worth(text, values) == result)
    except (ValueError, ArithmeticError):
        return False


def _write(node: ast.expr, values: Mapping[str, Dim]) -> tuple[str, int]:
    """Return the text and the precedence of its outermost operator."""
    if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        sign, level = _SIGNS[type(node.op)]
        right_level = level + isinstance(node.op, ast.Sub | ast.Div)
        left, right = _inside(node.left, level, values), _inside(node.right, right_level, values)
        return f"{left}{sign}{right}", level
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        inside = ", ".join(_write(arg, values)[0] for arg in node.args)
        opening, closing = _BRACKETS.get(node.func.id, (f"{node.func.id}(", ")"))
        return f"{opening}{inside}{closing}", _ATOM
    if isinstance(node, ast.Name):
        return _number(values[node.id]) if node.id in values else (node.id, _ATOM)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return _number(node.value)
    raise ValueError(f"{ast.dump(node)} is no part of a formula")


def _number(value: Dim | float) -> tuple[str, int]:
    text = str(value).replace("-", "−").replace("*", "·")
    return text, _ATOM if text.replace(".", "").replace("_", "").isalnum() or text == "?" else 0


def _inside(node: ast.expr, level: int, values: Mapping[str, Dim]) -> str:
    text, own = _write(node, values)
    return f"({text})" if own < level else text
