"""What the frames in which a script ended tell of its arrays and modules."""

from __future__ import annotations

import argparse
import dataclasses
import os
import types
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect.trials.marks import Running, is_empty

#: Settings have at most so many entries, and lie so deep in others.
_MOST, _DEPTH = 200, 2


def classes_of(frames: Sequence[Place]) -> dict[str, str]:
    """Return the class of each array that a name or an attribute of ``self`` stands for.

    Args:
        frames: the frames, the outermost first.
    """
    return {
        name: _class(value)
        for name, value in _named(frames)
        if hasattr(type(value), "shape") and hasattr(type(value), "__getitem__")
    }


def shapes_of(frames: Sequence[Place]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array that a name or an attribute of ``self`` stands for.

    Args:
        frames: the frames, the outermost first; what the innermost one says counts.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, value in _named(frames):
        with suppress(Exception):  # a weight that is not made yet has no shape, and raises
            shape = getattr(value, "shape", None)
            if isinstance(shape, tuple) and all(isinstance(length, int) for length in shape):
                found[name] = tuple(int(length) for length in shape)
    return found


def running_in(frames: Sequence[Place], folder: str) -> tuple[Running, ...]:
    """Return the lines that were running, and the names of arrays without an element there.

    Args:
        frames: the frames, the outermost first.
        folder: the folder that the paths of their files start from.
    """
    return tuple(
        Running(
            os.path.relpath(frame.f_code.co_filename, folder),
            line,
            frame.f_code.co_name,
            tuple(name for name, value in frame.f_locals.items() if is_empty(value)),
        )
        for frame, line in frames
    )


def modules_of(frames: Sequence[Place]) -> frozenset[str]:
    """Return the names that stand for modules.

    Args:
        frames: the frames.
    """
    return frozenset(
        name
        for frame, _ in frames
        for name, value in frame.f_globals.items()
        if isinstance(value, types.ModuleType)
    )


def settings_of(frames: Sequence[Place]) -> dict[str, dict[str, int]]:
    """Return the whole numbers of the settings in sight, by the last name or key that stands for them.

    Settings are dictionaries, parsed arguments, and classes and objects that hold data. Of two of one name
    that differ neither counts.

    Args:
        frames: the frames, the outermost first.
    """
    found: dict[str, dict[str, int]] = {}
    unsure: set[str] = set()
    for name, value in _named(frames):
        for key, numbers in _settings(name.rpartition(".")[2], value, _DEPTH):
            if found.setdefault(key, numbers) != numbers:
                unsure.add(key)
    return {name: numbers for name, numbers in found.items() if name not in unsure}


def _settings(name: str, value: Any, depth: int) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the numbers of settings, and of those inside them."""
    held: Any = value
    if type(value) in (argparse.Namespace, types.SimpleNamespace) or dataclasses.is_dataclass(value):
        held = getattr(value, "__dict__", {})
    elif type(value) is type and value.__module__ == "__main__":
        held = dict(vars(value))
    if type(held) is not dict or len(held) > _MOST or name.startswith("__"):
        return
    numbers = {key: item for key, item in held.items() if type(key) is str and type(item) is int}
    if numbers:
        yield name, numbers
    for key, item in held.items() if depth else ():
        if type(key) is str and type(item) is dict:
            yield from _settings(key, item, depth - 1)


def _named(frames: Sequence[Place]) -> Iterator[tuple[str, Any]]:
    """Yield what each name stands for, and each attribute of ``self``; the innermost frame's last."""
    for frame, _ in frames:
        held = {**frame.f_globals, **frame.f_locals}
        yield from held.items()
        own = getattr(held.get("self"), "__dict__", {})
        yield from ((f"self.{name}", value) for name, value in own.items())


def _class(value: Any) -> str:
    module = type(value).__module__.partition(".")[0]
    return f"{module}.{type(value).__qualname__}"
