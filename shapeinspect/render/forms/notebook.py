"""What a notebook shows without a script: a table whose blocks open, or lines as in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from html import escape
from importlib.resources import files

from shapeinspect.ir import Model
from shapeinspect.render.forms.palette import COLORS, TEXT
from shapeinspect.render.grid import Column, Grid, Line, as_text
from shapeinspect.render.table import Parts, View, parts
from shapeinspect.text import many, one_line

#: The most characters of a table, and the most of the plain text beside it.
_MOST, _MOST_PLAIN = 190_000, 8_000
#: A table of at most so many rows is open; of a longer one only the outermost blocks are.
_OPEN_ROWS = 40
#: How wide a table is, in characters.
_WIDTH = 132
#: Where a page is dark: JupyterLab, VS Code, and others say so at the page itself.
_DARK = ("body[data-jp-theme-light=false]", "body.vscode-dark", "html[theme=dark]", "html[data-theme=dark]")


def preformatted(lines: Iterable[Line]) -> str:
    """Return styled lines as a piece of HTML.

    Args:
        lines: pieces of text with the names of styles.

    Example:
        >>> preformatted([(("a < b", "path"),)]).endswith('<pre><b class="path">a &lt; b</b></pre></div>')
        True
    """
    text = "\n".join("".join(_piece(text, style) for text, style in line).rstrip() for line in lines)
    return f'{_style()}<div class="shapeinspect"><pre>{text}</pre></div>'


def opening(model: Model) -> str:
    """Return a model's table as a piece of HTML, of which every block opens and closes.

    Where a page takes no style, as in a list of changes, it shows the plain text. A large model is cut to
    fewer levels, and says so.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
    """
    deepest = max((layer.depth for layer in model.layers), default=0)
    depths: list[int | None] = [None, *range(min(deepest, 12) - 1, -1, -1)]
    for depth in depths:
        text = _opening(model, depth)
        if len(text) <= _MOST:
            return text
    return _opening(model, 0, rows=_MOST // 700)


def _opening(model: Model, depth: int | None, rows: int | None = None) -> str:
    view = View(width=_WIDTH, depth=depth)
    shown = parts(model, view)
    (title, _), *facts = shown.title
    about = f"{_piece(title, 'heading')}{''.join(_piece(text, style) for text, style in facts)}"
    pieces = [
        _style(),
        '<div class="shapeinspect"><div class="rich" style="display:none">',
        f"<p>{about}</p>",
    ]
    pieces += [f"<p>{_line(line)}</p>" for line in shown.ends]
    if shown.grid is not None:
        pieces.append(_table(shown.grid, _blocks(shown.grid, shown.levels)[:rows]))
    below = list(shown.below)
    if depth is not None:
        about = "only the outermost layers" if rows else f"only {many(depth + 1, 'level')}"
        below.append(
            ((f"note  {about} of {many(len(model.layers), 'layer')}: print(report) has all", "note"),)
        )
    pieces += [f"<p>{_line(line)}</p>" for line in below if line]
    plain = _plain(shown)
    pieces.append(f'</div><pre class="plain">{escape(plain)}</pre></div>')
    return "".join(pieces)


def _plain(shown: Parts) -> str:
    """Return the table as text, for a page that takes no style: as many of its rows as there is room for."""
    ends = as_text([shown.title, *shown.ends])
    below = as_text(shown.below)
    rows = [] if shown.grid is None else as_text(shown.grid.lines()).split("\n")
    room = _MOST_PLAIN - len(ends) - len(below)
    kept: list[str] = []
    for row in rows:
        room -= len(row) + 1
        if room < 0:
            kept.append("…  print(report) has all rows")
            break
        kept.append(row)
    return "\n".join([ends, "", *kept, "", below] if kept else [ends, below])[:_MOST_PLAIN]


@dataclass
class _Block:
    """A row with those that stand inside it."""

    level: int
    cells: list[list[str]]
    children: list[_Block] = field(default_factory=list)


def _blocks(grid: Grid, levels: Sequence[int | None]) -> list[_Block]:
    """Put each row into the one that it stands in."""
    root = _Block(-1, [])
    around = [root]
    kept = sorted(grid.widths)
    for level, row in zip(levels, zip(*(grid.texts[index] for index in kept), strict=True), strict=True):
        if level is None:  # a further weight or call of the layer above
            for cell, text in zip(around[-1].cells, row, strict=True):
                cell.extend([text] if text else [])
            continue
        while around[-1].level >= level:
            around.pop()
        block = _Block(level, [[text.strip(" ")] for text in row])
        around[-1].children.append(block)
        around.append(block)
    return root.children


def _table(grid: Grid, blocks: Sequence[_Block]) -> str:
    kept = sorted(grid.widths)
    columns = [grid.columns[index] for index in kept]
    widths = " ".join(f"{grid.widths[index] + 2}ch" for index in kept)
    heading = "".join(_cell([column.name], replace(column, style="heading")) for column in columns)
    opened = sum(1 for text in grid.texts[kept[0]] if text) <= _OPEN_ROWS
    rows = "".join(_rows(block, columns, opened=opened) for block in blocks)
    head = f'<div class="row head">{heading}</div>'
    return f'<div class="table" style="--columns:{widths}">{head}{rows}</div>'


def _rows(block: _Block, columns: Sequence[Column], *, opened: bool) -> str:
    cells = "".join(_cell(texts, column) for texts, column in zip(block.cells, columns, strict=True))
    style = f' style="--level:{block.level}"' if block.level else ""
    if not block.children:
        return f'<div class="row leaf"{style}>{cells}</div>'
    inside = "".join(_rows(child, columns, opened=opened) for child in block.children)
    is_open = " open" if opened or block.level == 0 else ""
    return f'<details{is_open}><summary class="row"{style}>{cells}</summary>{inside}</details>'


def _cell(texts: Sequence[str], column: Column) -> str:
    names = [name for name, given in ((column.style, column.style), ("right", column.right)) if given]
    of_class = f' class="{" ".join(names)}"' if names else ""
    return f"<span{of_class}>{'<br>'.join(escape(one_line(text)) for text in texts)}</span>"


def _line(line: Line) -> str:
    return "".join(_piece(text, style) for text, style in line)


def _piece(text: str, style: str) -> str:
    written = escape(one_line(text))
    return f'<b class="{style}">{written}</b>' if style in COLORS else written


@cache
def _style() -> str:
    """Return the style of both forms: a file, and the colors of the palette, for light and dark pages."""
    at = ".shapeinspect"
    shared = files("shapeinspect.render.forms").joinpath("notebook.css").read_text("utf-8")
    light = f"{at}{{color:{TEXT[0]}}}" + "".join(
        f"{at} .{name}{{color:{pair[0]}}}" for name, pair in COLORS.items()
    )
    dark = "".join(
        f"{page} {at}{{color:{TEXT[1]}}}"
        + "".join(f"{page} {at} .{n}{{color:{pair[1]}}}" for n, pair in COLORS.items())
        for page in _DARK
    )
    return f"<style>{shared}{light}{dark}</style>"
