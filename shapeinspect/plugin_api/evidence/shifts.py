"""Arrays that keep the entry by which others of the same program were shifted against each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from shapeinspect.plugin_api.evidence.edit import number_of, shortened
from shapeinspect.plugin_api.programs.numbers import Pair
from shapeinspect.plugin_api.programs.places import Step, operands
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.span import Span
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.suggestions import Suggestion

#: The rank of the shift that suits what is there, and of the other one; at most so many steps are looked at.
_RANK, _OTHER, _STEPS = 0.02, 0.12, 3
#: What is left out, by the text of the slice.
_LEFT_OUT = {"1:": "first", ":-1": "last"}
#: What the other shift changes.
_MEET = "which entries meet: it is shifted in the other direction"


def shifted(
    trace: Trace, steps: Sequence[Step], along: Mapping[ast.expr, int], pairs: Sequence[Pair]
) -> Iterator[Suggestion]:
    """Yield arrays without their first or last entry, where a slice leaves it out of another one.

    Of ``loss * mask`` with a loss of ``ids[:, 1:]`` it is ``mask[:, 1:]``, wherever the statement reads it;
    of ``values[1:] - values`` it is ``values[:-1]``.

    Args:
        trace: the script.
        steps: the expressions that were running, the innermost first.
        along: the expressions behind the failure, with their distance.
        pairs: the sizes that are wanted, each with the one that is there.
    """
    for long in dict.fromkeys(max(pair) for pair in pairs if abs(pair[0] - pair[1]) == 1):
        slices = [*_slices(trace, along, long)]
        nodes = [node for step in steps[:_STEPS] for node in operands(trace, step.node)] if slices else []
        for node in nodes:
            shape = trace.shape(node) or ()
            if shape.count(long) != 1 or not isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
                continue
            text = trace.source(node)
            own = {part for base, part, _ in slices if base == text}
            seen = {part: one for base, part, one in slices if base != text or len(own) == 1}
            first = next(({"1:": ":-1", ":-1": "1:"}[part] for part in own), "1:" if "1:" in seen else ":-1")
            for part in (first, *(one for one in seen if one != first and not own)):
                index = f"{text}[{':, ' * shape.index(long)}{part}]"
                likely = part == first
                edit = replaced(trace.span(node), index, _RANK if likely else _OTHER, "" if likely else _MEET)
                edits = tuple((span.start, span.end, index) for span in _reads(trace, node, text))
                why = _why(trace, seen.get(part) or next(iter(seen.values())), text, long)
                yield replace(edit, edits=edits, why=why, sure=likely)


def _why(trace: Trace, node: ast.Subscript, text: str, long: int) -> str:
    cut = next(part for _, part, one in _slices(trace, {node: 0}, long) if one is node)
    return (
        f"{shortened(trace.source(node))}, {trace.line(node)}, leaves out the {_LEFT_OUT[cut]} of {long}; "
        f"{shortened(text)} keeps all {long}"
    )


def _slices(
    trace: Trace, along: Mapping[ast.expr, int], long: int
) -> Iterator[tuple[str, str, ast.Subscript]]:
    """Yield the slices that leave out one entry of so many: of what, what they keep, and themselves."""
    for node in along:
        if not isinstance(node, ast.Subscript):
            continue
        before, after = trace.shape(node.value) or (), trace.shape(node) or ()
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for axis, part in enumerate(parts[: len(before)]):
            if not isinstance(part, ast.Slice) or part.step is not None or len(before) != len(after):
                continue
            ends = [None if end is None else number_of(end) for end in (part.lower, part.upper)]
            text = {(1, None): "1:", (None, -1): ":-1"}.get((ends[0], ends[1]))
            bare = (part.lower is None) != (part.upper is None)
            if text and bare and before[axis] == long and after[axis] == long - 1:
                yield trace.source(node.value), text, node


def _reads(trace: Trace, node: ast.expr, text: str) -> Iterator[Span]:
    """Yield the places of the statement that read the whole array."""
    statement = trace.statement(node)
    for one in ast.walk(statement) if statement is not None else (node,):
        if not isinstance(one, ast.expr) or trace.source(one) != text or not _loaded(one):
            continue
        outer = trace.parents.get(one)
        if not (isinstance(outer, ast.Subscript) and outer.value is one):
            yield trace.span(one)


def _loaded(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Load)
