"""The expressions of settings that say how long a weight is, how many there are, and whether it is there.

``num_key_value_heads*head_dim`` is a length, ``less(i, first_k_dense_replace)`` a condition on the number of
a block. A setting of a part is named with dots: ``vision_config.hidden_size``.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from shapeinspect.expression import Expression, Language

#: The letters of the numbers in a weight's name, outer first.
LETTERS = "ijk"
_WORD = "word."
#: The greatest exponent: that of the number of a stage.
_STAGES = 32


def _power(base: int, exponent: int) -> int:
    if not 0 <= exponent <= _STAGES:
        raise ValueError(exponent)
    return int(base**exponent)


def _at(items: Sequence[Any], index: int) -> Any:
    if not -len(items) <= index < len(items):
        raise IndexError(index)
    return items[index]


def _spelled(value: Any) -> str:
    return re.sub(r"\W", "_", str(value))


_LANGUAGE: Language[Any] = Language(
    int,
    {
        "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
        "**": _power,
    },
    operator.neg,
    {
        "and": (2, lambda left, right: left and right),
        "at": (2, _at),
        "floor": (1, math.floor),
        "given": (1, lambda value: value is not None),
        "has": (2, lambda items, item: item in items),
        "is": (2, lambda value, word: _spelled(value) == word),
        "len": (1, len),
        "less": (2, operator.lt),
        "not": (1, operator.not_),
        "or": (2, lambda left, right: left or right),
        "same": (2, operator.eq),
        "sum": (1, sum),
        "yes": (1, lambda value: value is True),
    },
)  # fmt: skip
_NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*(?![\w.]*\()")
_WRONG = (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError)


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Expression:
    return _LANGUAGE.read(text)


def value(text: str, settings: Mapping[str, Any], indices: Mapping[str, int]) -> Any:
    """Return the value of an expression, None where a setting that it needs is not there.

    Args:
        text: the expression.
        settings: each setting by its dotted name.
        indices: the number that each letter stands for; ``last_i`` is the last one.

    Example:
        >>> value("if(given(head_dim), head_dim, hidden_size//heads)", {"head_dim": None, "hidden_size": 24,
        ...       "heads": 4}, {})
        6
    """

    def named(name: str) -> Any:
        if name.startswith(_WORD):
            return name.removeprefix(_WORD)
        return indices[name] if name in indices else settings[name]

    try:
        return _LANGUAGE.evaluate(_compiled(_branch(text, settings, indices)), named)
    except _WRONG:
        return None


def _branch(text: str, settings: Mapping[str, Any], indices: Mapping[str, int]) -> str:
    """Return the branch of an ``if`` that applies, so that the other one is not computed."""
    if not text.startswith("if("):
        return text
    parts, depth, start = [], 0, 3
    for index, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if (sign == "," and depth == 1) or (sign == ")" and depth == 0):
            parts.append(text[start:index].strip())
            start = index + 1
    condition, then, other = parts
    holds = value(condition, settings, indices)
    return "nothing" if holds is None else then if holds else other


def names_in(text: str) -> list[str]:
    """Return the settings that an expression needs.

    Args:
        text: the expression.

    Example:
        >>> names_in("num_key_value_heads*head_dim + less(i, depth)")
        ['num_key_value_heads', 'head_dim', 'depth']
    """
    names = dict.fromkeys(_NAME.findall(text))
    return [name for name in names if name not in LETTERS and not name.startswith((_WORD, "last_"))]


def told(text: str, settings: Mapping[str, Any], indices: Mapping[str, int]) -> str:
    """Return an expression with the value of each setting behind its name.

    Args:
        text: the expression.
        settings: each setting by its dotted name.
        indices: the number that each letter stands for.

    Example:
        >>> told("num_key_value_heads*head_dim", {"num_key_value_heads": 2, "head_dim": 5}, {})
        'num_key_value_heads 2 × head_dim 5 = 10'
    """
    taken = _branch(text, settings, indices)
    length = value(taken, settings, indices)

    def with_value(match: re.Match[str]) -> str:
        name = match[0]
        return f"{name} {settings[name]}" if name in settings and type(settings[name]) is int else name

    shown = _NAME.sub(with_value, taken).replace("**", "^").replace("*", " × ")
    return shown if length is None or taken in settings or taken.isdigit() else f"{shown} = {length}"
