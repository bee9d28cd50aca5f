"""The frames of a traceback, and the user's own line among them."""

from __future__ import annotations

import linecache
import os
from types import FrameType, TracebackType

from shapeinspect_torch.tracing.recorder import is_ours


def frames(traceback: TracebackType | None) -> list[tuple[FrameType, int]]:
    """Return the frames of a traceback with their line numbers, the outermost first.

    Args:
        traceback: where the error went through.
    """
    found = []
    while traceback is not None:
        found.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return found


def user_line(frames: list[tuple[FrameType, int]]) -> str | None:
    """Return the user's own line that is nearest to what failed.

    Args:
        frames: as from :func:`frames`.
    """
    for frame, number in reversed(frames):
        file = frame.f_code.co_filename
        if not is_ours(file):
            return spelled_line(file, number, frame)
    return None


def spelled_line(file: str, number: int, frame: FrameType | None = None) -> str:
    """Write a source line with its place.

    Args:
        file: its file.
        number: which line.
        frame: the frame that runs it.
    """
    line = linecache.getline(file, number, frame.f_globals if frame is not None else None).strip()
    return f"{os.path.basename(file)}:{number}  {line}".rstrip()
