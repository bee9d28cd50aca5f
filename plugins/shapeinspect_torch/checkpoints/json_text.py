"""Reads JSON from files that may lie: bounded before it is parsed, with one error for all that is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

from shapeinspect.errors import UnreadableFileError

# JSON grows when it is read: so many containers and commas are as much as a text may spell out.
_MAX_CONTAINERS = 4_000_000
_MAX_COMMAS = 16_000_000


def read_json(raw: bytes, label: str, what: str) -> dict[str, Any]:
    """Read a JSON object; a number that is infinite or none becomes None.

    Args:
        raw: its bytes.
        label: the file, for errors.
        what: what the text is, for errors.

    Raises:
        UnreadableFileError: if it is no JSON object, has a key twice, or is larger than can be.

    Example:
        >>> read_json(b'{"eps": 1e-5, "alpha": NaN}', "config.json", "the config")
        {'eps': 1e-05, 'alpha': None}
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise UnreadableFileError(label, f"{what} has a key twice")
        return made

    if raw.count(b"[") + raw.count(b"{") > _MAX_CONTAINERS or raw.count(b",") > _MAX_COMMAS:
        raise UnreadableFileError(label, f"{what} describes more than can be")
    try:
        told = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=unique,
            parse_constant=lambda _text: None,
            parse_float=lambda text: number if math.isfinite(number := float(text)) else None,
        )
    except ValueError as error:
        raise UnreadableFileError(label, f"{what} is no JSON: {error}") from None
    except RecursionError:
        raise UnreadableFileError(label, f"{what} is nested too deep") from None
    if not isinstance(told, dict):
        raise UnreadableFileError(label, f"{what} is no JSON object")
    return told
