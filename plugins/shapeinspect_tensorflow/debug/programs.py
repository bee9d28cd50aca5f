"""The user's program around an interpreter, run again with other sizes in what it sets."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit
from shapeinspect.plugin_api.frames import place_of
from shapeinspect.plugin_api.program.edits import resized
from shapeinspect.plugin_api.program.replay import Program, Replay
from shapeinspect_tensorflow.debug.interpreters import another

#: Edits of the program are tried for so many seconds.
_SECONDS = 8.0
_KEPT = ("Interpreter", "SignatureRunner")


class Interpreters:
    """What stands for the interpreters of a program while it is run again."""

    def __init__(self) -> None:
        self._own: list[tuple[Any, list[tuple[int, Any, Any]]]] = []

    def kept(self, value: Any) -> Any:
        """Return another interpreter of the same bytes, or of a file the user's own; None for another value.

        Args:
            value: the value.
        """
        if type(value).__name__ not in _KEPT:
            return None
        if not hasattr(value, "allocate_tensors"):
            return value
        details = value.get_input_details()
        copy = another(value)
        if copy is None:
            held = [(one["index"], one["shape"], value.get_tensor(one["index"])) for one in details]
            self._own.append((value, held))
            return value
        for one in details:
            copy.resize_tensor_input(one["index"], one["shape"])
        copy.allocate_tensors()
        return copy

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put back the sizes of the user's own interpreters, and what they hold in their inputs."""
        self._own.clear()
        try:
            yield
        finally:
            for interpreter, held in self._own:
                for index, shape, _ in held:
                    interpreter.resize_tensor_input(index, shape)
                interpreter.allocate_tensors()
                for index, _, array in held:
                    interpreter.set_tensor(index, array)


def of_sizes(program: Program, sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[Edit, str]]:
    """Yield edits of the numbers that make what is set, with which the program runs on, and their places.

    Args:
        program: the program.
        sizes: each size that was set, and the one that the interpreter takes.
    """
    end = time.monotonic() + _SECONDS
    interpreters = Interpreters()
    replay = Replay(program, interpreters.kept, interpreters.restored)
    level = replay.level()
    if level is None:
        return
    for edit in resized(program, sizes):
        if time.monotonic() > end:
            return
        ended = replay.run(edit.tree, level)
        if ended.error is None:
            claim = Claim(what="set_tensor", rest=ended.rest)
            yield Edit("feed", edit.text, claim), f"{place_of(program.frames[0][0], edit.line)}  {edit.old}"
