"""The text of a formula: an expression in Python syntax, and the number of each of its names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from shapeinspect.dims import Dim, Shape

#: A formula's text (names, numbers, ``+ - * /`` and ``floor, ceil, max, min``) and its numbers.
Text: TypeAlias = "tuple[str, tuple[tuple[str, Dim], ...]]"
#: The formulas of a call's output axes: (which output, which of its axes) and the formula.
Lines: TypeAlias = "Mapping[tuple[int, int], Text]"
#: The weights that settings fix: the role, the axes in the common convention, the shape.
Weights: TypeAlias = "tuple[tuple[str, str, Shape], ...]"

_INPUTS = "nm"
_WORDS = re.compile(r"[A-Za-z_]\w*(?!\w*\()")


def literal(name: str, value: Dim) -> Text:
    """Write one name.

    Args:
        name: the name.
        value: its number.

    Example:
        >>> literal("out_features", 7)
        ('out_features', (('out_features', 7),))
    """
    return name, ((name, value),)


def number(value: int) -> Text:
    """Write a literal number.

    Args:
        value: the number.

    Example:
        >>> number(1)
        ('1', ())
    """
    return str(value), ()


def carried(source: int, axis: int, shape: Shape) -> Text:
    """Write the length of an input's axis: ``n2`` of the first input, ``m2`` of the second.

    Args:
        source: which input.
        axis: which axis, from 0.
        shape: the input's shape.

    Example:
        >>> carried(1, 0, (5, 7))
        ('m0', (('m0', 5),))
    """
    letter = _INPUTS[source] if source < len(_INPUTS) else f"x{source}_"
    return literal(f"{letter}{axis}", shape[axis])


def product_text(*parts: Text) -> Text:
    """Write a product; a plain factor of 1 is omitted.

    Args:
        parts: the factors.

    Example:
        >>> product_text(literal("rows", 2), literal("taps", 1), literal("units", 7))[0]
        'rows*units'
    """
    kept = [part for part in parts if not (_is_one(part))]
    if not kept:
        return number(1)
    texts = [text if len(kept) == 1 else _inside(text) for text, _ in kept]
    return "*".join(texts), values(*kept)


def sum_text(*parts: Text) -> Text:
    """Write a sum.

    Args:
        parts: the terms.

    Example:
        >>> sum_text(literal("inputs", 3), literal("units", 7))[0]
        'inputs + units'
    """
    return " + ".join(text for text, _ in parts), values(*parts)


def quotient_text(part: Text, divisor: Text) -> Text:
    """Write an exact division; a plain divisor of 1 is omitted.

    Args:
        part: what is divided.
        divisor: by what.

    Example:
        >>> quotient_text(literal("channels", 6), literal("groups", 3))[0]
        'channels / groups'
    """
    if _is_one(divisor):
        return part
    return f"{_inside(part[0])} / {_inside(divisor[0])}", values(part, divisor)


def values(*parts: Text) -> tuple[tuple[str, Dim], ...]:
    """Return the numbers of all names of some formulas, each name once.

    Args:
        parts: the formulas.

    Example:
        >>> values(literal("a", 1), literal("a", 1), literal("b", 2))
        (('a', 1), ('b', 2))
    """
    return tuple({name: value for _, pairs in parts for name, value in pairs}.items())


def numbered(part: Text, ending: str) -> Text:
    """Add a suffix to every name of a formula, so that one formula can contain two axes.

    Args:
        part: the formula.
        ending: the suffix of each name.

    Example:
        >>> numbered(("floor(n / s)", (("n", 5), ("s", 2))), "1")[0]
        'floor(n1 / s1)'
    """
    return _WORDS.sub(lambda match: match[0] + ending, part[0]), tuple(
        (name + ending, value) for name, value in part[1]
    )


def sum_of(lengths: Sequence[Dim]) -> Text:
    """Write a sum of lengths.

    Args:
        lengths: the parts.

    Example:
        >>> sum_of((2, 2, 2))[0]
        'a + b + c'
    """
    letters = "abcdefgh" if len(lengths) <= len("abcdefgh") else [f"p{i}" for i in range(1, len(lengths) + 1)]
    return sum_text(*(literal(name, length) for name, length in zip(letters, lengths, strict=False)))


def product_of(lengths: Mapping[str, Dim]) -> Text:
    """Write a product of named lengths, including those of 1.

    Args:
        lengths: the name and number of each factor.

    Example:
        >>> product_of({"C": 16, "H": 5, "W": 5})[0]
        'C*H*W'
    """
    return ("*".join(lengths), tuple(lengths.items())) if lengths else number(1)


def _inside(text: str) -> str:
    return text if text.isidentifier() or text.isdigit() else f"({text})"


def _is_one(part: Text) -> bool:
    return part[0] == "1" or (part[0].isidentifier() and part[1][0][1] == 1)
