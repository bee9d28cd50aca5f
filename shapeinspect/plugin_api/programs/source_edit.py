"""Edits of parts of a source file, as suggestions."""

from __future__ import annotations

from collections.abc import Iterable

from shapeinspect.plugin_api.programs.span import Span
from shapeinspect.plugin_api.suggestions import Suggestion


def replaced(span: Span, new: str, rank: float, alters: str = "") -> Suggestion:
    """Suggest another text for one part of a file.

    Args:
        span: the part.
        new: what takes its place.
        rank: as of the suggestion.
        alters: as of the suggestion.

    Example:
        >>> replaced(Span("a.py", 6, 7), "5", 1.0).edits
        ((6, 7, '5'),)
    """
    return Suggestion(span.file, ((span.start, span.end, new),), rank, alters=alters)


def edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """Return a text with parts of it replaced.

    Args:
        text: the text.
        edits: the offsets of each part in bytes, and what takes its place.

    Example:
        >>> edited("x = f(3)", [(6, 7, "5")])
        'x = f(5)'
    """
    raw = text.encode()
    for first, last, new in sorted(edits, reverse=True):
        raw = raw[:first] + new.encode() + raw[last:]
    return raw.decode()
