"""The windows of each axis, one below the other: which positions each output reads."""

from __future__ import annotations

from collections.abc import Sequence

from shapeinspect.explanation import WindowFact
from shapeinspect.render.pictures.canvas import Canvas
from shapeinspect.render.results.drawing import bounds

_CELL, _HIGH, _LEFT = 18, 14, 62
#: How many positions and windows of an axis are drawn.
_COLUMNS, _ROWS = 40, 8


def window_rows(windows: Sequence[WindowFact]) -> Canvas | None:
    """Draw an axis with its padding, and below it a row for each window.

    Args:
        windows: the windows, one axis each; none are drawn of one position at its own place.
    """
    canvas = Canvas()
    y = 0.0
    if all(taps == (place,) for window in windows for place, taps in enumerate(window.taps)):
        return None  # each output reads the position at its own place
    for window in windows:
        low, high = bounds(window)
        inside = window.out if window.transposed else window.n
        columns = range(low, min(high, low + _COLUMNS))
        rows = [
            row
            for row, taps in enumerate(window.taps[:_ROWS])
            if taps and all(tap in columns for tap in taps)
        ]
        if not rows:
            continue
        canvas.text(0, y + 12, window.axis, "bold")
        for index, position in enumerate(columns):
            is_inside = 0 <= position < inside
            x = _LEFT + index * _CELL
            canvas.box(x, y, _CELL, _HIGH + 3, "input" if is_inside else "padding")
            canvas.text(x + _CELL / 2, y + 12, position if is_inside else "p", "small", "middle")
        if columns.stop < high:
            canvas.text(_LEFT + len(columns) * _CELL + 6, y + 12, "…", "quiet")
        y += _HIGH + 8
        for row in rows:
            taps = window.taps[row]
            canvas.text(0, y + 11, f"{'in' if window.transposed else 'out'} {row}", "quiet")
            for position in range(taps[0], taps[-1] + 1):
                fill = "window" if position in taps else "plain"
                canvas.box(_LEFT + (position - low) * _CELL, y, _CELL, _HIGH, fill)
            y += _HIGH + 3
        y += 16
    return canvas if y else None
