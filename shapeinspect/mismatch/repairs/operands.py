"""Fixes for operands of a sum, a concatenation or a stack whose shapes do not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations

from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.products import OperandSteps, lettered, matrices, product
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.plugin_api.changes import Step

_Shape = tuple[int, ...]


def joins(
    layer: Layer, shapes: tuple[_Shape, ...], last: bool = False, batched: bool = False
) -> Iterator[OperandSteps]:
    """Yield the steps that could make one operand fit the others.

    Args:
        layer: what joins them.
        shapes: the operands' shapes.
        last: whether the model keeps its channels last.
        batched: whether a product takes batches of matrices only.

    Example:
        >>> matmul = Layer("m", "matmul", "matmul")
        >>> [fix.steps for fix in joins(matmul, ((4, 8), (6, 8)))]
        [(('permute', (1, 0)),)]
    """
    if len(shapes) < 2:
        return
    if layer.kind in ("matmul", "gemm", "batch_dot"):
        yield from product(shapes)
        if batched:
            yield from matrices(shapes)
    elif layer.kind == "take_along" and len(shapes[1]) == len(shapes[0]) - 1:
        axis = layer.attributes.get("axis", -1)
        yield OperandSteps("missing-axis", 1, (("unsqueeze", axis),), Rung.GATHER_AXIS)
    elif layer.kind == "einsum":
        yield from lettered(str(layer.attributes.get("equation", "")), shapes)
    elif layer.kind in ("elementwise", "concat", "stack"):
        along = layer.attributes.get("axis") if layer.kind == "concat" else None
        for operand in range(1, len(shapes)):
            for index, other in ((operand, 0), (0, operand)):
                yield from _fitted(index, shapes[index], shapes[other], along, last)
        if layer.kind == "elementwise":
            yield from _spread(shapes)


def _fitted(
    operand: int, shape: _Shape, other: _Shape, along: int | None, last: bool
) -> Iterator[OperandSteps]:
    """Yield changes that could make an operand fit another."""
    if len(shape) == len(other):
        pair = _Pair.of(operand, shape, other, along, last)
        if pair.differing:
            for repair in _SAME_RANK:
                yield from repair(pair)
        return
    if along is not None or not shape:  # else a sum broadcasts, see _spread
        yield from _ranks(operand, shape, other)
    if along is not None and 2 <= len(shape) < len(other):
        yield from _repeated(operand, shape, other, along % len(other))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two operands of one rank.

    Args:
        operand: which operand is changed.
        shape: its shape.
        other: the shape that it has to fit.
        along: the axis that they are concatenated along; None for a sum or a stack.
        last: whether the channels are last.
        differing: the axes that differ, but the one that they are concatenated along.
        space: the spatial axes.
        channels: the axis of the channels.
        stride: the stride of a 1×1 convolution from the one space to the other; None if there is none.
    """

    operand: int
    shape: _Shape
    other: _Shape
    along: int | None
    last: bool
    differing: tuple[int, ...]
    space: range
    channels: int
    stride: int | None

    @classmethod
    def of(cls, operand: int, shape: _Shape, other: _Shape, along: int | None, last: bool) -> _Pair:
        """Compare two shapes axis by axis."""
        rank = len(shape)
        joined = None if along is None else along % rank
        differing = tuple(axis for axis in range(rank) if axis != joined and shape[axis] != other[axis])
        space, channels = (range(1, rank - 1), rank - 1) if last else (range(2, rank), 1)
        stride = _stride(tuple(shape[axis] for axis in space), tuple(other[axis] for axis in space))
        return cls(operand, shape, other, joined, last, differing, space, channels, stride)

    @property
    def only_space(self) -> bool:
        """Whether only spatial axes differ."""
        return all(axis in self.space for axis in self.differing)

    def adopted(self) -> _Shape:
        """The operand's shape, with the other's lengths on the axes that differ."""
        return tuple(
            self.other[axis] if axis in self.differing else length for axis, length in enumerate(self.shape)
        )

    def projected(self, channels: int) -> Step:
        """The 1×1 convolution to the other operand's channels and spatial size."""
        if self.last:
            return "project_last", (channels, self.stride, len(self.space))
        return "project", (channels, self.stride)


def _permuted(pair: _Pair) -> Iterator[OperandSteps]:
    rank = len(pair.shape)
    for axes in permutations(range(rank)) if rank <= 4 else ():
        moved = tuple(pair.shape[axis] for axis in axes)
        fits = all(
            axis == pair.along or moved[axis] == pair.other[axis] or (pair.along is None and moved[axis] == 1)
            for axis in range(rank)
        )
        if axes != tuple(range(rank)) and fits:
            cause = "batch-first" if axes == (1, 0, 2) else "channels-last" if rank == 4 else "swapped-axes"
            yield OperandSteps(cause, pair.operand, (("permute", axes),), Rung.OPERAND_PERMUTED)
            return


def _last_state(pair: _Pair) -> Iterator[OperandSteps]:
    """Give each step the last layer's state: (layers, batch, width) beside (batch, time, width)."""
    shape, other = pair.shape, pair.other
    if len(shape) != 3 or pair.along == 1 or shape[0] >= other[1] or shape[1:] != (other[0], other[2]):
        return
    steps: tuple[Step, ...] = (("last", 0), ("unsqueeze", 1))
    if pair.along is not None:
        steps = (*steps, ("expand", (-1, other[1], -1)))
    yield OperandSteps("", pair.operand, steps, Rung.LAST_STATE)


def _expanded(pair: _Pair) -> Iterator[OperandSteps]:
    if pair.along is not None and all(pair.shape[axis] == 1 for axis in pair.differing):
        lengths = tuple(pair.other[axis] if axis in pair.differing else -1 for axis in range(len(pair.shape)))
        yield OperandSteps("not-expanded", pair.operand, (("expand", lengths),), Rung.EXPANDED)


def _resized(pair: _Pair) -> Iterator[OperandSteps]:
    """Stride the shortcut where a stride gives the other's spatial size, else crop or interpolate."""
    if len(pair.shape) < 4 or not pair.only_space:
        return
    if len(pair.shape) == 4 and pair.along is None and pair.stride not in (None, 1):
        step = pair.projected(pair.shape[pair.channels])
        yield OperandSteps("space", pair.operand, (step,), Rung.STRIDED_SHORTCUT)
        return
    if all(pair.shape[axis] > pair.other[axis] for axis in pair.differing):
        yield OperandSteps("space", pair.operand, (("crop", pair.adopted()),), Rung.CROPPED)
    name = "interpolate_last" if pair.last else "interpolate"
    space = tuple(pair.other[axis] for axis in pair.space)
    yield OperandSteps("space", pair.operand, ((name, space),), Rung.INTERPOLATED)


def _shortened(pair: _Pair) -> Iterator[OperandSteps]:
    if len(pair.shape) != 3 or len(pair.differing) != 1:
        return
    axis = pair.differing[0]
    if pair.shape[axis] > pair.other[axis] > 1:
        yield OperandSteps("length", pair.operand, (("crop", pair.adopted()),), Rung.CUT_OPERAND)


def _projected(pair: _Pair) -> Iterator[OperandSteps]:
    images = len(pair.shape) == 4 or (pair.last and len(pair.shape) >= 2)
    if images and pair.along is None and pair.channels in pair.differing and pair.stride is not None:
        wanted = pair.other[pair.channels]
        rank = Rung.PROJECTED if wanted > pair.shape[pair.channels] else Rung.PROJECTED_DOWN
        yield OperandSteps("features", pair.operand, (pair.projected(wanted),), rank)


#: Changes that could make an operand fit another of the same rank.
_SAME_RANK: tuple[Callable[[_Pair], Iterator[OperandSteps]], ...] = (
    _permuted,
    _last_state,
    _expanded,
    _resized,
    _shortened,
    _projected,
)


def _repeated(operand: int, shape: _Shape, other: _Shape, along: int) -> Iterator[OperandSteps]:
    """Broadcast a per-sample tensor along the time or spatial axes: unsqueeze, then expand."""
    missing = len(other) - len(shape)
    for first, axis in ((1, 1), (len(shape), -1)):
        added = tuple(range(first, first + missing))
        raised = (*shape[:first], *(1,) * missing, *shape[first:])
        fits = all(raised[n] == other[n] for n in range(len(other)) if n != along and n not in added)
        if along not in added and fits:
            lengths = tuple(length if n in added else -1 for n, length in enumerate(other))
            steps: tuple[Step, ...] = (*(("unsqueeze", axis),) * missing, ("expand", lengths))
            yield OperandSteps("missing-axis", operand, steps, Rung.REPEATED)


def _ranks(operand: int, shape: _Shape, other: _Shape) -> Iterator[OperandSteps]:
    """Give an operand the rank of the other."""
    if len(shape) == len(other) - 1:
        for axis in range(len(shape) + 1):
            single = axis < len(other) and other[axis] == 1
            rank = Rung.SINGLE_AXIS if single else Rung.OPERAND_AXIS + axis
            yield OperandSteps("missing-axis", operand, (("unsqueeze", axis),), rank)
    if len(shape) > len(other) >= 2:
        step = ("flatten", len(other) - 1)
        yield OperandSteps("not-flattened", operand, (step,), Rung.OPERAND_FLATTENED)
        for axis, length in enumerate(shape):
            if length == 1:
                yield OperandSteps("extra-axis", operand, (("squeeze", axis),), Rung.OPERAND_SQUEEZED)


def _stride(space: _Shape, other: _Shape) -> int | None:
    """Return the stride of a 1×1 convolution that turns one spatial size into the other."""
    for stride in (1, 2, 4):
        if tuple(-(-length // stride) for length in space) == other:
            return stride
    return None


def _spread(shapes: tuple[_Shape, ...]) -> Iterator[OperandSteps]:
    """Give a vector of channels the axes that it broadcasts over."""
    rank = max(map(len, shapes))
    for operand, shape in enumerate(shapes):
        missing = rank - len(shape)
        if missing and shape:
            trailing = (("unsqueeze", -1),) * missing
            yield OperandSteps("missing-axis", operand, trailing, Rung.TRAILING_AXES)
            if len(shape) >= 2:
                inner = (("unsqueeze", 1),) * missing
                yield OperandSteps("missing-axis", operand, inner, Rung.INNER_AXES)
