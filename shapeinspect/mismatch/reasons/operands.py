"""Says of a sum, a concatenation or a stack where the lengths come from in which its operands differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import prod

from shapeinspect.mismatch.reasons.lineage import Lineage
from shapeinspect.mismatch.sizes.loss_shapes import is_loss, targets_of
from shapeinspect.mismatch.sizes.requirements import Problem
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.rule import show

#: Kinds whose operands have to agree.
_JOINING = frozenset({"elementwise", "concat", "stack"})
#: Kinds that hand the entries of a stored table on, in another arrangement.
_ARRANGING = frozenset({
    "slice", "unsqueeze", "squeeze", "permute", "transpose2", "expand", "tile", "cast", "identity", "gather",
})  # fmt: skip
#: Factors by which strides and integer divisions shrink a picture.
_FACTORS = (2, 4, 8, 16, 32, 64)

_Shape = tuple[int, ...]


def _tables(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name a stored table that is shorter or longer than what it is joined with."""
    del problem
    if failure.layer.kind not in _JOINING:
        return
    for operand, name in enumerate(failure.inputs):
        table = _table(lineage, name)
        if table is None:
            continue
        shape = lineage.shape(name)
        for other in (other for index, other in enumerate(failure.inputs) if index != operand):
            for held, asked in _differing(shape, lineage.shape(other)):
                if held > 1 and asked > 1 and held in lineage.shape(table):
                    named = failure.names[operand] if len(failure.names) > operand else ""
                    title = f'"{table}"' if table in _weights(failure) else named
                    if title:
                        yield f"{title} holds {held} entries, {asked} are asked for" + _sides(held, asked)
                    return


def _table(lineage: Lineage, name: str) -> str | None:
    """Return the stored tensor that a value is an arrangement of."""
    for layer, call, _ in lineage.back(name):
        if layer.kind not in _ARRANGING or not call.inputs:
            return None
        name = call.inputs[0]
    return name if lineage.is_stored(name) else None


def _sides(held: int, asked: int) -> str:
    """Write both numbers as the squares that they are, with or without one more for a class token."""
    for extra in (0, 1, 2):
        roots = [round(max(number - extra, 0) ** 0.5) for number in (held, asked)]
        if all(root > 1 and root * root + extra == n for root, n in zip(roots, (held, asked), strict=True)):
            plus = f" + {extra}" if extra else ""
            return f": {held} = {roots[0]}·{roots[0]}{plus}, {asked} = {roots[1]}·{roots[1]}{plus}"
    return ""


def _weights(failure: Failure) -> set[str]:
    return {weight.name for layer in failure.model.layers for weight in layer.weights}


def _aligned(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say which axes an operand of fewer axes lacks."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if failure.layer.kind != "elementwise" or len(shapes) != 2:
        return
    short, long = sorted(shapes, key=len)
    missing = len(long) - len(short)
    if not short or not missing:
        return
    if len(short) == 2 and missing > 1 and short == (long[0], long[-1]):
        yield f"{show(short)} lacks the {missing} axes between the first and the last of {show(long)}"
    elif len(short) > 1 and short == long[: len(short)]:
        axes = "axis" if missing == 1 else f"{missing} axes"
        yield f"{show(short)} lacks the last {axes} of {show(long)}: axes are aligned from the last one"


def _lacking(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say which axis of length 1 the outputs or the targets of a loss have, and the others lack."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if not is_loss(failure.layer) or len(shapes) != 2 or not all(shapes):
        return
    both = [*zip(shapes, ("the outputs", "the targets"), strict=True)]
    (short, short_name), (long, long_name) = sorted(both, key=lambda one: len(one[0]))
    places = [axis for axis, n in enumerate(long) if n == 1 and (*long[:axis], *long[axis + 1 :]) == short]
    if targets_of(failure.layer) == "same" and places:
        yield f"{short_name}, {show(short)}, lack axis {places[0]} of {long_name}, {show(long)}, of length 1"
    elif (
        targets_of(failure.layer) == "indices" and len(shapes[0]) == len(shapes[1]) > 1 and 1 in shapes[1][1:]
    ):
        axis = shapes[1].index(1, 1)
        wanted = (*shapes[1][:axis], *shapes[1][axis + 1 :])
        if wanted == (*shapes[0][:1], *shapes[0][2:]):
            indices = f"class indices are {show(wanted)}"
            yield f"axis {axis} of the targets, {show(shapes[1])}, is one too many: {indices}"


def _spread(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name an earlier step that broadcast two tensors to more than either of them."""
    del problem
    for operand in failure.inputs[:4]:
        for layer, call, name in lineage.back(operand):
            given = [lineage.shape(value) for value in call.inputs]
            made = lineage.shape(name)
            if layer.kind != "elementwise" or len(given) != 2 or not all(given):
                continue
            if len(given[0]) != len(given[1]) and prod(made) > max(map(prod, given)):
                both = " and ".join(map(show, given))
                yield f"{lineage.place(layer)} broadcasts {both} to {show(made)}"
                return


def _apart(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say on which axis two operands of one rank differ."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if failure.layer.kind != "elementwise" or len(shapes) != 2 or len(shapes[0]) != len(shapes[1]):
        return
    differing = [
        (axis, a, b) for axis, (a, b) in enumerate(zip(*shapes, strict=True)) if a != b and 1 not in (a, b)
    ]
    if len(differing) == 1:
        axis, a, b = differing[0]
        yield f"they differ on axis {axis}: {a} and {b}"


def _strided(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say that a length is no multiple of the strides that one branch takes and the other does not."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if failure.layer.kind not in _JOINING or len(shapes) < 2 or len(shapes[0]) != len(shapes[1]):
        return
    rank, along = len(shapes[0]), failure.layer.attributes.get("axis")
    joined = along % rank if isinstance(along, int) and failure.layer.kind == "concat" else None
    for axis in (axis for axis in range(1, rank) if shapes[0][axis] != shapes[1][axis] and axis != joined):
        ways = [_lengths_back(lineage, name, axis) for name in failure.inputs[:2]]
        longer, shorter = sorted(ways, key=len, reverse=True)
        if not shorter or longer[-len(shorter) :] != shorter:
            continue
        steps = longer[::-1]
        shrunk = [(one, other) for one, other in pairwise(steps) if 0 < other < one]
        factors = [round(one / other) for one, other in shrunk]
        pairs = zip(shrunk, factors, strict=True)
        whole = all(other in (one // step, -(-one // step)) for (one, other), step in pairs)
        if whole and len(factors) > 1 and steps[0] % prod(factors):
            way, product = " → ".join(map(str, steps)), "·".join(map(str, factors))
            step = f"{product} = {prod(factors)}"
            yield f"{steps[0]} is no multiple of {step}, the product of the strides: {way}"
            return


def _lengths_back(lineage: Lineage, name: str, axis: int) -> list[int]:
    """Return the lengths of an axis from a value back to an input, each once in a row."""
    rank, lengths = len(lineage.shape(name)), [lineage.shape(name)[axis]]
    for _, before, _ in lineage.steps(name):
        if len(before) != rank:
            break
        lengths += [before[axis]] if before[axis] != lengths[-1] else []
    return lengths


def _halved(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the step that rounded an odd length, where two branches differ."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if failure.layer.kind not in _JOINING or len(shapes) < 2 or len(shapes[0]) != len(shapes[1]):
        return
    rank, along = len(shapes[0]), failure.layer.attributes.get("axis")
    joined = along % rank if isinstance(along, int) and failure.layer.kind == "concat" else None
    for axis in (axis for axis in range(rank) if shapes[0][axis] != shapes[1][axis] and axis != joined):
        for operand in (0, 1):
            has, other = shapes[operand][axis], shapes[1 - operand][axis]
            for layer, call, name in lineage.back(failure.inputs[operand]):
                before = lineage.shape(call.inputs[0]) if call.inputs else ()
                after = lineage.shape(name)
                if len(before) != rank or len(after) != rank:
                    break
                if before[axis] == other and before[axis] % 2 and after[axis] in (other // 2, other // 2 + 1):
                    twice = f"; {has} is twice that" if has == 2 * after[axis] else ""
                    yield f"{other} is odd: {lineage.place(layer)} makes it {after[axis]}{twice}"
                    return


def _parted(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say that an odd length was taken apart into unequal parts."""
    del problem
    made = [lineage.maker(name) for name in failure.inputs[:4]]
    if failure.layer.kind not in _JOINING or len(made) < 2:
        return
    sources = {
        call.inputs[0]
        for found in made
        if found is not None and found[0].kind == "slice"
        for call in found[1:]
    }
    if len(sources) != 1 or any(found is None or found[0].kind != "slice" for found in made):
        return
    whole = lineage.shape(*sources)
    parts = [lineage.shape(name) for name in failure.inputs[:4]]
    if any(len(part) != len(whole) for part in parts):
        return
    for axis, length in enumerate(whole):
        lengths = sorted({part[axis] for part in parts}, reverse=True)
        if len(lengths) == 2 and sum(lengths) == length and length % 2:
            yield f"{length} is odd: its parts are {lengths[0]} and {lengths[1]}"
            return


def _resized(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the step after which one operand has another length than the other one."""
    del problem
    if failure.layer.kind not in _JOINING and failure.layer.kind not in ("matmul", "take_along"):
        return
    for operand in (0, 1) if len(failure.inputs) > 1 else ():
        shape, other = (lineage.shape(failure.inputs[index]) for index in (operand, 1 - operand))
        for has, wanted in _differing(shape, other):
            if min(has, wanted) < 2:
                continue
            for layer, before, after in lineage.steps(failure.inputs[operand]):
                if has in after and wanted not in after and wanted in before and has not in before:
                    yield f"{lineage.place(layer)} makes {has} of {wanted}: {show(before)} to {show(after)}"
                    return


def _rounded(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say that one length is rounded up and the other one down."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if failure.layer.kind not in _JOINING or len(shapes) < 2:
        return
    pairs = [pair for pair in _differing(*shapes) if abs(pair[0] - pair[1]) == 1]
    lengths = {length for name in failure.model.inputs for length in lineage.shape(name)[1:]}
    for small, large in (sorted(pair) for pair in pairs):
        for length in sorted(lengths):
            for factor in _FACTORS:
                if length // factor == small and -(-length // factor) == large and small > 1:
                    yield f"{length} is no multiple of {factor}: {small} rounds it down, {large} rounds it up"
                    return


def _turned(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name the step that swapped the axes of one operand."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if failure.layer.kind not in _JOINING or len(shapes) < 2 or shapes[0] == shapes[1]:
        return
    if sorted(shapes[0]) != sorted(shapes[1]):
        return
    for name in failure.inputs[:2]:
        for layer, before, after in lineage.steps(name):
            if layer.kind in ("permute", "transpose2") and before != after == lineage.shape(name):
                yield f"{lineage.place(layer)} turns {show(before)} to {show(after)}"
                return


def _samples(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Name two inputs of batches that differ."""
    del problem
    shapes = [lineage.shape(name) for name in failure.inputs[:2]]
    if failure.layer.kind not in ("elementwise", "concat") or len(shapes) < 2 or min(map(len, shapes)) < 2:
        return
    first, second = (lineage.inputs(name) for name in failure.inputs[:2])
    for a, b in _differing(*shapes):
        left = [name for name in first - second if lineage.shape(name)[:1] == (a,)]
        right = [name for name in second - first if lineage.shape(name)[:1] == (b,)]
        if min(a, b) > 1 and len(left) == len(right) == 1:
            yield f'"{left[0]}" holds {a} samples, "{right[0]}" holds {b}'
            return


def _index_masks(failure: Failure, problem: Problem, lineage: Lineage) -> Iterator[str]:
    """Say which axes of a mask of truth values differ from those of what it selects from."""
    del problem
    if not failure.layer.type.endswith(("__getitem__", "masked_select")) or len(failure.inputs) != 2:
        return
    source, mask = (lineage.shape(name) for name in failure.inputs)
    value = failure.model.values.get(failure.inputs[1])
    if value is None or value.dtype != "bool" or not source or not mask:
        return
    differing = [str(axis) for axis, (a, b) in enumerate(zip(source, mask, strict=False)) if a != b]
    if len(mask) == 1 < len(source) and prod(source) == mask[0]:
        product = "·".join(map(str, source))
        yield f"the mask is flat: {mask[0]} = {product}, all elements of {show(source)}"
    elif differing:
        yield f"the mask of {show(mask)} differs from {show(source)} on axis {', '.join(differing)}"


def _differing(shape: _Shape, other: _Shape) -> list[tuple[int, int]]:
    """Return the lengths that differ, from the last axis on."""
    return [(a, b) for a, b in zip(reversed(shape), reversed(other), strict=False) if a != b]


#: The rules, the surest first.
OF_OPERANDS: tuple[Callable[[Failure, Problem, Lineage], Iterator[str]], ...] = (
    _index_masks,
    _tables,
    _samples,
    _turned,
    _strided,
    _halved,
    _parted,
    _rounded,
    _aligned,
    _lacking,
    _spread,
    _resized,
    _apart,
)
