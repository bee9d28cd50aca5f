"""Which causes may stand at the head of a diagnosis: those whose words the shapes do not refute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from math import prod

from shapeinspect.mismatch.reasons.layers import uneven
from shapeinspect.mismatch.reasons.lineage import Lineage
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import Problem, lengths_of
from shapeinspect.plugin_api import facts
from shapeinspect.plugin_api.rerun import Failure

_Shape = tuple[int, ...]
#: Says whether the words of a cause hold; None where that is not known.
_Condition = Callable[[Failure, Problem, Sequence[_Shape]], bool | None]

#: The letters of spatial axes.
_SIDES = frozenset({"D", "H", "W", "L"})
#: What is said instead, the first that is not refuted.
_INSTEAD = ("rank-of-operands", "broadcast", "length")
#: Kinds whose operands are combined element by element, one beside the other, or as a product.
_COMBINING = frozenset({"elementwise", "concat", "stack", "matmul"})


def headline(cause: str, failure: Failure, problem: Problem) -> str:
    """Return a cause whose words are true of a failure: the one that is given, or else a plainer one.

    Args:
        cause: the cause, a key of ``causes.CAUSES``.
        failure: where the run ended.
        problem: what does not fit there.
    """
    shapes = _known(failure)
    if shapes is None or _holds(cause, failure, problem, shapes) is not False:
        return cause
    if is_loss(failure.layer):
        return "targets"
    if failure.layer.kind in _COMBINING:
        for one in _INSTEAD:
            if _holds(one, failure, problem, shapes):
                return one
    return "unknown"


def _holds(cause: str, failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    condition = CONDITIONS.get(cause)
    return None if condition is None else condition(failure, problem, shapes)


def _known(failure: Failure) -> list[_Shape] | None:
    """Return the shapes of all operands; None where one of them is not known."""
    found = [lengths_of(failure, name) for name in failure.inputs]
    known = [shape for shape in found if shape is not None]
    return known if known and len(known) == len(found) else None


def _broadcast(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    del problem
    if len(shapes) < 2:
        return None
    if failure.layer.kind in ("concat", "stack"):
        return False
    if failure.layer.kind == "matmul":  # the last two axes are not broadcast
        shapes = [shape[:-2] for shape in shapes]
    return not _fit(shapes)


def _fit(shapes: Sequence[_Shape]) -> bool:
    rows = zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1)
    return all(len({*row} - {1}) < 2 for row in rows)


def _unequal(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    del failure, problem
    return len({*shapes}) > 1 if len(shapes) > 1 else None


def _joined(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether operands differ off the axis along which they are joined."""
    del problem
    if failure.layer.kind != "concat":
        return None if failure.layer.kind in ("unknown", "module") else False
    axis, ranks = failure.layer.attributes.get("axis"), {len(shape) for shape in shapes}
    if len(shapes) < 2 or not isinstance(axis, int):
        return None
    if len(ranks) > 1 or not -min(ranks) <= axis < min(ranks):
        return False
    apart = [at for at, row in enumerate(zip(*shapes, strict=True)) if len({*row}) > 1]
    return any(at != axis % len(shapes[0]) for at in apart)


def _inner(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    del problem
    if failure.layer.kind != "matmul" or len(shapes) != 2 or not all(shapes):
        return None
    if failure.layer.attributes.get("trans_a") or failure.layer.attributes.get("trans_b"):
        return None
    first, second = shapes
    return first[-1] != second[-2 if len(second) > 1 else -1]


def _reshaped(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    del problem
    asked = failure.layer.attributes.get("shape")
    if failure.layer.kind != "reshape" or not isinstance(asked, tuple):
        return None
    if not all(type(length) is int for length in asked) or failure.layer.attributes.get("zero_copies"):
        return None
    fixed, total = prod(length for length in asked if length != -1), prod(shapes[0])
    if asked.count(-1) > 1:
        return False
    return bool(fixed == 0 or total % fixed) if -1 in asked else fixed != total


def _windows_of(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether a reshape splits a length into windows that leave a rest."""
    del problem
    asked = failure.layer.attributes.get("shape")
    plain = isinstance(asked, tuple) and all(type(length) is int for length in asked)
    return bool(uneven(shapes[0], asked)) if plain else None  # type: ignore[arg-type]  # whole numbers


def _too_small(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether a window is longer than the padded input that it slides over."""
    del shapes
    return " of at least " in (problem.expected or "") if failure.layer.kind in _WINDOWED else None


def _in_space(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether two operands differ in their space and nowhere else."""
    if failure.layer.kind in _WINDOWED:  # said in other words
        return _too_small(failure, problem, shapes)
    if len(shapes) < 2:
        return None
    first, second = shapes[:2]
    if len(first) != len(second):
        classes = is_loss(failure.layer) and len(first) == len(second) + 1 > 3
        return first[2:] != second[1:] or first[1:-1] != second[1:] if classes else False
    rank, along = len(first), failure.layer.attributes.get("axis")
    joined = along % rank if isinstance(along, int) and failure.layer.kind == "concat" and rank else None
    others = [shape for shape in shapes[1:] if len(shape) == rank]
    apart = {at for at in range(rank) if at != joined and any(first[at] != one[at] for one in others)}
    letters = {axes[at] for axes in problem.axes if axes is not None and len(axes) == rank for at in apart}
    if letters - _SIDES - {None, ""}:
        return False
    if letters & _SIDES:
        return True
    return rank == len("NCHW") and bool(apart) and any(apart <= space for space in _spaces(failure, rank))


def _spaces(failure: Failure, rank: int) -> list[set[int]]:
    """Return which axes are the space: behind the channels, before them, or either where nothing says it."""
    formats = {layer.attributes.get("data_format") for layer in failure.model.layers}
    last, first = {*range(1, rank - 1)}, {*range(2, rank)}
    if "channels_last" in formats:
        return [last]
    reads = any("kernel_size" in layer.attributes for layer in failure.model.layers)
    return [first] if reads else [first, last]


def _of_samples(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    del failure, problem
    return shapes[0][:1] != shapes[1][:1] if len(shapes) > 1 else None


def _mixed(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether an earlier reshape made another number of rows of the samples."""
    del problem, shapes
    lineage = Lineage(failure)
    return any(
        layer.kind in ("reshape", "flatten") and before[:1] != after[:1]
        for name in failure.inputs
        for layer, before, after in lineage.steps(name)
        if before and after
    )


def _of_channels(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    del shapes
    kind = failure.layer.kind
    fixed = kind in ("conv", "conv_transpose", "linear", "batch_norm", "group_norm", "instance_norm")
    return problem.demand is not None if fixed and failure.fact is None else None


def _one_axis_apart(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether operands that are combined have ranks that differ by one."""
    del problem
    if failure.layer.kind not in ("elementwise", "concat", "stack") or len(shapes) < 2:
        return None
    return len({len(shape) for shape in shapes}) > 1


def _ranks_apart(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    del problem
    if len(shapes) < 2 or failure.layer.kind == "matmul":
        return None
    return len({len(shape) for shape in shapes}) > 1


def _of_dtype(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether an index has a dtype that is none of whole numbers."""
    del problem, shapes
    if failure.layer.kind != "embedding" or isinstance(failure.fact, facts.OtherType) or not failure.inputs:
        return None
    value = failure.model.values.get(failure.inputs[0])
    if value is None or value.dtype is None:
        return None
    return not str(value.dtype).startswith(("int", "uint"))


def _differing(failure: Failure, problem: Problem, shapes: Sequence[_Shape]) -> bool | None:
    """Tell whether two operands of one rank have an axis of two lengths that are not broadcast."""
    del problem
    if failure.fact is not None or failure.layer.kind not in _COMBINING:
        return None
    if failure.layer.kind == "elementwise" and _fit(shapes):
        return False
    return len({*shapes}) > 1 and len({len(shape) for shape in shapes}) == 1 if len(shapes) > 1 else None


#: Kinds that slide a window.
_WINDOWED = frozenset({"conv", "max_pool", "avg_pool", "lp_pool"})
#: By the cause: what has to hold for its words; one without a row is that of a fact, or of a fix that ran.
CONDITIONS: dict[str, _Condition] = {
    "batch-mixed": _mixed,
    "broadcast": _broadcast,
    "channels": _of_channels,
    "concat-axis": _joined,
    "dtype": _of_dtype,
    "extra-axis": _one_axis_apart,
    "features": _of_channels,
    "inner": _inner,
    "length": _differing,
    "missing-axis": _one_axis_apart,
    "output-size": _in_space,
    "patches": _windows_of,
    "rank-of-operands": _ranks_apart,
    "reshape": _reshaped,
    "samples": _of_samples,
    "space": _in_space,
    "too-small": _too_small,
    "unequal": _unequal,
    "unequal-samples": _of_samples,
}
