"""Sizes that a program has under a name and never uses, where another size stands in their place."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.evidence import Evidence
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: At most so many are told.
_TOLD = 2
#: Smaller numbers are those of many things.
_SMALLEST = 2


def unused(trace: Trace, pairs: Sequence[tuple[int, int]]) -> tuple[Evidence, ...]:
    """Return the names of functions that are never read although they are one of two sizes that differ.

    Args:
        trace: the script, as it failed.
        pairs: sizes that have to be equal and are not.
    """
    found: list[Evidence] = []
    others = {a: b for one, other in pairs for a, b in ((one, other), (other, one)) if a > _SMALLEST}
    for function in _functions(trace):
        names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
        read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
        for name, value, line in (*_set(trace, function), *_passed(trace, function)):
            if name in read or value not in others:
                continue
            instead = tuple(
                trace.span(node)
                for node in ast.walk(function)
                if isinstance(node, ast.Name | ast.Attribute) and trace.values(node)[-1:] == (others[value],)
            )
            file = trace.homes[function]
            sentence = f"{name}, line {line}{trace.of_file(file)}, is {value} and is never used"
            found.append(Evidence(sentence, file, line, instead))
    return tuple(found[:_TOLD])


def _functions(trace: Trace) -> Iterator[ast.FunctionDef]:
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            if isinstance(node, ast.FunctionDef):
                yield node


def _set(trace: Trace, function: ast.FunctionDef) -> Iterator[tuple[str, Any, int]]:
    """Yield the names that a function sets, with what they are and the line."""
    for node in (one for one in ast.walk(function) if isinstance(one, ast.Assign)):
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = [*zip(target.elts, node.value.elts, strict=False)]
            for one, value in pairs:
                if isinstance(one, ast.Name):
                    yield one.id, trace.last(value), one.lineno


def _passed(trace: Trace, function: ast.FunctionDef) -> Iterator[tuple[str, Any, int]]:
    """Yield the parameters of a function, with what the calls of it have passed."""
    outer = trace.parents.get(function)
    owner = outer.name if isinstance(outer, ast.ClassDef) and function.name == "__init__" else function.name
    method = isinstance(outer, ast.ClassDef)
    names = [one.arg for one in function.args.args][int(method) :]
    lines = {one.arg: one.lineno for one in (*function.args.args, *function.args.kwonlyargs)}
    for file in trace.texts:
        for call in ast.walk(trace.tree(file)):
            if not isinstance(call, ast.Call) or callee_of(call) != owner or not trace.ran(call):
                continue
            given = [*zip(names, call.args, strict=False), *((one.arg, one.value) for one in call.keywords)]
            for name, value in given:
                if name in lines and not isinstance(value, ast.Starred):
                    yield name, trace.last(value), lines[name]
