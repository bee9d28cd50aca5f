"""The script that failed, and a run of it that reports what its expressions are worth."""

from __future__ import annotations

import ast
import mmap
import os
import pickle
import struct
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from shapeinspect.plugin_api.confined import released
from shapeinspect.plugin_api.frames import Place, is_library, running_frames
from shapeinspect.plugin_api.programs import child
from shapeinspect.plugin_api.programs.child import Ended, Script
from shapeinspect.plugin_api.programs.instruments import Valued, marked
from shapeinspect.plugin_api.programs.waiting import awaited

#: A script that takes longer to fail is not run again.
_LONGEST = 8.0
#: On a busy machine, or while it waits, it may take so many times longer.
_WAITING = 6.0
#: A larger file is not read, and no more files than so many are a script's own.
_BYTES, _FILES = 400_000, 40


@dataclass(slots=True)
class Program:
    """A script that failed, and can be run again.

    Args:
        path: the script.
        texts: its own files, by path.
        lines: the user's lines outside of every model at which it failed, by file.
        failing: the file and the line of the statement that failed.
        own: the names of its own modules.
        package: the package that it belongs to.
        prepare: what a framework needs in a new process.
        first: how it ended.
    """

    path: str
    texts: dict[str, str]
    lines: dict[str, list[int]]
    failing: tuple[str, int]
    own: tuple[str, ...]
    package: str | None = None
    prepare: tuple[Callable[[], None], ...] = ()
    first: Ended = field(default_factory=lambda: Ended("stopped"))

    @staticmethod
    def of(
        frames: Sequence[Place],
        packages: tuple[str, ...],
        statement: Place,
        prepare: tuple[Callable[[], None], ...] = (),
    ) -> Program | None:
        """Return the script whose frames a traceback holds; None where it cannot be run again.

        Args:
            frames: those of the traceback, the outermost first.
            packages: as for ``frames.is_library``.
            statement: the user's line that failed, outside of every model.
            prepare: what a framework needs in a new process.
        """
        if not hasattr(os, "fork") or child.running or not frames:
            return None
        outer = [*reversed([*running_frames(frames[0][0])]), *frames]
        main = next((place for place in reversed(outer) if _is_main(place[0])), None)
        if main is None:
            return None
        path = main[0].f_code.co_filename
        texts = _own_files(path, packages)
        if texts is None:
            return None
        lines: dict[str, list[int]] = {}
        for frame, line in (*outer[outer.index(main) :], statement):
            if frame.f_code.co_filename in texts:
                lines.setdefault(frame.f_code.co_filename, []).append(line)
            if (frame, line) == statement:
                break
        own = tuple(
            name
            for name, module in sys.modules.items()
            if getattr(module, "__file__", None) in texts and not name.startswith("__m")
        )
        package = main[0].f_globals.get("__package__")
        failing = (statement[0].f_code.co_filename, statement[1])
        if failing[0] not in texts:
            return None
        return Program(path, texts, lines, failing, own, package or None, prepare)

    def begin(self, message: str) -> bool:
        """Run it; tell whether it fails as it did.

        Args:
            message: the message with which it failed.
        """
        self.first = self.run()
        return self.first.status == "error" and _alike(self.first.message, message)

    def run(self) -> Ended:
        """Run it in a process of its own, which reports what its expressions are worth."""
        codes = self._compiled()
        if codes is None:
            return Ended("error", "SyntaxError")
        script = Script(self.path, codes, self._numbers(), self.own, self.package, self.prepare)
        lines = max(text.count("\n") for text in self.texts.values()) + 2
        with released():
            return _forked(script, _LONGEST, lines)

    def _numbers(self) -> dict[str, int]:
        return {file: number for number, file in enumerate(self.texts)}

    def _compiled(self) -> dict[str, CodeType] | None:
        codes = {}
        for number, (file, text) in enumerate(self.texts.items()):
            try:
                tree = Valued(number).visit(ast.parse(text))
                if file in self.lines or file == self.path:
                    tree = marked(tree, number, self.lines.get(file, ()))
                codes[file] = compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError):
                return None
        return codes


def _is_main(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    named = frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>"
    return named and not is_library(file, ()) and os.path.isfile(file)


def _own_files(path: str, packages: tuple[str, ...]) -> dict[str, str] | None:
    """Return the text of a script and of its own modules: those that lie beside it or below."""
    folder = os.path.dirname(os.path.abspath(path)) + os.sep
    files = [path]
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py") or "site-packages" in file or file in files:
            continue
        if os.path.abspath(file).startswith(folder) and not is_library(file, packages):
            files.append(file)
    texts = {}
    for file in files if len(files) <= _FILES else files[:1]:
        try:
            if os.path.getsize(file) < _BYTES:
                texts[file] = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError):  # some modules name a file that is not there
            continue
    return texts if path in texts else None


def _alike(message: str, other: str) -> bool:
    return message.partition("\n")[0] == other.partition("\n")[0]


def _forked(script: Script, seconds: float, lines: int) -> Ended:
    """Run a script in a child; end it where it takes too long."""
    size = struct.calcsize("q")
    counts = mmap.mmap(-1, size * (2 + lines * len(script.files)))

    def mark(file: int, line: int) -> None:
        place = size * (2 + file * lines + line)
        if place < len(counts):
            (count,) = struct.unpack_from("q", counts, place)
            struct.pack_into("q", counts, place, count + 1)
            struct.pack_into("qq", counts, 0, file, line)

    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of threads that other code has started: the child starts none of them
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        child.run(script, writing, mark)
    os.close(writing)
    data, used, stopped = awaited(pid, reading, seconds, seconds * _WAITING)
    ended = Ended("stopped", message=f"its time of {seconds:.0f} s was up") if stopped else _read(data)
    passed = {}
    for place in range(2, 2 + lines * len(script.files)):
        (count,) = struct.unpack_from("q", counts, size * place)
        if count:
            passed[divmod(place - 2, lines)] = count
    last = struct.unpack_from("qq", counts, 0)
    return replace(ended, passed=passed, last=last, seconds=used)


def _read(data: bytes) -> Ended:
    try:
        found: Any = pickle.loads(data)  # noqa: S301  # written by our own child
    except (pickle.UnpicklingError, EOFError, AttributeError):
        return Ended("stopped", message="the process ended")
    return found if isinstance(found, Ended) else Ended("stopped")
