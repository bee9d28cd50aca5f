"""Drawings of windows on one axis: which positions each output reads, as text and as SVG."""

from __future__ import annotations

from html import escape

from shapeinspect.explanation import WindowFact
from shapeinspect.render.grid import Line
from shapeinspect.text import printable

_ROWS = 3
_CELL = 18
_GAP = 6
_LEFT = 64
_STYLE = (
    "text{font:11px sans-serif;fill:#333}.in{fill:#e8eef7;stroke:#9db4d3}.pad{fill:#fff;stroke:#bbb;"
    "stroke-dasharray:2 2}.tap{fill:#2f6fb7}.gap{fill:#d9e6f5}"
)


def draw_text(window: WindowFact, limit: int = 78) -> list[Line]:
    """Draw the first windows of an axis as lines of text, and the last one where there is room.

    Args:
        window: the windows.
        limit: the width in terminal cells.

    Example:
        >>> fact = WindowFact("L", 5, 5, 1, 1, ((-1, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5)))
        >>> for line in draw_text(fact): print("".join(text for text, _ in line).rstrip())
        L       p  0  1  2  3  4  p
        out 0   ■  ■  ■  ·  ·  ·  ·
        out 1   ·  ■  ■  ■  ·  ·  ·
        out 2   ·  ·  ■  ■  ■  ·  ·
        out 4   ·  ·  ·  ·  ■  ■  ■
    """
    low, high = _bounds(window)
    inside = window.out if window.transposed else window.n
    cell = max(len(str(max(inside - 1, 0))), 1) + 2
    word = "in" if window.transposed else "out"
    rows = list(range(min(_ROWS, len(window.taps))))
    last = (window.n if window.transposed else window.out) - 1
    head = max(len(f"{word} {last}"), len(window.axis)) + 1
    most = max((limit - head - 2) // cell, 1)
    cut = high - low > most
    columns = range(low, low + most if cut else high)
    rows = [row for row in rows if all(tap < columns.stop for tap in window.taps[row])] or rows[:1]
    if not cut and last < len(window.taps) and last > rows[-1]:
        rows.append(last)
    lines: list[Line] = [
        (
            (window.axis.ljust(head), "heading"),
            (
                "".join(
                    (str(position) if 0 <= position < inside else "p").rjust(cell) for position in columns
                )
                + (" …" if cut else ""),
                "dim",
            ),
        )
    ]
    for row in rows:
        taps = set(window.taps[row])
        span = range(min(taps), max(taps) + 1)
        marks = "".join(
            ("■" if position in taps else "○" if position in span else "·").rjust(cell)
            for position in columns
        )
        lines.append(((f"{word} {row}".ljust(head), "dim"), (marks, "")))
    return lines


def list_text(window: WindowFact, limit: int = 78) -> list[str]:
    """List every window of an axis by its bounds, several a line.

    Args:
        window: the windows; only those that the fact holds are listed.
        limit: the width in terminal cells.

    Example:
        >>> fact = WindowFact("L", 5, 3, 0, 0, ((0, 1), (1, 2, 3), (3, 4)), ragged=True)
        >>> list_text(fact)
        ['L 5 → 3   0 [0,2)   1 [1,4)   2 [3,5)']
    """
    head = f"{window.axis} {window.n} → {window.out}"
    texts = [f"{index} [{taps[0]},{taps[-1] + 1})" for index, taps in enumerate(window.taps)]
    if len(window.taps) < window.out:
        texts.append(f"… {window.out - 1}")
    lines, line = [], head
    for text in texts:
        if len(line) + 3 + len(text) > limit:
            lines.append(line)
            line = " " * len(head)
        line += f"   {text}"
    return [*lines, line]


def _bounds(window: WindowFact) -> tuple[int, int]:
    """Return the first position that is drawn and the one after the last."""
    if window.transposed:
        reached = max((taps[-1] for taps in window.taps), default=0) + 1
        low = min((taps[0] for taps in window.taps), default=0)
        return min(low, 0), max(window.out, reached)
    return -window.before, window.n + window.after


def draw_svg(windows: tuple[WindowFact, ...], title: str) -> str:
    """Draw the windows of every axis as one SVG picture.

    Args:
        windows: the windows, one axis each.
        title: what the picture shows.

    Example:
        >>> draw_svg((WindowFact("L", 2, 1, 0, 0, ((0, 1),)),), "conv").startswith("<svg")
        True
    """
    shapes: list[str] = [f'<text x="8" y="18">{escape(printable(title))}</text>']
    top, widest = 32, 0
    for window in windows:
        low, high = _bounds(window)
        inside = window.out if window.transposed else window.n
        columns = range(low, min(high, low + 48))
        rows = [row for row, taps in enumerate(window.taps[:16]) if all(tap in columns for tap in taps)]
        widest = max(widest, len(columns))
        shapes.append(f'<text x="8" y="{top + 13}">{escape(printable(window.axis))}</text>')
        for index, position in enumerate(columns):
            kind = "in" if 0 <= position < inside else "pad"
            x = _LEFT + index * _CELL
            shapes.append(f'<rect class="{kind}" x="{x}" y="{top}" width="{_CELL - 2}" height="16"/>')
            label = str(position) if kind == "in" else "p"
            shapes.append(f'<text x="{x + 8}" y="{top + 12}" text-anchor="middle">{label}</text>')
        top += 16 + _GAP
        word = "in" if window.transposed else "out"
        for row in rows:
            taps = set(window.taps[row])
            shapes.append(f'<text x="8" y="{top + 10}">{word} {row}</text>')
            for position in range(min(taps), max(taps) + 1):
                kind = "tap" if position in taps else "gap"
                x = _LEFT + (position - low) * _CELL
                shapes.append(f'<rect class="{kind}" x="{x}" y="{top}" width="{_CELL - 2}" height="12"/>')
            top += 12 + 3
        top += 14
    width = _LEFT + widest * _CELL + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" '
        f'viewBox="0 0 {width} {top}"><style>{_STYLE}</style>{"".join(shapes)}</svg>\n'
    )
