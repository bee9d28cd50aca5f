"""An argument that one call of a function is given, and another call of it is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from shapeinspect.plugin_api.evidence.edit import shortened
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of, defaults_of


def unpassed(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield the arguments of the script's own functions that are sizes in one call and left out in another.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not.
    """
    calls = [
        node
        for node in trace.by_place.values()
        if isinstance(node, ast.Call) and trace.ran(node) and node.keywords
    ]
    sizes = {size for pair in pairs for size in pair}
    for call in calls:
        function, method = trace.definition(call)
        if function is None:
            continue
        names = [one.arg for one in function.args.args][int(method) :]
        optional = defaults_of(function.args)
        for word in call.keywords:
            value = trace.last(word.value)
            if word.arg not in optional or type(value) is not int or not _takes_part(value, sizes):
                continue
            for other in _others(trace, call):
                given = {one.arg for one in other.keywords} | {*names[: len(other.args)]}
                if None not in given and word.arg not in given:
                    yield (
                        f"{word.arg} is not passed to {callee_of(other)}(…), {trace.line(other)}: it is "
                        f"{ast.unparse(optional[word.arg])} by default; {trace.line(call)} passes "
                        f"{shortened(trace.source(word.value))}, which is {value}"
                    )
                    return


def _takes_part(value: int, sizes: set[int]) -> bool:
    """Tell whether a number is one of the sizes, or one of them without a few more that are joined to it."""
    return value > 1 and any(size == value or 0 < size - value <= _JOINED for size in sizes)


#: What detection heads and class tokens add to a number of classes or positions.
_JOINED = 5


def _others(trace: Trace, call: ast.Call) -> Iterator[ast.Call]:
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            if not isinstance(node, ast.Call) or node is call or callee_of(node) != callee_of(call):
                continue
            if trace.ran(node) and not any(isinstance(one, ast.Starred) for one in node.args):
                yield node
