"""A length that is the number of different values of an array."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: Calls that keep each value once.
_ONCE = frozenset({"unique", "unique_consecutive", "set", "Counter", "unique_values"})
#: A smaller number is that of many things.
_TELLING = 4


def distinct(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield that one of two lengths counts the different values of something.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not.
    """
    lengths = {one for pair in pairs for one in pair if one >= _TELLING}
    for node in trace.by_place.values():
        if not isinstance(node, ast.Call) or callee_of(node) not in _ONCE or not node.args:
            continue
        count = _count(trace.last(node))
        given = trace.shape(node.args[0])
        if count in lengths and count not in (given or ()):
            of = f" in {shown(given)}" if given is not None else ""
            code = shortened(trace.source(node))
            yield f"{code}, {trace.line(node)}, finds {count} different values{of}"
            return


def _count(value: Any) -> int | None:
    """Return how many entries a list, a set or an array of one axis has; None for another value."""
    if isinstance(value, tuple) and len(value) == 2 and value[0] == "sized":
        return int(value[1])
    array = isinstance(value, tuple) and len(value) == 3 and value[0] == "tensor"
    return int(value[1][0]) if array and len(value[1]) == 1 else None
