"""A table as Markdown, for a page, an issue or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from shapeinspect.ir import Model
from shapeinspect.render.grid import Grid, as_text
from shapeinspect.render.table import View, parts
from shapeinspect.text import one_line

_SIGNS = re.compile(r"([\\`*_{}\[\]<>|~#!&$@])")

#: A space that Markdown keeps at the start of a cell; a plain one is taken away.
_INDENT = "&emsp;"


def markdown(model: Model, view: View) -> Iterator[str]:
    r"""Write a model's table as Markdown, line by line; as many columns as there are, whatever the width.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        view: what to show.

    Example:
        >>> from shapeinspect.ir import Layer
        >>> for line in markdown(Model("m_1.pt", "f", "f", "a", (Layer("act", "relu", "ReLU"),)), View()):
        ...     print(line)
        **m\_1.pt**  f · 1 layer
        <BLANKLINE>
        | layer | kind | type |
        |---|---|---|
        | act | relu | ReLU |
        <BLANKLINE>
        parameters 0 (0 trainable, 0 not)
        <BLANKLINE>
        bytes 0 B
    """
    shown = parts(model, view, narrow=False)
    (title, _), *facts = shown.title
    yield f"**{escape(title)}**{escape(''.join(text for text, _ in facts))}"
    yield ""
    for line in shown.ends:
        yield f"- {escape(as_text([line]))}"
    if shown.ends:
        yield ""
    if shown.grid is not None:
        yield from _table(shown.grid)
        yield ""
    for number, line in enumerate(filter(None, shown.below)):
        if number:
            yield ""
        yield escape(re.sub("  +", " ", as_text([line])))


def _table(grid: Grid) -> Iterator[str]:
    kept = sorted(grid.widths)
    columns = [grid.columns[index] for index in kept]
    yield _row(column.name for column in columns)
    yield "|" + "|".join("---:" if column.right else "---" for column in columns) + "|"
    for row in zip(*(grid.texts[index] for index in kept), strict=True):
        if any(row):
            yield _row(
                _INDENT * (len(text) - len(text.lstrip(" "))) + escape(text.lstrip(" ")) for text in row
            )


def _row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def escape(text: str) -> str:
    r"""Return a text of which no sign is taken for markup.

    Args:
        text: any text.

    Example:
        >>> print(escape("a|b <img> *c*"))
        a\|b \<img\> \*c\*
    """
    return _SIGNS.sub(r"\\\1", one_line(text))
