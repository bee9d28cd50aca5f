"""What pictures are drawn with: boxes, lines, arrows and texts, in colors for light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from shapeinspect.render.forms.palette import GROUND, MONOSPACE, TEXT
from shapeinspect.render.grid import width
from shapeinspect.text import one_line, printable

Point = tuple[float, float]

#: The size of a text, and how much of it a character is wide.
FONT, ADVANCE = 12, 7.2

#: What is filled in which colors: the ground and the line on a light page, then on a dark one.
_FILLS = {
    "input": ("#e4edf8", "#7d9cc4", "#22324a", "#6b8cb8"),
    "side": ("#d2e0f1", "#7d9cc4", "#1b293d", "#6b8cb8"),
    "group": ("#f0e6f6", "#a687bd", "#37284a", "#9d7fc0"),
    "output": ("#e1f1e2", "#6fa176", "#1f3826", "#6aa873"),
    "rim": ("#cfe6d1", "#6fa176", "#182d1e", "#6aa873"),
    "window": ("#f7c987", "#a96a12", "#80541a", "#f0b768"),
    "shared": ("#e79a4b", "#a96a12", "#a8681f", "#f0b768"),
    "ghost": ("none", "#a96a12", "none", "#f0b768"),
    "padding": ("none", "#9aa4af", "none", "#5c6670"),
    "plain": ("#f1f2f3", "#a8b0b8", "#262c32", "#67717b"),
    "wrong": ("#fbdad7", "#b3261e", "#5a1f1b", "#ff8a80"),
    "a": ("#e4edf8", "#7d9cc4", "#22324a", "#6b8cb8"),
    "b": ("#f7e1bd", "#a96a12", "#5b3d12", "#e3b866"),
    "c": ("#e1f1e2", "#6fa176", "#1f3826", "#6aa873"),
    "d": ("#f0e6f6", "#a687bd", "#37284a", "#9d7fc0"),
    "e": ("#fbe1e3", "#b9656d", "#4c2529", "#d98a91"),
}

#: The fills by which one of several alike is told from the others.
SERIES = ("a", "b", "c", "d", "e")

_STYLE = (
    f".si text{{font:{FONT}px {MONOSPACE};fill:{TEXT[0]}}}"
    ".si .bold{font-weight:700}.si .small{font-size:10px}.si .quiet{fill:#5b6570}"
    ".si .line{stroke:#7b8590;fill:none}.si .grid{stroke:#7b8590;stroke-opacity:.35}"
    ".si .ray{stroke:#a96a12;fill:none;stroke-opacity:.55}.si .head{fill:#7b8590}"
    ".si .padding,.si .ghost{stroke-dasharray:3 3}.si .ghost{stroke-width:1.6}"
)
_DARK_RULES = (
    f".si text{{fill:{TEXT[1]}}}",
    f".si .ground{{fill:{GROUND[1]}}}",
    ".si .quiet{fill:#9aa4af}",
    ".si .line{stroke:#8b95a0}",
    ".si .ray{stroke:#f0b768}",
    ".si .head{fill:#8b95a0}",
)


@dataclass
class Canvas:
    """A picture that is being drawn; it is as large as what is drawn on it.

    Example:
        >>> canvas = Canvas()
        >>> canvas.box(10, 10, 30, 20, "input")
        >>> canvas.size
        (41, 31)
    """

    _pieces: list[str] = field(default_factory=list)
    _right: float = 0
    _bottom: float = 0

    @property
    def size(self) -> tuple[int, int]:
        """How wide and how high the picture is, in pixels."""
        return int(self._right) + 1, int(self._bottom) + 1

    def box(self, x: float, y: float, wide: float, high: float, fill: str, *, radius: float = 0) -> None:
        """Draw a rectangle.

        Args:
            x: its left side.
            y: its top.
            wide: its width.
            high: its height.
            fill: what it is: a key of the fills.
            radius: of its corners.
        """
        self._reach((x + wide, y + high))
        round_ = f' rx="{radius:g}"' if radius else ""
        self._add(
            f'<rect class="{fill}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"{round_}/>'
        )

    def area(self, points: Sequence[Point], fill: str) -> None:
        """Draw a polygon.

        Args:
            points: its corners.
            fill: what it is: a key of the fills.
        """
        self._reach(*points)
        self._add(f'<polygon class="{fill}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')

    def line(self, start: Point, end: Point, style: str = "line") -> None:
        """Draw a straight line.

        Args:
            start: where it starts.
            end: where it ends.
            style: ``line``, ``grid`` or ``ray``.
        """
        self._reach(start, end)
        ends = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
        self._add(f'<line class="{style}" {ends}/>')

    def curve(self, start: Point, end: Point, style: str = "line") -> None:
        """Draw a curve that leaves downwards and arrives from above.

        Args:
            start: where it starts.
            end: where it ends.
            style: ``line``, ``grid`` or ``ray``.
        """
        self._reach(start, end)
        (left, top), (right, bottom), middle = start, end, (start[1] + end[1]) / 2
        way = (
            f"M{left:.1f},{top:.1f}C{left:.1f},{middle:.1f} {right:.1f},{middle:.1f} {right:.1f},{bottom:.1f}"
        )
        self._add(f'<path class="{style}" d="{way}"/>')

    def arrow(self, start: Point, end: Point) -> None:
        """Draw a horizontal arrow.

        Args:
            start: where it starts.
            end: its tip, to the right.
        """
        self.line(start, (end[0] - 5, end[1]))
        self._add(
            f'<polygon class="head" points="{end[0]:.1f},{end[1]:.1f} {end[0] - 7:.1f},{end[1] - 4:.1f} '
            f'{end[0] - 7:.1f},{end[1] + 4:.1f}"/>'
        )

    def text(self, x: float, y: float, words: object, style: str = "", anchor: str = "start") -> None:
        """Write a text on one line.

        Args:
            x: where it starts, or its middle or end by ``anchor``.
            y: its base line.
            words: what it says; a name from a file is made printable.
            style: ``bold``, ``quiet``, ``small``, several separated by spaces.
            anchor: ``start``, ``middle`` or ``end``.
        """
        written = one_line(printable(words, 120))
        wide = text_width(written, style)
        left = {"start": x, "middle": x - wide / 2, "end": x - wide}[anchor]
        self._reach((left + wide, y + 4))
        classes = f' class="{style}"' if style else ""
        anchored = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._add(f'<text x="{x:.1f}" y="{y:.1f}"{classes}{anchored}>{escape(written)}</text>')

    def paste(self, other: Canvas, x: float, y: float) -> None:
        """Put another picture onto this one.

        Args:
            other: the picture.
            x: where its left side comes to stand.
            y: where its top does.
        """
        self._reach((x + other._right, y + other._bottom))
        self._add(f'<g transform="translate({x:.1f},{y:.1f})">{"".join(other._pieces)}</g>')

    def svg(self, title: str, *, margin: int = 16) -> str:
        """Return the picture as an SVG document.

        Args:
            title: what it shows, for a screen reader.
            margin: the space around it, in pixels.
        """
        wide, high = self.size[0] + 2 * margin, self.size[1] + 2 * margin
        box = f'width="{wide}" height="{high}" viewBox="{-margin} {-margin} {wide} {high}"'
        ground = f'<rect class="ground" x="{-margin}" y="{-margin}" width="{wide}" height="{high}" rx="8"/>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="si" {box} role="img">'
            f"<title>{escape(one_line(printable(title)))}</title><style>{style()}</style>{ground}"
            f"{''.join(self._pieces)}</svg>\n"
        )

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)

    def _reach(self, *points: Point) -> None:
        self._right = max(self._right, *(x for x, _ in points))
        self._bottom = max(self._bottom, *(y for _, y in points))


def text_width(text: str, style: str = "") -> float:
    """Return how wide a text is, in pixels.

    Args:
        text: printable text.
        style: as for :meth:`Canvas.text`.

    Example:
        >>> round(text_width("conv1"))
        36
    """
    return width(text) * ADVANCE * (10 / FONT if "small" in style else 1)


def style() -> str:
    """Return the style that every picture has, for light and dark pages."""
    return f"{light_style()}@media(prefers-color-scheme:dark){{{''.join(dark_rules())}}}"


def light_style() -> str:
    """Return the style of pictures on a light page."""
    light = "".join(f".si .{name}{{fill:{each[0]};stroke:{each[1]}}}" for name, each in _FILLS.items())
    return f".si .ground{{fill:{GROUND[0]}}}{light}{_STYLE}"


def dark_rules() -> list[str]:
    """Return the rules that make pictures dark, one selector each, for a page that decides when."""
    fills = [f".si .{name}{{fill:{each[2]};stroke:{each[3]}}}" for name, each in _FILLS.items()]
    return [*fills, *_DARK_RULES]


def stacked(canvases: Iterable[Canvas], *, gap: int = 26) -> Canvas:
    """Put pictures below each other.

    Args:
        canvases: the pictures.
        gap: the space between two of them, in pixels.
    """
    whole = Canvas()
    y = 0.0
    for canvas in canvases:
        whole.paste(canvas, 0, y)
        y += canvas.size[1] + gap
    return whole
