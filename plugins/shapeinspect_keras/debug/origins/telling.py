"""Says in the words of the script where the sizes of a failed statement come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from shapeinspect.plugin_api.evidence.comments import contradicted
from shapeinspect.plugin_api.evidence.evidence import Evidence
from shapeinspect.plugin_api.programs.child import Ended
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.frames import traceback_frames
from shapeinspect_keras.debug.origins import calls, ranks, runs
from shapeinspect_keras.debug.origins.bindings import Place
from shapeinspect_keras.debug.origins.flow import Flow, alike
from shapeinspect_keras.debug.origins.making import Made, line, made, sentences, text
from shapeinspect_keras.debug.origins.operands import Operand, alone, operands_of, pair_of
from shapeinspect_keras.debug.script.candidate import show
from shapeinspect_keras.debug.script.running import Shaped, numbered
from shapeinspect_keras.debug.script.survey import Survey
from shapeinspect_keras.debug.statements.names import COMPARES
from shapeinspect_keras.debug.statements.site import argument

#: So many sentences, and so many pairs of sizes.
_MOST, _PAIRS = 4, 4


def evidence(survey: Survey) -> tuple[Evidence, ...]:
    """Return where a comment or docstring of the script says another shape than was made.

    Args:
        survey: what one more run of the script has told.
    """
    values: dict[tuple[int, ...], tuple[Any, ...]] = {}
    for node, number in numbered(survey.program).items():
        known = survey.outcome.seen.values.get(number)
        if known and isinstance(node, ast.expr):
            place = (0, node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
            values[place] = tuple(_as_tensor(item) for item in known)
    trace = Trace({survey.program.file: survey.program.text}, Ended("error", values=values))
    return contradicted(trace)


def _as_tensor(value: Any) -> Any:
    open_ = isinstance(value, Shaped) and None in value.shape
    return ("tensor", value.shape, value.dtype) if isinstance(value, Shaped) and not open_ else value


def because(survey: Survey, error: BaseException) -> tuple[str, ...]:
    """Say where the sizes come from that do not fit, a sentence each.

    Args:
        survey: what one more run of the script has told, which ended as the first one did.
        error: the exception that ended its first run.
    """
    flow = Flow(survey.program, survey.outcome.seen, survey.lines)
    told = [*runs.last_batch(flow, survey.clues), *runs.one_source(flow, survey.clues)]
    told = told or [*_sides(flow, survey), *_elsewhere(flow), *_axes(flow, survey), *_targets(flow)]
    told = told or [*_steps_kept(flow)]
    told += _given(error) if survey.clues.ranks or _extra(survey) else []
    told = [*survey.facts, *told]
    return tuple(dict.fromkeys(told))[:_MOST]


def _extra(survey: Survey) -> bool:
    """Tell whether the shapes that are told have different numbers of axes."""
    return len({len(shape) for shape in survey.clues.shapes}) > 1


def _given(error: BaseException) -> list[str]:
    """Say which layer of a model makes what the innermost layer of the user's is given."""
    import keras

    for frame, _ in reversed(traceback_frames(error.__traceback__)):
        handled = frame.f_code.co_name == "error_handler" and frame.f_locals.get("args", ())
        owner, given = handled[:2] if handled and len(handled) > 1 else (None, None)
        history = getattr(given, "_keras_history", None)
        maker = None if history is None else history.operation
        if given is None or maker is None or type(maker).__name__ == "InputLayer":
            continue
        if isinstance(owner, keras.Layer):
            what = f'"{maker.name}" ({type(maker).__name__}) makes {show(tuple(given.shape))}'
            return [f'{what}, which "{owner.name}" is given']
    return []


def _targets(flow: Flow) -> Iterator[str]:
    """Say where targets come from that are a number and no array of one for each sample."""
    run = runs.run_of(flow.program.covering(flow.lines[-1]), COMPARES)
    node = None if run is None else argument(run, 1, "y")
    if node is None or flow.shape(node) or not flow.values(node):
        return
    place = Place(node)
    for _ in range(20):
        value = next((item for item in reversed(flow.values(place.node)) if type(item) is int), ())
        back = flow.before(place, value)
        if back is None and isinstance(place.node, ast.Call):
            back = next(flow.returned(place.node, place.parts), None)
        if back is None:
            break
        place = back
    if place.node is not node:
        what = f"`{text(flow, place.node)}` at {line(place.node)}"
        yield f"the targets `{text(flow, node)}` are a single number, (), made by {what}"


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
        right = made(flow, call.args[0], axis)
        if right is not None and right.node is not call.args[0]:
            yield from _made(flow, right, given[axis])
        return


def _axes(flow: Flow, survey: Survey) -> Iterator[str]:
    """Say where an array got an axis too many, or lost one."""
    if not survey.clues.rank:
        return
    statement = flow.program.covering(flow.lines[-1])
    operands = operands_of(flow, statement)
    run = runs.run_of(statement, runs.BATCHED)
    batch = None if run is None else flow.batch(run, 0)
    shape = None if batch is None else flow.shape(batch.node)
    operands += [Operand(batch.node, shape)] if batch is not None and shape else []
    for operand in operands:
        if any(alike(operand.shape, one) for one in survey.clues.shapes):
            axis = ranks.superfluous(operand.shape, survey.clues.shapes)
            result = None if axis is None else made(flow, operand.node, axis)
            if result is not None and result.of and result.node is not operand.node:
                yield f"axis {axis} of {show(operand.shape)} is one too many"
                yield from _made(flow, result, None)
            else:
                told = [*ranks.told(flow, operand, survey.clues.rank)]
                source = None if told else made(flow, operand.node, -1)
                yield from told if source is None else sentences(flow, source)
            return


def _steps_kept(flow: Flow) -> Iterator[str]:
    """Say which layers give more than one output for each sample where there is one target."""
    run = runs.run_of(flow.program.covering(flow.lines[-1]), COMPARES)
    layer = None if run is None else runs.model_of(flow, run)
    target = None if run is None else argument(run, 1, "y")
    shape = None if target is None else flow.shape(target)
    told = calls.kept(layer, shape) if layer is not None and shape else ""
    if told and target is not None and shape is not None:
        yield told
        yield f"the targets `{text(flow, target)}`, {show(shape)}, are one for each sample"


def _sides(flow: Flow, survey: Survey) -> Iterator[str]:
    """Follow both of two lengths that differ to what made them."""
    statement = flow.program.covering(flow.lines[-1])
    operands = operands_of(flow, statement, survey.clues.shapes)
    told = [*_total(flow, operands, survey)]
    if told:
        yield from told
        return
    for one, other in [*survey.clues.sure, *survey.clues.pairs][:_PAIRS]:
        told = [*_of_model(flow, statement, one, other), *_of_model(flow, statement, other, one)]
        pair = None if told else pair_of(operands, one, other) or pair_of(operands, other, one)
        if pair is not None:
            told = [*_both(flow, *pair)]
        if told:
            yield from told
            return
    for one, other in survey.clues.pairs[:_PAIRS]:
        for size, wanted in ((one, other), (other, one)):
            found = alone([*operands, *_entries(flow, statement)], size)
            result = None if found is None else made(flow, found[0].node, found[1], wanted, found[0].shape)
            if result is not None:
                yield from _made(flow, result, wanted)
                return


def _entries(flow: Flow, statement: ast.AST | None) -> list[Operand]:
    """List the arrays that stand in lists of the failing statement."""
    nodes = [*ast.walk(statement)] if statement is not None else []
    return [
        Operand(node, shape) for node in nodes if isinstance(node, ast.Name) for shape in flow.items(node)
    ]


def _total(flow: Flow, operands: Sequence[Operand], survey: Survey) -> Iterator[str]:
    """Say which array has the number of values that a reshape does not take."""
    for one, other in survey.clues.sure:
        for operand in operands:
            parts = [length for length in operand.shape if length is not None]
            if len(parts) == len(operand.shape) > 1 and prod(parts) == one and other in parts:
                product = "·".join(map(str, parts))
                yield f"{one} = {product}: `{text(flow, operand.node)}` is {show(operand.shape)}"
                axis = next(axis for axis, length in enumerate(parts) if axis or length != other)
                result = made(flow, operand.node, axis)
                yield from () if result is None else _made(flow, result, None)
                return


def _of_model(flow: Flow, statement: ast.AST | None, size: int, wanted: int) -> Iterator[str]:
    """Say which layer makes a length of a model's output, and where that of the targets comes from."""
    run = runs.run_of(statement, COMPARES)
    layer = None if run is None else runs.model_of(flow, run)
    told = "" if layer is None else calls.merged(layer, size)
    if run is None or not told:
        return
    yield told
    target = argument(run, 1, "y")
    shape = None if target is None else flow.shape(target)
    if target is not None and shape is not None and wanted in shape:
        result = made(flow, target, shape.index(wanted), size)
        yield f"{wanted}: the targets `{text(flow, target)}` are {show(shape)}"
        if result is not None and result.node is not target:
            yield from _made(flow, result, size)


def _both(flow: Flow, left: tuple[Operand, int], right: tuple[Operand, int]) -> Iterator[str]:
    """Follow a length of each of two operands."""
    longer, shorter = sorted((left[0], right[0]), key=lambda item: len(item.shape), reverse=True)
    if len(longer.shape) > len(shorter.shape) > 1:
        told = [*ranks.told(flow, longer, len(shorter.shape) - len(longer.shape))]
        if told:
            yield from told
            return
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
    missing = [*_missing(flow, (*one.path, *other.path))]
    turned = [item for item, size in ((one, sizes[1]), (other, sizes[0])) if _made_of(item, size)]
    for item in turned or (one, other):
        yield from _made(flow, item, sizes[1] if item is one else sizes[0])
    if len(turned) == 1:
        rest = other if turned[0] is one else one
        size = sizes[1] if rest is other else sizes[0]
        what = f"`{text(flow, rest.node)}` at {line(rest.node)}"
        yield f"{size}: {what} is {show(rest.shape)}, and nothing behind it changes that"
    yield from missing


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
    told = [] if wanted is None else [*_other_call(flow, found, wanted)]
    if told:
        yield from told
        return
    layer = flow.layer(found.node.func) if isinstance(found.node, ast.Call) else None
    part = found.node if isinstance(found.node, ast.Attribute) else None
    if part is not None and flow.layer(part.value) is not None:
        told = [calls.merged(flow.layer(part.value), found.size)]
        if told[0]:
            yield from (*found.joined, *told)
            return
    for _, shape in found.of[:1]:
        had = shape[found.axis] if len(shape) == len(found.shape) else None
        if layer is not None and had is None and (grown := calls.grown(layer, found.axis, found.size)):
            yield grown
            return
        whole = shape[0] if shape and not found.axis else None
        if whole and wanted and whole > wanted and whole % wanted == found.size:
            given = f"`{text(flow, found.node)}` at {line(found.node)} is a part of {show(shape)}"
            yield f"{found.size}: {given}, and {whole} = {whole // wanted}·{wanted} + {found.size}"
            return
        if layer is not None and had is not None:
            detail = calls.rounded(layer, found.axis, had, found.size)
            if detail:
                yield detail
                return
    yield from sentences(flow, found)


def _other_call(flow: Flow, found: Made, wanted: int) -> Iterator[str]:
    """Say that another call of one of the user's functions made the length that is wanted."""
    for node in found.path:
        shape = flow.shape(node)
        if not isinstance(node, ast.Call) or shape is None or found.size not in shape:
            continue
        axis = shape.index(found.size)
        for other in flow.alike_calls(node):
            given = flow.shape(other)
            if given is None or len(given) != len(shape) or given[axis] != wanted:
                continue
            if _arguments(flow, node) != _arguments(flow, other):
                here = f"`{text(flow, node)}` at {line(node)} makes {show(shape)}"
                yield f"{here}; `{text(flow, other)}` at {line(other)} made {show(given)}"
                return


def _arguments(flow: Flow, call: ast.Call) -> list[str]:
    return [flow.program.line(item) for item in (*call.args, *call.keywords)]


def _missing(flow: Flow, path: Sequence[ast.expr]) -> Iterator[str]:
    """Name an argument that a call on the way does not pass, though what it reads others from has it."""
    calls_of = [
        item for node in path for item in (node, getattr(node, "func", None), getattr(node, "value", None))
    ]
    for call in calls_of:
        for name, owner in flow.omitted(call) if isinstance(call, ast.Call) else ():
            if isinstance(call, ast.Call):
                yield f"`{text(flow, call)}` at {line(call)} is not given `{name}`, which `{owner}` has, too"
                return
