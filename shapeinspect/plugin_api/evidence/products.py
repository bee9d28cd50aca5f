"""Products of lengths that are written for an array whose lengths are others."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.numbers import Pair
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.suggestions import Suggestion

#: Such a product hardly has all factors but one by chance.
_RANK = -0.15


def products(trace: Trace, along: Mapping[ast.expr, int], pairs: Sequence[Pair]) -> Iterator[Suggestion]:
    """Yield products of which one factor is another length of the array behind the failure, or lacks.

    Of ``Linear(12 * 6 * 4, 50)`` and an array of (5, 12, 6, 8) it is ``12 * 6 * 8``.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
        pairs: the sizes that are wanted, each with the one that is there.
    """
    for wanted, had in pairs:
        arrays = [(node, shape) for node, shape in _arrays(trace, along) if math.prod(shape[1:]) == had]
        written = [node for node in _written(trace) if (trace.last(node) or _worth(trace, node)) == wanted]
        for node in written if arrays else ():
            array, shape = arrays[0]
            new = _corrected(trace, node, shape[1:])
            if new:
                name = shortened(ast.unparse(array))
                why = (
                    f"{shortened(trace.source(node))} = {wanted}, {trace.line(node)}; "
                    f"{name} is {shown(shape)}, {trace.line(array)}: {'·'.join(map(str, shape[1:]))} = {had}"
                )
                yield replace(replaced(trace.span(node), new, _RANK), why=why)


def _arrays(trace: Trace, along: Mapping[ast.expr, int]) -> Iterator[tuple[ast.expr, tuple[int, ...]]]:
    """Yield the arrays of several axes behind a failure, the nearest first."""
    for node, _ in sorted(along.items(), key=lambda one: one[1]):
        shape = trace.shape(node)
        if shape is not None and len(shape) > 2 and not isinstance(node, ast.Constant):
            yield node, shape


def _written(trace: Trace) -> Iterator[ast.BinOp]:
    """Yield the products that are written, each as a whole."""
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            outer = trace.parents.get(node)
            inner = isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Mult)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and not inner:
                yield node


def _factors(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _worth(trace: Trace, node: ast.expr) -> int | None:
    worths = [_value(trace, one) for one in _factors(node)]
    return math.prod(one for one in worths if one is not None) if None not in worths else None


def _value(trace: Trace, node: ast.expr) -> int | None:
    value: Any = trace.last(node)
    return value if type(value) is int else None


def _corrected(trace: Trace, node: ast.expr, lengths: Sequence[int]) -> str:
    """Return a product with one factor exchanged or added, so that it has the lengths; empty for none."""
    factors = _factors(node)
    worths = [_value(trace, one) for one in factors]
    known = Counter(one for one in worths if one is not None)
    lacking = Counter(one for one in lengths if one != 1) - known
    beyond = known - Counter(lengths)
    if None in worths or lacking.total() != 1 or beyond.total() > 1 or len(factors) < 2:
        return ""
    new = str(next(iter(lacking)))
    texts = [trace.source(one) for one in factors]
    if not beyond:
        return " * ".join([new, *texts]) if lengths[0] == int(new) else " * ".join([*texts, new])
    place = worths.index(next(iter(beyond)))
    if not isinstance(factors[place], ast.Constant):
        return ""
    return " * ".join([*texts[:place], new, *texts[place + 1 :]])
