"""JSON from a file: bounded in size and depth, with nothing in it that could surprise later."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from shapeinspect.errors import UnreadableFileError

#: Bytes of one JSON text: a network of 100,000 layers stays far below.
LIMIT = 256 * 1024 * 1024
#: Levels of nesting; each nested model takes about four.
DEPTH = 200
_INTEGER_BITS = 64


def parse(text: bytes | str, label: str, what: str) -> Any:
    """Read a JSON text into plain values.

    ``NaN`` and the infinities, which Keras writes where a setting holds them, become texts, so
    that no arithmetic meets them.

    Args:
        text: the JSON text.
        label: the file it comes from, for errors.
        what: what it is, for errors, such as ``config.json``.

    Raises:
        UnreadableFileError: if it is too large, too deep, holds an integer of more than 64 bits,
            or is no JSON.

    Example:
        >>> parse(b'{"pool_size": [2, 3], "mask_value": NaN}', "m.keras", "config.json")
        {'pool_size': [2, 3], 'mask_value': 'NaN'}
    """
    if len(text) > LIMIT:
        raise UnreadableFileError(label, f"{what} is larger than {LIMIT:,} bytes")
    try:
        value = json.loads(text, parse_constant=str, parse_float=_float)
    except RecursionError:
        raise UnreadableFileError(label, f"{what} is nested too deeply") from None
    except ValueError as error:
        raise UnreadableFileError(label, f"{what} is no JSON: {str(error)[:120]}") from None
    _check(value, label, what)
    return value


def _float(text: str) -> float | str:
    value = float(text)
    return value if isfinite(value) else text


def _check(value: Any, label: str, what: str) -> None:
    level: list[Any] = [value]
    for _ in range(DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, int) and item.bit_length() > _INTEGER_BITS:
                raise UnreadableFileError(label, f"{what} holds an integer of {item.bit_length()} bits")
        if not below:
            return
        level = below
    raise UnreadableFileError(label, f"{what} is nested more than {DEPTH} levels deep")


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one for anything else.

    Args:
        value: a value from a parsed text.

    Example:
        >>> mapping([1]), mapping({"a": 1})
        ({}, {'a': 1})
    """
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> Sequence[Any]:
    """Return a JSON array, or an empty one for anything else.

    Args:
        value: a value from a parsed text.

    Example:
        >>> sequence("ab"), sequence([1])
        ((), [1])
    """
    return value if isinstance(value, list) else ()


def text(value: Any, default: str = "") -> str:
    """Return a JSON string, or the default for anything else.

    Args:
        value: a value from a parsed text.
        default: what stands in for anything but a string.

    Example:
        >>> text("relu"), text(3, "?")
        ('relu', '?')
    """
    return value if isinstance(value, str) else default
