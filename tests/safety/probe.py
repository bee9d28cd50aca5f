"""A program of its own: shows models, and writes down what it opened, started and imported meanwhile.

``python probe.py {"name": [folder, model]} [PATH]``: a PATH is opened at the end, to prove that it is seen.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

del sys.path[0]  # this directory, where an import would look first

import shapeinspect  # noqa: E402  # after the line above
from shapeinspect.cli import main  # noqa: E402  # the same

FRAMEWORKS = (
    "torch", "tensorflow", "keras", "jax", "flax", "h5py", "safetensors", "gguf", "msgpack", "transformers",
)  # fmt: skip
PATHS = frozenset({"open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.chdir"})
NEVER = ("socket.", "ctypes.dlopen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "shutil.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

# Python's own files and the installed packages are code: an import opens them.
_PROJECT = Path(shapeinspect.__file__).parents[1]
CODE = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
CODE |= {str(_PROJECT / "shapeinspect"), str(_PROJECT / "plugins")}
CODE = {os.path.realpath(path) for path in CODE}
SEARCHED = {os.path.realpath(path) for path in sys.path}

seen: list[Any] = []
given: set[str] = set()


def inside(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not given:
        return
    if event in PATHS and isinstance(arguments[0], str | bytes):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        writes = event == "open" and (arguments[2] or 0) & WRITING
        allowed = given if writes else given | CODE
        if event == "os.listdir" and path in SEARCHED:  # an import looks there
            return
        if path != os.devnull and not inside(path, allowed):
            seen.append([event, path])
    elif event == "subprocess.Popen":
        words = list(arguments[1])
        program = next(word for word in words[1:] if not word.startswith("-"))
        if words[:2] != [sys.executable, "-I"] or not inside(os.path.realpath(program), CODE):
            seen.append([event, words])
    elif event.startswith(NEVER):
        seen.append([event, [str(argument) for argument in arguments]])


def run() -> None:
    asked = json.loads(sys.argv[1])
    sys.addaudithook(hook)
    codes = {}
    for name, (folder, path) in asked.items():
        given.clear()
        given.add(os.path.realpath(folder))
        try:
            main(["show", path])
        except SystemExit as stopped:
            codes[name] = stopped.code or 0
    if len(sys.argv) > 2:
        Path(sys.argv[2]).open().close()
    given.clear()
    imported = [name for name in FRAMEWORKS if name in sys.modules]
    print(json.dumps([codes, seen, imported]), file=sys.stderr)


if __name__ == "__main__":
    run()
