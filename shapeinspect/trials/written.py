"""Writes a change as it is shown: the code to write, and the code in whose place it stands."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shapeinspect.trials.candidates import Candidate
from shapeinspect.trials.source_file import Edit, File, applied

#: What is shown around numbers alone, for a name, is no longer than this.
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Written:
    """One change as it is shown.

    Args:
        new: the code to write.
        old: the code in whose place it is written.
        file: the file.
        line: its first line there.
    """

    new: str
    old: str
    file: str
    line: int


def shown(file: File, one: Candidate, before: Sequence[Written] = ()) -> tuple[Written, ...]:
    """Return a change as it is shown, one for each statement that it changes, behind earlier ones.

    Args:
        file: the file that it changes, with the earlier changes.
        one: the change.
        before: the earlier changes; what changes the code of one of them becomes a part of it.
    """
    return _together(before, [_written(file, part) for part in _by_statement(file, one)])


def _by_statement(file: File, one: Candidate) -> list[Candidate]:
    """Return a change of several statements as one for each."""
    simple = [
        node for node in ast.walk(file.tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")
    ]
    spans = {node: file.span(node) for node in simple}
    found: dict[ast.stmt, list[Edit]] = {}
    for edit in one.edits:
        inside = [node for node, (first, last) in spans.items() if first <= edit.first and edit.last <= last]
        if not inside:
            return [one]
        found.setdefault(inside[0], []).append(edit)
    parts = [replace(one, edits=tuple(edits), node=node) for node, edits in found.items()]
    return [one] if len(parts) == 1 else parts


def _together(before: Sequence[Written], after: Sequence[Written]) -> tuple[Written, ...]:
    """Return changes one after the other; one of what a former change has written becomes a part of that."""
    found = [*before]
    for one in after:
        for index, former in enumerate(found):
            if (former.file, former.line) == (one.file, one.line) and former.new.count(one.old) == 1:
                found[index] = replace(former, new=former.new.replace(one.old, one.new))
                break
        else:
            found.append(one)
    return tuple(found)


def _written(file: File, one: Candidate) -> Written:
    """Write a change with as much around it as makes its place unique."""
    node = one.node
    low, high = min(edit.first for edit in one.edits), max(edit.last for edit in one.edits)
    alone: tuple[int, int] | None = None  # the smallest piece, where it says no name
    while True:
        first, last = file.span(node)
        old = file.source(node)
        inside = first <= low and high <= last
        code = isinstance(node, ast.stmt | ast.expr)
        named = code and not isinstance(node, ast.Constant | ast.Name | ast.UnaryOp)
        around = file.parents.get(node)
        named = named and not (isinstance(around, ast.Subscript) and around.slice is node)
        if isinstance(around, ast.Call) and around.func is node:  # a method alone is no code to paste
            node = around
            continue
        while around is not None and not hasattr(around, "lineno"):
            around = file.parents.get(around)
        if (inside and named and file.text.count(old) == 1) or around is None:
            if around is None or re.search(r"[A-Za-z_]", old):
                break
            alone = alone or (first, last)
        if hasattr(around, "body") and not isinstance(around, ast.expr | ast.Module):
            # A block is no code to paste on one line; of lines that are alike the place tells which.
            line = _line(file, node.lineno, node.end_lineno)
            if file.text.count(line[2]) == 1 and line[0] <= low and high <= line[1]:
                first, last, old = line
            break
        node = around
    if len(joined(old)) > _LONGEST or _is_cut(old):
        first, last = _named(file, one.node, low, high) or alone or (first, last)
    raw = file.raw
    part = old = raw[first:last].decode()
    new = applied(
        part, [replace(edit, first=edit.first - first, last=edit.last - first) for edit in one.edits]
    )
    return Written(joined(new), joined(old), file.path, file.raw[:first].count(b"\n") + 1)


def _is_cut(text: str) -> bool:
    """Tell whether a text is a part of a statement that is no code of its own."""
    try:
        ast.parse(f"({text}\n)")
    except SyntaxError:
        try:
            ast.parse(f"{text} pass" if text.endswith(":") else text)
        except SyntaxError:
            return True
    return False


def _named(file: File, node: ast.AST, low: int, high: int) -> tuple[int, int] | None:
    """Return the smallest ``name=value`` or ``"key": value`` around a change that stands once in the file."""
    while (around := file.parents.get(node)) is not None:
        span = None
        if isinstance(node, ast.keyword):
            span = file.span(node)
        elif isinstance(around, ast.Dict) and node in around.values:
            key = around.keys[around.values.index(node)]
            span = (file.span(key)[0], file.span(node)[1]) if key is not None else None
        elif isinstance(around, ast.arguments):
            span = _default(file, around, node)
        if span is not None and span[0] <= low and high <= span[1]:
            text = file.raw[span[0] : span[1]].decode()
            alone = re.findall(rf"(?<![\w.]){re.escape(text)}(?![\w.])", file.text)
            if len(alone) == file.text.count(text) == 1:
                return span
        node = around
    return None


def _default(file: File, arguments: ast.arguments, node: ast.AST) -> tuple[int, int] | None:
    """Return where an argument stands with its default; None where a node is none."""
    plain = [*arguments.posonlyargs, *arguments.args]
    given: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(plain[len(plain) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    found = next((name for name, value in given if value is node), None)
    return None if found is None else (file.span(found)[0], file.span(node)[1])


def _line(file: File, first: int, last: int) -> tuple[int, int, str]:
    start, end = file.starts[first - 1], file.starts[last]
    text = file.raw[start:end].decode()
    bare = text.strip()
    begin = start + len(text[: len(text) - len(text.lstrip())].encode())
    return begin, begin + len(bare.encode()), bare


def joined(text: str) -> str:
    r"""Return code on one line, without comments; a text in it stays as it is.

    Args:
        text: the code.

    Example:
        >>> joined("f(\n    3,  # rows\n    'a  b',\n)")
        "f(3, 'a  b',)"
    """
    if "\n" not in text:
        return text.strip()
    lines = f"({text}\n)".split("\n")
    said, row, column = "", 1, 1
    try:
        for token in tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline):
            if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
                continue
            if token.start[0] == row:
                said += lines[row - 1][column : token.start[1]]
            elif said[-1:] not in "([{" and token.string not in (*")]}",):
                said += " "
            said += token.string
            row, column = token.end
    except (tokenize.TokenError, IndentationError):
        return " ".join(text.split())
    return said[1:-1].strip()
