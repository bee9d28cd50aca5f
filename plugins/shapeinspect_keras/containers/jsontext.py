"""Returns a value from parsed JSON, or an empty one of the expected type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


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
        default: the result for anything but a string.

    Example:
        >>> text("relu"), text(3, "?")
        ('relu', '?')
    """
    return value if isinstance(value, str) else default
