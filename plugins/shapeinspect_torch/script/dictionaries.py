"""What TorchScript's code does with dictionaries.

A key that is not known is kept as one of its own: what is read under an unknown key from a dictionary
with one such entry is that entry, since anything else would be an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shapeinspect.dims import UNKNOWN

#: A limit on the entries of a dictionary.
_MAX_ENTRIES = 4096


class _Key:
    """A key that is not known."""


def _key(value: Any) -> Any:
    return value if type(value) in (str, int, float, bool) else _Key()


def made(args: list[Any]) -> Any:
    """Return a new dictionary; UNKNOWN where its entries are not known.

    Args:
        args: nothing, a dictionary, or a list of pairs.

    Example:
        >>> made([[("low", 3), ("high", 5)]])
        {'low': 3, 'high': 5}
    """
    if not args:
        return {}
    if isinstance(args[0], dict):
        return dict(args[0])
    if isinstance(args[0], list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in args[0]):
        return {_key(key): value for key, value in args[0]}
    return UNKNOWN


def entry(table: Mapping[Any, Any], key: Any) -> Any:
    """Return the value under a key; UNKNOWN where it is not known which one that is.

    Args:
        table: the dictionary.
        key: the key.

    Example:
        >>> entry({"low": 3}, "low"), entry({"low": 3}, UNKNOWN)
        (3, ?)
    """
    unknown = [value for known, value in table.items() if isinstance(known, _Key)]
    if type(key) in (str, int, float, bool):
        return UNKNOWN if unknown else table.get(key, UNKNOWN)
    return unknown[0] if len(unknown) == len(table) == 1 else UNKNOWN


def _set(table: dict[Any, Any], key: Any = UNKNOWN, value: Any = UNKNOWN, *_: Any) -> dict[Any, Any]:
    if len(table) < _MAX_ENTRIES:
        table[_key(key)] = value
    return table


def _contains(table: dict[Any, Any], key: Any = UNKNOWN, *_: Any) -> Any:
    if not table:
        return False
    if any(isinstance(known, _Key) for known in table) or type(key) not in (str, int, float, bool):
        return UNKNOWN
    return key in table


def _pop(table: dict[Any, Any], key: Any = UNKNOWN, *_: Any) -> Any:
    value = entry(table, key)
    table.pop(key, None) if type(key) is str else table.clear()
    return value


def _update(table: dict[Any, Any], more: Any = UNKNOWN, *_: Any) -> dict[Any, Any]:
    table.update(more if isinstance(more, dict) else {_Key(): UNKNOWN})
    return table


def _get(table: dict[Any, Any], key: Any = UNKNOWN, default: Any = None, *_: Any) -> Any:
    there = _contains(table, key)
    return there if there is UNKNOWN else entry(table, key) if there else default


def _keys(table: dict[Any, Any], *_: Any) -> list[Any]:
    return [UNKNOWN if isinstance(key, _Key) else key for key in table]


#: What the code does with dictionaries.
#: Source: ``torch/csrc/jit/runtime/register_prim_ops.cpp``, the ops of ``Dict``.
DICTIONARIES: Final[Mapping[str, Callable[..., Any]]] = {
    "_set_item": _set,
    "__contains__": _contains,
    "keys": _keys,
    "values": lambda table, *_: list(table.values()),
    "items": lambda table, *_: list(zip(_keys(table), table.values(), strict=True)),
    "len": lambda table, *_: UNKNOWN if any(isinstance(key, _Key) for key in table) else len(table),
    "copy": lambda table, *_: dict(table),
    "get": _get,
    "pop": _pop,
    "Delete": _pop,
    "update": _update,
    "clear": lambda table, *_: table.clear(),
}
#: Those that change the dictionary.
CHANGING: Final = frozenset({"_set_item", "pop", "Delete", "update", "clear"})
