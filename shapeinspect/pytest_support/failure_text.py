"""The messages of failed assertions: the shape, the names, and the call where shape and pattern diverge."""

from __future__ import annotations

import textwrap
from typing import Any

from shapeinspect.check.pattern import written
from shapeinspect.pytest_support.checked import Checked, Length, Lengths
from shapeinspect.pytest_support.scope import Scope

_SHOWN = "assert <no match: "
#: pytest cuts long texts in the middle; this many characters of the beginning are always kept.
_BEGINNING = 60


def assertion_text(error: AssertionError, statement: str, scope: Scope) -> str | None:
    """Return the message of a failed ``assert x.matches(...)``.

    Args:
        error: the error that the test raised; pytest has written the values of the expression into it.
        statement: the line of the test that raised it.
        scope: the test's scope.

    Returns:
        None if the assertion is about something else.
    """
    if scope.failed is None:
        return None
    match, message = scope.failed
    text = error.args[0] if error.args and isinstance(error.args[0], str) else ""
    position = text.find(_SHOWN)
    if position >= 0 and text[position:].startswith(f"assert {match!r}"[:_BEGINNING]):
        return text[:position] + message
    # Unless pytest rewrites assertions, the error has no message.
    return message if not error.args and ".matches(" in statement else None


def comparison_lines(op: str, left: Any, right: Any) -> list[str] | None:
    """Return the message of a failed comparison of lengths: a line for each axis that differs.

    Args:
        op: the operator.
        left: its left side.
        right: its right side.

    Returns:
        None if neither side comes from a report.
    """
    if isinstance(left, Length) or isinstance(right, Length):
        named = [side.what for side in (left, right) if isinstance(side, Length)]
        return [f"{left} {op} {right}", *(line for what in named for line in _wrapped(what))]
    if op != "==":
        return None
    if isinstance(right, Checked | Lengths) and not isinstance(left, Checked):
        left, right = right, left
    if isinstance(left, Checked):
        return _value(left, right)
    if isinstance(left, Lengths) and isinstance(right, tuple | list):
        return [f"{written(left)} == {_shown(right)}", *_wrapped(left.what), *_axes(left, right, ())]
    return None


def _value(left: Checked, right: Any) -> list[str] | None:
    whose = [left.what]
    if isinstance(right, Checked):
        whose, right = [*whose, right.what], right.shape
    if left.shape is None or not isinstance(right, tuple | list):
        return None
    lines = _axes(left.shape, right, left.value.axes or ())
    lines += [
        line
        for position in _different(left.shape, right)[:1]
        for line in map(_dedent, left.axis_lines(position, right[position]))
    ]
    names = [line for what in whose for line in _wrapped(what)]
    return [f"{written(left.shape)} == {_shown(right)}", *names, *lines]


def _dedent(line: str) -> str:
    return line.removeprefix("  ")


def _shown(right: Any) -> str:
    return written(tuple(right)) if all(isinstance(length, int) for length in right) else repr(right)


def _different(left: Any, right: Any) -> list[int]:
    if len(left) != len(right):
        return []
    return [position for position, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]


def _axes(left: Any, right: Any, names: Any) -> list[str]:
    if len(left) != len(right):
        return [f"it has {len(left)} {'length' if len(left) == 1 else 'lengths'}, not {len(right)}"]
    letters = (
        [f" ({name})" if name else "" for name in names] if len(names) == len(left) else [""] * len(left)
    )
    return [
        f"axis {position}{letters[position]} is {left[position]}, not {right[position]}"
        for position in _different(left, right)
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 72, break_long_words=False, break_on_hyphens=False)
