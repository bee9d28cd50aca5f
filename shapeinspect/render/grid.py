"""A grid of texts: measured first, then narrowed to a width, then drawn as styled lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeAlias

#: A line: pieces of text, each with the name of a style (empty for none).
Line: TypeAlias = "tuple[tuple[str, str], ...]"

# Latin letters, punctuation, arrows, mathematical signs and lines: one cell each, none combining.
_NARROW = re.compile("[\x20-\u02ff\u2010-\u22ff\u2500-\u257f]*")

_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a grid.

    Args:
        name: its heading.
        right: whether its texts are right-aligned, as numbers are.
        style: the style of its texts.
        rank: the order in which columns are dropped when the width is short, the highest first; 0 stays.
        elastic: whether its texts may be cut with an ellipsis when nothing else helps.
    """

    name: str
    right: bool = False
    style: str = ""
    rank: int = 0
    elastic: bool = False


def width(text: str) -> int:
    """Return how many terminal cells a text takes.

    Args:
        text: printable text.

    Example:
        >>> width("abc"), width("→"), width("層")
        (3, 1, 2)
    """
    if text.isascii() or _NARROW.fullmatch(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def draw(columns: Sequence[Column], rows: Sequence[Sequence[str]], limit: int) -> list[Line]:
    """Lay out rows under their headings, within a width.

    Columns without any text are left out. Where the rest is too wide, columns are dropped by their
    rank; texts of elastic columns are cut only when nothing else helps.

    Args:
        columns: the columns, left to right.
        rows: one text a column.
        limit: the width in terminal cells.

    Returns:
        the heading, a rule, and a line a row.

    Example:
        >>> for line in draw([Column("layer"), Column("params", right=True)], [["fc", "12"]], 80):
        ...     print("".join(text for text, _ in line))
        layer  params
        ─────  ──────
        fc         12
    """
    texts = [[row[index] for row in rows] for index in range(len(columns))]
    kept = [index for index, column in enumerate(texts) if any(column)]
    widths = {index: max(width(columns[index].name), *map(width, set(texts[index]))) for index in kept}
    while len(kept) > 1 and _total(kept, widths) > limit:
        worst = max(kept, key=lambda index: columns[index].rank)
        if columns[worst].rank == 0:
            break
        kept.remove(worst)
    _squeeze(columns, kept, widths, limit)
    heading, rule, drawn = [], [], []
    for index in kept:
        column, wide, last = columns[index], widths[index], index == kept[-1]
        gap = "" if index == kept[0] else _GAP
        heading.append((gap + _fit(column.name, wide, column.right, last), "heading"))
        rule.append((gap + "─" * wide, "rule"))
        # Most texts occur in many rows.
        fitted = {text: gap + _fit(text, wide, column.right, last) for text in set(texts[index])}
        drawn.append([(fitted[text], column.style) for text in texts[index]])
    full = map(any, zip(*(texts[index] for index in kept), strict=True))
    return [tuple(heading), tuple(rule), *compress(zip(*drawn, strict=True), full)]


def _total(kept: Sequence[int], widths: dict[int, int]) -> int:
    return sum(widths[index] for index in kept) + len(_GAP) * (len(kept) - 1)


def _squeeze(columns: Sequence[Column], kept: Sequence[int], widths: dict[int, int], limit: int) -> None:
    over = _total(kept, widths) - limit
    for index in sorted((i for i in kept if columns[i].elastic), key=lambda i: -widths[i]):
        if over <= 0:
            return
        take = min(over, max(widths[index] - max(_NARROWEST, width(columns[index].name)), 0))
        widths[index] -= take
        over -= take


def _fit(text: str, wide: int, right: bool, last: bool) -> str:
    taken = width(text)
    if taken > wide:
        text = _cut(text, wide)
        taken = width(text)
    if right:
        return " " * (wide - taken) + text
    return text if last else text + " " * (wide - taken)


def _cut(text: str, limit: int) -> str:
    """Cut from the middle, so that both the indentation and the last letters stay."""
    tail = (limit - 1) // 2
    head = limit - 1 - tail
    short = text[:head] + "…" + text[len(text) - tail :]
    while width(short) > limit:
        head -= 1
        short = text[:head] + "…" + text[len(text) - tail :]
    return short
