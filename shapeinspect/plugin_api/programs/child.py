"""A run of a script that reports what its expressions are worth, and how it ends."""

from __future__ import annotations

import builtins
import importlib.machinery
import random
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.plugin_api.isolation.confined import ConfinedError
from shapeinspect.plugin_api.origins.literals import Literal, install
from shapeinspect.plugin_api.origins.numbers import Number
from shapeinspect.plugin_api.origins.settings import remember_settings
from shapeinspect.plugin_api.programs.follower import Follower
from shapeinspect.plugin_api.programs.instruments import VALUE
from shapeinspect.plugin_api.user_code.frames import traceback_frames

#: At most so many different values of one expression are kept.
_VALUES = 6


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of a script ended.

    Args:
        status: "end" where it ran to its end, "error" where it raised, "stopped" where it was ended.
        kind: the type of the exception.
        message: its message, or why the run was stopped.
        places: the lines of the script's own files in the traceback, the outermost first.
        values: what its expressions were worth, by place.
        made: the places of the calls that made the objects whose methods were running, the outermost first.
        found: what a follower has found out.
    """

    status: str
    kind: str = ""
    message: str = ""
    places: tuple[tuple[str, int], ...] = ()
    values: Mapping[tuple[int, ...], tuple[Any, ...]] = field(default_factory=dict)
    made: tuple[tuple[int, ...], ...] = ()
    found: Any = None


@dataclass(frozen=True, slots=True)
class Script:
    """What a child runs.

    Args:
        path: the script.
        codes: the compiled files, by path: the script and those of its modules that are its own.
        own: the names of its own modules, which are imported anew.
        package: the package that the script belongs to; None for none.
        prepare: what a framework needs in a new process.
        literals: the integers of the files, by the numbers under which the code names them.
        random: the state of Python's random numbers at the beginning; None where it is not known.
    """

    path: str
    codes: Mapping[str, types.CodeType]
    own: tuple[str, ...]
    package: str | None = None
    prepare: tuple[Callable[[], None], ...] = ()
    literals: tuple[Literal, ...] = ()
    random: Any = None


def run(script: Script, follower: Follower | None = None) -> Ended:
    """Run a script in this process, which is a copy that ends with it; say how it ended.

    Args:
        script: the script.
        follower: what watches the run; None for nothing.
    """
    follower = follower or Follower()
    values: dict[tuple[int, ...], list[Any]] = {}
    makers: dict[int, tuple[int, ...]] = {}
    kept: list[Any] = []

    def valued(place: tuple[int, ...], value: Any, called: bool) -> Any:
        said = summary(value)
        if said is None:
            if called and hasattr(value, "__dict__") and not isinstance(value, type | types.ModuleType):
                if id(value) not in makers:
                    kept.append(value)  # its address stays its own
                makers.setdefault(id(value), place)
            if called:
                values.setdefault(place, ["object"])
            return value
        seen = values.setdefault(place, [])
        if said in seen:
            seen.remove(said)
        seen.append(said)
        del seen[:-_VALUES]
        return value

    builtins.__dict__[VALUE] = valued
    install(script.literals)
    if script.literals:
        remember_settings()
    for prepare in script.prepare:
        prepare()
    if script.random is not None:
        random.setstate(script.random)
    _import_anew(script)
    main = types.ModuleType("__main__")
    main.__file__, main.__package__ = script.path, script.package
    sys.modules["__main__"] = main
    try:
        with follower.watching(script.literals):
            exec(script.codes[script.path], main.__dict__)  # noqa: S102  # the user's own script
    except BaseException as error:  # noqa: BLE001  # a script may raise anything
        if isinstance(error, SystemExit) and error.code in (None, 0):
            return Ended("end")
        reason = _refused(error)
        if reason is not None:
            return Ended("stopped", message=reason)
        frames = traceback_frames(error.__traceback__)
        places = tuple(
            (frame.f_code.co_filename, line)
            for frame, line in frames
            if frame.f_code.co_filename in script.codes
        )
        owners = [frame.f_locals.get("self") for frame, _ in frames]
        made = tuple(dict.fromkeys(makers[id(owner)] for owner in owners if id(owner) in makers))
        found = {place: tuple(seen) for place, seen in values.items()}
        name = type(error).__name__
        return Ended("error", name, str(error), places, found, made, follower.found(error))
    found = {place: tuple(seen) for place, seen in values.items()}
    return Ended("end", values=found, found=follower.found(None))


def _refused(error: BaseException) -> str | None:
    """Return why a run was not allowed to go on, where an error comes from that."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ConfinedError):
            return inner.reason
        inner = inner.__cause__ or inner.__context__
    return None


def summary(value: Any) -> Any:
    """Say what a value is, as far as sizes go; None for another kind.

    Args:
        value: the value.

    Example:
        >>> summary(3), summary((3, 5)), summary(["a"]), summary(0.5)
        (3, (3, 5), ('sized', 1), None)
    """
    if type(value) is bool:
        return value
    if type(value) in (int, Number):
        return int(value)
    if (
        isinstance(value, tuple | list)
        and 0 < len(value) <= _VALUES
        and all(type(one) in (int, Number) for one in value)
    ):
        return tuple(int(one) for one in value)
    if type(value) in (tuple, list, dict, set):
        return "sized", len(value)
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None and not isinstance(value, type):
        return "tensor", tuple(int(length) for length in shape), str(dtype).rpartition(".")[2]
    return None


def _import_anew(script: Script) -> None:
    for name in script.own:
        sys.modules.pop(name, None)
    load = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: Any, name: str) -> types.CodeType | None:
        code = script.codes.get(self.get_filename(name))
        return load(self, name) if code is None else code

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]  # the process ends soon
