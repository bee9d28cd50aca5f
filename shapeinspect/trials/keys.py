"""Settings that a program reads by one key, where another key holds the size that is wanted."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect.trials.candidates import Candidate
from shapeinspect.trials.choices import last_name
from shapeinspect.trials.source_file import File

#: The whole numbers of settings, by the last name or key that stands for these.
Settings: TypeAlias = Mapping[str, Mapping[str, int]]
#: Smaller numbers stand under many keys.
_SMALLEST = 8
#: How far one change stands behind the one before it.
_BEHIND = 0.01
_OPERATIONS = {ast.Add: int.__add__, ast.Sub: int.__sub__, ast.Mult: int.__mul__}


@dataclass(frozen=True, slots=True)
class _Read:
    """A setting that is read.

    Args:
        whose: what it is read from.
        key: its key.
        code: how another one is read, with ``{}`` for its key.
    """

    whose: ast.expr
    key: str
    code: str


def other_keys(
    files: Sequence[File], settings: Settings, pairs: Iterable[tuple[int, int]]
) -> Iterator[Candidate]:
    r"""Yield the changes with which another setting is read, the only one that holds the size that is wanted.

    Args:
        files: the user's files.
        settings: the whole numbers of the settings in sight.
        pairs: sizes that differ, the one that is there and the one that is wanted.

    Example:
        >>> file = File.parsed("net.py", 'size = cfg["dim"] // cfg["heads"]')
        >>> settings = {"cfg": {"dim": 48, "heads": 6, "head_dim": 16}}
        >>> [(one.edits[0].new, one.why) for one in other_keys([file], settings, [(8, 16)])]
        [('cfg["head_dim"]', 'cfg["dim"] // cfg["heads"], line 1, is 8; cfg["head_dim"] is 16')]
    """
    place = 0
    for file in files if settings else ():
        for node in (one for one in file.parents if isinstance(one, ast.expr)):
            value = _value(file, node, settings)
            sizes = dict.fromkeys(size for had, size in pairs if had == value and size >= _SMALLEST)
            for size in sizes:
                for new in _instead(file, node, size, settings):
                    why = f"{file.source(node)}, line {node.lineno}, is {value}; {new} is {size}"
                    for nodes in _together(file, node):
                        edits = tuple(file.edit(one, new) for one in nodes)
                        yield Candidate(edits, _BEHIND * place, nodes[0], file.path, why=why)
                        place += 1


def _together(file: File, node: ast.expr) -> Iterator[list[ast.expr]]:
    """Yield an expression with all of its statement that are written so, where it is the first, and alone."""
    statement: ast.AST | None = node
    while statement is not None and not isinstance(statement, ast.stmt):
        statement = file.parents.get(statement)
    parts = ast.walk(statement) if statement is not None else ()
    same = [one for one in parts if isinstance(one, ast.expr) and file.source(one) == file.source(node)]
    if len(same) > 1 and min(same, key=file.span) is node:
        yield sorted(same, key=file.span)
    yield [node]


def _instead(file: File, node: ast.expr, size: int, settings: Settings) -> Iterator[str]:
    """Yield how the only setting of a size is read, of those that an expression reads from."""
    read = next(filter(None, (_read(file, part) for part in ast.walk(node))), None)
    held = settings.get(_last(read.whose), {}) if read is not None else {}
    keys = [key for key, number in held.items() if number == size]
    if read is not None and len(keys) == 1:
        yield read.code.format(keys[0])


def _read(file: File, node: ast.AST) -> _Read | None:
    """Return the setting that an expression reads; None where it reads none."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        return _Read(node.value, node.attr, f"{file.source(node.value)}.{{}}")
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        whose, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and callee_of(node) == "get":
        whose, key = node.func.value, node.args[0] if node.args else None
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        quote = file.source(key)[-1]
        return _Read(whose, key.value, f"{file.source(whose)}[{quote}{{}}{quote}]")
    return None


def _last(whose: ast.expr) -> str:
    """Return the last name or key that stands for settings."""
    key = whose.slice if isinstance(whose, ast.Subscript) else None
    return str(key.value) if isinstance(key, ast.Constant) else last_name(whose)


def _value(file: File, node: ast.AST, settings: Settings) -> int | None:
    """Return what an expression of settings and numbers gives; None for anything else."""
    if isinstance(node, ast.BinOp):
        left, right = (_value(file, part, settings) for part in (node.left, node.right))
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.FloorDiv):
            return left // right if right else None
        operation = _OPERATIONS.get(type(node.op))
        return operation(left, right) if operation is not None else None
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    read = _read(file, node)
    return None if read is None else settings.get(_last(read.whose), {}).get(read.key)
