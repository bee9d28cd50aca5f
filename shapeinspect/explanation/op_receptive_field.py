"""What each kind of op sees of its own inputs: on one axis, on a whole axis, or where nobody can tell."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

from shapeinspect.dims import Shape, Unknown
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.lengths import ADAPTIVE, SLIDING
from shapeinspect.ir import Call
from shapeinspect.rules import Attributes
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
from shapeinspect.rules.sliding import paddings
from shapeinspect.rules.spatial import is_last, pairs, per_axis, space_axes, space_of, take_apart

_Reaches: TypeAlias = "dict[int, Reach | None]"

#: What these read where depends on numbers, so nothing is said of them and of what lies behind.
_BY_DATA = frozenset(
    {
        *("scatter", "gather", "take_along", "roi_align", "grid_sample", "lambda", "unknown"),
        *("fractional_max_pool", "max_unpool"),
    }
)
#: Functions that keep the shape and move entries along an axis.
_MOVING = frozenset(
    {
        *("flip", "fliplr", "flipud", "roll", "rot90", "sort", "argsort", "cumsum", "cumprod", "cummax"),
        *("cummin", "logcumsumexp", "fftshift", "ifftshift", "fft", "ifft", "rfft", "irfft", "fft2", "ifft2"),
    }
)
_RECURRENT = frozenset({"rnn", "lstm", "gru", "conv_lstm"})


def followed(graph: Graph, call: Call, known: list[bool]) -> bool:
    """Tell whether an op's places can be followed.

    Args:
        graph: the graph.
        call: the op.
        known: for each input whether it depends on places of the model's inputs.
    """
    layer, attributes = graph.layers[call.layer], graph.attributes(call)
    if layer.kind in _BY_DATA:
        return not any(known[:1]) if layer.kind in ("gather", "take_along") else not any(known)
    names = {layer.type.rpartition(".")[2].lower().rstrip("_"), str(attributes.get("op", "")).lower()}
    moves = layer.kind in ("unary", "elementwise") and names & _MOVING
    return not (moves and any(known))


def mixed(graph: Graph, call: Call, place: int, shape: Shape) -> frozenset[tuple[int, int]]:
    """Return the inputs' axes of which every output sees all.

    Args:
        graph: the graph.
        call: the op.
        place: which output.
        shape: the output's shape.
    """
    kind, attributes, inputs = graph.layers[call.layer].kind, graph.attributes(call), graph.inputs(call)
    given = inputs[0] if inputs else None
    if given is None:
        return frozenset()
    rank = len(given)
    every = frozenset((source, axis) for source, one in enumerate(inputs) for axis in range(len(one or ())))
    if kind in _RECURRENT:
        whole = place or attributes.get("bidirectional")
        return frozenset((0, axis) for axis in _times(graph, call) if whole)
    if kind == "attention":
        alone = len(graph.sources(call)) < 2 or attributes.get("one_input")
        return frozenset((0, axis) for axis in _times(graph, call) or [rank - 2] if alone)
    axes = _mixed_axes(kind, attributes, given)
    return every if axes is None else frozenset((0, axis % rank) for axis in axes if rank)


def _mixed_axes(kind: str, attributes: Attributes, shape: Shape) -> tuple[int, ...] | None:
    rank = len(shape)
    if kind in ("softmax", "topk", "glu"):
        axis = attributes.get("axis")
        implicit = -1 if kind != "softmax" else 0 if rank in (0, 1, 3) else 1
        return (axis if isinstance(axis, int) else implicit,)
    if kind in ("reduce", "argmax"):
        axes = attributes.get("axes", attributes.get("axis"))
        if isinstance(axes, Unknown) or axes is None:
            return None
        return (axes,) if isinstance(axes, int) else tuple(axes)
    if kind in ("layer_norm", "rms_norm"):
        return _normalized(attributes, rank)
    if kind in ("group_norm", "instance_norm"):
        channel = rank - 1 if is_last(attributes) or attributes.get("axis") == -1 else 1
        return tuple(axis for axis in range(1, rank) if axis != channel)
    if kind == "normalize" and isinstance(attributes.get("axis"), int):
        return (attributes["axis"],)
    return ()


def _normalized(attributes: Attributes, rank: int) -> tuple[int, ...]:
    wanted, axis = attributes.get("normalized_shape"), attributes.get("axis")
    if isinstance(axis, tuple | list):
        return tuple(axis)
    count = len(wanted) if isinstance(wanted, tuple | list) else 1
    if isinstance(axis, int) and wanted is None:
        return (axis,)
    return tuple(range(rank - count, rank))


def reaches(graph: Graph, call: Call, place: int, shape: Shape) -> dict[tuple[int, int], Reach | None]:
    """Return what an op sees along each of its inputs' axes that it does not simply keep.

    Args:
        graph: the graph.
        call: the op.
        place: which output.
        shape: the output's shape.

    Returns:
        for (which input, which axis) the reach; None where it cannot be followed.
    """
    kind, attributes, inputs = graph.layers[call.layer].kind, graph.attributes(call), graph.inputs(call)
    if kind == "concat":
        return _joined(attributes, inputs, len(shape))
    given = inputs[0] if inputs else None
    if given is None:
        return {}
    if kind in _RECURRENT:
        return {(0, axis): reach for axis, reach in _in_time(graph, call, given).items()}
    if kind in ("split", "unstack"):
        return _piece(graph, call, kind, place, len(given))
    if kind in ("embedding", "stack", "expand"):
        return {(0, axis): SAME for axis in range(len(given))} if kind != "expand" else {}
    return {(0, axis): reach for axis, reach in _of_kind(kind, attributes, given, shape).items()}


def _of_kind(kind: str, attributes: Attributes, shape: Shape, out: Shape) -> _Reaches:
    if kind in SLIDING or kind == "conv_transpose":
        return _window(kind, attributes, shape)
    if kind in ADAPTIVE:
        count = space_of(attributes, "output_size") or len(shape) - 2
        return {
            axis: _known(adaptive, shape[axis], out[axis])
            for axis in space_axes(len(shape), count, is_last(attributes))
        }
    if kind == "resize":
        return {
            axis: _resized(attributes, axis, shape, out[axis])
            for axis in range(len(shape))
            if shape[axis] != out[axis]
        }
    if kind in ("pad", "crop"):
        return _moved_by_pad(kind, attributes, shape)
    if kind == "slice":
        return _sliced(attributes, shape)
    if kind in ("pixel_shuffle", "depth_to_space"):
        factor = attributes["factor"]
        return {axis: repeated(factor) for axis in space_axes(len(shape), 2, is_last(attributes))}
    if kind in ("pixel_unshuffle", "space_to_depth"):
        factor = attributes["factor"]
        return {axis: sliding(factor, factor) for axis in space_axes(len(shape), 2, is_last(attributes))}
    if kind == "repeat" and not attributes.get("new_axis"):
        return {attributes["axis"] % len(shape): repeated(attributes["count"])}
    return {}


def _joined(attributes: Attributes, inputs: Any, rank: int) -> dict[tuple[int, int], Reach | None]:
    """Return how far each input of a concatenation is moved along the axis it is joined on."""
    axis = attributes["axis"] % max(rank, 1)
    found: dict[tuple[int, int], Reach | None] = {}
    start: int | None = 0
    for source, shape in enumerate(inputs):
        found[source, axis] = None if start is None else moved(-start)
        length = shape[axis] if shape is not None and len(shape) == rank else None
        start = start + length if isinstance(length, int) and start is not None else None
    return found


def _piece(graph: Graph, call: Call, kind: str, place: int, rank: int) -> dict[tuple[int, int], Reach | None]:
    axis = graph.attributes(call).get("axis", 0) % max(rank, 1)
    if kind == "unstack":
        return {}
    start = 0
    for out in graph.outputs(call)[:place]:
        if out is None or not isinstance(out[axis], int):
            return {(0, axis): None}
        start += out[axis]
    return {(0, axis): moved(start)}


def _times(graph: Graph, call: Call) -> list[int]:
    """Return the axes of the first input that its op runs along as the time."""
    named = graph.naming(call).inputs
    return [axis for axis, letter in enumerate((named[0] if named else None) or ()) if letter == "T"]


def _in_time(graph: Graph, call: Call, shape: Shape) -> _Reaches:
    """Return what a recurrent layer sees: along the time all up to its own place.

    One that reads from the end sees what comes after, which no Reach says.
    """
    kind, attributes = graph.layers[call.layer].kind, graph.attributes(call)
    backwards = attributes.get("direction") == "reverse"
    found: _Reaches = dict.fromkeys(_times(graph, call), None if backwards else CAUSAL)
    if kind != "conv_lstm":
        return found
    steps = shape[1]
    inner = _window("conv", {**attributes, "out_channels": 1}, (shape[0], *shape[2:]))
    kernel = per_axis(attributes["kernel_size"], len(inner))
    for (axis, reach), taps in zip(sorted(inner.items()), kernel, strict=True):
        wide = (taps - 1) * (steps - 1) + 1 if isinstance(steps, int) else None
        state = None if wide is None else sliding(wide, before=(taps - 1) // 2 * (steps - 1))
        found[axis + 1] = None if reach is None or state is None else through(reach, state)
    return found


def _known(make: Any, n: Any, out: Any) -> Reach | None:
    found: Reach | None = make(n, out) if isinstance(n, int) and isinstance(out, int) and out else None
    return found


def _window(kind: str, attributes: Attributes, shape: Shape) -> dict[int, Reach | None]:
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    count = len(parts.space)
    kernel = per_axis(attributes["kernel_size"], count)
    stride = per_axis(
        attributes.get("stride") or (attributes["kernel_size"] if kind.endswith("_pool") else None), count, 1
    )
    dilation = per_axis(attributes.get("dilation"), count, 1)
    axes = space_axes(len(shape), count, parts.last)
    if kind == "conv_transpose":
        padding = attributes.get("padding")
        if padding in ("same", "same_lower"):
            # What the kernel hangs over is taken off, the odd one behind (same_lower: in front).
            over = [max(d * (k - 1) + 1 - s, 0) for k, s, d in zip(kernel, stride, dilation, strict=True)]
            fronts = [one - one // 2 if padding == "same_lower" else one // 2 for one in over]
        else:
            fronts = [side[0] for side in pairs(None if padding == "valid" else padding, count)]
        return {
            axis: transposed(k, s, front, d)
            for axis, k, s, front, d in zip(axes, kernel, stride, fronts, dilation, strict=True)
        }
    sides = paddings({**attributes, "stride": stride}, parts.space, kernel)
    return {
        axis: sliding(k, s, side[0], d) if isinstance(side[0], int) else None
        for axis, k, s, side, d in zip(axes, kernel, stride, sides, dilation, strict=True)
    }


def _ratio(attributes: Attributes, axis: int, rank: int) -> Fraction | None:
    """Return how far two outputs lie apart on the input where a factor, not a size, is given."""
    scale = attributes.get("scale_factor")
    if scale is None or attributes.get("size") is not None:
        return None
    if isinstance(scale, tuple | list):
        last = is_last(attributes) and len(scale) == rank - 2
        place = axis - (1 if last else rank - len(scale))
        scale = scale[place] if 0 <= place < len(scale) else 1
    return 1 / Fraction(scale).limit_denominator(4096) if scale > 0 else None


def _resized(attributes: Attributes, axis: int, shape: Shape, out: Any) -> Reach | None:
    n, ratio = shape[axis], _ratio(attributes, axis, len(shape))
    if not isinstance(n, int) or not isinstance(out, int) or out < 1:
        return None
    mode = attributes.get("mode") or "nearest"
    if mode == "area":
        return adaptive(n, out)
    if mode in ("nearest", "nearest-exact"):
        return nearest(n, out, exact=mode == "nearest-exact", ratio=ratio)
    if mode in ("linear", "bilinear", "trilinear", "cubic", "bicubic"):
        return linear(
            n, out, bool(attributes.get("align_corners")), 4 if mode.endswith("cubic") else 2, ratio
        )
    return None


def _moved_by_pad(kind: str, attributes: Attributes, shape: Shape) -> dict[int, Reach | None]:
    given: Any = attributes.get("padding", attributes.get("crop"))
    rank, count = len(shape), len(given)
    first = 1 if is_last(attributes) and count == rank - 2 else rank - count
    return {
        first + place: moved(before if kind == "crop" else -before)
        for place, (before, _) in enumerate(given)
        if isinstance(before, int)
    }


def _sliced(attributes: Attributes, shape: Shape) -> dict[int, Reach | None]:
    starts = attributes["starts"]
    axes = attributes.get("axes") or tuple(range(len(starts)))
    steps = attributes.get("steps") or (1,) * len(starts)
    found: dict[int, Reach | None] = {}
    for start, axis, step in zip(starts, axes, steps, strict=True):
        n = shape[axis]
        begin = 0 if start is None else start
        if isinstance(begin, int) and begin < 0:
            begin = begin + n if isinstance(n, int) else None
        known = isinstance(begin, int) and isinstance(step, int) and step > 0
        found[axis % len(shape)] = (
            moved(min(begin, n) if isinstance(n, int) else begin, step) if known else None
        )
    return found
