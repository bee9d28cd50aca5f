"""The user's program around a session, run again with other sizes in what it feeds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit
from shapeinspect.plugin_api.frames import place_of
from shapeinspect.plugin_api.program.edits import SourceEdit, resized
from shapeinspect.plugin_api.program.replay import Program, Replay
from shapeinspect_onnx.debug.quiet import quiet

#: Edits of the program are tried for so many seconds.
_SECONDS = 8.0
_SESSIONS = ("InferenceSession", "IOBinding", "OrtValue", "SessionOptions", "RunOptions")


def kept(value: Any) -> Any:
    """Return a session itself, since running it changes nothing; None for another value.

    Args:
        value: the value.
    """
    return value if type(value).__name__ in _SESSIONS else None


@dataclass(frozen=True)
class Found:
    """An edit of the program that was run, and where the size stood.

    Args:
        edit: the edit.
        because: the size and its place.
    """

    edit: Edit
    because: str


def of_sizes(program: Program, sizes: Sequence[tuple[int, int]], cause: str) -> Iterator[Found]:
    """Yield the edits of the numbers that make what is fed, with which the program runs on.

    Args:
        program: the program.
        sizes: each size that was fed, and the one that the model takes.
        cause: the cause that they prove.
    """
    end = time.monotonic() + _SECONDS
    replay = Replay(program, kept, quiet)
    level = replay.level()
    if level is None:
        return
    for edit in resized(program, sizes):
        if time.monotonic() > end:
            return
        ended = replay.run(edit.tree, level)
        if ended.error is None:
            yield Found(
                Edit(cause, edit.text, Claim(what="session.run", rest=ended.rest)), place(program, edit)
            )


def place(program: Program, edit: SourceEdit) -> str:
    """Return where an edit is made, and what stands there.

    Args:
        program: the program.
        edit: the edit.
    """
    return f"{place_of(program.frames[0][0], edit.line)}  {edit.old}"
