"""What speaks for or against a part of the user's source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shapeinspect.plugin_api.programs.span import Span
from shapeinspect.plugin_api.suggestions import Replacement

#: How far an edit of what evidence speaks against comes forward, and one of what it speaks for goes back.
_STEP = 0.5
#: Several pieces of evidence count no more than this together.
_MOST = 1.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact about the program that speaks for or against parts of it.

    Args:
        sentence: the fact, in words; empty for one that only ranks edits.
        file: the file in which it is written.
        line: its line.
        wrong: the parts of the source that it speaks against.
        right: the parts that it speaks for.
    """

    sentence: str
    file: str
    line: int
    wrong: tuple[Span, ...] = ()
    right: tuple[Span, ...] = ()


def weight(evidence: Iterable[Evidence], file: str, edits: Iterable[Replacement]) -> float:
    """Return what to add to the rank of an edit: less than 0 where evidence speaks against what it replaces.

    Args:
        evidence: the evidence.
        file: the file that is edited.
        edits: the parts that are replaced.

    Example:
        >>> said = Evidence("line 1 says (B, 64)", "a.py", 1, wrong=(Span("a.py", 4, 6),))
        >>> weight([said], "a.py", [(4, 6, "64")]), weight([said], "a.py", [(9, 10, "5")])
        (-0.5, 0.0)
    """
    total = 0.0
    places = [(first, last) for first, last, _ in edits]
    for one in evidence:
        total -= _STEP * _touches(one.wrong, file, places)
        total += _STEP * _touches(one.right, file, places)
    return max(-_MOST, min(_MOST, total))


def _touches(spans: Iterable[Span], file: str, places: Iterable[tuple[int, int]]) -> bool:
    places = [*places]
    return any(
        span.file == file and first < span.end and span.start < last
        for span in spans
        for first, last in places
    )
