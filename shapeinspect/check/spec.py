"""Assertions on a saved model in a TOML file, for a CI job without Python code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapeinspect.check.expect import Failure, expect, written
from shapeinspect.check.pattern import Bindings
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Model

_KEYS = {
    "input": "a shape, or a list of them",
    "expect": "a text or a list of lines",
    "bind": "a table of names",
}


@dataclass(frozen=True, slots=True)
class Spec:
    """What a file asks of a model.

    Args:
        inputs: the input shapes, as for ``--input``.
        lines: the expectations, see :func:`shapeinspect.check.expect`.
        bindings: what names in patterns stand for.

    Example:
        >>> Spec((), ("params == 0",)).failures(Model("m", "onnx", "onnx", "onnx"))
        ()
    """

    inputs: tuple[str, ...]
    lines: tuple[str, ...]
    bindings: tuple[tuple[str, int], ...] = ()

    def failures(self, model: Model) -> tuple[Failure, ...]:
        """Hold a model against the file.

        Args:
            model: a model after every stage.
        """
        names: Bindings = dict(self.bindings)
        return expect(model, self.lines, names)


def load(path: Path) -> Spec:
    """Read a specification.

    Args:
        path: a TOML file with ``input``, ``expect`` and ``bind``, none of which has to be there.

    Raises:
        UnreadableFileError: if it is no TOML.
        UsageError: if there is no such file, or a key or a value in it is not one of these.
    """
    try:
        data = _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f'there is no file "{path}"') from None
    except (OSError, ValueError) as error:
        raise UnreadableFileError(path, f"it is no TOML: {error}") from None
    wrong = [key for key in data if key not in _KEYS]
    if wrong:
        raise UsageError(f'"{path}" has no place for {wrong[0]!r}', expected=", ".join(_KEYS))
    bind = data.get("bind", {})
    if not isinstance(bind, Mapping) or not all(isinstance(value, int) for value in bind.values()):
        raise UsageError(f'"{path}": bind is {_KEYS["bind"]} and whole numbers', got=repr(bind))
    lines = written(_lines(path, data, "expect"))
    return Spec(_lines(path, data, "input"), lines, tuple(bind.items()))


def _parse(text: str) -> Mapping[str, Any]:
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
        raise UsageError(f'"{path}": {key} is {_KEYS[key]}', got=repr(value)[:80])
    return tuple(lines)
