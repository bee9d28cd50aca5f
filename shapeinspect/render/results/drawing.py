"""Drawings of windows on one axis as text: which positions each output reads."""

from __future__ import annotations

from shapeinspect.explanation import WindowFact
from shapeinspect.render.grid import Line

_ROWS = 3


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
    low, high = bounds(window)
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


def bounds(window: WindowFact) -> tuple[int, int]:
    """Return the first position that is drawn and the one after the last.

    Args:
        window: the windows of an axis.
    """
    if window.transposed:
        reached = max((taps[-1] for taps in window.taps), default=0) + 1
        low = min((taps[0] for taps in window.taps), default=0)
        return min(low, 0), max(window.out, reached)
    return -window.before, window.n + window.after
