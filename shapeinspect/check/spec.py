"""Assertions on a saved model in a TOML file, for a CI job without Python code."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapeinspect.check.expect import Failure, expect, written
from shapeinspect.check.pattern import Bindings
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Model
from shapeinspect.sources.small_text import read_text

#: Strings of TOML, and what stands between its keys where no string and no space is left.
_STRINGS = re.compile(r"""\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_BETWEEN = re.compile(r"[^\w.-]+")
_PARTS = 8

_KEYS = {
    "model": "a path, or package.module:attribute",
    "input": "a shape, or a list of shapes",
    "expect": "a string, or a list of strings",
    "bind": "a table of names and integers",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """The expectations that a file has of a model.

    Args:
        inputs: the input shapes, as for ``--input``.
        lines: the expectations, see :func:`shapeinspect.check.expect`.
        bindings: the values of names in patterns.
        model: the model that the file is about, for pytest; None where whoever asks names one.

    Example:
        >>> Spec((), ("params == 0",)).failures(Model("m", "onnx", "onnx", "onnx"))
        ()
    """

    inputs: tuple[str, ...]
    lines: tuple[str, ...]
    bindings: tuple[tuple[str, int], ...] = ()
    model: str | None = None

    def failures(self, model: Model) -> tuple[Failure, ...]:
        """Check a model against the file.

        Args:
            model: a model after every stage.
        """
        names: Bindings = dict(self.bindings)
        return expect(model, self.lines, names)


def load(path: Path) -> Spec:
    """Read a specification.

    Args:
        path: a TOML file with ``input``, ``expect``, ``bind`` and ``model``, all of them optional.

    Raises:
        UnreadableFileError: if it is not TOML, or longer than ``small_text.MOST``.
        UsageError: if the file does not exist, or a key or a value in it is not allowed.
    """
    text = read_text(path)
    try:
        data = _parse(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(path, f"invalid TOML: {error}") from None
    unknown = [key for key in data if key not in _KEYS]
    if unknown:
        raise UsageError(f'unknown key {unknown[0]!r} in "{path}"', expected=f"one of: {', '.join(_KEYS)}")
    bind = data.get("bind", {})
    if not isinstance(bind, Mapping) or not all(isinstance(value, int) for value in bind.values()):
        raise UsageError(f'invalid "bind" in "{path}"', expected=_KEYS["bind"], got=repr(bind))
    model = data.get("model")
    if model is not None and not (isinstance(model, str) and model):
        raise UsageError(f'invalid "model" in "{path}"', expected=_KEYS["model"], got=repr(model)[:80])
    lines = written(_lines(path, data, "expect"))
    return Spec(_lines(path, data, "input"), lines, tuple(bind.items()), model)


def _parse(text: str) -> Mapping[str, Any]:
    bare = re.sub(r"[ \t]+", "", _STRINGS.sub("", text))
    if any(word.count(".") >= _PARTS for word in _BETWEEN.split(bare)):
        raise ValueError(f"a key has more than {_PARTS} parts")  # the parser's time grows with their square
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    loaded: Mapping[str, Any] = tomllib.loads(text)
    return loaded


def _lines(path: Path, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key, [])
    lines = value.splitlines() if isinstance(value, str) else value
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise UsageError(f'invalid "{key}" in "{path}"', expected=_KEYS[key], got=repr(value)[:80])
    return tuple(lines)
