"""A size that a subtraction has made negative."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from shapeinspect.plugin_api.evidence.edit import shortened
from shapeinspect.plugin_api.evidence.lengths.reading import arrays
from shapeinspect.plugin_api.programs.lineage import lineage
from shapeinspect.plugin_api.programs.trace import Trace


def negative(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield the size behind a failed statement that is less than zero, and of what it is the difference.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not; a negative one need not be among them.
    """
    del pairs
    along = lineage(trace, arrays(trace))
    for node, _ in sorted(along.items(), key=lambda pair: pair[1]):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
            continue
        value, parts = trace.last(node), [trace.last(one) for one in (node.left, node.right)]
        if type(value) is int and value < 0 and all(type(one) is int and one > 1 for one in parts):
            code = shortened(trace.source(node))
            yield f"{code}, {trace.line(node)}, is negative: {parts[0]} - {parts[1]} = {value}"
            return
