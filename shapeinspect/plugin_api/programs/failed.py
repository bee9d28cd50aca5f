"""A program that has failed: its frames, and the source of its file."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass

from shapeinspect.plugin_api.user_code.frames import (
    Place,
    is_library,
    place_of,
    syntax_tree,
    traceback_frames,
)


@dataclass(frozen=True)
class Program:
    """The file of the user's whose line has failed.

    Args:
        frames: the frames of the file, the outermost first, with their lines.
        tree: the file.
        text: its source.
    """

    frames: tuple[Place, ...]
    tree: ast.Module
    text: str

    @property
    def file(self) -> str:
        """The file's path."""
        return self.frames[0][0].f_code.co_filename

    def place(self, line: int) -> str:
        """Return a line as ``file.py:12``.

        Args:
            line: its number.
        """
        return place_of(self.frames[0][0], line)


def program_of(error: BaseException, packages: tuple[str, ...]) -> Program | None:
    """Return the program that an exception ended; None where its source is not there.

    Args:
        error: the exception.
        packages: as for ``frames.is_library``.
    """
    places = traceback_frames(error.__traceback__)
    own = [place for place in places if not is_library(place[0].f_code.co_filename, packages)]
    file = own[-1][0].f_code.co_filename if own else ""
    frames = tuple(place for place in own if place[0].f_code.co_filename == file)
    if not frames:
        return None
    tree = syntax_tree(frames[0][0].f_code, frames[0][0].f_globals)
    text = "".join(linecache.getlines(file, frames[0][0].f_globals))
    return None if tree is None or not tree.body else Program(frames, tree, text)
