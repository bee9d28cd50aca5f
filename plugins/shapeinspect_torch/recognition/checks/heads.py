"""The heads of attention: which settings number them, and whether they divide what they share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shapeinspect.ir import Contradiction
from shapeinspect_torch.recognition.families.family import Family, Row
from shapeinspect_torch.recognition.families.known import Known
from shapeinspect_torch.recognition.families.language import names_in

#: What a projection to heads is called at the end of its path.
_TO_QUERIES = re.compile(r"(^|[._])(q|q_proj|q_lin|query)$")
_TO_KEYS = re.compile(r"(^|[._])(k|v|k_proj|v_proj|k_lin|v_lin|key|value)$")
#: The settings that number heads, and which of them those of keys and values.
_HEADS = re.compile(r"(^|_)(n|num)_?(\w+_)?heads?(_kv)?$|_attention_heads$")
_OF_KEYS = re.compile(r"kv|key_value")
_SIDES = ("encoder", "decoder")


def heads_of(path: str, length: int, row: Row, settings: Mapping[str, Any]) -> tuple[str, str, int] | None:
    """Return the attribute, the setting and the number of a projection's heads.

    Args:
        path: of the layer.
        length: of the heads together.
        row: the layer's weights.
        settings: of the configuration.
    """
    to_keys = _TO_KEYS.search(path) is not None
    if not to_keys and _TO_QUERIES.search(path) is None:
        return None
    candidates = sorted(
        _settings(path, row, settings), key=lambda name: (_keys(name) != to_keys, _other(path, name))
    )
    for name in candidates:
        heads = settings[name]
        if type(heads) is int and heads > 0 and (to_keys or not _keys(name)):
            if length % heads and len(candidates) > 1 and name not in _named(row):
                continue
            return ("num_kv_heads" if to_keys else "num_heads"), name, heads
    return None


def _settings(path: str, row: Row, settings: Mapping[str, Any]) -> list[str]:
    """The settings that may number heads: those that a layer's lengths follow from, else all of its part."""
    named = [name for name in _named(row) if name in settings]
    if named:
        return named
    parts = [name.rpartition(".")[0] for axis in row.shape for name in names_in(axis)]
    part = parts[0] if parts else ""
    return [
        name
        for name in settings
        if name.rpartition(".")[0] == part and _HEADS.search(name.rpartition(".")[2])
    ]


def _named(row: Row) -> list[str]:
    return [name for axis in row.shape for name in names_in(axis) if _HEADS.search(name.rpartition(".")[2])]


def _keys(name: str) -> bool:
    return _OF_KEYS.search(name) is not None


def _other(path: str, name: str) -> bool:
    """Tell whether a setting is of the other side of an encoder and a decoder."""
    return any(side in name and side not in path for side in _SIDES)


def undivided(name: str, length: int, setting: str, heads: int) -> Contradiction:
    """Return that heads do not divide what they share.

    Args:
        name: of the weight.
        length: of the heads together.
        setting: what numbers them.
        heads: their number.
    """
    return Contradiction(name, f"a multiple of {heads}", str(length), f"config.json: {setting} {heads}")


def groups(known: Known) -> Iterator[Contradiction]:
    """Yield where the heads of keys and values do not divide those of queries.

    Args:
        known: the family with the settings.
    """
    for queries, keys in _pairs(known.family):
        one, other = known.settings.get(queries), known.settings.get(keys)
        if type(one) is int and type(other) is int and other > 0 and one % other:
            yield Contradiction(keys, f"a divisor of {one}", str(other), f"config.json: {queries} {one}")


def _pairs(family: Family) -> list[tuple[str, str]]:
    """The settings of heads of queries, and of keys and values, that go together in some layer."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for row in family.rows:
        path, _, role = row.name.rpartition(".")
        if role == "weight" and (match := _TO_QUERIES.search(path) or _TO_KEYS.search(path)):
            queries, keys = found.setdefault(path[: match.start()], ([], []))
            (keys if _TO_KEYS.search(path) else queries).extend(_named(row))
    pairs = [
        (query, key)
        for queries, keys in found.values()
        for query in queries
        for key in keys
        if query != key and _keys(key)
    ]
    return list(dict.fromkeys(pairs))
