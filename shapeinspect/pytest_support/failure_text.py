"""What a failing assertion says: the shape, the names, and the call where it parts from the pattern."""

from __future__ import annotations

import textwrap
from typing import Any

from shapeinspect.check.pattern import written
from shapeinspect.pytest_support.checked import Checked, Length, Lengths
from shapeinspect.pytest_support.scope import Scope

_SHOWN = "assert <no match: "
#: pytest cuts long texts in their middle: so much of the beginning is always there.
_BEGINNING = 60


def retold(error: AssertionError, statement: str, scope: Scope) -> str | None:
    """Return the message of a failed ``assert x.matches(...)`` in plain words.

    Args:
        error: what the test raised; pytest has written the values of the expression into it.
        statement: the line of the test that raised it.
        scope: the test's scope.

    Returns:
        None where the assertion was about something else.
    """
    if scope.lost is None:
        return None
    found, message = scope.lost
    text = error.args[0] if error.args and isinstance(error.args[0], str) else ""
    at = text.find(_SHOWN)
    if at >= 0 and text[at:].startswith(f"assert {found!r}"[:_BEGINNING]):
        return text[:at] + message
    # Where pytest rewrites no assertions, the error says nothing at all.
    return message if not error.args and ".matches(" in statement else None


def compared(op: str, left: Any, right: Any) -> list[str] | None:
    """Return what a failed comparison of lengths says: a line for each axis that differs.

    Args:
        op: the operator.
        left: its left side.
        right: its right side.

    Returns:
        None where neither side comes from a report.
    """
    if isinstance(left, Length) or isinstance(right, Length):
        named = [one.what for one in (left, right) if isinstance(one, Length)]
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
        line for at in _different(left.shape, right)[:1] for line in map(_dedent, left.trace(at, right[at]))
    ]
    names = [line for what in whose for line in _wrapped(what)]
    return [f"{written(left.shape)} == {_shown(right)}", *names, *lines]


def _dedent(line: str) -> str:
    return line.removeprefix("  ")


def _shown(right: Any) -> str:
    return written(tuple(right)) if all(isinstance(one, int) for one in right) else repr(right)


def _different(left: Any, right: Any) -> list[int]:
    if len(left) != len(right):
        return []
    return [at for at, (one, other) in enumerate(zip(left, right, strict=True)) if one != other]


def _axes(left: Any, right: Any, names: Any) -> list[str]:
    if len(left) != len(right):
        return [f"it has {len(left)} {'length' if len(left) == 1 else 'lengths'}, not {len(right)}"]
    letters = (
        [f" ({name})" if name else "" for name in names] if len(names) == len(left) else [""] * len(left)
    )
    return [f"axis {at}{letters[at]} is {left[at]}, not {right[at]}" for at in _different(left, right)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 72, break_long_words=False, break_on_hyphens=False)
