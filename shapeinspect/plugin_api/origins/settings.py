"""Integers that a program reads as settings: from JSON, YAML and TOML, and from its command line."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable
from typing import Any

from shapeinspect.plugin_api.origins.numbers import Number, Origin

#: Larger files are data and no settings.
_MOST = 2000
#: What reads settings, by module.
_READERS = {
    "json": ("load", "loads"),
    "yaml": ("load", "safe_load", "full_load"),
    "tomllib": ("load", "loads"),
}


def remember_settings() -> None:
    """Let integers that are read as settings remember their keys; this process ends soon."""
    for module, names in _READERS.items():
        for name in names:
            read = getattr(sys.modules.get(module), name, None)
            if read is not None:
                setattr(sys.modules[module], name, _remembering(read))
    parse = argparse.ArgumentParser.parse_known_args
    argparse.ArgumentParser.parse_known_args = _given(parse)  # type: ignore[method-assign]  # it ends soon


def named(value: Any, file: str, key: str = "") -> Any:
    """Return settings whose integers remember their keys and the file.

    Args:
        value: the settings, as they were read.
        file: the name of the file; empty where it is not known.
        key: the key under which they stand.

    Example:
        >>> read = named({"dims": [8, 12], "heads": 4, "name": "net"}, "config.json")
        >>> read["heads"].origin.symbol, read["dims"][1].origin.symbol, read["name"]
        ('"heads" of config.json', 'one of "dims" of config.json', 'net')
    """
    left = [_MOST]
    return _named(value, file, key, left)


def _named(value: Any, file: str, key: str, left: list[int]) -> Any:
    if type(value) in (int, Number) and key and left[0] > 0:
        left[0] -= 1
        of_file = f" of {file}" if file else ""
        return Number(int(value), Origin(int(value), "entry", symbol=f"{key}{of_file}"))
    if type(value) is dict:
        return {name: _named(one, file, f'"{name}"', left) for name, one in value.items()}
    if type(value) is list:
        inner = f"one of {key.removeprefix('one of ')}" if key else ""
        return [_named(one, file, inner, left) for one in value]
    return value


def _remembering(read: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def run(source: Any, *args: Any, **kwargs: Any) -> Any:
        file = getattr(source, "name", "")
        return named(read(source, *args, **kwargs), os.path.basename(file) if isinstance(file, str) else "")

    return run


def _given(parse: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(parse)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        values, rest = parse(self, *args, **kwargs)
        for action in self._actions:
            value = getattr(values, action.dest, None)
            if type(value) is int and action.option_strings:
                option = f"{action.option_strings[-1]} of the command line"
                setattr(values, action.dest, Number(value, Origin(value, "entry", symbol=option)))
        return values, rest

    return run
