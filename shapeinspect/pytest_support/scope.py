"""The state of one test: the names that its patterns have bound, and the assertions that failed."""

from __future__ import annotations

import dis
import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from shapeinspect.check import Bindings, Match
from shapeinspect.text import visible


@dataclass
class Scope:
    """The state of one test: the names that its patterns have bound, and the assertions that failed.

    Args:
        bindings: the length of each name in patterns.
        origins: the value that bound each name, as text.
        failures: the messages of the open block.
        collecting: whether failures are collected until the end of a block.
        unreported: the failures of a block that another error ended.
        failed: the last match that failed outside a block, and its message.
        uninspected: the model and the input that could not be inspected.

    Example:
        >>> Scope().bindings
        {}
    """

    bindings: Bindings = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    collecting: bool = False
    unreported: list[str] = field(default_factory=list)
    failed: tuple[Match, str] | None = None
    uninspected: tuple[Any, Any] | None = None

    def fail(self, message: str) -> None:
        """Raise, or collect the message for the end of the block.

        Args:
            message: the failed assertion.

        Raises:
            AssertionError: outside a block.
        """
        __tracebackhide__ = True
        message = visible(message)
        if not self.collecting:
            raise AssertionError(message)
        self.failures.append(f"{_line()}{message}")

    def bind(self, match: Match, what: str) -> None:
        """Record which value bound the names that a match has added.

        Args:
            match: a match that holds.
            what: the value that was matched, as text.
        """
        for name in match.bindings:
            self.origins.setdefault(name, what)


def _test_frame() -> FrameType:
    """Return the frame of the running test, the first one outside shapeinspect."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("shapeinspect."):
        frame = frame.f_back
    return frame


def _line() -> str:
    """Return the current line of the running test, as text."""
    return f"line {_test_frame().f_lineno}: "


def is_result_discarded() -> bool:
    """Return whether the test discards the result of the running call: a statement of its own."""
    frame = _test_frame()
    after = (step.opname for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    return next(after, "") == "POP_TOP"


def block_message(failures: list[str]) -> str:
    """Return the failures of a block as text.

    Args:
        failures: the message of each.

    Example:
        >>> print(block_message(["a is 2, not 3"]))
        1 assertion failed in this block
        a is 2, not 3
    """
    count = len(failures)
    head = "1 assertion failed in this block" if count == 1 else f"{count} assertions failed in this block"
    return "\n".join([head, *failures])
