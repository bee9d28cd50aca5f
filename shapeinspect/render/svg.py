"""A table as an SVG picture with text that can be selected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from shapeinspect.render.grid import Line, width
from shapeinspect.text import one_line

#: The size of a character cell and the margin, in pixels: a monospaced font is 0.6 as wide as high.
_ADVANCE, _LEADING, _MARGIN, _FONT = 7.8, 19, 16, 13

#: The styles' colors on a light and on a dark ground; the contrast to the ground is at least 4.5.
_COLORS = {
    "heading": ("#101418", "#f2f4f6"),
    "rule": ("#c3c9d0", "#3d444c"),
    "dim": ("#5b6570", "#9aa4af"),
    "path": ("#0b6478", "#6cc7dc"),
    "kind": ("#2b6a2f", "#8ccf90"),
    "common": ("#8a2f86", "#dc9ad9"),
    "number": ("#7d5200", "#e3b866"),
    "note": ("#7d5200", "#e3b866"),
    "error": ("#b3261e", "#ff8a80"),
}


def svg(lines: Sequence[Line], title: str) -> Iterator[str]:
    """Draw styled lines as they stand in a terminal, for light and dark pages; yields lines of SVG.

    Args:
        lines: pieces of text with the names of styles.
        title: what the picture shows, for a screen reader.

    Example:
        >>> "".join(svg([(("conv1", "path"), ("  3→5", ""))], "a table")).count("<tspan")
        2
    """
    wide = max((width(one_line("".join(text for text, _ in line))) for line in lines), default=0)
    size = (round(wide * _ADVANCE) + 2 * _MARGIN, len(lines) * _LEADING + 2 * _MARGIN)
    box = f'width="{size[0]}" height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">'
    yield f"<title>{escape(one_line(title))}</title>"
    yield f"<style>\n{_style()}</style>"
    yield '<rect class="ground" width="100%" height="100%" rx="8"/>'
    for number, line in enumerate(lines):
        y = _MARGIN + number * _LEADING + _FONT
        if line:
            yield f'<text y="{y}" xml:space="preserve">{"".join(_pieces(line))}</text>'
    yield "</svg>"


def _pieces(line: Line) -> Iterator[str]:
    """Place each piece by its column, so that a font of another advance keeps the columns."""
    column = 0
    for piece, style in line:
        text = one_line(piece)
        shown = text.lstrip(" ")
        start = column + len(text) - len(shown)
        column += width(text)
        if shown.rstrip():
            name = f' class="{style}"' if style in _COLORS else ""
            yield f'<tspan x="{_MARGIN + start * _ADVANCE:.1f}"{name}>{escape(shown.rstrip())}</tspan>'


def _style() -> str:
    plain = (
        "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f262d}"
    )
    bold = ".heading,.error{font-weight:700}.note{font-style:italic}.ground{fill:#fcfcfb}"
    light = "".join(f".{name}{{fill:{colors[0]}}}" for name, colors in _COLORS.items())
    dark = "".join(f".{name}{{fill:{colors[1]}}}" for name, colors in _COLORS.items())
    ground = ".ground{fill:#14181c}text{fill:#d9dee3}"
    return f"{plain}\n{bold}\n{light}\n@media(prefers-color-scheme:dark){{{ground}{dark}}}\n"
