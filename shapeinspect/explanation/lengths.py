"""The formula of every output axis of a call, and the windows behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapeinspect.dims import Dim, Shape
from shapeinspect.explanation import formulas
from shapeinspect.explanation.values import Formula, WindowFact
from shapeinspect.rules import Attributes, Shapes, adaptive_end, adaptive_start, causal_padding, same_padding
from shapeinspect.rules.spatial import is_last, names, pairs, per_axis, space_of, take_apart

#: For each output axis its formula, None where it has none.
Formulas = dict[int, Formula]

SLIDING = frozenset({"conv", "local_conv", "separable_conv", "max_pool", "avg_pool", "lp_pool"})
ADAPTIVE = frozenset({"adaptive_avg_pool", "adaptive_max_pool"})
_SHOWN = 64


def paddings(attributes: Attributes, space: Shape, kernel: Any) -> tuple[tuple[Dim, Dim], ...]:
    """Return the padding before and after each spatial axis, in numbers, whatever way it is given.

    Args:
        attributes: ``padding, stride, dilation`` of the vocabulary.
        space: the input's spatial lengths.
        kernel: the kernel's lengths.

    Example:
        >>> paddings({"padding": "same", "stride": 2}, (224,), 3)
        ((0, 1),)
    """
    count, padding = len(space), attributes.get("padding")
    if not isinstance(padding, str):
        return pairs(padding, count)
    if padding == "valid":
        return ((0, 0),) * count
    found: list[tuple[Dim, Dim]] = []
    for n, k, s, d in zip(
        space,
        per_axis(kernel, count),
        per_axis(attributes.get("stride"), count, 1),
        per_axis(attributes.get("dilation"), count, 1),
        strict=True,
    ):
        if padding == "causal":
            found.append((causal_padding(k, d), 0))
            continue
        total = same_padding(n, k, s, d)
        less, more = total // 2, total - total // 2
        found.append((more, less) if padding == "same_lower" else (less, more))
    return tuple(found)


def space_axes(rank: int, count: int, last: bool) -> tuple[int, ...]:
    """Return where the spatial axes stand in a shape.

    Args:
        rank: how many axes the shape has.
        count: how many of them are spatial.
        last: whether the channels stand last.

    Example:
        >>> space_axes(4, 2, last=True), space_axes(4, 2, last=False)
        ((1, 2), (2, 3))
    """
    start = rank - count - (1 if last else 0)
    return tuple(range(start, start + count))


def axis_formulas(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Formulas:
    """Return the formulas of the first output's axes.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> found = axis_formulas("conv", {"kernel_size": (5,), "out_channels": 8},
        ...     ((1, 3, 300),), ((1, 8, 296),))
        >>> found[2].written, found[2].substituted
        ('n − k + 1', '300 − 5 + 1')
    """
    write = _WRITERS.get(kind)
    shape, out = (inputs[0] if inputs else None), (outputs[0] if outputs else None)
    if write is None or shape is None or out is None:
        return {}
    return {axis: Formula(*text, out[axis]) for axis, text in write(attributes, shape, out, inputs).items()}


def _settings(attributes: Attributes, shape: Shape) -> tuple[Any, ...]:
    """Take apart what a window needs: the space, its axes, kernels, strides and dilations."""
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    count = len(parts.space)
    kernel = per_axis(attributes["kernel_size"], count)
    stride = per_axis(attributes.get("stride"), count, 1)
    dilation = per_axis(attributes.get("dilation"), count, 1)
    return parts.space, space_axes(len(shape), count, parts.last), kernel, stride, dilation


def _conv(attributes: Attributes, shape: Shape, _out: Shape, _inputs: Shapes) -> dict[int, formulas.Text]:
    space, axes, kernel, stride, dilation = _settings(attributes, shape)
    if attributes.get("padding") in ("same", "same_lower", "causal"):
        return {axis: formulas.same(n, s) for axis, n, s in zip(axes, space, stride, strict=True)}
    sides = paddings(attributes, space, kernel)
    write = formulas.ceiled if attributes.get("ceil_mode") else formulas.sliding
    return {
        axis: write(n, k, s, side[0], side[1], d)
        for axis, n, k, s, side, d in zip(axes, space, kernel, stride, sides, dilation, strict=True)
    }


def _pool(attributes: Attributes, shape: Shape, out: Shape, inputs: Shapes) -> dict[int, formulas.Text]:
    return _conv(
        {**attributes, "stride": attributes.get("stride") or attributes["kernel_size"]}, shape, out, inputs
    )


def _transposed(
    attributes: Attributes, shape: Shape, _out: Shape, _inputs: Shapes
) -> dict[int, formulas.Text]:
    if attributes.get("output_shape") is not None:
        return {}
    space, axes, kernel, stride, dilation = _settings(attributes, shape)
    padding = attributes.get("padding")
    sides = ((0, 0),) * len(space) if isinstance(padding, str) else pairs(padding, len(space))
    extras = per_axis(attributes.get("output_padding"), len(space))
    found = {}
    for axis, n, k, s, side, d, extra in zip(
        axes, space, kernel, stride, sides, dilation, extras, strict=True
    ):
        if padding in ("same", "same_lower"):
            found[axis] = formulas.transposed_same(n, s, None if extra is None else d * (k - 1) + 1 + extra)
        elif padding == "valid":
            found[axis] = formulas.transposed_valid(n, k, s, d)
        else:
            found[axis] = formulas.transposed(n, k, s, side[0], side[1], d, extra or 0)
    return found


def _resize(attributes: Attributes, shape: Shape, _out: Shape, _inputs: Shapes) -> dict[int, formulas.Text]:
    scale = attributes.get("scale_factor")
    if scale is None or attributes.get("size") is not None:
        return {}
    if isinstance(scale, tuple | list) and len(scale) == len(shape):
        return {
            axis: formulas.scaled(shape[axis], one)
            for axis, one in enumerate(scale)
            if float(one) != 1.0
        }  # fmt: skip
    parts = take_apart(shape, None, is_last(attributes))
    axes = space_axes(len(shape), len(parts.space), parts.last)
    scales = per_axis(scale, len(axes))
    return {axis: formulas.scaled(shape[axis], one) for axis, one in zip(axes, scales, strict=True)}


def _shuffle(attributes: Attributes, shape: Shape, _out: Shape, _inputs: Shapes) -> dict[int, formulas.Text]:
    factor, last = attributes["factor"], is_last(attributes)
    channels = len(shape) - (1 if last else 3)
    found: dict[int, formulas.Text] = {
        axis: ("n*r", (("n", shape[axis]), ("r", factor))) for axis in space_axes(len(shape), 2, last)
    }
    found[channels] = ("C / (r*r)", (("C", shape[channels]), ("r", factor)))
    return found


def _unshuffle(
    attributes: Attributes, shape: Shape, _out: Shape, _inputs: Shapes
) -> dict[int, formulas.Text]:
    factor, last = attributes["factor"], is_last(attributes)
    channels = len(shape) - (1 if last else 3)
    found: dict[int, formulas.Text] = {
        axis: ("n / r", (("n", shape[axis]), ("r", factor))) for axis in space_axes(len(shape), 2, last)
    }
    found[channels] = ("C*r*r", (("C", shape[channels]), ("r", factor)))
    return found


def _pad(attributes: Attributes, shape: Shape, out: Shape, _inputs: Shapes) -> dict[int, formulas.Text]:
    sign = -1 if "crop" in attributes else 1
    given: Any = attributes.get("padding", attributes.get("crop"))
    rank, count = len(shape), len(given)
    first = 1 if is_last(attributes) and count == rank - 2 else rank - count
    return {
        first + place: formulas.padded(shape[first + place], sign * before, sign * after)
        for place, (before, after) in enumerate(given)
        if out[first + place] != shape[first + place]
    }


def _crop(attributes: Attributes, shape: Shape, out: Shape, inputs: Shapes) -> dict[int, formulas.Text]:
    return _pad({**attributes, "crop": attributes.get("padding", attributes.get("crop"))}, shape, out, inputs)


def _concat(attributes: Attributes, shape: Shape, _out: Shape, inputs: Shapes) -> dict[int, formulas.Text]:
    axis = attributes["axis"] % len(shape)
    lengths = tuple(one[axis] for one in inputs if one is not None and len(one) == len(shape))
    return {axis: formulas.sum_of(lengths)} if len(lengths) == len(inputs) > 1 else {}


def _flatten(attributes: Attributes, shape: Shape, out: Shape, _inputs: Shapes) -> dict[int, formulas.Text]:
    if "axis" in attributes:
        cut = attributes["axis"] % len(shape)
        run, axis = range(cut, len(shape)), 1
    else:
        low = attributes.get("start_axis", 1) % len(shape)
        run, axis = range(low, attributes.get("end_axis", -1) % len(shape) + 1), low
    if len(run) < 2 or axis >= len(out):
        return {}
    return {axis: formulas.product_of({f"n{place}": shape[place] for place in run})}


_Writer = Callable[[Attributes, Shape, Shape, Shapes], dict[int, formulas.Text]]

_WRITERS: dict[str, _Writer] = {
    **dict.fromkeys(("conv", "local_conv", "separable_conv"), _conv),
    **dict.fromkeys(("max_pool", "avg_pool", "lp_pool"), _pool),
    "conv_transpose": _transposed,
    "resize": _resize,
    **dict.fromkeys(("pixel_shuffle", "depth_to_space"), _shuffle),
    **dict.fromkeys(("pixel_unshuffle", "space_to_depth"), _unshuffle),
    "pad": _pad,
    "crop": _crop,
    "concat": _concat,
    "flatten": _flatten,
}


def windows(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> tuple[WindowFact, ...]:
    """Return the windows of a call, one a spatial axis; none where lengths are not known.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> windows("max_pool", {"kernel_size": (2,)}, ((1, 3, 6),), ((1, 3, 3),))[0].taps
        ((0, 1), (2, 3), (4, 5))
    """
    shape, out = (inputs[0] if inputs else None), (outputs[0] if outputs else None)
    if shape is None or out is None or len(shape) != len(out):
        return ()
    if kind in ADAPTIVE or (kind == "resize" and attributes.get("mode") == "area"):
        return _adaptive_windows(attributes, shape, out)
    if kind not in SLIDING and kind != "conv_transpose":
        return ()
    if kind.endswith("_pool"):
        attributes = {**attributes, "stride": attributes.get("stride") or attributes["kernel_size"]}
    space, axes, kernel, stride, dilation = _settings(attributes, shape)
    sides = paddings(attributes, space, kernel)
    labels = names(len(space))[2:]
    found = []
    for label, axis, n, k, s, side, d in zip(
        labels, axes, space, kernel, stride, sides, dilation, strict=True
    ):
        if not all(isinstance(one, int) for one in (n, out[axis], *side)):
            continue
        before, after = int(side[0]), int(side[1])
        length = int(out[axis])
        crossed = kind == "conv_transpose"
        if crossed and isinstance(attributes.get("padding"), str):
            continue
        places = range(min(n if crossed else length, _SHOWN))
        taps = tuple(tuple(t * s - before + tap * d for tap in range(k)) for t in places)
        found.append(WindowFact(label, n, length, before, after, taps, transposed=crossed))
    return tuple(found)


def _adaptive_windows(attributes: Attributes, shape: Shape, out: Shape) -> tuple[WindowFact, ...]:
    count = len(shape) - 2
    size = attributes.get("output_size")
    if isinstance(size, tuple | list):
        count = len(size)
    last = is_last(attributes)
    found = []
    for label, axis in zip(names(count)[2:], space_axes(len(shape), count, last), strict=True):
        n, length = shape[axis], out[axis]
        if isinstance(n, int) and isinstance(length, int):
            taps = tuple(
                tuple(range(adaptive_start(t, n, length), adaptive_end(t, n, length)))
                for t in range(min(length, _SHOWN))
            )
            found.append(WindowFact(label, n, length, 0, 0, taps, ragged=True))
    return tuple(found)
