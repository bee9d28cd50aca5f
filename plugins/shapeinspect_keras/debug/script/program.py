"""The script that failed: its text, and where each of its parts stands."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import FrameType

from shapeinspect.plugin_api.user_code.frames import running_frames, traceback_frames

#: A longer script is not run again.
_LONGEST = 400_000
#: A longer part of it is cut short where it is shown.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Replacement:
    """One part of a text, and what to write in its place.

    Args:
        node: the part.
        text: what to write.
    """

    node: ast.AST
    text: str


@dataclass(frozen=True)
class Program:
    """A script.

    Args:
        file: its path, as its code names it.
        text: its source.
    """

    file: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The source as a tree."""
        return ast.parse(self.text)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node around each node."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.text.encode().splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        return starts

    def source(self, node: ast.AST) -> str:
        """Return the source of a node as it stands there.

        Args:
            node: the node.
        """
        return ast.get_source_segment(self.text, node) or ast.unparse(node)

    def line(self, node: ast.AST) -> str:
        """Return the source of a node on one line.

        Args:
            node: the node.
        """
        return " ".join(self.source(node).split())

    def short(self, node: ast.AST) -> str:
        """Return the source of a node on one line, cut short where it is long.

        Args:
            node: the node.
        """
        text = self.line(node)
        return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where a node begins and ends, in bytes.

        Args:
            node: an expression or a statement.
        """
        at = [getattr(node, name, 0) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")]
        return self._starts[at[0] - 1] + at[1], self._starts[at[2] - 1] + at[3]

    def edited(self, replacements: Sequence[Replacement]) -> Program:
        """Return the script with some of its parts replaced; the numbers of its lines stay.

        Args:
            replacements: the parts, none inside of another.
        """
        raw = self.text.encode()
        for one in sorted(replacements, key=lambda item: self.span(item.node), reverse=True):
            start, end = self.span(one.node)
            missing = raw[start:end].count(b"\n") - one.text.count("\n")
            raw = raw[:start] + one.text.encode() + raw[end:]
            if missing > 0:  # the lines below keep their numbers
                stop = raw.find(b"\n", start + len(one.text.encode()))
                stop = len(raw) if stop < 0 else stop
                raw = raw[:stop] + b"\n" * missing + raw[stop:]
        return Program(self.file, raw.decode())

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """Return the innermost statement around a node.

        Args:
            node: the node.
        """
        found: ast.AST | None = node
        while found is not None and not isinstance(found, ast.stmt):
            found = self.parents.get(found)
        return found

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the nodes around a node, the innermost first.

        Args:
            node: the node.
        """
        found = self.parents.get(node)
        while found is not None:
            yield found
            found = self.parents.get(found)

    def scope(self, node: ast.AST) -> ast.AST:
        """Return the innermost function around a node, or the module.

        Args:
            node: the node.
        """
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        return next((item for item in self.around(node) if isinstance(item, kinds)), self.tree)

    def covering(self, line: int) -> ast.stmt | None:
        """Return the innermost statement on a line.

        Args:
            line: its number.
        """
        found = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
        ]
        return max(found, key=lambda node: (node.lineno, -(node.end_lineno or 0)), default=None)


def program_of(error: BaseException) -> tuple[Program, list[int]] | None:
    """Find the script that an exception ended, and its lines in the traceback, the outermost first.

    Args:
        error: the exception, with its traceback.
    """
    frames = traceback_frames(error.__traceback__)
    if not frames:
        return None
    outer = [*reversed(list(running_frames(frames[0][0].f_back)))] if frames[0][0].f_back else []
    places = [*outer, *frames]
    for frame, _ in reversed(places):
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            text = _text(frame)
            if text is None:
                continue
            file = frame.f_code.co_filename
            return Program(file, text), [line for item, line in places if item.f_code.co_filename == file]
    return None


def _text(frame: FrameType) -> str | None:
    file = frame.f_code.co_filename
    if not os.path.isfile(file) or os.path.getsize(file) > _LONGEST:
        return None
    try:
        with open(file, encoding="utf-8") as script:
            text = script.read()
        ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return None
    return text
