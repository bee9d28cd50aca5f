"""A squeeze that takes the batch axis, too, where the batch has one sample."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of


def squeezes(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield which squeeze without an axis has last made fewer axes than in another call.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not; none are needed.
    """
    del pairs
    for node in trace.by_place.values():
        if not isinstance(node, ast.Call) or callee_of(node) != "squeeze" or node.keywords:
            continue
        method = isinstance(node.func, ast.Attribute) and (not node.args or trace.shape(node.func.value))
        given = [*([node.func.value] if method else []), *node.args]  # type: ignore[attr-defined]  # of a method
        before, after = (trace.shapes(given[0]), trace.shapes(node)) if len(given) == 1 else ([], [])
        if not before or not after or before[-1][:1] != (1,):
            continue
        other = [shape for shape in after if len(shape) > len(after[-1])]
        if other and other[-1][0] != 1:
            made = f"it makes {shown(after[-1])} of {shown(before[-1])}, and else {shown(other[-1])}"
            yield (
                f"{shortened(trace.source(node))}, {trace.line(node)}, drops the first axis, too, where its "
                f"length is 1: {made}"
            )
            return
