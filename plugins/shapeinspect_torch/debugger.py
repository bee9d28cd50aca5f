"""Finds the failed call of a module behind a PyTorch exception."""

from __future__ import annotations

import linecache
import os
from types import FrameType, TracebackType
from typing import Any

from shapeinspect.rerun import Debugger, Rerun
from shapeinspect_torch._record import is_ours

_CALLS = ("_wrapped_call_impl", "_call_impl")
#: What torch raises where shapes, sizes or indices do not fit; a user's own types are none of these.
_TYPES = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)


class TorchDebugger(Debugger):
    """Reads the modules and their arguments from the frames of a traceback.

    Nothing is watched while all goes well: a module that is called stands, with its arguments, in
    a frame of ``torch.nn.Module.__call__``.
    """

    def recover(self, error: BaseException, model: object | None) -> Rerun | None:
        """Find the failed call; see ``shapeinspect.rerun.Debugger``."""
        if not isinstance(error, _TYPES):
            return None
        frames = _frames(error.__traceback__)
        where = _where(error.__traceback__)
        called = [frame for frame in frames if frame.f_code.co_name in _CALLS and _is_module(frame)]
        return _reproduced(called, error, where, model) or _looked_up(called, error, where, model)


def _reproduced(
    called: list[FrameType], error: BaseException, where: str | None, model: object | None
) -> Rerun | None:
    """Run the outermost call again, or the next one inside where that one cannot be run without numbers."""
    from shapeinspect_torch._rerun import TorchRerun

    for frame in called:
        root = frame.f_locals["self"]
        rerun = TorchRerun(root, *_arguments(frame), _path(root, model, called))
        ended = rerun.reproduce(str(error), where)
        if ended is None:
            return None
        if not rerun.is_limit(ended):
            return rerun if rerun.failure.layer.kind != "module" else None
    return None


def _looked_up(
    called: list[FrameType], error: BaseException, where: str | None, model: object | None
) -> Rerun | None:
    """Find what only the numbers tell: an index that is out of its table."""
    from shapeinspect_torch._largest import LargestIndex

    if not isinstance(error, IndexError | RuntimeError) or not called:
        return None
    innermost, outermost = called[-1], called[0]
    root = outermost.f_locals["self"]
    found = LargestIndex(root, *_arguments(outermost), _path(root, model, called))
    inside = innermost.f_locals["self"]
    return found if found.locate(inside, _arguments(innermost), str(error), where) else None


def _path(root: Any, model: object | None, called: list[FrameType]) -> str:
    """Return the path of a module in the model that is debugged, or in the outermost one called."""
    for outer in (model, called[0].f_locals["self"]):
        if outer is not None and outer is not root and hasattr(outer, "named_modules"):
            for name, module in outer.named_modules():
                if module is root:
                    return str(name)
    return ""


def _frames(traceback: TracebackType | None) -> list[FrameType]:
    found = []
    while traceback is not None:
        found.append(traceback.tb_frame)
        traceback = traceback.tb_next
    return found


def _is_module(frame: FrameType) -> bool:
    import torch

    return isinstance(frame.f_locals.get("self"), torch.nn.Module)


def _arguments(frame: FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return tuple(frame.f_locals.get("args", ())), dict(frame.f_locals.get("kwargs", {}))


def _where(traceback: TracebackType | None) -> str | None:
    """Return the user's own line that is nearest to what failed."""
    found = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not is_ours(file):
            line = linecache.getline(file, traceback.tb_lineno, traceback.tb_frame.f_globals).strip()
            found = f"{os.path.basename(file)}:{traceback.tb_lineno}  {line}".rstrip()
        traceback = traceback.tb_next
    return found


DEBUGGER = TorchDebugger()
