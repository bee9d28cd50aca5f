"""Says in the words of the script where the sizes of a failed statement come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect_keras.debug.origins import calls, ranks, runs
from shapeinspect_keras.debug.origins.flow import Flow, alike
from shapeinspect_keras.debug.origins.making import Made, line, made, sentences, text
from shapeinspect_keras.debug.origins.operands import Operand, alone, operands_of, pair_of
from shapeinspect_keras.debug.script.candidate import show
from shapeinspect_keras.debug.script.survey import Survey, is_the_same

#: So many sentences, and so many pairs of sizes.
_MOST, _PAIRS = 4, 4


def because(survey: Survey, error: BaseException) -> tuple[str, ...]:
    """Say where the sizes come from that do not fit, a sentence each.

    Args:
        survey: what one more run of the script has told.
        error: the exception that ended its first run.
    """
    if not is_the_same(survey, error):
        return ()
    flow = Flow(survey.program, survey.outcome.seen, survey.lines)
    told = [*runs.last_batch(flow, survey.clues), *runs.one_source(flow, survey.clues)]
    told = told or [*_sides(flow, survey), *_elsewhere(flow), *_axes(flow, survey)]
    return tuple(dict.fromkeys(told))[:_MOST]


def _elsewhere(flow: Flow) -> Iterator[str]:
    """Say what the same layer or model took elsewhere in the script, and what made the other size."""
    for call, _, before, node, given in calls.taken(flow):
        yield (
            f"`{text(flow, call)}` at {line(call)} took {show(before)}; `{text(flow, node)}` at {line(node)} "
            f"is {show(given)}"
        )
        axis = next(axis for axis, (a, b) in enumerate(zip(before, given, strict=True)) if axis and a != b)
        result = made(flow, node, axis, before[axis])
        if result is not None and result.node is not node:
            yield from _made(flow, result, before[axis])
        return


def _axes(flow: Flow, survey: Survey) -> Iterator[str]:
    """Say where an array got an axis too many, or lost one."""
    if not survey.clues.rank:
        return
    statement = flow.program.covering(flow.lines[-1])
    for operand in operands_of(flow, statement):
        if any(alike(operand.shape, shape) for shape in survey.clues.shapes):
            yield from ranks.told(flow, operand, survey.clues.rank)
            return


def _sides(flow: Flow, survey: Survey) -> Iterator[str]:
    """Follow both of two lengths that differ to what made them."""
    statement = flow.program.covering(flow.lines[-1])
    operands = operands_of(flow, statement)
    for one, other in [*survey.clues.sure, *survey.clues.pairs][:_PAIRS]:
        pair = pair_of(operands, one, other) or pair_of(operands, other, one)
        if pair is not None:
            told = [*_both(flow, *pair)]
            if told:
                yield from told
                return
    for one, other in survey.clues.pairs[:_PAIRS]:
        for size, wanted in ((one, other), (other, one)):
            found = alone(operands, size)
            result = None if found is None else made(flow, found[0].node, found[1], wanted)
            if result is not None:
                yield from _made(flow, result, wanted)
                return


def _both(flow: Flow, left: tuple[Operand, int], right: tuple[Operand, int]) -> Iterator[str]:
    sizes = left[0].shape[left[1]], right[0].shape[right[1]]
    one, other = (
        made(flow, operand.node, axis, wanted)
        for (operand, axis), wanted in zip((left, right), reversed(sizes), strict=True)
    )
    if one is None or other is None:
        return
    flat = one.flattened, other.flattened
    if flat[0] is not None and flat[1] is not None:
        yield from sentences(flow, one)
        yield from sentences(flow, other)
        yield from _parts(flow, flat[0][0], flat[1][0])
        return
    turned = [item for item, size in ((one, sizes[1]), (other, sizes[0])) if _made_of(item, size)]
    for item in turned or (one, other):
        yield from _made(flow, item, sizes[1] if item is one else sizes[0])
    if len(turned) == 1:
        rest = other if turned[0] is one else one
        size = sizes[1] if rest is other else sizes[0]
        what = f"`{text(flow, rest.node)}` at {line(rest.node)}"
        yield f"{size}: {what} is {show(rest.shape)}, and nothing behind it changes that"


def _parts(flow: Flow, one: ast.expr, other: ast.expr) -> Iterator[str]:
    """Compare two arrays that were flattened before they were combined."""
    shapes = [flow.shape(node) or () for node in (one, other)]
    axes = [axis for axis, (a, b) in enumerate(zip(*shapes, strict=False)) if a != b and 1 not in (a, b)]
    axes = axes or [axis for axis, (a, b) in enumerate(zip(*shapes, strict=False)) if a != b]
    for axis in axes[:1]:
        if not axis and (taken := [*calls.first_only(flow, max(shapes[0][0] or 0, shapes[1][0] or 0))]):
            yield from taken
            return
        yield from _both(flow, (Operand(one, shapes[0]), axis), (Operand(other, shapes[1]), axis))


def _made_of(found: Made, size: int | None) -> bool:
    """Tell whether a length was made of the other one."""
    return any(len(shape) > found.axis and shape[found.axis] == size for _, shape in found.of)


def _made(flow: Flow, found: Made, wanted: int | None) -> Iterator[str]:
    """Say how one length was made, also by a model."""
    del wanted
    layer = flow.layer(found.node.func) if isinstance(found.node, ast.Call) else None
    for _, shape in found.of[:1]:
        had = shape[found.axis] if len(shape) == len(found.shape) else None
        if layer is not None and had is not None:
            detail = calls.rounded(layer, found.axis, had, found.size)
            if detail:
                yield detail
                return
    yield from sentences(flow, found)
