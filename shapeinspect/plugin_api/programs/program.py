"""The script that failed, and a run of it that reports what its expressions are worth."""

from __future__ import annotations

import ast
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from shapeinspect.plugin_api.isolation.confined import released
from shapeinspect.plugin_api.isolation.mirror import mirror
from shapeinspect.plugin_api.programs.child import Ended, Script, run
from shapeinspect.plugin_api.programs.copies import Send, available, in_copy
from shapeinspect.plugin_api.programs.instruments import Valued
from shapeinspect.plugin_api.user_code.frames import Place, is_installed, is_library, running_frames

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
        own: the names of its own modules.
        package: the package that it belongs to.
        prepare: what a framework needs in a new process.
        first: how it ended.
    """

    path: str
    texts: dict[str, str]
    own: tuple[str, ...]
    package: str | None = None
    prepare: tuple[Callable[[], None], ...] = ()
    first: Ended = field(default_factory=lambda: Ended("stopped"))

    @staticmethod
    def of(
        frames: Sequence[Place],
        packages: tuple[str, ...],
        prepare: tuple[Callable[[], None], ...] = (),
    ) -> Program | None:
        """Return the script whose frames a traceback holds; None where it cannot be run again.

        Args:
            frames: those of the traceback, the outermost first.
            packages: as for ``frames.is_library``.
            prepare: what a framework needs in a new process.
        """
        if not available() or not frames:
            return None
        outer = [*reversed([*running_frames(frames[0][0])]), *frames]
        main = next((place for place in reversed(outer) if _is_main(place[0])), None)
        if main is None:
            return None
        path = main[0].f_code.co_filename
        texts = _own_files(path, packages)
        if texts is None:
            return None
        own = tuple(
            name
            for name, module in sys.modules.items()
            if getattr(module, "__file__", None) in texts and not name.startswith("__m")
        )
        package = main[0].f_globals.get("__package__")
        return Program(path, texts, own, package or None, prepare)

    def begin(self, message: str) -> bool:
        """Run it; tell whether it fails as it did.

        Args:
            message: the message with which it failed.
        """
        self.first = self.run()
        return self.first.status == "error" and _alike(self.first.message, message)

    def run(self) -> Ended:
        """Run it again in a process of its own, which reports what its expressions are worth."""
        codes = self._compiled()
        if codes is None:
            return Ended("error", "SyntaxError")
        script = Script(self.path, codes, self._numbers(), self.own, self.package, self.prepare)

        def ran(send: Send) -> None:
            _enter_mirror(os.path.dirname(os.path.abspath(self.path)))
            send(pickle.dumps(run(script)))

        data, stopped = in_copy(ran, _LONGEST, _LONGEST * _WAITING)
        return Ended("stopped", message=f"its time of {_LONGEST:.0f} s was up") if stopped else _read(data)

    def _numbers(self) -> dict[str, int]:
        return {file: number for number, file in enumerate(self.texts)}

    def _compiled(self) -> dict[str, CodeType] | None:
        codes = {}
        for number, (file, text) in enumerate(self.texts.items()):
            try:
                tree = Valued(number).visit(ast.parse(text))
                codes[file] = compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError):
                return None
        return codes


def _enter_mirror(folder: str) -> None:
    """Go to a copy of the script's folder, in which it can write what it writes beside itself."""
    here = os.getcwd()
    if here != folder and not here.startswith(folder + os.sep):
        return
    target = os.path.join(tempfile.mkdtemp(), "files")
    with suppress(OSError), released():
        mirror(folder, target, {}, _began(), (os.path.relpath(here, folder),))
        os.chdir(os.path.join(target, os.path.relpath(here, folder)))


def _began() -> float:
    """Return when the process that was copied began, in seconds since 1970, or now where it is not known."""
    try:
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
        ago = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, IndexError):
        return time.time()
    return time.time() - ago - 1


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
        if not isinstance(file, str) or not file.endswith(".py") or is_installed(file) or file in files:
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


def _read(data: bytes) -> Ended:
    try:
        found: Any = pickle.loads(data)  # noqa: S301  # written by our own child
    except (pickle.UnpicklingError, EOFError, AttributeError):
        return Ended("stopped", message="the process ended")
    return found if isinstance(found, Ended) else Ended("stopped")
