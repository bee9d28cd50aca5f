"""Receptive fields of single ops: what one output position sees of the op's own inputs.

Along an axis that a call keeps (its naming links it), an output sees its own position. A
:class:`Field` tells what is different: a window, a step, a whole axis, or positions that depend on data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from shapeinspect.dims import Shape, Unknown
from shapeinspect.rules.receptive import (
    CAUSAL,
    SAME,
    Reach,
    adaptive,
    linear,
    moved,
    nearest,
    repeated,
    sliding,
    through,
    transposed,
)
from shapeinspect.rules.rule import Attributes, Naming, Shapes
from shapeinspect.rules.sliding import paddings
from shapeinspect.rules.spatial import is_last, pairs, per_axis, space_axes, space_of, take_apart

if TYPE_CHECKING:
    from fractions import Fraction

#: An input's index and one of its axes.
InputAxis: TypeAlias = "tuple[int, int]"
#: What an output sees along each axis; None if that is not known.
Reaches: TypeAlias = "Mapping[InputAxis, Reach | None]"
_OwnReaches: TypeAlias = "dict[int, Reach | None]"


@dataclass(frozen=True, slots=True)
class Operation:
    """One output of one call: everything its receptive field depends on.

    Args:
        attributes: the settings.
        inputs: the input shapes.
        outputs: the output shapes.
        output: which output.
        naming: what the call proves about its axes.

    Example:
        >>> Operation({}, ((2, 3),), ((2, 5),), 0, Naming()).shape
        (2, 5)
    """

    attributes: Attributes
    inputs: Shapes
    outputs: Shapes
    output: int
    naming: Naming

    @property
    def first(self) -> Shape:
        """The first input's shape; it must be known."""
        return self.inputs[0] or ()

    @property
    def shape(self) -> Shape:
        """The output's shape."""
        return self.outputs[self.output] or ()


def _no_reaches(_op: Operation) -> Reaches:
    return {}


def _no_axes(_op: Operation) -> frozenset[InputAxis]:
    return frozenset()


@dataclass(frozen=True, slots=True)
class Field:
    """What one output position of a kind sees of its inputs.

    Args:
        text: the description.
        reaches: what it sees along axes that it does not simply keep.
        whole: the axes that it sees as a whole.
        by_data: of how many inputs, from the first, it reads positions that depend on numbers.
        regroups: whether the elements are counted out to other axes.
        one_entry: whether it sees one fixed entry of the axis that it drops.
        traced: whether it depends on positions of its input at all.

    Example:
        >>> SAME_POSITION.text
        'its own position'
    """

    EVERY_INPUT: ClassVar[int] = 1 << 30

    text: str
    reaches: Callable[[Operation], Reaches] = _no_reaches
    whole: Callable[[Operation], frozenset[InputAxis]] = _no_axes
    by_data: int = 0
    regroups: bool = False
    one_entry: bool = False
    traced: bool = True

    def followed(self, known: Sequence[bool]) -> bool:
        """Tell whether the positions that the op reads are known.

        Args:
            known: for each input, whether it depends on positions of the model's inputs.
        """
        return not any(known[: self.by_data])


def of_first(text: str, read: Callable[[Attributes, Shape, Shape], _OwnReaches]) -> Field:
    """Return the field of an op that sees windows or steps of its first input.

    Args:
        text: the description.
        read: what an output sees along the axes of the first input, for attributes, input and output.

    Example:
        >>> of_first("", lambda *_: {1: SAME}).reaches(Operation({}, ((2, 3),), ((2, 3),), 0, Naming()))
        {(0, 1): Reach(lows=(0,), highs=(0,), advance=1)}
    """
    return Field(
        text,
        lambda op: {(0, axis): reach for axis, reach in read(op.attributes, op.first, op.shape).items()},
    )


def all_of(text: str, axes: Callable[[Attributes, Shape], Sequence[int] | None]) -> Field:
    """Return the field of an op that sees whole axes of its first input.

    Args:
        text: the description.
        axes: which ones, for attributes and the input's shape; None for every axis of every input.

    Example:
        >>> all_of("", lambda *_: (-1,)).whole(Operation({}, ((2, 3),), ((2, 3),), 0, Naming()))
        frozenset({(0, 1)})
    """

    def whole(op: Operation) -> frozenset[InputAxis]:
        rank, result = len(op.first), axes(op.attributes, op.first)
        if result is None:
            every = enumerate(op.inputs)
            return frozenset((source, axis) for source, item in every for axis in range(len(item or ())))
        return frozenset((0, axis % rank) for axis in result if rank)

    return Field(text, whole=whole)


def _along(implicit: Callable[[int], int]) -> Callable[[Attributes, Shape], Sequence[int]]:
    def axes(attributes: Attributes, shape: Shape) -> Sequence[int]:
        axis = attributes.get("axis")
        return (axis if isinstance(axis, int) else implicit(len(shape)),)

    return axes


def _reduced(attributes: Attributes, _shape: Shape) -> Sequence[int] | None:
    axes = attributes.get("axes", attributes.get("axis"))
    if isinstance(axes, Unknown) or axes is None:
        return None
    return (axes,) if isinstance(axes, int) else tuple(axes)


def _normalized(attributes: Attributes, shape: Shape) -> Sequence[int]:
    wanted, axis, rank = attributes.get("normalized_shape"), attributes.get("axis"), len(shape)
    if isinstance(axis, tuple | list):
        return tuple(axis)
    count = len(wanted) if isinstance(wanted, tuple | list) else 1
    return (axis,) if isinstance(axis, int) and wanted is None else tuple(range(rank - count, rank))


def _all_but_channels(attributes: Attributes, shape: Shape) -> Sequence[int]:
    rank = len(shape)
    channel = rank - 1 if is_last(attributes) or attributes.get("axis") == -1 else 1
    return tuple(axis for axis in range(1, rank) if axis != channel)


def _to_length(attributes: Attributes, _shape: Shape) -> Sequence[int]:
    axis = attributes.get("axis")
    return (axis,) if isinstance(axis, int) else ()


def _window(attributes: Attributes, shape: Shape, *, pool: bool = False) -> _OwnReaches:
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    count = len(parts.space)
    kernel = per_axis(attributes["kernel_size"], count)
    given = attributes.get("stride") or (attributes["kernel_size"] if pool else None)
    stride = per_axis(given, count, 1)
    dilation = per_axis(attributes.get("dilation"), count, 1)
    sides = paddings({**attributes, "stride": stride}, parts.space, kernel)
    axes = space_axes(len(shape), count, parts.last)
    return {
        axis: sliding(k, s, side[0], d) if isinstance(side[0], int) else None
        for axis, k, s, side, d in zip(axes, kernel, stride, sides, dilation, strict=True)
    }


def _transposed(attributes: Attributes, shape: Shape, _out: Shape) -> _OwnReaches:
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    count, padding = len(parts.space), attributes.get("padding")
    kernel = per_axis(attributes["kernel_size"], count)
    stride, dilation = (per_axis(attributes.get(name), count, 1) for name in ("stride", "dilation"))
    if padding in ("same", "same_lower"):
        # The overhang of the kernel is cropped, the odd position at the end (same_lower: at the start).
        overhangs = [max(d * (k - 1) + 1 - s, 0) for k, s, d in zip(kernel, stride, dilation, strict=True)]
        fronts = [item - item // 2 if padding == "same_lower" else item // 2 for item in overhangs]
    else:
        fronts = [side[0] for side in pairs(None if padding == "valid" else padding, count)]
    axes = space_axes(len(shape), count, parts.last)
    return {
        axis: transposed(k, s, front, d)
        for axis, k, s, front, d in zip(axes, kernel, stride, fronts, dilation, strict=True)
    }


def _adaptive(attributes: Attributes, shape: Shape, out: Shape) -> _OwnReaches:
    count = space_of(attributes, "output_size") or len(shape) - 2
    result: _OwnReaches = {}
    for axis in space_axes(len(shape), count, is_last(attributes)):
        n, length = shape[axis], out[axis]
        known = isinstance(n, int) and isinstance(length, int) and length
        result[axis] = adaptive(n, length) if known else None  # type: ignore[arg-type]  # both are integers
    return result


def _ratio(attributes: Attributes, axis: int, rank: int) -> Fraction | None:
    """Return the distance of neighboring outputs on the input, where a factor and not a size is given."""
    from fractions import Fraction  # takes longer than all rules together

    scale = attributes.get("scale_factor")
    if scale is None or attributes.get("size") is not None:
        return None
    if isinstance(scale, tuple | list):
        last = is_last(attributes) and len(scale) == rank - 2
        index = axis - (1 if last else rank - len(scale))
        scale = scale[index] if 0 <= index < len(scale) else 1
    # A graph may compute the factor, and a file may hold any number.
    if not isinstance(scale, int | float) or not 0 < scale < inf:
        return None
    factor = Fraction(scale).limit_denominator(4096)
    return 1 / factor if factor else None


def _resized(attributes: Attributes, shape: Shape, out: Shape) -> _OwnReaches:
    return {
        axis: _resized_axis(attributes, axis, shape, out[axis])
        for axis in range(len(shape))
        if shape[axis] != out[axis]
    }


def _resized_axis(attributes: Attributes, axis: int, shape: Shape, out: Any) -> Reach | None:
    n, ratio = shape[axis], _ratio(attributes, axis, len(shape))
    if not isinstance(n, int) or not isinstance(out, int) or out < 1:
        return None
    mode = attributes.get("mode") or "nearest"
    if mode == "area":
        return adaptive(n, out)
    if mode in ("nearest", "nearest-exact"):
        return nearest(n, out, exact=mode == "nearest-exact", ratio=ratio)
    if mode in ("linear", "bilinear", "trilinear", "cubic", "bicubic"):
        corners = bool(attributes.get("align_corners"))
        return linear(n, out, corners, 4 if mode.endswith("cubic") else 2, ratio)
    return None


def _padded(sign: int) -> Callable[[Attributes, Shape, Shape], _OwnReaches]:
    def read(attributes: Attributes, shape: Shape, _out: Shape) -> _OwnReaches:
        given: Any = attributes.get("padding", attributes.get("crop"))
        rank, count = len(shape), len(given)
        first = 1 if is_last(attributes) and count == rank - 2 else rank - count
        return {
            first + index: moved(sign * before)
            for index, (before, _) in enumerate(given)
            if isinstance(before, int)
        }

    return read


def _sliced(attributes: Attributes, shape: Shape, _out: Shape) -> _OwnReaches:
    starts = attributes["starts"]
    axes = attributes.get("axes") or tuple(range(len(starts)))
    steps = attributes.get("steps") or (1,) * len(starts)
    result: _OwnReaches = {}
    for start, axis, step in zip(starts, axes, steps, strict=True):
        n = shape[axis]
        begin = 0 if start is None else start
        if isinstance(begin, int) and begin < 0:
            begin = begin + n if isinstance(n, int) else None
        known = isinstance(begin, int) and isinstance(step, int) and step > 0
        first = min(begin, n) if known and isinstance(n, int) else begin
        result[axis % len(shape)] = moved(first, step) if known else None
    return result


def _blocks(make: Callable[[int], Reach]) -> Callable[[Attributes, Shape, Shape], _OwnReaches]:
    def read(attributes: Attributes, shape: Shape, _out: Shape) -> _OwnReaches:
        return dict.fromkeys(space_axes(len(shape), 2, is_last(attributes)), make(attributes["factor"]))

    return read


def _copied(attributes: Attributes, shape: Shape, _out: Shape) -> _OwnReaches:
    if attributes.get("new_axis"):
        return {}
    return {attributes["axis"] % len(shape): repeated(attributes["count"])}


def _joined(op: Operation) -> Reaches:
    """Return the offset of each input of a concatenation along the concat axis."""
    rank = len(op.shape)
    axis = op.attributes["axis"] % max(rank, 1)
    result: dict[InputAxis, Reach | None] = {}
    start: int | None = 0
    for source, shape in enumerate(op.inputs):
        result[source, axis] = None if start is None else moved(-start)
        length = shape[axis] if shape is not None and len(shape) == rank else None
        start = start + length if isinstance(length, int) and start is not None else None
    return result


def _piece(op: Operation) -> Reaches:
    axis = op.attributes.get("axis", 0) % max(len(op.first), 1)
    start = 0
    for out in op.outputs[: op.output]:
        if out is None or not isinstance(out[axis], int):
            return {(0, axis): None}
        start += out[axis]
    return {(0, axis): moved(start)}


def _time_axes(op: Operation) -> list[int]:
    """Return the time axes of the first input."""
    named = op.naming.inputs
    return [axis for axis, letter in enumerate((named[0] if named else None) or ()) if letter == "T"]


def _steps(op: Operation) -> dict[InputAxis, Reach | None]:
    """Return what a recurrent layer sees: along time, everything up to its own position.

    One that reads from the end sees all later positions, which a Reach cannot express.
    """
    backwards = op.attributes.get("direction") == "reverse"
    return {(0, axis): None if backwards else CAUSAL for axis in _time_axes(op)}


def _steps_of_maps(op: Operation) -> Reaches:
    """Return what a convolutional recurrent layer sees: its window widens with every step."""
    result, shape = _steps(op), op.first
    steps = shape[1]
    inner = _window({**op.attributes, "out_channels": 1}, (shape[0], *shape[2:]))
    kernel = per_axis(op.attributes["kernel_size"], len(inner))
    for (axis, reach), taps in zip(sorted(inner.items()), kernel, strict=True):
        wide = (taps - 1) * (steps - 1) + 1 if isinstance(steps, int) else None
        state = None if wide is None else sliding(wide, before=(taps - 1) // 2 * (steps - 1))
        result[0, axis + 1] = None if reach is None or state is None else through(reach, state)
    return result


def _all_steps(op: Operation) -> frozenset[InputAxis]:
    whole = op.output or op.attributes.get("bidirectional")
    return frozenset((0, axis) for axis in _time_axes(op) if whole)


def _attended(op: Operation) -> frozenset[InputAxis]:
    alone = len(op.inputs) < 2 or op.attributes.get("one_input")
    return frozenset((0, axis) for axis in _time_axes(op) or [len(op.first) - 2] if alone)


def _own_axes(op: Operation) -> Reaches:
    return {(0, axis): SAME for axis in range(len(op.first))}


SAME_POSITION = Field("its own position")
OWN_AXES = Field("its own position", _own_axes)
PRODUCT = Field("its own row: the whole summed axis")
WINDOW = of_first("a window", lambda attributes, shape, _out: _window(attributes, shape))
POOL_WINDOW = of_first("a window", lambda attributes, shape, _out: _window(attributes, shape, pool=True))
TRANSPOSED_WINDOW = of_first("the inputs whose patches cover it", _transposed)
ADAPTIVE_WINDOW = of_first("a window of varying length", _adaptive)
RESIZED = of_first("the positions it is interpolated from", _resized)
PADDED = of_first("its own position, moved by the padding", _padded(-1))
CROPPED = of_first("its own position, moved by the crop", _padded(1))
SLICED = of_first("its own position, moved by the start", _sliced)
BLOCK_TO_SPACE = of_first("the position its block comes from", _blocks(repeated))
SPACE_TO_BLOCK = of_first("the block it is built from", _blocks(lambda factor: sliding(factor, factor)))
COPIES = of_first("the position it copies", _copied)
JOINED = Field("its own position, moved by the inputs before", _joined)
PIECE = Field("its own position, moved by the pieces before", _piece)
REGROUPED = Field("the same elements on other axes: not traced", regroups=True)
ONE_ENTRY = Field("the selected entry", one_entry=True)
ALL_OF_AXIS = all_of("all of `axis`", _along(lambda _rank: -1))
SOFTMAX_AXIS = all_of("all of `axis`", _along(lambda rank: 0 if rank in (0, 1, 3) else 1))
REDUCED_AXES = all_of("all of the reduced axes", _reduced)
NORMALIZED_AXES = all_of("all of the normalized axes", _normalized)
ALL_BUT_CHANNELS = all_of("all of space", _all_but_channels)
TO_LENGTH = all_of("all of `axis`", _to_length)
STEPS = Field("all steps up to its own; all of them if bidirectional", _steps, _all_steps)
STEPS_OF_MAPS = Field("a window that widens with every step before", _steps_of_maps, _all_steps)
ATTENDED = Field("all of the time", whole=_attended)
#: The read positions depend on the data, so its field and later fields are unknown.
BY_DATA = Field("depends on the data", by_data=Field.EVERY_INPUT)
#: The indices may depend on the input: only the indexed input is not traced.
BY_INDICES = Field("depends on the indices", by_data=1)
NOTHING = Field("nothing", traced=False)
UNKNOWN_FIELD = Field("unknown", by_data=Field.EVERY_INPUT)
