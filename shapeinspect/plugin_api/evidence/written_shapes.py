"""Shapes that people write into comments and docstrings: ``# (B, 64, 8, 8)``, ``x: (batch, seq, dim)``."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

#: A length as it is written: a number, a name, or an expression of both; None for any.
Entry: TypeAlias = "int | str | None"

_GROUP = re.compile(r"(?P<before>[\w\])]?)(?P<open>[(\[])(?P<inner>[^()\[\]{}]*)[)\]]")
_TIMES = re.compile(r"(?<![\w.*])(\d+|[A-Z])((?: ?[x×] ?(?:\d+|[A-Z])(?![\w.]))+)")  # people write it
_ENTRY = re.compile(
    r"[A-Za-z_][\w.]*(?: ?(?://|[-+*/]) ?[\w.]+)*|-?\d+(?: ?(?://|[-+*/]) ?[\w.]+)*|\.\.\.|\*"
)
_ARROW = re.compile(r"->|→|=>")
#: Words that stand before a shape and are no name of an array.
_WORDS = frozenset(
    {"shape", "size", "of", "is", "now", "output", "out", "to", "tensor", "dims", "dim", "returns"}
)


@dataclass(frozen=True, slots=True)
class Written:
    """A shape that is written in a source file.

    Args:
        entries: its lengths.
        text: as it is written.
        line: the line.
        name: the name of the array that it is said of; empty where none is said.
        alone: whether it stands on a line of its own.
    """

    entries: tuple[Entry, ...]
    text: str
    line: int
    name: str = ""
    alone: bool = False


def comments(text: str) -> Iterator[Written]:
    """Yield the shapes in the comments of a file, of those with an arrow the one that it leads to.

    Args:
        text: the file.

    Example:
        >>> [(one.entries, one.name) for one in comments("x = f(x)  # x: (B, 64, 8, 8)")]
        [(('B', 64, 8, 8), 'x')]
        >>> [one.entries for one in comments("y = g(x)  # [N, T, C] -> [N, C, T // 2]")]
        [('N', 'C', 'T // 2')]
        >>> [*comments("y = x.view(3, -1)  # see view(B, C) and f(x, y)")]
        []
    """
    lines = text.splitlines()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                alone = not lines[token.start[0] - 1][: token.start[1]].strip()
                said = token.string.lstrip("#").strip()
                yield from _shape(said, token.start[0], alone)
    except (tokenize.TokenError, IndentationError):
        return


def documented(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Written]:
    """Yield the shapes that a function's docstring gives to its parameters.

    Args:
        function: the function.

    Example:
        >>> code = 'def f(x, y): "x: pictures (N, 3, 32, 32)"'
        >>> [(one.name, one.entries) for one in documented(ast.parse(code).body[0])]
        [('x', ('N', 3, 32, 32))]
    """
    parameters = [
        one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    ]
    first = function.body[0]
    docstring = ast.get_docstring(function, clean=False)
    if docstring is not None and isinstance(first, ast.Expr):
        for number, line in enumerate(docstring.splitlines(), first.lineno):
            named = re.match(r"\s*(?:[-*:@]\s*)?(?:param\s+)?`*(\w+)`*\s*(?:\([^)]*\))?\s*[:=]", line)
            if named and named[1] in parameters:
                for one in _shape(line[named.end() :], number, False):
                    yield Written(one.entries, one.text, number, named[1])
                    break


def _shape(said: str, line: int, alone: bool) -> Iterator[Written]:
    """Yield the shape of which a text speaks: one only, or the last one behind an arrow."""
    parts = _ARROW.split(said)
    found = [*_groups(parts[-1])]
    if len(found) != 1:
        return
    entries, text, start = found[0]
    before = re.search(r"([A-Za-z_][\w.]*)\s*(?:\.shape)?\s*[:=]?\s*$", parts[-1][:start])
    name = before[1].removesuffix(".shape") if before is not None and len(parts) == 1 else ""
    marked = bool(re.search(r"[:=]\s*$", parts[-1][:start]))
    if name.lower() in _WORDS or not marked:
        name = ""
    only = not re.sub(
        r"[\s:=.;,-]|shape|size|output|out|tensor|now|is|of", "", parts[-1][:start].replace(name, "")
    )
    if alone and not only:
        return
    yield Written(entries, text, line, name, alone)


def _groups(said: str) -> Iterator[tuple[tuple[Entry, ...], str, int]]:
    for match in _GROUP.finditer(said):
        pieces = [one.strip() for one in match["inner"].split(",")]
        pieces = pieces[:-1] if len(pieces) > 1 and not pieces[-1] else pieces
        called = bool(match["before"]) and not said[: match.start("open")].endswith(("shape", "Size"))
        if len(pieces) < 2 or called or not all(_ENTRY.fullmatch(one) for one in pieces):
            continue
        yield tuple(map(_entry, pieces)), match[0][len(match["before"]) :], match.start("open")
    for match in _TIMES.finditer(said):
        pieces = [one.strip() for one in re.split("[x×]", match[0])]  # people write it
        if len(pieces) > 2:
            yield tuple(map(_entry, pieces)), match[0], match.start()


def _entry(text: str) -> Entry:
    if text in ("...", "*", "-1", "None", "_"):
        return None
    return int(text) if text.isdigit() else text
