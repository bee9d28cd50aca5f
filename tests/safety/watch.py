"""What a process opens, starts and imports: an audit hook that keeps what it may not."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

import shapeinspect

FRAMEWORKS = (
    "torch", "tensorflow", "keras", "jax", "flax", "h5py", "safetensors", "gguf", "msgpack", "transformers",
)  # fmt: skip
_PATHS = frozenset({"open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.chdir"})
_NEVER = ("socket.", "ctypes.dlopen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "shutil.")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

# Python's own files and the installed packages are code: an import opens them.
_PROJECT = Path(shapeinspect.__file__).parents[1]
_CODE = {
    os.path.realpath(path)
    for path in (
        sys.prefix,
        sys.base_prefix,
        *sysconfig.get_paths().values(),
        str(_PROJECT / "shapeinspect"),
        str(_PROJECT / "plugins"),
    )
}
_SEARCHED = {os.path.realpath(path) for path in sys.path}

#: What happened that may not, and the directories that may be read; nothing is watched while there are none.
seen: list[Any] = []
given: set[str] = set()


def begin() -> None:
    """Watch this process from now on, whenever something is ``given``."""
    sys.addaudithook(_hook)


def imported() -> list[str]:
    """The frameworks that are imported."""
    return [name for name in FRAMEWORKS if name in sys.modules]


def _inside(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not given:
        return
    if event in _PATHS and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        writes = event == "open" and (arguments[2] or 0) & _WRITING
        allowed = given if writes else given | _CODE
        if event == "os.listdir" and path in _SEARCHED:  # an import looks there
            return
        if path != os.devnull and not _inside(path, allowed):
            seen.append([event, path])
    elif event == "subprocess.Popen":
        words = list(arguments[1])
        program = next(word for word in words[1:] if not word.startswith("-"))
        if words[:2] != [sys.executable, "-I"] or not _inside(os.path.realpath(program), _CODE):
            seen.append([event, words])
    elif event.startswith(_NEVER):
        seen.append([event, [str(argument) for argument in arguments]])
