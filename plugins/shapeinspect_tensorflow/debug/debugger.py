"""Finds the interpreter and what it was given behind an exception of TFLite."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import FrameType
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.plugin_api.arrays.numpy_text import IN_NUMPY, in_numpy
from shapeinspect.plugin_api.programs.failed import Program, program_of
from shapeinspect.plugin_api.rerun import Debugger, Recorded, Rerun
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.frames import traceback_frames, user_line
from shapeinspect.plugin_api.user_code.source import UserSource, user_source
from shapeinspect.sources.source import Source

#: The packages that hold an interpreter; their lines are not the user's.
PACKAGES = ("tensorflow", "keras", "ai_edge_litert", "tflite_runtime", "shapeinspect_tensorflow")


class TFLiteDebugger(Debugger):
    """Reads the interpreter and the arguments of its method from the frames of a traceback."""

    packages = ("tensorflow", "ai_edge_litert", "tflite_runtime")

    def runs_in_copies(self) -> bool:
        """Tell whether TensorFlow, whose threads a copy would not have, is not there; see ``Debugger``."""
        return "tensorflow" not in sys.modules

    def recover(self, error: BaseException, model: object | None) -> Rerun | Recorded | None:
        """Find the failed call; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        del model
        if not isinstance(error, (ValueError, RuntimeError, TypeError)):
            return None
        frames = traceback_frames(error.__traceback__)
        for frame, _ in frames:
            if _home(frame).endswith(".interpreter") and frame.f_code.co_name in _RECOVER:
                site = user_source(error.__traceback__, PACKAGES)
                where = user_line(frames, PACKAGES)
                program = program_of(error, PACKAGES)
                return _RECOVER[frame.f_code.co_name](frame, str(error), where, site, program)
        return None

    def suggestions(self, error: BaseException) -> Sequence[Suggestion]:
        """Suggest edits of what is set; see ``shapeinspect.plugin_api.rerun.Debugger``.

        Args:
            error: the exception, with its traceback.
        """
        from shapeinspect_tensorflow.debug.tensors import Setting

        program = program_of(error, PACKAGES)
        for frame, _ in traceback_frames(error.__traceback__):
            if _home(frame).endswith(".interpreter") and frame.f_code.co_name == "set_tensor":
                local = frame.f_locals
                given = local["self"], local["tensor_index"], local["value"]
                return [*Setting(*given, None, str(error), None, program).suggestions()]
        return ()

    def watch(self, model: object) -> AbstractContextManager[Any]:
        """Keep nothing: the traceback holds everything; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        del model
        return nullcontext()

    def examine(self, source: Source) -> Rerun | Recorded | None:
        """Read the graph of a file; see ``shapeinspect.plugin_api.rerun.Debugger``."""
        from shapeinspect_tensorflow.tflite.reader import read

        model = read(replace(source, inputs=()))
        return Recorded(model, Frozen(), "", None, in_numpy, computed=True, steps=frozenset(IN_NUMPY))


def _home(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _setting(
    frame: FrameType, message: str, where: str | None, site: UserSource | None, program: Program | None
) -> Rerun | None:
    from shapeinspect_tensorflow.debug.tensors import Setting

    local = frame.f_locals
    given = local["self"], local["tensor_index"], local["value"]
    return Setting(*given, site, message, where, program).refused()


def _running(
    frame: FrameType, message: str, where: str | None, site: UserSource | None, program: Program | None
) -> Rerun | None:
    from shapeinspect_tensorflow.debug.runners import refused

    del program
    return refused(frame.f_locals["self"], dict(frame.f_locals["kwargs"]), site, message, where)


def _allocating(
    frame: FrameType, message: str, where: str | None, site: UserSource | None, program: Program | None
) -> Rerun | Recorded | None:
    from shapeinspect_tensorflow.debug.allocation import refused

    del site, program
    return refused(frame.f_locals["self"], message, where)


#: The methods of interpreters and runners that refuse, by name.
_RECOVER: dict[str, Callable[..., Rerun | Recorded | None]] = {
    "set_tensor": _setting,
    "__call__": _running,
    "allocate_tensors": _allocating,
    "invoke": _allocating,
}

DEBUGGER = TFLiteDebugger()
