"""Which condition has chosen the values that a size is computed from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened
from shapeinspect.plugin_api.origins.numbers import Origin
from shapeinspect.plugin_api.programs.trace import Trace


def chosen(trace: Trace, origins: Sequence[Origin]) -> Iterator[str]:
    """Yield which branch of the script gave a name in a formula the value that it has there.

    Args:
        trace: the script, as it failed.
        origins: where the sizes come from.
    """
    for origin in origins:
        for node in _formulas(trace, origin):
            for name in ast.walk(node):
                if isinstance(name, ast.Name):
                    yield from _branch(trace, node, name.id)


def _formulas(trace: Trace, origin: Origin) -> Iterator[ast.expr]:
    """Yield the calls of the script that computed a number of others."""
    waiting = [origin]
    while waiting:
        one = waiting.pop(0)
        waiting += one.parts
        if one.kind == "operation" and one.file and "(" in one.symbol:
            for node in trace.by_text.get(_text(one.symbol), ()):
                if node.lineno == one.line and trace.homes[node].endswith(one.file):
                    yield node


def _text(symbol: str) -> str:
    try:
        return ast.unparse(ast.parse(symbol, mode="eval"))
    except SyntaxError:
        return ""


def _branch(trace: Trace, formula: ast.expr, name: str) -> Iterator[str]:
    """Say under which condition a name was given its value, where others would give it another one."""
    function = trace.function(formula)
    home: Any = function if function is not None else trace.tree(trace.homes[formula])
    given = [
        one
        for one in ast.walk(home)
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name) and one.targets[0].id == name
    ]
    ran = [one for one in given if trace.ran(one.value) or _has_run(trace, one.value)]
    if len(given) < 2 or len(ran) != 1:
        return
    test = next((one.test for one in trace.around(ran[0]) if isinstance(one, ast.If)), None)
    if test is not None:
        yield (
            f"{shortened(trace.source(ran[0]))}, {trace.line(ran[0])}, "
            f"is what {shortened(trace.source(test))} chooses"
        )


def _has_run(trace: Trace, node: ast.expr) -> bool:
    """Tell whether a row of numbers was made."""
    return any(trace.ran(one) for one in ast.walk(node) if isinstance(one, ast.expr))
