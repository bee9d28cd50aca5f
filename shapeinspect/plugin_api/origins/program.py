"""Runs the user's program a second time in a process of its own, where it changes nothing, and follows it."""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import pickle
import random
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.isolation.confined import ConfinedError
from shapeinspect.plugin_api.origins.literals import Literal, install, remembering
from shapeinspect.plugin_api.programs.copies import Send, available, in_copy, is_copy
from shapeinspect.plugin_api.user_code.frames import is_installed, is_library, traceback_frames

#: A second run takes at most so many times what the first one took, and between so many seconds.
_TIMES, _LEAST, _MOST = 3.0, 2.0, 8.0
#: A script that has taken longer, in seconds of processor time, is not run again.
_LONGEST = 20.0
#: On a busy machine it may wait so many times as long as it works.
_BUSY = 4.0


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a second run of the program has ended.

    Args:
        ended: ``passed`` at its own end, ``failed`` with an exception, or ``unknown``: it took too long, or
            would have acted on something outside.
        error: the name of the exception's type, and its text.
        places: the user's lines that it passed through, the outermost first: file and number.
        found: what a follower has found out.
        reason: why the end is unknown, as a clause.
    """

    ended: str
    error: tuple[str, str] = ("", "")
    places: tuple[tuple[str, int], ...] = ()
    found: Any = None
    reason: str = ""


class Follower:
    """What watches a second run; a plug-in's knows its framework."""

    @contextmanager
    def watching(self, literals: list[Literal]) -> Iterator[None]:
        """Watch while the program runs.

        Args:
            literals: those of the program so far.
        """
        del literals
        yield

    def found(self, error: BaseException | None) -> Any:
        """Return what was found out, so that it can be sent from one process to another.

        Args:
            error: what the program ended with; None at its own end.
        """
        del error
        return None


@dataclass(frozen=True, slots=True)
class Program:
    """A script that has failed and can be run again.

    Args:
        file: its path, as its code names it.
        first: how its first run ended.
        packages: as for ``frames.is_library``.
        seconds: how long a second run may take.
    """

    file: str
    first: Outcome
    packages: tuple[str, ...]
    seconds: float

    def followed(self, follower: Follower) -> tuple[Outcome, list[Literal]]:
        """Run the program with all of its integers remembering where they come from.

        Args:
            follower: what watches the run.
        """
        literals: list[Literal] = []

        def run() -> Outcome:
            with follower.watching(literals):
                error = _executed(self, lambda text, file: _remembering(text, file, literals))
            found = follower.found(error)
            return _outcome(error, self.file, self.packages, (found, literals))

        outcome = _in_child(run, self.seconds)
        if outcome.found is None:
            return outcome, []
        found, literals = outcome.found
        return Outcome(outcome.ended, outcome.error, outcome.places, found), literals

    def depends_on(self, literal: Literal, prepare: Callable[[], None]) -> bool:
        """Tell whether the failure is another one where a literal is one more.

        Args:
            literal: the literal.
            prepare: what the framework needs in a copy of this process.
        """

        def run() -> Outcome:
            prepare()
            error = _executed(self, lambda text, file: _with_one_more(text, file, literal))
            return _outcome(error, self.file, self.packages, None)

        return not self.repeats(_in_child(run, self.seconds))

    def repeats(self, outcome: Outcome) -> bool:
        """Tell whether a second run ended as the first one did.

        Args:
            outcome: how it ended.
        """
        return (
            outcome.ended == "failed"
            and outcome.error == self.first.error
            and outcome.places == self.first.places
        )


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


def is_second_run() -> bool:
    """Return whether this process runs a program for the second time."""
    return is_copy()


def program_of(error: BaseException, packages: tuple[str, ...]) -> Program | None:
    """Return the script that an exception ended, if it can be run again; None if not.

    Args:
        error: the exception, with its traceback.
        packages: as for ``frames.is_library``.
    """
    frames = traceback_frames(error.__traceback__)
    main = next(
        (frame for frame, _ in frames if frame.f_code.co_name == "<module>" and _is_main(frame)), None
    )
    if main is None or not available():
        return None
    took = time.process_time() - _state.since
    if took > _LONGEST:
        return None
    first = _outcome(error, main.f_code.co_filename, packages, None)
    return Program(main.f_code.co_filename, first, packages, min(max(_TIMES * took, _LEAST), _MOST))


def _is_main(frame: types.FrameType) -> bool:
    if frame.f_globals.get("__name__") != "__main__":
        return False
    path = os.path.abspath(frame.f_code.co_filename)
    if _state.script:
        return path == _state.script
    own = getattr(sys.modules.get("__main__"), "__file__", None)
    return own is not None and os.path.abspath(own) == path and os.path.isfile(path)


def _outcome(error: BaseException | None, script: str, packages: tuple[str, ...], found: Any) -> Outcome:
    if error is None:
        return Outcome("passed", found=found)
    if isinstance(error, ConfinedError):
        return Outcome("unknown", reason=error.reason)
    places = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback_frames(error.__traceback__)
        if _is_own(frame.f_code.co_filename, packages)
    ]
    first = next((at for at, (file, _) in enumerate(places) if file == script), 0)
    own = tuple(places[first:])
    return Outcome("failed", (type(error).__name__, str(error)), own, found)


def _is_own(file: str, packages: tuple[str, ...]) -> bool:
    return not is_installed(file) and not is_library(file, packages)


def _remembering(text: str, file: str, literals: list[Literal]) -> Any:
    known = len(literals)
    tree = remembering(text, file, literals)
    install(literals, known)
    return compile(tree, file, "exec", dont_inherit=True)


def _with_one_more(text: str, file: str, literal: Literal) -> Any:
    if file == literal.file:
        raw = text.encode()
        text = (raw[: literal.start] + b"%d" % (literal.value + 1) + raw[literal.end :]).decode()
    return compile(text, file, "exec", dont_inherit=True)


def _executed(program: Program, compiled: Callable[[str, str], Any]) -> BaseException | None:
    """Run the script from its beginning; return what it ended with."""
    with open(program.file, encoding="utf-8") as source:
        text = source.read()
    module = types.ModuleType("__main__")
    module.__file__ = program.file
    own = [
        name
        for name, one in sys.modules.items()
        if name != "__main__" and _is_own(str(getattr(one, "__file__", None) or "<none>"), program.packages)
    ]
    for name in own:
        del sys.modules[name]
    sys.modules["__main__"] = module
    sys.meta_path.insert(0, _Finder(compiled, program.packages))
    try:
        exec(compiled(text, program.file), module.__dict__)  # noqa: S102  # the user's own program, confined
    except SystemExit as end:
        return end if end.code else None
    except BaseException as error:  # noqa: BLE001  # a program may end with anything
        return error
    return None


class _Finder(importlib.abc.MetaPathFinder):
    """Imports the user's own modules from their edited source."""

    def __init__(self, compiled: Callable[[str, str], Any], packages: tuple[str, ...]) -> None:
        self._compiled, self._packages = compiled, packages

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        """Find a module as usual, and read it in another way if it is the user's."""
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is None:
                continue
            origin = spec.origin or "<none>"
            if origin.endswith(".py") and _is_own(origin, self._packages):
                loader = _Loader(fullname, origin)
                loader.compiled = self._compiled
                spec.loader = loader
            return spec
        return None


class _Loader(importlib.abc.SourceLoader):
    """Reads one of the user's own modules."""

    compiled: Callable[[str, str], Any]

    def __init__(self, name: str, path: str) -> None:
        self._name, self._path = name, path

    def get_filename(self, fullname: str) -> str:
        """Return the module's file."""
        del fullname
        return self._path

    def get_data(self, path: Any) -> bytes:
        """Return what is in a file."""
        with open(path, "rb") as file:
            return file.read()

    def source_to_code(  # type: ignore[override]  # a loader of one module
        self, data: Any, path: Any, *_args: Any, **_kwargs: Any
    ) -> Any:
        """Compile the module's source."""
        return self.compiled(bytes(data).decode(), os.fspath(path))

    def set_data(self, *_args: Any) -> None:
        """Write no compiled code."""


def _in_child(run: Callable[[], Outcome], seconds: float) -> Outcome:
    """Run something in a process that is a copy of this one."""

    def told(send: Send) -> None:
        if _state.random is not None:
            random.setstate(_state.random)
        try:
            sent = pickle.dumps(run())
        except BaseException as error:  # noqa: BLE001  # whatever happens is told
            sent = pickle.dumps(Outcome("unknown", reason=f"{type(error).__name__}: {error}"))
        send(sent)

    sent, stopped = in_copy(told, seconds, _BUSY * seconds)
    if stopped or not sent:
        return Outcome("unknown", reason=f"it takes longer than {seconds:.0f} s")
    try:
        outcome = pickle.loads(sent)  # noqa: S301  # our own copy wrote it
    except Exception:  # noqa: BLE001  # it ended before all was written
        return Outcome("unknown", reason="it ended in the middle")
    return outcome if isinstance(outcome, Outcome) else Outcome("unknown")
