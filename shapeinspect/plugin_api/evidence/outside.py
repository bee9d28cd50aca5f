"""Where an index comes from that its table does not have: what marks it, fills it in, or adds it later."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: Calls that write a value into the entries of an array or a list.
_FILLING = frozenset({
    "append", "constant", "fill", "fill_", "fill_value", "full", "full_like", "get", "insert", "masked_fill",
    "masked_fill_", "new_full", "pad", "pad_sequence", "setdefault", "tensor", "where",
})  # fmt: skip
#: A smaller number is that of many things, unless it is negative.
_TELLING = 3


def outside(
    trace: Trace, values: Sequence[int], size: int, lowest: int = 0, marks: Mapping[int, str] | None = None
) -> Iterator[str]:
    """Yield where the indices come from that a table does not have.

    Args:
        trace: the script, as it failed.
        values: the different indices that it was asked for, in order.
        size: the number of its entries.
        lowest: the lowest index that it takes.
        marks: what a framework says of numbers that stand for entries which are left out.
    """
    beyond = [one for one in values if not lowest <= one < size]
    inside = [one for one in values if lowest <= one < size]
    if not beyond:
        return
    value = beyond[0] if beyond[0] < lowest else beyond[-1]
    if len(beyond) == 1 and inside:
        others = f"lie between {inside[0]} and {inside[-1]}" if len(inside) > 1 else f"are {inside[0]}"
        yield f"{value} is the only index outside: all others {others}"
    if value in (marks or {}):
        yield (marks or {})[value]
    adding = _adding(trace, beyond, size)
    if adding is not None:
        what, number = shortened(trace.source(adding)), trace.values(adding.value)[-1]
        table = f"the {size} before it" if number == size else str(size)
        yield (
            f"{what}, {trace.line(adding)}{_called(trace, adding)}, adds number {number}: "
            f"the table has {table}"
        )
    yield from _filled(trace, value, adding)


def _adding(trace: Trace, beyond: Sequence[int], size: int) -> ast.Assign | None:
    """Return the statement that gives an entry a number which the table does not have."""
    for node in _nodes(trace):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Subscript):
            continue
        numbers = [one for one in trace.values(node.value) if type(one) is int]
        counted = isinstance(node.value, ast.Call | ast.BinOp) and numbers and {*numbers} <= {*beyond}
        if counted and numbers[-1] >= size:
            return node
    return None


def _called(trace: Trace, node: ast.AST) -> str:
    """Say where the function was called that a statement stands in, where that was at one place."""
    function = trace.function(node)
    if not isinstance(function, ast.FunctionDef):
        return ""
    calls = [
        one
        for one in _nodes(trace)
        if isinstance(one, ast.Call) and trace.ran(one) and trace.definition(one)[0] is function
    ]
    return f", called at {trace.line(calls[0])}" if len(calls) == 1 else ""


def _filled(trace: Trace, value: int, told: ast.AST | None) -> Iterator[str]:
    """Say where a number is written into an array or a list, but for a statement of which that is told."""
    if 0 <= value < _TELLING:
        return
    for node in _nodes(trace):
        if not isinstance(node, ast.expr) or not _is_entry(trace, node):
            continue
        if trace.values(node) != (value,) or (told is not None and told in trace.around(node)):
            continue
        home = _constant(trace, node, value)
        code = shortened(trace.source(node))
        if home is not None:
            yield f"{value} is {code}, {trace.line(home)}; {trace.line(node)} writes it"
        elif isinstance(node, ast.Constant | ast.UnaryOp):
            yield f"{value} is written in {_statement(trace, node)}, {trace.line(node)}"
        else:
            yield f"{value} is {code}, {trace.line(node)}"
        return


def _is_entry(trace: Trace, node: ast.expr) -> bool:
    """Tell whether an expression becomes an entry of an array or a list."""
    outer: Any = trace.parents.get(node)
    if isinstance(outer, ast.keyword):
        outer = trace.parents.get(outer)
        return isinstance(outer, ast.Call) and callee_of(outer) in _FILLING
    if isinstance(outer, ast.Call):
        return node is not outer.func and callee_of(outer) in _FILLING
    if isinstance(outer, ast.Assign):
        return outer.value is node and isinstance(outer.targets[0], ast.Subscript)
    return isinstance(outer, ast.List)


def _constant(trace: Trace, node: ast.expr, value: int) -> ast.AST | None:
    """Return where a name is given a number that is written there."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    for one in _nodes(trace):
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant | ast.UnaryOp) and name:
            target = one.targets[0]
            named = target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")
            if named == name and value in trace.values(one.value):
                return one
    return None


def _statement(trace: Trace, node: ast.AST) -> str:
    statement = trace.statement(node)
    plain = statement is not None and not hasattr(statement, "body")
    return shortened(trace.source(statement if plain else trace.parents[node]))


def _nodes(trace: Trace) -> Iterator[Any]:
    for file in trace.texts:
        yield from ast.walk(trace.tree(file))
