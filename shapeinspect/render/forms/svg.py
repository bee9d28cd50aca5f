"""A table as an SVG picture with text that can be selected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from shapeinspect.render.forms.palette import COLORS, GROUND, MONOSPACE, TEXT
from shapeinspect.render.grid import Line, width
from shapeinspect.text import one_line

#: The size of a character cell and the margin, in pixels: a monospaced font is 0.6 as wide as high.
_ADVANCE, _LEADING, _MARGIN, _FONT = 7.8, 19, 16, 13


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
            name = f' class="{style}"' if style in COLORS else ""
            yield f'<tspan x="{_MARGIN + start * _ADVANCE:.1f}"{name}>{escape(shown.rstrip())}</tspan>'


def _style() -> str:
    plain = f"text{{font:{_FONT}px {MONOSPACE};fill:{TEXT[0]}}}"
    bold = f".heading,.error{{font-weight:700}}.note{{font-style:italic}}.ground{{fill:{GROUND[0]}}}"
    light = "".join(f".{name}{{fill:{colors[0]}}}" for name, colors in COLORS.items())
    dark = "".join(f".{name}{{fill:{colors[1]}}}" for name, colors in COLORS.items())
    ground = f".ground{{fill:{GROUND[1]}}}text{{fill:{TEXT[1]}}}"
    return f"{plain}\n{bold}\n{light}\n@media(prefers-color-scheme:dark){{{ground}{dark}}}\n"
