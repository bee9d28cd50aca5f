"""Says in plain words where the sizes come from that do not fit: "the table holds 100, 140 are asked for"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

from shapeinspect.mismatch.reasons.lineage import Lineage
from shapeinspect.mismatch.reasons.operands import OF_OPERANDS
from shapeinspect.mismatch.sizes.open_batch import Batch
from shapeinspect.mismatch.sizes.requirements import Problem, wanted_masks, wanted_states
from shapeinspect.plugin_api import facts
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.rule import show

#: At most so many sentences.
_SHOWN = 2
#: Kinds whose operands have to agree.
_JOINING = frozenset({"elementwise", "concat", "stack"})
#: Kinds whose output may have another number of axes than what they read.
_RANKS = frozenset({"unsqueeze", "squeeze", "flatten", "reshape", "reduce", "slice", "gather", "stack"})

_Shape = tuple[int, ...]


def reasons(failure: Failure, problem: Problem) -> tuple[str, ...]:
    """Return sentences on what made the sizes that do not fit, each proved by the run; none where nothing is.

    Args:
        failure: where the run ended.
        problem: what does not fit there.
    """
    lineage, found = Lineage(failure), []
    for rule in _RULES:
        found += [text for text in rule(failure, problem, lineage) if text not in found]
        if len(found) >= _SHOWN:
            break
    return tuple(found[:_SHOWN])


def _windows(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the lengths that a window does not divide."""
    del problem
    target, shape = _reshape(failure, lineage)
    odd = uneven(shape, target)
    if odd:
        lengths = [str(length) for length, _, _ in odd]
        windows = list(dict.fromkeys(str(window) for _, _, window in odd))
        rests = ", ".join(f"{count}·{window} = {count * window}" for _, count, window in odd)
        verb, noun = ("is", "no multiple") if len(odd) == 1 else ("are", "no multiples")
        yield f"{_listed(lengths)} {verb} {noun} of the window {_listed(windows)} ({rests})"


def uneven(shape: _Shape, target: _Shape) -> list[tuple[int, int, int]]:
    """Return each length that is split into windows which leave a rest, how many there are, and the window.

    Args:
        shape: what is reshaped.
        target: the shape that is asked for.

    Example:
        >>> uneven((2, 48, 64, 24), (2, 6, 7, 9, 7, 24))
        [(48, 6, 7), (64, 9, 7)]
        >>> uneven((2, 49, 63, 24), (2, 7, 7, 9, 7, 24)), uneven((2, 30), (2, 5, 7))
        ([], [])
    """
    found, position = [], 0
    for length in shape:
        first, second = (*target[position:], 0, 0)[:2]
        if first == length or (first == -1 and position == 0):
            position += 1
        elif first * second == length:
            position += 2
        elif second > 1 and first == length // second:
            found.append((length, first, second))
            position += 2
        elif first > 1 and second == length // first:
            found.append((length, second, first))
            position += 2
        else:
            return []
    return found if position == len(target) else []


def _elements(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Compare the elements that a reshape asks for with those that are there."""
    del problem
    target, shape = _reshape(failure, lineage)
    shape, target = (tuple(n for n in one if not isinstance(n, Batch)) for one in (shape, target))
    fixed = [length for length in target if length != -1]
    if not shape or len(fixed) < len(target) - 1 or uneven(shape, target):
        return
    if 0 in target:
        yield f"a length of 0 is asked for, in {show(target)}"
        return
    total, asked = prod(shape), prod(fixed)
    before = _unflattened(failure, lineage)
    if -1 not in target and asked != total and len(before) == len(target):
        yield f"{show(before)} was flattened, and {show(target)} is asked for"
    elif -1 not in target and asked != total:
        yield f"{_product(fixed)} elements are asked for, {_product(shape)} are there"
    elif -1 in target and asked and total % asked:
        yield f"{_product(shape)} elements are no multiple of {_product(fixed)}"


def _unflattened(failure: Failure, lineage: Lineage) -> _Shape:
    """Return what was flattened before a reshape; empty for nothing."""
    for layer, before, after in lineage.steps(failure.inputs[0]):
        if layer.kind in ("flatten", "reshape") and before and after and prod(before) == prod(after):
            return before
        return ()
    return ()


def _reshape(failure: Failure, lineage: Lineage) -> tuple[_Shape, _Shape]:
    target = failure.layer.attributes.get("shape")
    if failure.layer.kind != "reshape" or not isinstance(target, tuple) or not failure.inputs:
        return (), ()
    if not all(isinstance(length, int) for length in target):
        return (), ()
    shape = lineage.shape(failure.inputs[0])
    if failure.layer.attributes.get("zero_copies"):
        target = tuple(
            shape[axis] if not n and axis < len(shape) and isinstance(shape[axis], int) else n
            for axis, n in enumerate(target)
        )
    return target, shape


def _indices(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say how far an index lies outside of its table."""
    del problem
    fact = failure.fact
    if not isinstance(fact, facts.IndexOutside) or not failure.inputs:
        return
    behind = lineage.back(failure.inputs[-1])
    if fact.smallest == 0 and any(layer.kind == "constant" for layer, _, _ in behind):
        yield f"the table holds {fact.size} positions, {fact.largest + 1} are asked for"
    elif fact.largest == fact.size > 1 and fact.smallest >= 0:
        yield f"{fact.size} entries are numbered from 0 to {fact.size - 1}: {fact.size} is one too many"


def _added(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the step that added an axis, or took one away, where the layer takes another number of axes."""
    wanted = _axes_wanted(failure, problem)
    if wanted is None or not failure.inputs:
        return
    has = len(lineage.shape(failure.inputs[0]))
    if has in (0, wanted):
        return
    for layer, before, after in lineage.steps(failure.inputs[0]):
        if not before or not after:
            return
        if layer.kind in _RANKS and len(before) == wanted and len(after) == has:
            verb = "added an axis to" if len(after) > len(before) else "took an axis from"
            yield f"{lineage.place(layer)} {verb} {show(before)}"
            return


def _axes_wanted(failure: Failure, problem: Problem) -> int | None:
    if isinstance(failure.fact, facts.Refusal):
        return failure.fact.axes
    head = (problem.expected or "").partition(" axes")
    return int(head[0]) if head[1] and head[0].isdigit() else None


def _folded(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the reshape that folded samples into rows, where a batch does not fit."""
    batches = {shape[0] for name in failure.model.inputs if (shape := lineage.shape(name))}
    counts = [lineage.shape(name)[:1] for name in failure.inputs[:2]]
    if failure.layer.kind != "loss" and failure.layer.kind not in _JOINING:
        return
    if len(counts) < 2 or counts[0] == counts[1]:
        return
    del problem
    for operand, count in zip(failure.inputs, counts, strict=False):
        for layer, before, after in lineage.steps(operand):
            if layer.kind not in ("reshape", "flatten") or not before or not after:
                continue
            if before[0] in batches and after[0] not in batches and after[:1] == count:
                folded = f"{show(before)} to {show(after)}"
                yield f"{lineage.place(layer)} makes {after[0]} rows of {before[0]} samples: {folded}"
                return


def _masked(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say that a mask was made for the batch."""
    del problem, lineage
    shapes = tuple(_lengths(failure, name) for name in failure.inputs)
    batch_first = failure.layer.attributes.get("batch_first")
    for operand, wanted in wanted_masks(failure.layer, shapes, failure.roles).items():
        mask, query = shapes[operand] or (), shapes[failure.roles.index("query")] or ()
        if len(query) != 3 or mask == wanted:
            continue
        batch = query[0 if batch_first else 1]
        if failure.roles[operand] == "attn_mask" and mask == (batch, batch) and batch not in wanted:
            yield f"the mask is made for {batch}, the size of the batch; there are {wanted[0]} queries"
        elif len(mask) == 2 and mask[::-1] == wanted:
            order = "(batch, keys) whatever batch_first says" if len(set(wanted)) > 1 else "(queries, keys)"
            yield f"the mask is transposed: it has to be {order}"


def _stateful(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say for which batch or how many layers a state is made."""
    del problem, lineage
    shapes = tuple(_lengths(failure, name) for name in failure.inputs)
    for operand, wanted in wanted_states(failure.layer, shapes).items():
        state, read = shapes[operand] or (), shapes[0] or ()
        if state == wanted or len(state) != len(wanted) or len(state) < 2:
            continue
        if len(state) == 3 and state == (wanted[1], wanted[0], wanted[2]):
            yield "a state has its layers first and its batch second, whatever batch_first says"
        elif len(state) == 2 or (state[-2] != wanted[-2] and state[0] == wanted[0]):
            yield f"the state is made for {state[-2]} samples, {wanted[-2]} are read" + _other_axis(
                failure, read, state[-2]
            )
        elif state[0] != wanted[0]:
            yield f"the state is that of {state[0]} layers·directions, the layer has {wanted[0]}"
        return


def _other_axis(failure: Failure, read: _Shape, batch: int) -> str:
    """Add that the input has the state's batch on the axis that is read as time."""
    first = bool(failure.layer.attributes.get("batch_first"))
    time = 1 if first else 0
    if len(read) == 3 and read[time] == batch:
        return f"; axis {time} of {show(read)} is {batch}, and batch_first={first} reads it as time"
    return ""


def _averaged(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the reduction that took the batch away."""
    del problem
    batches = {shape[0] for name in failure.model.inputs if (shape := lineage.shape(name)) and shape[0] > 1}
    for operand in failure.inputs[:4]:
        for layer, before, after in lineage.steps(operand):
            if layer.kind != "reduce" or not before or before[0] not in batches:
                continue
            if after in (before[1:], (1, *before[1:])) and len(before) > 1:
                yield f"{lineage.place(layer)} reduces axis 0 of {show(before)}, which is the batch"
                return


def _merged(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the reshape that merged two axes into rows, before a layer that takes one more."""
    if problem.demand is None or not failure.inputs:
        return
    for layer, before, after in lineage.steps(failure.inputs[0]):
        folds = layer.kind in ("reshape", "flatten") and len(before) == len(after) + 1 > 3
        if folds and after == (before[0] * before[1], *before[2:]):
            folded = f"{show(before)} to {show(after)}"
            yield f"{lineage.place(layer)} makes {after[0]} rows of {before[0]}·{before[1]}: {folded}"
        return


def _joined(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say which parts a concatenation before gives too many or too few features."""
    if problem.demand is None or not failure.inputs:
        return
    had = problem.demand.had
    for layer, call, _ in lineage.back(failure.inputs[0]):
        along = layer.attributes.get("axis", 0)
        parts = [lineage.shape(name) for name in call.inputs]
        if (
            layer.kind == "concat"
            and isinstance(along, int)
            and all(len(part) > abs(along) - 1 for part in parts)
        ):
            lengths = [part[along] for part in parts if part]
            if sum(lengths) == had and len(lengths) > 1:
                yield f"{lineage.place(layer)} joins {_listed([str(length) for length in lengths])} to {had}"
            return
        if had not in lineage.shape(call.outputs[0]) or layer.weights:
            return


def _shrunk(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Write how a length has shrunk to less than a window."""
    if problem.expected is None or "at least" not in problem.expected or not failure.inputs:
        return
    shape = lineage.shape(failure.inputs[0])
    kernel = failure.layer.attributes.get("kernel_size")
    if not isinstance(kernel, tuple) or len(shape) < len(kernel):
        return
    for axis in range(-len(kernel), 0):
        lengths = [shape[axis]]
        for _, call, _ in lineage.back(failure.inputs[0]):
            before = lineage.shape(call.inputs[0]) if call.inputs else ()
            if len(before) != len(shape):
                break
            if before[axis] != lengths[-1]:
                lengths.append(before[axis])
        if len(lengths) > 1 and lengths[0] == min(shape[-len(kernel) :]):
            yield f"the length shrinks from step to step: {' → '.join(map(str, reversed(lengths)))}"
            return


def _lengths(failure: Failure, name: str) -> _Shape | None:
    return Lineage(failure).shape(name) or None


def _product(lengths: Sequence[int]) -> str:
    """Write a product with its factors.

    Example:
        >>> _product((5, 4, 32)), _product((7,))
        ('5·4·32 = 640', '7')
    """
    factors = [length for length in lengths if length != 1] or [1]
    return f"{'·'.join(map(str, factors))} = {prod(factors)}" if len(factors) > 1 else str(factors[0])


def _listed(words: Sequence[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]


_RULES: tuple[Callable[[Failure, Problem, Lineage], Iterator[str]], ...] = (
    _windows,
    _elements,
    _indices,
    _masked,
    _stateful,
    _added,
    _folded,
    _merged,
    _averaged,
    _shrunk,
    _joined,
    *OF_OPERANDS,
)
