"""The rows of the table of layouts that a user asks for, by a kind or by what a framework calls one."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

from shapeinspect.errors import UsageError
from shapeinspect.registry import kinds_named, shown_tables
from shapeinspect.render.results.reference import reference


def layouts_of(kind: str | None) -> list[dict[str, Any]]:
    """Return a row for every weight that a framework stores for a kind of layer.

    Args:
        kind: a kind, such as ``conv``, or what a framework calls one (``Dense``); None for all.

    Raises:
        UsageError: if no table has such a kind; it lists close ones.

    Example:
        >>> sorted({row["framework"] for row in layouts_of("Dense")})
        ['flax', 'ggml', 'keras', 'mlx', 'nnx', 'onnx', 'torch']
    """
    tables = shown_tables()
    rows = reference(tables, kind)
    if rows or kind is None:
        return rows
    last = kind.rpartition(".")[2].lower()
    digit = re.search(r"[123](?=d)", last)
    axes = int(digit[0]) if digit else 2
    named = dict.fromkeys(row["kind"] for row in reference(tables, axes=axes) if row["type"].lower() == last)
    rows = [
        row
        for name in named or kinds_named(kind)
        # What was asked for comes first, then what other layers of its kind store.
        for row in sorted(reference(tables, name, axes), key=lambda row: row["type"].lower() != last)
    ]
    if rows:
        return rows
    every = reference(tables)
    kinds = dict.fromkeys(row["kind"] for row in every)
    names = [name for table in tables for name, other in table.classes.items() if other in kinds]
    close = get_close_matches(
        kind, [*dict.fromkeys((*kinds, *(row["type"] for row in every), *names))], 3, 0.6
    )
    raise UsageError(
        f"no layout table has the kind {kind!r}",
        expected=f"one of: {', '.join(kinds)}; or what a framework calls one, such as Conv2D",
        hint=f"did you mean {' or '.join(close)}?" if close else None,
    )
