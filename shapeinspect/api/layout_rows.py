"""The rows of the table of layouts that a user asks for, by a kind or by what a framework calls one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from shapeinspect.errors import UsageError
from shapeinspect.plugin_api.native import NativeTable
from shapeinspect.registry import class_names, kinds_named, layers_inside, shown_tables
from shapeinspect.render.results.reference import reference


def layouts_of(kind: str | None) -> list[dict[str, Any]]:
    """Return a row for every weight that a framework stores for a kind of layer.

    Args:
        kind: a kind, such as ``conv``, or what a framework calls one (``Dense``); None for all. A layer that
            consists of other layers stands for these.

    Raises:
        UsageError: if no table has such a kind; it lists close ones.

    Example:
        >>> sorted({row["framework"] for row in layouts_of("Dense")})
        ['flax', 'ggml', 'keras', 'mlx', 'nnx', 'onnx', 'tflite', 'torch']
    """
    tables = shown_tables()
    rows = reference(tables, kind)
    if rows or kind is None:
        return rows
    rows = _named(tables, kind)
    if rows:
        return rows
    inside = layers_inside(kind)
    rows = [
        _inside(row, kind)
        for framework, names in (inside or {}).items()
        for name in names
        for row in _named(tables, name)
        if (row["framework"], row["type"]) == (framework, name)
    ]
    if rows:
        return rows
    if inside is not None:
        raise UsageError(
            f"{kind} stores what the layers in it store",
            expected="the name of one of these layers",
        )
    every = reference(tables)
    kinds = dict.fromkeys(row["kind"] for row in every)
    if found := kinds_named(kind):
        raise UsageError(
            f"no framework's table has a weight of {kind}, whose kind is {' or '.join(found)}",
            expected=f"one of: {', '.join(kinds)}; or what a framework calls one, such as Conv2D",
        )
    close = get_close_matches(
        kind, dict.fromkeys((*kinds, *(row["type"] for row in every), *class_names())), 3, 0.6
    )
    raise UsageError(
        f"no layout table has the kind {kind!r}",
        expected=f"one of: {', '.join(kinds)}; or what a framework calls one, such as Conv2D",
        hint=f"did you mean {' or '.join(close)}?" if close else None,
    )


def _named(tables: Sequence[NativeTable], name: str) -> list[dict[str, Any]]:
    """Return the rows of the kinds that frameworks call by a name."""
    last = name.rpartition(".")[2].lower()
    digit = re.search(r"[123](?=_?d)", last)
    axes = int(digit[0]) if digit else 2
    kinds = dict.fromkeys(row["kind"] for row in reference(tables, axes=axes) if row["type"].lower() == last)
    return [
        row
        for kind in kinds or kinds_named(name)
        # What was asked for comes first, then what other layers of its kind store.
        for row in sorted(reference(tables, kind, axes, last), key=lambda row: row["type"].lower() != last)
    ]


def _inside(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {**row, "note": f"{row['note']}; in {name}" if row["note"] else f"in {name}"}
