"""What a person at a terminal sees while a failed script is explained and changes of it are run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from shapeinspect.text import printable
from shapeinspect.trials.written import Written

#: The columns of the line that tells what is done now.
_WIDTH = 79


def is_shown() -> bool:
    """Return whether somebody may see it: it is written on stderr, if that is a terminal."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def line(text: str) -> None:
    """Write what is done now, in the place of what was written before.

    Args:
        text: what is done; empty for nothing.
    """
    if is_shown():
        sys.stderr.write(f"\r{printable(text, _WIDTH):<{_WIDTH}}" + ("" if text else "\r"))
        sys.stderr.flush()


def trial(number: int, written: Callable[[], tuple[Written, ...]]) -> None:
    """Write which change is run now.

    Args:
        number: how many have been run, this one among them.
        written: returns the changes as they are shown.
    """
    if is_shown():
        line(of_trial(number, written()))


def of_trial(number: int, written: tuple[Written, ...]) -> str:
    """Return which change is run now, on one line.

    Args:
        number: how many have been run, this one among them.
        written: the changes as they are shown.

    Example:
        >>> of_trial(12, (Written("in_channels=12", "in_channels=3", "a.py", 7),))
        'Ctrl-C ends this; change 12, line 7: in_channels=12 instead of in_channels=3'
    """
    changes = ", ".join(f"line {one.line}: {one.new or 'nothing'} instead of {one.old}" for one in written)
    return f"Ctrl-C ends this; change {number}, {' '.join(changes.split())}"
