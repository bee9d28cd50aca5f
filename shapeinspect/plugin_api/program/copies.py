"""Copies of the values that a program holds, so that running it again changes none of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

#: What stands for a value that is not copied, such as a session: itself or another one; None for any other.
Kept = Callable[[Any], Any]

#: Values are searched for what is kept to this depth.
_DEPTH = 6
#: Containers of more entries hold data and nothing else.
_ENTRIES = 2000


def copied(names: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """Return the names with copies of their values; what cannot be copied is left out.

    Args:
        names: the names.
        kept: what is not copied.
    """
    memo: dict[int, Any] = {}
    for value in names.values():
        _mark(value, kept, memo, _DEPTH)
    found: dict[str, Any] = {}
    for name, value in names.items():
        if isinstance(value, ModuleType | type | FunctionType) or (callable(value) and not _state(value)):
            found[name] = value
            continue
        try:
            found[name] = copy.deepcopy(value, memo)
        except Exception:  # noqa: BLE001, S112  # an iterator, a file, a lock: each refuses in its own way
            continue
    return found


def _state(value: Any) -> bool:
    return bool(getattr(value, "__dict__", None))


def _mark(value: Any, kept: Kept, memo: dict[int, Any], depth: int) -> None:
    if id(value) in memo or isinstance(value, ModuleType | type | FunctionType):
        if isinstance(value, ModuleType):
            memo[id(value)] = value
        return
    stand_in = kept(value)
    if stand_in is not None:
        memo[id(value)] = stand_in
        return
    if depth:
        for part in _parts(value):
            _mark(part, kept, memo, depth - 1)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values()) if len(value) <= _ENTRIES else []
    if isinstance(value, list | tuple | set):
        return list(value) if len(value) <= _ENTRIES else []
    held = getattr(value, "__dict__", None)
    return list(held.values()) if isinstance(held, dict) and len(held) <= _ENTRIES else []
