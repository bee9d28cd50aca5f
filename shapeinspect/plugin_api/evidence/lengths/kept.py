"""A value that was kept from an earlier call, when the sizes were others."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.places import places_of
from shapeinspect.plugin_api.programs.trace import Trace

_Shape = tuple[int, ...]


def kept(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield what was set in the first call of a function only, which now gets arrays of other lengths.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not; what is kept need not be an array.
    """
    del pairs
    running = {trace.function(step.node) for step in places_of(trace)}
    for function in running:
        if not isinstance(function, ast.FunctionDef):
            continue
        changed = next(_changed(trace, function), None)
        for node in ast.walk(function) if changed is not None else ():
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
                target = node.targets[0]
                once = _is_set_once(trace, node, function, target.attr) and _ran_once(trace, node)
                if not once or not _is_read(function, target.attr, node):
                    continue
                name, first, last = changed  # type: ignore[misc]  # it is there
                code = shortened(trace.source(target))
                yield (
                    f"{code} was set at {trace.line(node)} in an earlier call, when {name} was "
                    f"{shown(first)}, and is used again; {name} is {shown(last)} now"
                )
                return


def _changed(trace: Trace, function: ast.FunctionDef) -> Iterator[tuple[str, _Shape, _Shape]]:
    """Yield the arguments of a function whose first axis had another length in an earlier call."""
    names = {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
            shapes = trace.shapes(node)
            if len(shapes) > 1 and shapes[0] != shapes[-1] and len(shapes[0]) == len(shapes[-1]):
                yield node.id, shapes[0], shapes[-1]


def _is_set_once(trace: Trace, node: ast.Assign, function: ast.AST, attribute: str) -> bool:
    """Tell whether a statement of a function runs only as long as an attribute is not set."""
    names = {
        one.targets[0].id
        for one in ast.walk(function)
        if isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Name)
        and _names(one.value, attribute)
    }
    for one in trace.around(node):
        if one is function:
            return False
        if isinstance(one, ast.If) and not isinstance(one.test, ast.BoolOp):
            parts = [*ast.walk(one.test)]
            named = _names(one.test, attribute) or any(
                isinstance(n, ast.Name) and n.id in names for n in parts
            )
            absent = any(isinstance(n, ast.Is | ast.Not) for n in parts)
            if named and absent:
                return True
    return False


def _names(node: ast.AST, attribute: str) -> bool:
    """Tell whether an expression is about an attribute, or a text that is its name."""
    return any(
        (isinstance(one, ast.Attribute) and one.attr == attribute)
        or (isinstance(one, ast.Constant) and one.value == attribute)
        for one in ast.walk(node)
    )


def _is_read(function: ast.AST, attribute: str, setting: ast.Assign) -> bool:
    inside = {id(one) for one in ast.walk(setting)}
    return any(
        isinstance(one, ast.Attribute)
        and one.attr == attribute
        and isinstance(one.ctx, ast.Load)
        and id(one) not in inside
        for one in ast.walk(function)
    )


def _ran_once(trace: Trace, node: ast.Assign) -> bool:
    """Tell whether what is assigned has had one value, of those that an expression keeps."""
    parts: list[Any] = [one for one in ast.walk(node.value) if isinstance(one, ast.expr)]
    worths = [trace.values(one) for one in parts]
    known = [one for one in worths if one]
    return bool(known) and all(len(one) == 1 for one in known)
