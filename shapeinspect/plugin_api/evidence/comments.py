"""Shapes that are written in a program, held against those that its run has made."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shown
from shapeinspect.plugin_api.evidence.evidence import Evidence
from shapeinspect.plugin_api.evidence.written_shapes import Entry, Written, comments, documented
from shapeinspect.plugin_api.programs.trace import Trace

#: At most so many differences are told.
_TOLD = 2
_SHAPE = tuple[int, ...]
#: What people write for the number of samples.
_BATCHES = frozenset({"b", "n", "bs", "bsz", "batch", "batch_size"})


def contradicted(trace: Trace) -> tuple[Evidence, ...]:
    """Return the first places where a comment or docstring gives an array another shape than it had.

    Args:
        trace: the script, as it failed.
    """
    found: list[Evidence] = []
    for file in trace.texts:
        for written, node in sorted(_held(trace, file), key=lambda pair: pair[0].line):
            shape = trace.shape(node)
            if shape is not None and not _agrees(written.entries, shape, _known(trace, node)):
                name = written.name or _title(trace, node)
                line = f"line {written.line}{trace.of_file(file)}"
                sentence = f"{line} says {written.text}, and {name} was {shown(shape)}"
                found.append(Evidence(sentence, file, written.line, (trace.span(node),)))
    return tuple(found[:_TOLD])


def _held(trace: Trace, file: str) -> Iterator[tuple[Written, ast.expr]]:
    """Yield what is written, with the expression that it is said of."""
    statements = [one for one in ast.walk(trace.tree(file)) if isinstance(one, ast.stmt)]
    for written in comments(trace.texts[file]):
        statement = _statement(statements, written)
        node = None if statement is None else _said_of(trace, statement, written)
        if node is not None:
            yield written, node
    for function in statements:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for written in documented(function):
                node = _first_read(function, written.name)
                if node is not None:
                    yield written, node


def _statement(statements: list[ast.stmt], written: Written) -> ast.stmt | None:
    """Return the statement on whose last line a comment stands, or the one below it."""
    if written.alone:
        return next((one for one in statements if one.lineno == written.line + 1), None)
    simple = (one for one in statements if not hasattr(one, "body"))
    return next((one for one in simple if (one.end_lineno or 0) == written.line), None)


def _said_of(trace: Trace, statement: ast.stmt, written: Written) -> ast.expr | None:
    if written.name:
        named = [
            one
            for one in ast.walk(statement)
            if isinstance(one, ast.Name | ast.Attribute) and ast.unparse(one) == written.name
        ]
        stored = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == written.name
        if not stored:
            return next((one for one in named if trace.shape(one) is not None), None)
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Return) and statement.value is not None:
        several = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple)
        return None if several else statement.value
    return None


def _first_read(function: Any, name: str) -> ast.expr | None:
    """Return where a parameter is read before it is set anew."""
    names = [one for one in ast.walk(function) if isinstance(one, ast.Name) and one.id == name]
    names.sort(key=lambda one: (one.lineno, one.col_offset))
    stores = [one.lineno for one in names if isinstance(one.ctx, ast.Store)]
    loads = [one for one in names if isinstance(one.ctx, ast.Load)]
    return next((one for one in loads if not stores or one.lineno <= stores[0]), None)


def _known(trace: Trace, at: ast.expr) -> Mapping[str, frozenset[int]]:
    """Return the numbers that names have been, those of attributes under their last name.

    A single letter is one thing here and another there: it counts in its own function only.
    """
    found: dict[str, set[int]] = {}
    own = trace.function(at) or trace.tree(trace.homes[at])
    near = {*ast.walk(own)}
    for node in ast.walk(trace.tree(trace.homes[at])):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if (
            not name
            or not isinstance(getattr(node, "ctx", None), ast.Load)
            or (len(name) < 2 and node not in near)
        ):
            continue
        numbers = (value for value in trace.values(node) if type(value) is int)
        found.setdefault(name, set()).update(numbers)
    return {name: frozenset(values) for name, values in found.items()}


def _agrees(entries: tuple[Entry, ...], shape: _SHAPE, known: Mapping[str, frozenset[int]]) -> bool:
    """Tell whether a shape may be what is written; the axis of the samples may be left out."""
    if len(entries) == len(shape) - 1 and not _is_batch(entries[0]):
        shape = shape[1:]
    if len(entries) != len(shape):
        return None in entries  # three dots
    bound: dict[str, int] = {}
    for entry, length in zip(entries, shape, strict=True):
        if isinstance(entry, int) and entry != length:
            return False
        if isinstance(entry, str) and entry.isidentifier():
            values = known.get(entry, frozenset())
            if bound.setdefault(entry, length) != length or (values and length not in values):
                return False
        elif isinstance(entry, str):
            value = _worth(entry, known)
            if value is not None and value != length:
                return False
    return True


def _worth(text: str, known: Mapping[str, frozenset[int]]) -> int | None:
    """Work out an expression of numbers and names; None where it is not known."""

    def of(node: ast.expr) -> float | None:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, ast.Name | ast.Attribute):
            values = known.get(node.id if isinstance(node, ast.Name) else node.attr, frozenset())
            return next(iter(values)) if len(values) == 1 else None
        if isinstance(node, ast.BinOp):
            left, right = of(node.left), of(node.right)
            if left is None or right is None:
                return None
            return _OPERATIONS[type(node.op)](left, right) if type(node.op) in _OPERATIONS else None
        return None

    try:
        value = of(ast.parse(text, mode="eval").body)
    except (SyntaxError, ZeroDivisionError):
        return None
    return None if value is None or value != int(value) else int(value)


_OPERATIONS: dict[type[ast.operator], Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
}


def _is_batch(entry: Entry) -> bool:
    return isinstance(entry, str) and entry.lower() in _BATCHES


def _title(trace: Trace, node: ast.expr) -> str:
    """Name the array of which something is said: the name that it is given, or its expression."""
    outer = trace.parents.get(node)
    if isinstance(outer, ast.Assign):
        return ast.unparse(outer.targets[0])
    if isinstance(outer, ast.Return):
        return "what is returned"
    return ast.unparse(node)
