"""What all pages about two models have: the names of both, and sentences that hang from a label."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from shapeinspect.ir import Model
from shapeinspect.render.grid import Line
from shapeinspect.text import printable


def headings(a: Model, b: Model) -> list[Line]:
    """Name two models, with the framework and format of each.

    Args:
        a: the first one.
        b: the second one.
    """
    return [
        ((f"{letter}  {printable(model.source)}", "heading"), (f"  {_origin(model)}", "dim"))
        for letter, model in (("A", a), ("B", b))
    ]


def _origin(model: Model) -> str:
    return printable(
        model.framework if model.format == model.framework else f"{model.framework}, {model.format}"
    )


def source_data(model: Model) -> dict[str, Any]:
    """Return which model it is, as plain data.

    Args:
        model: one of the two.
    """
    return {"source": model.source, "framework": model.framework, "format": model.format}


def hanging(label: str, text: str, limit: int, style: str) -> list[Line]:
    """Break a sentence into lines behind a label.

    Args:
        label: what stands before the first line.
        text: the sentence; it is made fit to print.
        limit: terminal cells.
        style: the sentence's style.

    Example:
        >>> hanging("note  ", "one two three", 30, "note")
        [(('note  ', 'dim'), ('one two three', 'note'))]
    """
    pieces = wrap(printable(text), max(limit - len(label), 20), break_long_words=False) or [""]
    return [
        ((label if not index else " " * len(label), "dim"), (piece, style))
        for index, piece in enumerate(pieces)
    ]
