"""A grid of texts: measured first, then narrowed to a width, then drawn as styled lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TypeAlias

from shapeinspect.text import one_line

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
    rank, and come back by it where the others leave room; texts of elastic columns are cut only when
    nothing else helps.

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
    return measure(columns, rows, limit).lines()


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under their headings, measured and fitted into a width.

    Args:
        columns: the columns, left to right.
        texts: the texts of each column.
        widths: the width of each column that is kept, by its index.
        hidden: the names of the columns with texts for which there was no room.
    """

    columns: tuple[Column, ...]
    texts: tuple[tuple[str, ...], ...]
    widths: Mapping[int, int]
    hidden: tuple[str, ...]

    def is_short_of(self, name: str) -> bool:
        """Tell whether a column's texts are hidden or cut.

        Args:
            name: the column's heading.
        """
        for index, column in enumerate(self.columns):
            if column.name == name:
                return max(map(width, set(self.texts[index])), default=0) > self.widths.get(index, 0)
        return False

    def lines(self) -> list[Line]:
        """Draw the heading, a rule, and a line a row."""
        heading, rule, drawn = [], [], []
        kept = sorted(self.widths)
        for index in kept:
            column, wide, last = self.columns[index], self.widths[index], index == kept[-1]
            gap = "" if index == kept[0] else _GAP
            heading.append((gap + _fit(column.name, wide, column.right, last), "heading"))
            rule.append((gap + "─" * wide, "rule"))
            # Most texts occur in many rows.
            fitted = {text: gap + _fit(text, wide, column.right, last) for text in set(self.texts[index])}
            drawn.append([(fitted[text], column.style) for text in self.texts[index]])
        full = map(any, zip(*(self.texts[index] for index in kept), strict=True))
        return [tuple(heading), tuple(rule), *compress(zip(*drawn, strict=True), full)]


def measure(columns: Sequence[Column], rows: Sequence[Sequence[str]], limit: int) -> Grid:
    """Fit rows into a width: see :func:`draw`.

    Args:
        columns: the columns, left to right.
        rows: one text a column.
        limit: the width in terminal cells.

    Example:
        >>> measure([Column("layer"), Column("bytes", rank=1)], [["encoder", "48 B"]], 10).hidden
        ('bytes',)
    """
    texts = tuple(tuple(row[index] for row in rows) for index in range(len(columns)))
    full = [index for index, column in enumerate(texts) if any(column)]
    wanted = {index: max(width(columns[index].name), *map(width, set(texts[index]))) for index in full}
    kept = list(full)
    while len(kept) > 1 and _total(kept, wanted) > limit:
        worst = max(kept, key=lambda index: columns[index].rank)
        if columns[worst].rank == 0:
            break
        kept.remove(worst)
    gone = [index for index in full if index not in kept]
    for index in sorted(gone, key=lambda index: columns[index].rank):
        if _total([*kept, index], wanted) <= limit:
            kept.append(index)
    widths = {index: wanted[index] for index in sorted(kept)}
    _squeeze(columns, list(widths), widths, limit)
    hidden = tuple(columns[index].name for index in full if index not in widths)
    return Grid(tuple(columns), texts, widths, hidden)


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


def as_text(lines: Iterable[Line]) -> str:
    r"""Return lines as one text without styles, as it is written to a pipe.

    Args:
        lines: pieces of text with the names of styles.

    Example:
        >>> as_text([(("fc", "path"), ("  3→5  ", "")), ()])
        'fc  3→5\n'
    """
    return "\n".join(one_line("".join(text for text, _ in line).rstrip()) for line in lines)
