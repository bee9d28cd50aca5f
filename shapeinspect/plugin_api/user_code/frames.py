"""The frames of a traceback or of the running stack, and the user's own line among them."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeAlias

#: A frame, and the number of the line that it executes.
Place: TypeAlias = "tuple[FrameType, int]"

_PYTHON = os.path.dirname(os.__file__) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def traceback_frames(traceback: TracebackType | None) -> list[Place]:
    """Return the frames that an exception passed through, the outermost first.

    Args:
        traceback: the exception's ``__traceback__``.
    """
    frames = []
    while traceback is not None:
        frames.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames


def running_frames(frame: FrameType | None = None) -> Iterator[Place]:
    """Yield a frame and its callers, the innermost first.

    Args:
        frame: the frame to begin with; by default the one that is running now.
    """
    frame = sys._getframe(1) if frame is None else frame
    while frame is not None:
        yield frame, frame.f_lineno
        frame = frame.f_back


@lru_cache(maxsize=4096)
def is_library(file: str, packages: tuple[str, ...]) -> bool:
    """Tell whether a source file belongs to a library, to Python or to shapeinspect, and not to the user.

    Args:
        file: its path, as a code object names it.
        packages: the imported packages that count as libraries, the plug-in's own among them.

    Example:
        >>> is_library(os.__file__, ()), is_library("<frozen runpy>", ()), is_library("/home/me/train.py", ())
        (True, True, False)
    """
    if file.startswith("<"):
        return True
    if file.startswith(_PYTHON) and not is_installed(file):
        return True
    return in_packages(file, ("shapeinspect", *packages))


def is_installed(file: str) -> bool:
    """Tell whether a source file was installed, and so is not the user's own.

    Args:
        file: its path.

    Example:
        >>> is_installed(os.sep.join(("venv", "site-packages", "six.py"))), is_installed("train.py")
        (True, False)
    """
    return any(folder in file for folder in _INSTALLED)


def in_packages(file: str, packages: tuple[str, ...]) -> bool:
    """Tell whether a source file belongs to one of some imported packages.

    Args:
        file: its path, as a code object names it.
        packages: their names.
    """
    paths = (getattr(sys.modules.get(name), "__file__", None) for name in packages)
    return file.startswith(tuple(os.path.dirname(path) + os.sep for path in paths if path))


def user_place(frames: Iterable[Place], packages: tuple[str, ...]) -> Place | None:
    """Return the first frame of the user's own code, with its line.

    Args:
        frames: the frames to search, the innermost first.
        packages: as for :func:`is_library`.
    """
    for frame, line in frames:
        if not is_library(frame.f_code.co_filename, packages):
            return frame, line
    return None


def user_line(frames: list[Place], packages: tuple[str, ...]) -> str | None:
    """Return the user's own line that is nearest to a failure, with its source.

    A traceback begins where the exception is handled: where none of its frames is the user's, the line that
    called the outermost one is returned, such as ``debug(model, x)``.

    Args:
        frames: what :func:`traceback_frames` returned.
        packages: as for :func:`is_library`.
    """
    site = user_place(reversed(frames), packages)
    if site is None and frames:
        site = user_place(running_frames(frames[0][0]), packages)
    return None if site is None else source_line(*site)


def source_line(frame: FrameType, line: int) -> str:
    """Return a line with its location: ``file.py:12 code``.

    Args:
        frame: a frame that runs it.
        line: its number.
    """
    source = linecache.getline(frame.f_code.co_filename, line, frame.f_globals).strip()
    return f"{place_of(frame, line)}  {source}".rstrip()


def place_of(frame: FrameType, line: int) -> str:
    """Return the location of a line: ``file.py:12``, or ``In[3]:12`` in the cell of a notebook.

    Args:
        frame: a frame that runs it.
        line: its number.
    """
    file = frame.f_code.co_filename
    return f"{_cell_of(file) or os.path.basename(file)}:{line}"


def _cell_of(file: str) -> str | None:
    """Return the cell of a notebook whose code has a file's name.

    Source: IPython's ``CachingCompiler.format_code_name`` returns the pair ``("Cell", "In[3]")`` for a cell.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    naming = getattr(getattr(shell, "compile", None), "format_code_name", None)
    known = None if naming is None else naming(file)
    return str(known[1]) if known else None


def running_place(packages: tuple[str, ...]) -> str | None:
    """Return where the user's own code is running now, as ``file.py:12``.

    Args:
        packages: as for :func:`is_library`.
    """
    site = user_place(running_frames(), packages)
    return None if site is None else place_of(*site)


def passed_arguments(frame: FrameType) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a frame whose function takes ``*args, **kwargs``.

    Args:
        frame: the frame.
    """
    return tuple(frame.f_locals.get("args", ())), dict(frame.f_locals.get("kwargs", {}))


def constructor_arguments(frame: FrameType) -> dict[str, Any]:
    """Return the arguments of a running ``__init__`` by name, those in ``**kwargs`` included.

    Args:
        frame: a frame of ``__init__``.
    """
    seen = frame.f_locals
    names = inspect.signature(type(seen["self"]).__init__).parameters
    given = {name: seen[name] for name in names if name in seen and name not in ("self", "kwargs")}
    return given | dict(seen.get("kwargs", {}))


def syntax_tree(code: CodeType, names: dict[str, Any] | None = None) -> ast.Module | None:
    """Parse the file that a code object comes from; None if its source is not available.

    Args:
        code: the code object.
        names: the globals of a frame that runs it; they find a source that is in no file.
    """
    try:
        return ast.parse("".join(linecache.getlines(code.co_filename, names)))
    except (SyntaxError, ValueError):
        return None
