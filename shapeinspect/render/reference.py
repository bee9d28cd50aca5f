"""The reference of layouts: how each framework stores each kind of layer, made from their tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shapeinspect.ir import Layout
from shapeinspect.layout import transform
from shapeinspect.plugin_api.native import NativeRow, NativeTable
from shapeinspect.render.grid import Column, Line, draw

_COLUMNS = (
    Column("weight", style="path"),
    Column("stored as"),
    Column("common", style="common"),
    Column("note", style="dim"),
)

#: The kernels of the examples have two axes, the slots of norms one.
_RANKS = {"k": 2, "n": 1}

_INTRODUCTION = """\
# How each framework stores its weights

This page is made by `shapeinspect layouts --format markdown` from the tables that the transforms
themselves use. Kernels are shown with two axes (`kh kw`); those of one axis have `kl`, those of three
`kd kh kw`. The column `einops` is what to paste into a port:
`einops.rearrange(weight, "kh kw i o -> o i kh kw")`, with the lengths that parentheses hide by name, such
as `gate=4`; where a note gives an order, its axis is reordered as well. The letters: `o` out, `i` in (per
group), `g` groups, `m` depth multiplier, `c` channels, `h` hidden, `d` head dimension, `V` vocabulary,
`E` embedding.
"""

#: What to do with the columns.
_USE = (
    'einops.rearrange(weight, "STORED AS -> COMMON") moves a weight; the lengths',
    "inside parentheses are given by name (gate=4), a note's order comes on top",
)


def reference(tables: Iterable[NativeTable], kind: str | None = None) -> list[dict[str, Any]]:
    """Return a row for every weight that a framework stores for a kind of layer.

    Args:
        tables: the frameworks' tables.
        kind: one kind; None for all.

    Example:
        >>> reference([])
        []
    """
    rows = [
        weight
        for table in tables
        for row in table.rows
        if kind in (None, row.kind)
        for weight in _weights(table, row)
    ]
    order = {name: place for place, name in enumerate(dict.fromkeys(row["kind"] for row in rows))}
    return sorted(rows, key=lambda row: order[row["kind"]])


def _weights(table: NativeTable, row: NativeRow) -> Iterable[dict[str, Any]]:
    name = row.type.format(k=_RANKS["k"])
    chosen = ", ".join(f"{setting}={value}" for setting, value in row.when.items())
    at = table.at(0, False, False, 1)
    for text in row.roles.format(at=at, layer=at).split():
        role, _, rank = text.rpartition(":")
        layout = table.bind(name, role, sum(_RANKS.get(part) or int(part) for part in rank.split("+")), {})
        if layout is not None:
            yield {
                "kind": row.kind,
                "framework": table.framework,
                "type": name.partition("(")[0],
                "when": chosen,
                "weight": role,
                "native": layout.native,
                "common": layout.common,
                "transform": transform(layout),
                "note": _note(layout),
            }


def _note(layout: Layout) -> str:
    parts = [f"{axis}: {native} → {common}" for axis, native, common in layout.orders]
    parts += [f"{axis} back to front" for axis in layout.flips]
    if "+" in layout.slot:
        parts.append("the sum of both biases")
    return ", ".join(parts)


def reference_table(rows: Sequence[dict[str, Any]], width: int) -> list[Line]:
    """Draw the reference for a terminal: kinds, their layers, their weights; the notes below, by number.

    Args:
        rows: what :func:`reference` returned.
        width: terminal cells.
    """
    texts: list[list[str]] = []
    notes: dict[str, int] = {"": 0}
    last: tuple[str, ...] = ()
    for row in rows:
        layer = f"{row['framework']}  {row['type']}" + (f" ({row['when']})" if row["when"] else "")
        keys = (row["kind"], layer)
        texts += [
            ["  " * at + key, "", "", ""] for at, key in enumerate(keys) if last[: at + 1] != keys[: at + 1]
        ]
        number = notes.setdefault(row["note"], len(notes))
        texts.append([f"    {row['weight']}", row["native"], row["common"], str(number or "")])
        last = keys
    below = [f"{number}  {note}" for note, number in notes.items() if number]
    return [*draw(_COLUMNS, texts, width), (), *(((text, "dim"),) for text in (*below, *_USE))]


def reference_page(rows: Sequence[dict[str, Any]]) -> str:
    """Write the reference as a Markdown page.

    Args:
        rows: what :func:`reference` returned.
    """
    lines = [_INTRODUCTION]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        lines += [f"## {kind}", "", "| framework | layer | weight | einops | note |", "|---|---|---|---|---|"]
        for row in rows:
            if row["kind"] == kind:
                layer = f"`{row['type']}`" + (f" ({row['when']})" if row["when"] else "")
                cells = (row["framework"], layer, f"`{row['weight']}`", f"`{row['transform']}`", row["note"])
                lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)
