"""A feature map as a volume: height by width in front, channels behind."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from shapeinspect.render.pictures.canvas import Canvas, Point

#: How large a side is drawn at most, and a cell at most and at least where its lines are drawn.
_SIDE, _CELL, _LEAST = 190, 15, 4
#: How the depth runs: to the right and upwards.
_RIGHT, _UP = 0.72, 0.5


@dataclass(frozen=True, slots=True)
class Volume:
    """Where a feature map with its padding is drawn.

    Args:
        x: the left side of position 0.
        y: the top of position 0.
        cell: how large a position is, in pixels.
        rows: how many positions it is high; 1 for an axis alone.
        columns: how many it is wide.
        channels: how many it is deep.
    """

    x: float
    y: float
    cell: float
    rows: int
    columns: int
    channels: int

    @property
    def depth(self) -> float:
        """How deep it is drawn, in pixels: by the logarithm, so that 3 and 2,048 channels both fit."""
        return 8 + 7 * math.log2(self.channels) if self.channels > 1 else 6

    @property
    def reach(self) -> tuple[float, float]:
        """How far the back stands to the right and above, in pixels."""
        return self.depth * _RIGHT, self.depth * _UP

    def corner(self, row: float, column: float, back: float = 0) -> Point:
        """Return where a position begins.

        Args:
            row: the position from the top.
            column: the position from the left.
            back: which part of the depth it is behind the front.
        """
        right, up = self.reach
        return self.x + column * self.cell + back * right, self.y + row * self.cell - back * up

    def draw(self, canvas: Canvas, fill: str, side: str) -> None:
        """Draw the volume with its cells, if they are large enough.

        Args:
            canvas: what it is drawn on.
            fill: the fill of the front.
            side: that of its sides.
        """
        self.block(canvas, (0, 0), (self.rows, self.columns), (0, 1), fill, side)
        if self.cell >= _LEAST:
            for column in range(1, self.columns):
                canvas.line(self.corner(0, column), self.corner(self.rows, column), "grid")
            for row in range(1, self.rows):
                canvas.line(self.corner(row, 0), self.corner(row, self.columns), "grid")

    def block(self, canvas: Canvas, first: Point, last: Point, depths: Point, fill: str, side: str) -> None:
        """Draw a part of the volume.

        Args:
            canvas: what it is drawn on.
            first: its first row and column.
            last: the row and the column behind its last ones.
            depths: where it begins and ends, as parts of the depth.
            fill: the fill of the front.
            side: that of its sides.
        """
        (top, left), (bottom, right), (near, far) = first, last, depths
        at = self.corner
        canvas.area(
            [at(top, left, near), at(top, left, far), at(top, right, far), at(top, right, near)], side
        )
        canvas.area(
            [at(top, right, near), at(top, right, far), at(bottom, right, far), at(bottom, right, near)], side
        )
        canvas.area(
            [at(top, left, near), at(top, right, near), at(bottom, right, near), at(bottom, left, near)], fill
        )

    def cells(self, canvas: Canvas, rows: Iterable[int], columns: Iterable[int], fill: str) -> None:
        """Draw cells of the front.

        Args:
            canvas: what they are drawn on.
            rows: their rows.
            columns: their columns.
            fill: their fill.
        """
        across = list(columns)
        for row in rows:
            for column in across:
                x, y = self.corner(row, column)
                canvas.box(x, y, self.cell, self.cell, fill)


def cell_size(*lengths: int) -> float:
    """Return how large the cells of several volumes are drawn so that the longest side has room.

    Args:
        lengths: the sides, in positions.

    Example:
        >>> cell_size(8, 5), round(cell_size(224, 112), 2)
        (15, 0.85)
    """
    return min(_CELL, _SIDE / max(*lengths, 1))
