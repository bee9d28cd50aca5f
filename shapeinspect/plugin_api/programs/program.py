"""The script that failed, and further runs of it: one that says what it computes, and some with an edit."""

from __future__ import annotations

import ast
import os
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.isolation.confined import released
from shapeinspect.plugin_api.isolation.mirror import PREFIX, mirror
from shapeinspect.plugin_api.origins.literals import Literal, remembering
from shapeinspect.plugin_api.programs.child import Ended, Script, run
from shapeinspect.plugin_api.programs.copies import Send, available, in_copy
from shapeinspect.plugin_api.programs.follower import Follower
from shapeinspect.plugin_api.programs.instruments import valued
from shapeinspect.plugin_api.user_code.frames import (
    Place,
    is_installed,
    is_library,
    running_frames,
    traceback_frames,
)

#: A script that has taken longer, in seconds of processor time, is not run again.
_FIRST = 20.0
#: A further run takes at most so many seconds of processor time.
_LONGEST = 8.0
#: On a busy machine, or while it waits, it may take so many times longer.
_WAITING = 25.0
#: A larger file is not read, and no more files than so many are a script's own.
_BYTES, _FILES = 400_000, 40


@dataclass(slots=True)
class _State:
    """What this process runs.

    Args:
        script: the script that is run from its beginning.
        since: the processor time at which it began.
        random: the state of Python's random numbers then.
    """

    script: str = ""
    since: float = 0.0
    random: Any = None


_state = _State()


@contextmanager
def started(file: str) -> Iterator[None]:
    """Say that a script is run from its beginning, so that it may be run again.

    Args:
        file: its path.
    """
    before = _state.script, _state.since, _state.random
    _state.script, _state.since = os.path.abspath(file), time.process_time()
    _state.random = random.getstate()
    try:
        yield
    finally:
        _state.script, _state.since, _state.random = before


@dataclass(frozen=True, slots=True)
class Program:
    """A script that failed, and can be run again.

    Args:
        path: the script, as its code names it.
        texts: its own files, by path.
        own: the names of its own modules.
        first: how it ended.
        package: the package that it belongs to.
        prepare: what a framework needs in a new process.
    """

    path: str
    texts: dict[str, str]
    own: tuple[str, ...]
    first: Ended
    package: str | None = None
    prepare: tuple[Callable[[], None], ...] = ()

    @staticmethod
    def of(
        error: BaseException, packages: tuple[str, ...], prepare: tuple[Callable[[], None], ...] = ()
    ) -> Program | None:
        """Return the script that an exception ended; None where it cannot be run again.

        Args:
            error: the exception, with its traceback.
            packages: as for ``frames.is_library``.
            prepare: what a framework needs in a new process.
        """
        frames = traceback_frames(error.__traceback__)
        if not available() or not frames or time.process_time() - _state.since > allowed(_FIRST):
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
        places = _places(frames, texts, path)
        first = Ended("error", type(error).__name__, str(error), places)
        return Program(path, texts, own, first, package or None, prepare)

    def followed(self, follower: Follower) -> tuple[Ended, list[Literal]]:
        """Run it again; its integers remember where they come from, and its expressions report their worth.

        Args:
            follower: what watches the run.

        Returns:
            how it ended, and its literals.
        """
        literals: list[Literal] = []
        ended = self._run(lambda file, text: remembering(text, file, literals), True, follower, literals)
        return ended, literals

    def traced(self) -> Ended:
        """Run it again; its expressions report what they are worth."""
        return self._run(_parsed, True)

    def depends_on(self, literal: Literal) -> bool:
        """Tell whether the failure is another one where a literal is one more, or twice as much.

        Args:
            literal: the literal.
        """
        raw = self.texts[literal.file].encode()
        for value in (literal.value + 1, 2 * literal.value):
            text = (raw[: literal.start] + b"%d" % value + raw[literal.end :]).decode()
            if not self.repeats(self.with_texts({literal.file: text})._run(_parsed, False)):
                return True
        return False

    def with_texts(self, texts: Mapping[str, str]) -> Program:
        """Return the same script with other files.

        Args:
            texts: the files that differ, by path.
        """
        return replace(self, texts={**self.texts, **texts})

    def fails_alike(self, ended: Ended) -> bool:
        """Tell whether a run failed with the message of the first one, numbers further down aside.

        Args:
            ended: how it ended.
        """
        first, _, _ = self.first.message.partition("\n")
        return ended.status == "error" and ended.message.partition("\n")[0] == first

    def repeats(self, ended: Ended) -> bool:
        """Tell whether a run failed in the same places as the first one, and with the same words.

        Args:
            ended: how it ended.
        """
        return (ended.status, ended.kind, ended.message, ended.places) == (
            "error",
            self.first.kind,
            self.first.message,
            self.first.places,
        )

    def _run(
        self,
        parsed: Callable[[str, str], ast.Module],
        reporting: bool,
        follower: Follower | None = None,
        literals: Sequence[Literal] = (),
    ) -> Ended:
        codes: dict[str, CodeType] = {}
        for number, (file, text) in enumerate(self.texts.items()):
            try:
                tree = parsed(file, text)
                tree = valued(number).visit(tree) if reporting else tree
                codes[file] = compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError):
                return Ended("error", "SyntaxError")
        script = Script(
            self.path, codes, self.own, self.package, self.prepare, tuple(literals), _state.random
        )

        def ran(send: Send) -> None:
            enter_mirror(os.path.dirname(os.path.abspath(self.path)))
            send(pickle.dumps(run(script, follower)))

        longest = allowed(_LONGEST)
        data, stopped = in_copy(ran, longest, longest * _WAITING)
        return Ended("stopped", message=f"its time of {longest:.0f} s was up") if stopped else _read(data)


def _parsed(_file: str, text: str) -> ast.Module:
    return ast.parse(text)


def _places(frames: Sequence[Place], texts: dict[str, str], path: str) -> tuple[tuple[str, int], ...]:
    """Return the lines of a script's own files in a traceback, from the script on."""
    places = [(frame.f_code.co_filename, line) for frame, line in frames if frame.f_code.co_filename in texts]
    first = next((at for at, (file, _) in enumerate(places) if file == path), 0)
    return tuple(places[first:])


def enter_mirror(folder: str) -> str:
    """Go to a copy of a script's folder, in which it can write what it writes beside itself.

    Args:
        folder: the script's folder; where the script was started elsewhere, this process stays there.

    Returns:
        The folder of the script in the copy; empty where there is none.
    """
    here = os.getcwd()
    if here != folder and not here.startswith(folder + os.sep):
        return ""
    target = os.path.join(tempfile.mkdtemp(prefix=PREFIX), "files")
    with suppress(OSError), released():
        mirror(folder, target, {}, _began(), (os.path.relpath(here, folder),))
        os.chdir(os.path.join(target, os.path.relpath(here, folder)))
        return target
    return ""


def _began() -> float:
    """Return when the process that was copied began, in seconds since 1970, or now where it is not known."""
    try:
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
        # Given in whole ticks, and Python itself takes longer than one before a script writes anything.
        tick = 1 / os.sysconf("SC_CLK_TCK")
        ago = time.clock_gettime(time.CLOCK_BOOTTIME) - (int(fields[19]) + 1) * tick
    except (OSError, ValueError, AttributeError, IndexError):
        return time.time()
    return time.time() - ago


def _is_main(frame: FrameType) -> bool:
    if frame.f_code.co_name != "<module>" or frame.f_globals.get("__name__") != "__main__":
        return False
    path = os.path.abspath(frame.f_code.co_filename)
    if _state.script:
        return path == _state.script
    own = getattr(sys.modules.get("__main__"), "__file__", None)
    main = own is not None and os.path.abspath(own) == path and os.path.isfile(path)
    return main and not is_library(path, ())


def _own_files(path: str, packages: tuple[str, ...]) -> dict[str, str] | None:
    """Return the text of a script and of its own modules, which belong to no library."""
    files = [path]
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py") or is_installed(file) or file in files:
            continue
        if not is_library(file, packages):
            files.append(file)
    texts = {}
    for file in files if len(files) <= _FILES else files[:1]:
        try:
            if os.path.getsize(file) < _BYTES:
                texts[file] = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError):  # some modules name a file that is not there
            continue
    return texts if path in texts else None


def _read(data: bytes) -> Ended:
    try:
        found: Any = pickle.loads(data)  # noqa: S301  # written by our own child
    except Exception:  # noqa: BLE001  # it ended before all was written
        return Ended("stopped", message="the process ended")
    return found if isinstance(found, Ended) else Ended("stopped")
