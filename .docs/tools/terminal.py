"""What a terminal shows, as HTML: colors become classes, which the style sheet draws, light and dark."""

from __future__ import annotations

import html
from collections.abc import Iterator

from rich.console import Console
from rich.style import Style
from rich.text import Text

_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_CONSOLE = Console(color_system="standard", force_terminal=True, width=10_000)


def as_html(text: str) -> str:
    r"""Turn what a command wrote, with its escape sequences, into HTML for a ``pre``.

    Args:
        text: what was written to a terminal.

    Example:
        >>> as_html("a \x1b[36mconv1\x1b[0m < b")
        'a <span class="t-cyan">conv1</span> &lt; b'
    """
    return "\n".join("".join(_pieces(line)) for line in text.rstrip("\n").split("\n"))


def _pieces(line: str) -> Iterator[str]:
    for segment in Text.from_ansi(line, end="").render(_CONSOLE):
        text = html.escape(segment.text, quote=False)
        names = _classes(segment.style) if isinstance(segment.style, Style) else []
        yield f'<span class="{" ".join(names)}">{text}</span>' if names and text else text


def _classes(style: Style) -> list[str]:
    names = [name for name in ("bold", "dim", "italic", "underline") if getattr(style, name)]
    if style.color is not None and style.color.number is not None:
        names.append(_COLORS[style.color.number % len(_COLORS)])
    return [f"t-{name}" for name in names]
