"""Runs a program of the user's again with edits of its source, as far as the edits count, on copies.

Of what ran before the failed statement only that is run again which the edits can have changed: definitions,
and statements that read something changed. The failed statement and everything after it are run to the end.
"""

from __future__ import annotations

import ast
import linecache
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from shapeinspect.plugin_api.confined import ConfinedError, confined
from shapeinspect.plugin_api.frames import Place, is_library, syntax_tree, traceback_frames
from shapeinspect.plugin_api.program.copies import Kept, copied
from shapeinspect.plugin_api.program.limits import LateError, limited, same_random_numbers

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Program:
    """A program of the user's that has failed.

    Args:
        frames: the frames of its file, the outermost first, with their lines.
        tree: the file.
        text: its source.
        error: what it ended with.
    """

    frames: tuple[Place, ...]
    tree: ast.Module
    text: str
    error: BaseException

    @property
    def line(self) -> int:
        """The line of the innermost frame."""
        return self.frames[-1][1]


def program_of(
    error: BaseException, packages: tuple[str, ...], traceback: TracebackType | None = None
) -> Program | None:
    """Return the program that an exception ended; None where its source is not there.

    Args:
        error: the exception.
        packages: as for ``frames.is_library``.
        traceback: its traceback; by default its own.
    """
    places = traceback_frames(traceback or error.__traceback__)
    own = [place for place in places if not is_library(place[0].f_code.co_filename, packages)]
    file = own[-1][0].f_code.co_filename if own else ""
    frames = tuple(place for place in own if place[0].f_code.co_filename == file)
    if not frames:
        return None
    tree = syntax_tree(frames[0][0].f_code, frames[0][0].f_globals)
    text = "".join(linecache.getlines(file, frames[0][0].f_globals))
    return None if tree is None or not tree.body else Program(frames, tree, text, error)


@dataclass(frozen=True)
class Ended:
    """How a run ended.

    Args:
        error: what it ended with; None where it ran to its end.
        rest: what ran to its end after the failed statement, as a clause.
    """

    error: BaseException | None
    rest: str = ""


@dataclass
class Replay:
    """Runs a program again.

    Args:
        program: the program.
        kept: what is not copied, such as a session; see ``copies.Kept``.
        around: what every run is done in, such as a place for the files that it writes.
        seconds: the time of one run.
    """

    program: Program
    kept: Kept
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    seconds: float = 10.0

    def level(self, everything: bool = False) -> int | None:
        """Return the outermost frame from which the program fails again as it did; None for none.

        Args:
            everything: as for :meth:`run`.
        """
        for level in range(len(self.program.frames)):
            ended = self.run(self.program.tree, level, everything)
            if ended.error is not None and _alike(ended.error, self.program.error):
                return level
        return None

    def run(self, edited: ast.Module, level: int, everything: bool = False) -> Ended:
        """Run the program with an edited source.

        Args:
            edited: the file with the edit; it has as many statements as before at its top.
            level: the frame from which it is run: 0 for the outermost one.
            everything: whether all that follows the first change is run, also what makes a session.
        """
        try:
            with ExitStack() as stack:
                stack.enter_context(confined())
                stack.enter_context(same_random_numbers())
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                stack.enter_context(self.around())
                stack.enter_context(limited(self.seconds))
                return Ended(None, self._run(edited, level, everything))
        except (Exception, LateError, SystemExit) as error:  # noqa: BLE001  # whatever the user's code raises
            return Ended(error)

    def _run(self, edited: ast.Module, level: int, everything: bool) -> str:
        frame, line = self.program.frames[level]
        file = frame.f_code.co_filename
        whole = frame.f_code.co_name == "<module>"
        own = {} if whole else dict(frame.f_locals)
        both = copied({**{f"global {k}": v for k, v in frame.f_globals.items()}, **own}, self.kept)
        names = {k.removeprefix("global "): v for k, v in both.items() if k.startswith("global ")}
        names["__builtins__"] = frame.f_globals.get("__builtins__", __builtins__)
        steps = _Steps(self, names, file, everything)
        until = line if whole else _outer_line(self.program)
        steps.go(self.program.tree.body, edited.body, until, whole)
        if whole:
            return "so does the rest of the program"
        return self._function(edited, level, {k: both[k] for k in own if k in both}, steps)

    def _function(self, edited: ast.Module, level: int, local: dict[str, Any], outer: _Steps) -> str:
        """Run the body of a function on from the failed statement, before it what the edits have changed."""
        frame, line = self.program.frames[level]
        old = _definition(self.program.tree, frame.f_code.co_name, line)
        new = _definition(edited, frame.f_code.co_name, line)
        if old is None or new is None:
            raise ConfinedError("its source was not found")
        chosen = outer.chosen(old.body, new.body, line, local)
        function = ast.FunctionDef(
            "_again", ast.arguments([], [ast.arg(name) for name in local], None, [], [], None, []), chosen, []
        )
        module = ast.fix_missing_locations(ast.Module([_untyped(function)], []))
        exec(compile(module, frame.f_code.co_filename, "exec"), outer.names)  # noqa: S102  # the user's own lines
        outer.names.pop("_again")(**local)
        return f"so does the rest of {frame.f_code.co_name}"


class _Steps:
    """Runs those statements of a block again that edits can have changed."""

    def __init__(self, replay: Replay, names: dict[str, Any], file: str, everything: bool) -> None:
        self.names, self._held, self._file = names, names, file
        self._replay, self._everything = replay, everything
        self._dirty: set[str] = set()

    def go(self, old: Sequence[ast.stmt], new: Sequence[ast.stmt], line: int | None, follow: bool) -> None:
        """Run the statements of the file up to a line, and those that follow it if they are to be run."""
        started = False
        classes = {name: value for name, value in self.names.items() if isinstance(value, type)}
        for before, after in zip(old, new, strict=True):
            passed = line is None or (before.end_lineno or before.lineno) < line
            if isinstance(after, _DEFINITIONS):
                changed = self._changed(before, after)
                self._define(after)
                self._dirty |= {after.name} if changed else set()
                started = started or changed
                if isinstance(after, ast.ClassDef):
                    self._rebind(classes)
            elif not passed:
                if follow:
                    self._exec(after)
            elif not isinstance(after, _IMPORTS) and (
                self._again(before, after) or (started and self._everything)
            ):
                started = True
                self._passed(after)

    def chosen(
        self, old: Sequence[ast.stmt], new: Sequence[ast.stmt], line: int, local: dict[str, Any]
    ) -> list[ast.stmt]:
        """Return the statements of a function's body that are to be run."""
        self._held = {**self.names, **local}
        found, started = [], False
        for before, after in zip(old, new, strict=True):
            passed = (before.end_lineno or before.lineno) < line
            if passed and not isinstance(after, _DEFINITIONS) and not isinstance(after, _IMPORTS):
                again = self._again(before, after)
                if not again and not (started and self._everything):
                    continue
                started = True
                self._dirty |= _stored(after)
            found.append(after)
        return found

    def _again(self, before: ast.stmt, after: ast.stmt) -> bool:
        if ast.dump(before) != ast.dump(after):
            return True
        if not (_read(after) & self._dirty):
            return False
        held = [self._held.get(name) for name in _stored(after)]
        return self._everything or not any(self._replay.kept(value) is not None for value in held)

    def _changed(self, before: ast.stmt, after: ast.stmt) -> bool:
        return ast.dump(before) != ast.dump(after) or bool(_read(after) & self._dirty)

    def _passed(self, statement: ast.stmt) -> None:
        self._dirty |= _stored(statement)
        try:
            self._exec(statement)
        except ConfinedError:
            if not isinstance(statement, ast.Expr):
                raise

    def _define(self, statement: ast.stmt) -> None:
        try:
            self._exec(statement)
        except Exception:  # noqa: BLE001  # a decorator that refuses a second time: the old definition stays
            return

    def _rebind(self, classes: dict[str, type]) -> None:
        """Let copied objects have the methods of the classes that were defined again."""
        for value in list(self.names.values()):
            kind = type(value)
            new = self.names.get(kind.__name__)
            known = classes.get(kind.__name__) is kind and self._replay.kept(value) is None
            if known and isinstance(new, type) and new is not kind:
                try:
                    value.__class__ = new
                except TypeError:
                    continue

    def _exec(self, statement: ast.stmt) -> None:
        module = ast.Module([statement], [])
        exec(compile(module, self._file, "exec"), self.names)  # noqa: S102  # the user's own lines, which have run


def _read(statement: ast.stmt) -> set[str]:
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _stored(statement: ast.stmt) -> set[str]:
    """Return the names that a statement stores, also into a part of what they hold."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            root: ast.expr = node
            while isinstance(root, ast.Attribute | ast.Subscript):
                root = root.value
            if isinstance(root, ast.Name):
                found.add(root.id)
    return found


def _outer_line(program: Program) -> int | None:
    frame, line = program.frames[0]
    return line if frame.f_code.co_name == "<module>" else None


def _definition(tree: ast.Module, name: str, line: int) -> ast.FunctionDef | None:
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name == name
        and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def _untyped(function: ast.FunctionDef) -> ast.FunctionDef:
    if "type_params" in ast.FunctionDef._fields:
        function.type_params = []  # type: ignore[attr-defined]  # Python 3.12 asks for it
    return function


def _alike(error: BaseException, first: BaseException) -> bool:
    return type(error) is type(first) and _head(error) == _head(first)


def _head(error: BaseException) -> str:
    return str(error)[:40]


def statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a file that hold no others.

    Args:
        tree: the file.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node
