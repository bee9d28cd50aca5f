"""The terminal that standard output is, if it is one: its size, and whether colors go to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeAlias

#: A pipe takes lines of any length; so many cells show every column of most models.
_OF_A_PIPE = 200

#: When colors are written: where the output is a terminal, always, or never.
Color: TypeAlias = Literal["auto", "always", "never"]

_asked: ContextVar[Color] = ContextVar("color", default="auto")
#: Whether ``--no-pager`` was not given.
_pager: ContextVar[bool] = ContextVar("pager", default=True)


def width(pipe: int = _OF_A_PIPE) -> int:
    """Return the terminal's width.

    Args:
        pipe: what to return where the output is no terminal and ``COLUMNS`` names no width.
    """
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return _size()[0] or pipe


def printed_width(otherwise: int) -> int:
    """Return how wide ``str()`` of a result is, which is what ``print`` writes: the terminal's width.

    Args:
        otherwise: the width where the output is no terminal.

    Example:
        >>> printed_width(80) >= 1
        True
    """
    return width(otherwise) if is_terminal() else otherwise


def height() -> int | None:
    """Return how many rows the terminal has; None where the output is none, or does not say."""
    return _size()[1] or None


def _size() -> tuple[int, int]:
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # Python has no stdout where it was closed
        return 0, 0
    return size.columns, size.lines


def is_terminal() -> bool:
    """Tell whether the output goes to a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


@contextmanager
def coloring(choice: Color) -> Iterator[None]:
    """Write colors inside a block as a user chose.

    Args:
        choice: ``auto`` leaves it to the environment.
    """
    token = _asked.set(choice)
    try:
        yield
    finally:
        _asked.reset(token)


def choose_color(choice: Color) -> None:
    """Let the innermost block of :func:`coloring` write colors as a user chose.

    Args:
        choice: ``auto`` leaves it to the environment.
    """
    _asked.set(choice)


def choose_pager(wanted: bool) -> None:
    """Let a pager show what is longer than the screen, or not, as a user chose.

    Args:
        wanted: whether a pager may be used.
    """
    _pager.set(wanted)


def pager_is_wanted() -> bool:
    """Tell whether a pager may be used: unless the user asked for none.

    Example:
        >>> pager_is_wanted()
        True
    """
    return _pager.get()


def colored() -> bool:
    """Tell whether colors are written: as the user asked, else as the environment, else on a terminal.

    Source: https://no-color.org, https://force-color.org and https://bixense.com/clicolors; where both are
        set, ``NO_COLOR`` wins, as in Python's own messages.

    Example:
        >>> with coloring("always"):
        ...     colored()
        True
    """
    asked = _asked.get()
    if asked != "auto":
        return asked == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal() and os.environ.get("TERM") != "dumb" and os.environ.get("CLICOLOR") != "0"
