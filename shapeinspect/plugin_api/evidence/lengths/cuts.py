"""An array that is cut, beside another one of the same length that is not."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.evidence.lengths.reading import arrays
from shapeinspect.plugin_api.programs.lineage import lineage
from shapeinspect.plugin_api.programs.trace import Trace


def uncut(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield that one operand is a part of an array that was as long as the other operand.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not.
    """
    read = [one for one in arrays(trace) if trace.shape(one)]
    lengths = {(a, b) for one, other in pairs for a, b in ((one, other), (other, one)) if a < b}
    for short, long in sorted(lengths):
        parts = [one for one in read if short in trace.shape(one)[:1]]  # type: ignore[index]  # they have a shape
        whole = [one for one in read if long in trace.shape(one)[:1]]  # type: ignore[index]  # they have a shape
        if not parts or not whole:
            continue
        behind = sorted(lineage(trace, parts[:1]).items(), key=lambda pair: pair[1])
        cut = next((one for one, _ in behind if _cuts(trace, one, short, long)), None)
        if cut is None or _cut_as_well(trace, whole[0], cut, short, long):
            continue
        code, line = shortened(trace.source(cut)), trace.line(cut)
        name, shape = shortened(trace.source(whole[0])), shown(trace.shape(whole[0]))
        yield f"{code}, {line}, takes {short} of {long}; {name}, {shape}, is not cut like that"
        return


def _cut_as_well(trace: Trace, node: ast.expr, cut: ast.expr, short: int, long: int) -> bool:
    """Tell whether an array is cut, too; the call that cuts the other one may pass it on."""
    return any(one is not cut and _cuts(trace, one, short, long) for one in lineage(trace, [node]))


def _cuts(trace: Trace, node: Any, short: int, long: int) -> bool:
    """Tell whether an expression takes so many of the first axis of an array."""
    if not isinstance(node, ast.Subscript):
        return False
    first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
    if not isinstance(first, ast.Slice):
        return False
    before, after = trace.shapes(node.value), trace.shapes(node)
    return any(one[:1] == (long,) for one in before) and any(one[:1] == (short,) for one in after)
