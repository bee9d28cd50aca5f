"""The files of a user's that a search for repairs may change, and the folder that it mirrors."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Iterator

from shapeinspect import registry
from shapeinspect.plugin_api.user_code.frames import is_installed
from shapeinspect.trials.source_file import File

#: At most so many files, of so many bytes, are changed.
_FILES, _BYTES = 12, 200_000


def folder_of(path: str) -> str:
    """Return the folder to mirror: the one that the script was started in where that holds it.

    Args:
        path: the script's path.
    """
    here, own = os.getcwd(), os.path.dirname(path)
    # A mirror is made among the temporary files, and would hold itself.
    wide = here == os.path.expanduser("~") or (tempfile.gettempdir() + os.sep).startswith(here + os.sep)
    return here if own.startswith(here + os.sep) and not wide else own


def started_in(folder: str) -> str:
    """Return the folder that the script was started in: its path in the mirrored one, or where it is.

    Args:
        folder: the folder that is mirrored.
    """
    here = os.getcwd()
    return os.path.relpath(here, folder) if (here + os.sep).startswith(folder + os.sep) else here


def files_of(path: str, folder: str) -> Iterator[File]:
    """Yield the script and the imported modules of the user's that may be changed, the script first.

    Args:
        path: the script's path.
        folder: the folder that is mirrored.
    """
    paths = [path]
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and not is_installed(file):
            paths.append(os.path.abspath(file))
    for one in [*dict.fromkeys(paths)][: _FILES * 100]:
        if not one.startswith(folder + os.sep) or _own(one):
            continue
        try:
            with open(one, encoding="utf-8-sig") as file:  # as the plug-ins read it: each line ends in \n
                text = file.read(_BYTES + 1)
            if len(text) <= _BYTES:
                yield File.parsed(os.path.relpath(one, folder), text)
        except (OSError, SyntaxError, ValueError):
            continue


def _own(path: str) -> bool:
    """Tell whether a file is one of this package, or of a plug-in."""
    return any(path.startswith(folder + os.sep) for folder in _own_folders())


@functools.cache
def _own_folders() -> frozenset[str]:
    found = {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}
    for debugger in registry.debuggers():
        package = sys.modules[type(debugger).__module__.partition(".")[0]]
        found |= {os.path.abspath(folder) for folder in getattr(package, "__path__", ())}
    return frozenset(found)
