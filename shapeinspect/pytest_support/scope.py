"""What one test has bound and what has failed in it so far."""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from shapeinspect.check import Bindings, Match


@dataclass
class Scope:
    """What one test has bound and what has failed in it so far.

    Args:
        bindings: what the names in patterns stand for.
        origins: what bound each name.
        failures: what failed in the open block.
        collecting: whether failures wait for the end of a block.
        left: what had failed in a block that another error ended.
        lost: the last match that failed outside a block, and what is to be told about it.
        refused: the model and the input that could not be inspected.

    Example:
        >>> Scope().bindings
        {}
    """

    bindings: Bindings = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    collecting: bool = False
    left: list[str] = field(default_factory=list)
    lost: tuple[Match, str] | None = None
    refused: tuple[Any, Any] | None = None

    def fail(self, message: str) -> None:
        """Raise, or keep the message for the end of the block.

        Args:
            message: what does not hold.

        Raises:
            AssertionError: outside a block.
        """
        __tracebackhide__ = True
        if not self.collecting:
            raise AssertionError(message)
        self.failures.append(f"{_line()}{message}")

    def bind(self, found: Match, what: str) -> None:
        """Remember what bound the names that a match has added.

        Args:
            found: a match that fits.
            what: what it is of.
        """
        for name in found.bindings:
            self.origins.setdefault(name, what)


def _test() -> FrameType:
    """Return the frame of the test that is running, the first one outside of shapeinspect."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("shapeinspect."):
        frame = frame.f_back
    return frame


def _line() -> str:
    """Return the line of the test that is running, in its own file."""
    return f"line {_test().f_lineno}: "


def unused() -> bool:
    """Tell whether the test throws away what the running call returns: a statement of its own."""
    frame = _test()
    after = (one.opname for one in dis.get_instructions(frame.f_code) if one.offset > frame.f_lasti)
    return next(after, "") == "POP_TOP"


def collected(failures: list[str]) -> str:
    """Write everything that failed in one block.

    Args:
        failures: a text each.

    Example:
        >>> print(collected(["a is 2, not 3"]))
        1 assertion of this block does not hold
        a is 2, not 3
    """
    count = len(failures)
    head = (
        "1 assertion of this block does not hold"
        if count == 1
        else f"{count} assertions of this block do not hold"
    )
    return "\n".join([head, *failures])
