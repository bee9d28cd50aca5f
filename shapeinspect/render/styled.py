"""Styled lines for rich; the only module that defines colors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.style import Style
from rich.text import Text

from shapeinspect.render.grid import Line
from shapeinspect.text import one_line

STYLES: dict[str, Style] = {
    "heading": Style(bold=True),
    "rule": Style(dim=True),
    "dim": Style(dim=True),
    "path": Style(color="cyan"),
    "kind": Style(color="green"),
    "common": Style(color="magenta"),
    "number": Style(color="yellow"),
    "note": Style(color="yellow", italic=True),
    "error": Style(color="red", bold=True),
}


def styled(lines: Iterable[Line]) -> Iterator[Text]:
    """Turn lines into rich texts that are never wrapped.

    Args:
        lines: pieces of text with the names of styles.

    Example:
        >>> [text.plain for text in styled([(("conv1", "path"),)])]
        ['conv1']
    """
    for line in lines:
        text = Text(no_wrap=True, overflow="crop", end="\n")
        for piece, style in line:
            text.append(one_line(piece), STYLES.get(style))
        yield text
