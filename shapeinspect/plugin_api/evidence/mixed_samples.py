"""Reshapes that make another number of samples of an array, since their lengths are none of its own."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import number_of, shown
from shapeinspect.plugin_api.evidence.evidence import Evidence
from shapeinspect.plugin_api.programs.named_rules import RESHAPES
from shapeinspect.plugin_api.programs.numbers import Pair
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of

#: At most so many are told.
_TOLD = 2
#: The rank of a length that is one of the sizes that differ, and of another one.
_KNOWN, _ANY = -0.2, 0.3


def mixed_samples(trace: Trace) -> tuple[Evidence, ...]:
    """Return the reshapes to rows of written lengths that are no lengths of the array.

    ``x.view(-1, 10, 4, 6)`` of (6, 480) makes 12 rows of 6; ``x.view(-1, 4)`` of (6, 25, 4) merges
    two axes, and is none of them.

    Args:
        trace: the script, as it failed.
    """
    return tuple(_found(trace))[:_TOLD]


def kept_samples(trace: Trace, pairs: Sequence[Pair]) -> Iterator[Suggestion]:
    """Yield edits of one length of such a reshape with which it makes as many samples as there are.

    Args:
        trace: the script, as it failed.
        pairs: the sizes that are wanted, each with the one that is there.
    """
    known = {size for pair in pairs for size in pair}
    for call, before, after in _mixing(trace):
        wanted, has = math.prod(before[1:]), math.prod(after[1:])
        for node in call.args[1:]:
            value = number_of(node)
            if value is not None and wanted * value % has == 0:
                new = wanted * value // has
                yield replaced(trace.span(node), str(new), _KNOWN if new in known else _ANY)


def _found(trace: Trace) -> Iterator[Evidence]:
    for call, before, after in _mixing(trace):
        name, line = callee_of(call), trace.line(call)
        shapes = f"{shown(before)} to {shown(after)}"
        sentence = f"{name} at {line} makes {after[0]} rows of {before[0]}: {shapes}"
        wrong = tuple(trace.span(one) for one in call.args[1:])
        yield Evidence(sentence, trace.homes[call], call.lineno, wrong)


def _mixing(trace: Trace) -> Iterator[tuple[Any, tuple[int, ...], tuple[int, ...]]]:
    """Yield the calls, with the shapes before and after each."""
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            call: Any = node
            method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if not method or callee_of(call) not in RESHAPES:
                continue
            before, after = trace.shape(call.func.value), trace.shape(call)
            numbers = [number_of(one) for one in call.args]
            if not before or not after or numbers[:1] != [-1] or len(numbers) < 2 or before[0] == after[0]:
                continue
            rest = tuple(length for length in after[1:] if length != 1)
            if math.prod(rest) != math.prod(before[1:]) and before[len(before) - len(rest) :] != rest:
                yield call, before, after
