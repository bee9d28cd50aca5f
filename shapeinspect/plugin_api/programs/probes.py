"""Evaluates many forms of an expression that failed, in a process of their own, where it left its names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.isolation.confined import released
from shapeinspect.plugin_api.programs.copies import Send, in_copy

#: All of them together take at most so many seconds of processor time, and so many of a user's.
_SECONDS, _WAIT = 3.0, 75.0
#: What can be done once, so that each form of it gets a process of its own.
_ONCE = (".backward(", ".step(", "next(")


@dataclass(frozen=True, slots=True)
class Form:
    """One form of an expression.

    Args:
        frame: the frame that ran it.
        text: its source.
    """

    frame: FrameType
    text: str


def that_run(forms: Sequence[Form], prepare: Sequence[Callable[[], None]]) -> list[bool | None]:
    """Tell of each form whether it runs; None where there was no time for it.

    Args:
        forms: the forms.
        prepare: what a framework needs in a new process.
    """

    def run(send: Send) -> None:
        for one in prepare:
            one()
        for form in forms:
            runs = _runs_alone if any(word in form.text for word in _ONCE) else _runs
            send(b"1" if runs(form) else b"0")

    answers = [one == ord("1") for one in in_copy(run, allowed(_SECONDS), allowed(_WAIT))[0]]
    return [*answers[: len(forms)], *[None] * (len(forms) - len(answers))]


def _runs_alone(form: Form) -> bool:
    with released():
        pid = os.fork()
    if pid == 0:
        os._exit(0 if _runs(form) else 1)
    return os.waitpid(pid, 0)[1] == 0


def _runs(form: Form) -> bool:
    names = dict(form.frame.f_locals)
    try:
        code = compile(form.text, "<form>", "exec", dont_inherit=True)
        exec(code, form.frame.f_globals, names)  # noqa: S102  # the user's own line with an edit
    except BaseException:  # noqa: BLE001  # it may fail in any way
        return False
    return True
