"""A part of a source file."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a source file.

    Args:
        file: its path.
        start: where the part begins, in bytes.
        end: where it ends.
    """

    file: str
    start: int
    end: int

    @staticmethod
    def of(text: str, file: str, node: Any) -> Span | None:
        """Return the part that a node of the syntax tree stands for; None where it has no place.

        Args:
            text: the text of the file.
            file: its path.
            node: the node.

        Example:
            >>> Span.of("x = 3", "a.py", ast.parse("x = 3").body[0].value)
            Span(file='a.py', start=4, end=5)
        """
        if getattr(node, "end_lineno", None) is None:
            return None
        lines = _starts(text)
        return Span(
            file, lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset
        )

    def line(self, text: str) -> int:
        """Return the line in which the part begins.

        Args:
            text: the text of the file.
        """
        return text.encode()[: self.start].count(b"\n") + 1


@lru_cache(maxsize=64)
def _starts(text: str) -> tuple[int, ...]:
    return (0, *accumulate(len(line) for line in text.encode().splitlines(keepends=True)))


@lru_cache(maxsize=64)
def tree_of(text: str) -> ast.Module:
    """Parse a file once; the tree is not to be changed.

    Args:
        text: its text.
    """
    return ast.parse(text)


def source_of(text: str, span: Span) -> str:
    """Return the text of a part.

    Args:
        text: the text of the file.
        span: the part.
    """
    return text.encode()[span.start : span.end].decode()
