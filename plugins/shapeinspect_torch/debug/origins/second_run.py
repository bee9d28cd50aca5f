"""One more run of the user's program: it says where sizes come from, and what its expressions are worth."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.programs.program import Program
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect_torch.debug.origins.following import Found, TorchFollower, as_before
from shapeinspect_torch.tracing.recorder import PACKAGES

#: Where an exception keeps its second run.
_KEPT = "__shapeinspect_second_run__"
#: Modules with which a process cannot be forked.
_UNFORKABLE = ("tensorflow", "jax")


@dataclass(frozen=True, slots=True)
class SecondRun:
    """What a second run has told.

    Args:
        program: the script.
        trace: what its expressions were worth.
        found: the call that failed, with the origins of its sizes; None where it did not fail as before with
            integers that remember.
        literals: the script's integers, named.
    """

    program: Program
    trace: Trace
    found: Found | None
    literals: tuple[Literal, ...]

    def changed(self, texts: Mapping[str, str]) -> Trace:
        """Return what the expressions of the script are worth with other files.

        Args:
            texts: the files that differ, by path; none for what this run has told.
        """
        program = self.program.with_texts(texts)
        return Trace(program.texts, program.traced()) if texts else self.trace


def can_run(error: BaseException) -> bool:
    """Tell whether the script that an exception ended may be run again.

    Args:
        error: the exception, with its traceback.
    """
    return _can_copy() and (hasattr(error, _KEPT) or Program.of(error, PACKAGES) is not None)


def _can_copy() -> bool:
    """Tell whether this process can be forked."""
    import torch

    return not torch.cuda.is_initialized() and not any(name in sys.modules for name in _UNFORKABLE)


def message_of(error: BaseException) -> str:
    """Return what an error says; that of a process which has loaded data, as it is said without one.

    Args:
        error: the exception.

    Example:
        >>> lines = ["Caught RuntimeError in DataLoader worker process 0.", "RuntimeError: sizes"]
        >>> message_of(RuntimeError(chr(10).join(lines)))
        'sizes'
    """
    message = str(error)
    if not message.startswith("Caught ") or "worker process" not in message:
        return message
    return message.rstrip().rpartition("\n")[2].partition(": ")[2]


def second_run(error: BaseException) -> SecondRun | None:
    """Run the script that an exception ended a second time, once; None where it cannot be, or ends otherwise.

    Args:
        error: the exception, with its traceback; it keeps what is told.
    """
    if not hasattr(error, _KEPT):
        told = _second_run(error) if _can_copy() else None
        with suppress(AttributeError):
            setattr(error, _KEPT, told)
        return told
    kept: SecondRun | None = getattr(error, _KEPT)
    return kept


def _second_run(error: BaseException) -> SecondRun | None:
    program = Program.of(error, PACKAGES, (as_before,))
    if program is None:
        return None
    program = replace(program, first=replace(program.first, message=message_of(error)))
    ended, literals = program.followed(TorchFollower())
    if not program.fails_alike(ended):  # something takes no integers but plain ones
        ended = program.traced()
    if not program.fails_alike(ended):
        return None
    known = program.repeats(ended) and isinstance(ended.found, Found)
    return SecondRun(
        program, Trace(program.texts, ended), ended.found if known else None, tuple(literals) if known else ()
    )
