"""A reduction of all rows to one number, where one for each row would give the length that is wanted."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from shapeinspect.plugin_api.edit_words import AXIS_ARGUMENTS
from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

_REDUCING = frozenset({
    "norm", "mean", "sum", "any", "all", "max", "min", "argmax", "argmin", "prod", "std", "var", "median",
    "amax", "amin", "count_nonzero", "logsumexp", "nanmean", "nansum",
})  # fmt: skip
#: What gives a number axes.
_ROWS = frozenset({
    "reshape", "view", "unsqueeze", "expand_dims", "atleast_1d", "atleast_2d", "array", "stack", "tensor",
})  # fmt: skip


def reductions(trace: Trace, pairs: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Yield what makes one number of all rows of an array, by as many too few as a length is too small.

    Args:
        trace: the script, as it failed.
        pairs: lengths that have to be equal and are not.
    """
    missing = {abs(a - b): sorted((a, b)) for a, b in pairs}
    if not any(_is_row_of_one(trace, node) for node in trace.by_place.values()):
        return
    for node in trace.by_place.values():
        if not isinstance(node, ast.Call) or callee_of(node) not in _REDUCING or _has_axis(node):
            continue
        if () not in trace.shapes(node):
            continue
        arrays = [*(node.args[:1]), *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
        shapes = [shape for one in arrays for shape in trace.shapes(one) if len(shape) > 1]
        for shape in shapes:
            if shape[0] > 1 and shape[0] - 1 in missing:
                few, many = missing[shape[0] - 1]
                yield (
                    f"{shortened(trace.source(node))}, {trace.line(node)}, makes one number of all of "
                    f"{shown(shape)}; with one for each of the {shape[0]} rows {few} would be {many}"
                )
                return


def _is_row_of_one(trace: Trace, node: ast.expr) -> bool:
    """Tell whether a call gives a number an axis of length 1, or several."""
    if not isinstance(node, ast.Call) or callee_of(node) not in _ROWS:
        return False
    given = [*node.args[:1], *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
    made = [shape for shape in trace.shapes(node) if shape and {*shape} == {1}]
    return bool(made) and any(() in trace.shapes(one) for one in given)


def _has_axis(call: ast.Call) -> bool:
    own = isinstance(call.func, ast.Attribute) and not isinstance(call.func.value, ast.Name)
    return any(word.arg in AXIS_ARGUMENTS for word in call.keywords) or len(call.args) > 1 + (not own)
