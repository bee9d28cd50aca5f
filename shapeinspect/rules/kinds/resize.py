"""Interpolation, and moving pixels between channels and space."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape, Unknown
from shapeinspect.rules.attributes import ALIGN_CORNERS, DATA_FORMAT, PADDING_MODE, REQUIRED
from shapeinspect.rules.fields import BLOCK_TO_SPACE, BY_DATA, RESIZED, SAME_POSITION, SPACE_TO_BLOCK
from shapeinspect.rules.formula_text import Lines, Text, carried, literal, product_text, quotient_text
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_lines, no_weights
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rounding import Product, rounded
from shapeinspect.rules.rule import (
    Attributes,
    Naming,
    Shapes,
    agree,
    first,
    keep_axes,
    mismatch,
    show,
    unlike,
)
from shapeinspect.rules.spatial import (
    channel_place,
    is_last,
    names,
    per_axis,
    space_axes,
    take_apart,
    window_links,
)


def scaled_size(n: Length, scale: Any, single: bool = False) -> Length:
    """Return the length after resizing by a factor.

    A symbol is scaled where the factor is a whole number or a fraction whose rounding shows nowhere (0.5,
    1.7); for other factors the result depends on rounding, and is UNKNOWN. 1.3 in 32 bits is a little less
    than 13/10, and whether its product with 10, 20, 30 … is rounded up to a whole number (80 gives 104, and
    90 gives 116) depends on how far the product is above a power of two, which no quotient of lengths says.

    Args:
        n: the input's length.
        scale: the factor.
        single: whether the product is rounded to 32 bits before it is rounded down.

    Source: ``floor(in * scale)``: ``torch.nn.functional.interpolate`` and onnx.shape_inference, with
        64 bits; ONNX Resize as onnxruntime computes it, with 32.

    Example:
        >>> scaled_size(15, 0.5), scaled_size(100, 0.29), scaled_size(7, 3)
        (7, 28, 21)
    """
    if not isinstance(scale, int | float) or isinstance(n, Unknown):
        # A graph computes the factor.
        return (
            n * scale
            if isinstance(scale, Expr)
            else scale.scaled(n)
            if isinstance(scale, Product)
            else UNKNOWN
        )
    above, below = float(scale).as_integer_ratio()
    if below == 1:
        return n * above
    if below <= 64:
        return (n * above) // below
    dtype = "float32" if single else "float64"
    if isinstance(n, Expr):
        return Product(n, float(scale), dtype=dtype).floor()
    if isinstance(n, int):
        return math.floor(rounded(n * rounded(scale, dtype), dtype))
    exact = n * rounded(scale, dtype)
    return ((exact.astype("float32") if single else exact) // 1).astype(n.dtype)


def scaled_text(n: Dim, scale: Any, single: bool = False) -> Text:
    """Write ``scaled_size``.

    Args:
        n: the input's length.
        scale: the factor.
        single: whether the product is rounded to 32 bits before it is rounded down.

    Example:
        >>> scaled_text(15, 0.5)[0], scaled_text(15, 2)[0], scaled_text(15, 0.3, single=True)[0]
        ('floor(n*scale)', 'n*scale', 'floor(single(n*scale))')
    """
    whole = isinstance(scale, int | float) and float(scale).is_integer()
    product = "single(n*scale)" if single else "n*scale"
    text = "n*scale" if whole else f"floor({product})"
    return text, (("n", n), ("scale", int(scale) if whole else scale))


def shuffled_channels(channels: Length, factor: Length, axes: int = 2) -> Length:
    """Return the channels that remain when blocks of them become space.

    Args:
        channels: the input's channels.
        factor: the length of a block's edge.
        axes: how many spatial axes grow.

    Source: ``(C * r**2, H, W) -> (C, H * r, W * r)``, ``torch.nn.PixelShuffle``; ONNX DepthToSpace.

    Example:
        >>> shuffled_channels(12, 2)
        3
    """
    return channels // factor**axes


def _resize(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    size, scale = attributes.get("size"), attributes.get("scale_factor")
    if shape is None:
        return (None,)
    if size is None and scale is None:
        return (tuple(UNKNOWN for _ in shape),)
    for given in (size, scale):
        if isinstance(given, tuple | list) and len(given) == len(shape) > 2:
            return (_resize_all(shape, size, scale, bool(attributes.get("single_precision"))),)
    parts = take_apart(shape, None, is_last(attributes))
    count = len(parts.space)
    if size is not None:
        asked, policy = per_axis(size, count), attributes.get("keep_aspect_ratio")
        return (parts.join(_in_proportion(parts.space, asked, policy) if policy else asked),)
    single = bool(attributes.get("single_precision"))
    out = tuple(scaled_size(n, s, single) for n, s in zip(parts.space, per_axis(scale, count), strict=True))
    if any(isinstance(n, int) and n < 1 for n in out):
        raise mismatch("lengths of at least 1 after scaling", show(out), hint="take a larger factor or input")
    return (parts.join(out),)


def _in_proportion(space: Shape, size: Shape, policy: str) -> Shape:
    """Scale all axes by one factor, the smallest or the largest that the sizes ask for.

    Source: ``keep_aspect_ratio_policy`` of ONNX Resize; onnxruntime computes it with 32 bits.
    """
    lengths = [n for n in space if isinstance(n, int) and n]
    asked = [n for n in size if isinstance(n, int) and n]
    if len(lengths) < len(space) or len(asked) < len(size):
        return (UNKNOWN,) * len(space)
    factors = [rounded(a / b, "float32") for a, b in zip(asked, lengths, strict=True)]
    factor = min(factors) if policy == "not_larger" else max(factors)
    return tuple(math.floor(rounded(factor * n, "float32") + 0.5) for n in lengths)


def _proportion_texts(space: list[Dim], size: Shape, policy: str) -> list[Text]:
    """Write how each axis is scaled by the factor of the axis that decides.

    With symbols it gives no length: which axis decides, and how its factor is rounded, changes with them.
    """
    factors = ", ".join(f"single(size{at}/n{at})" for at in range(len(space)))
    factor = f"{'min' if policy == 'not_larger' else 'max'}({factors})"
    known = tuple(
        pair
        for at, (n, asked) in enumerate(zip(space, size, strict=True))
        for pair in ((f"size{at}", asked), (f"n{at}", n))
    )
    return [(f"floor(single(n{at}*{factor}) + 1/2)", known) for at in range(len(space))]


def _resize_all(shape: Shape, size: Any, scale: Any, single: bool) -> Shape:
    if size is not None:
        return tuple(size)
    return tuple(scaled_size(n, s, single) for n, s in zip(shape, scale, strict=True))


def _resize_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or len(shape) != len(out):
        return Naming()
    return keep_axes(len(shape), len(out))


def _spatial_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    """Link the axes; if only the spatial ones are resized, give them their usual names."""
    linked, shape = _resize_axes(attributes, inputs, outputs), first(inputs)
    given = attributes.get("size") or attributes.get("scale_factor")
    spatial = isinstance(given, tuple | list) and shape is not None and len(given) == len(shape) - 2
    if not linked.links or shape is None or not spatial:
        return linked
    usual = tuple(f"{name}?" for name in names(len(shape) - 2, is_last(attributes)))
    return Naming((usual,), (usual,), linked.links)


def _divisible(label: str, value: Dim, divisor: int) -> None:
    if isinstance(value, int) and value % divisor:
        raise mismatch(f"{label} divisible by {divisor}", f"{label} = {value}")


def _to_space(shape: Shape, factor: int, last: bool) -> Shape:
    parts = take_apart(shape[-3:], 2, last)
    _divisible("C", parts.channels, factor**2)
    grown = tuple(n * factor for n in parts.space)
    return (*shape[:-3], *parts.join(grown, shuffled_channels(parts.channels, factor)))


def _to_depth(shape: Shape, factor: int, last: bool) -> Shape:
    parts = take_apart(shape[-3:], 2, last)
    for label, n in zip("HW", parts.space, strict=True):
        _divisible(label, n, factor)
    shrunk = tuple(n // factor for n in parts.space)
    return (*shape[:-3], *parts.join(shrunk, parts.channels * factor**2))


def _shuffle(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = _at_least_three(inputs)
    return (None if shape is None else _to_space(shape, attributes["factor"], is_last(attributes)),)


def _unshuffle(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = _at_least_three(inputs)
    return (None if shape is None else _to_depth(shape, attributes["factor"], is_last(attributes)),)


def _at_least_three(inputs: Shapes) -> Shape | None:
    shape = first(inputs)
    if shape is not None and len(shape) < 3:
        raise mismatch("at least 3 axes: C H W", f"{len(shape)}")
    return shape


def _shuffle_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or len(shape) not in (3, 4):
        return Naming()
    last = is_last(attributes)
    result = names(2, last, batch=len(shape) == 4)
    return Naming((result,), (result,), window_links(shape, out, 2, last, channels=False))


def _channel_shuffle(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is not None:
        _divisible("C", take_apart(shape, None, is_last(attributes)).channels, attributes["groups"])
    return (shape,)


def _grid_sample(_attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, grid = first(inputs), inputs[1] if len(inputs) > 1 else None
    if grid is None:
        return (None if shape is None else (*shape[:2], *(UNKNOWN,) * (len(shape) - 2)),)
    if len(grid) < 3 or unlike(grid[-1], len(grid) - 2):
        raise mismatch("a grid N *space with as many numbers a place as it has spatial axes", show(grid))
    if shape is None:
        return ((grid[0], UNKNOWN, *grid[1:-1]),)
    if len(shape) != len(grid) or unlike(shape[0], grid[0]):
        raise mismatch("as many axes and pictures as the grid", f"{show(shape)} and {show(grid)}")
    return ((agree(shape[0], grid[0]), shape[1], *grid[1:-1]),)


def _grid_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    named = None if shape is None or len(shape) < 3 else names(len(shape) - 2)
    computed = None if out is None or len(out) < 3 else names(len(out) - 2)
    links = ((0, 0, 0, 0), (0, 1, 0, 1)) if named and computed else ()
    return Naming((named,), (computed,), links)


def _resize_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    size, scale = attributes.get("size"), attributes.get("scale_factor")
    given = scale if size is None else size
    axes = space_axes(len(shape), len(shape) - 2, is_last(attributes))
    if isinstance(given, tuple | list) and len(given) == len(shape) > 2:
        axes = tuple(range(len(shape)))
    if given is None:
        return {}
    policy = attributes.get("keep_aspect_ratio")
    if policy and size is not None:
        asked = per_axis(size, len(axes))
        texts = _proportion_texts([shape[axis] for axis in axes], asked, policy)
        return {(0, axis): text for axis, text in zip(axes, texts, strict=True)}
    single = bool(attributes.get("single_precision"))
    return {
        (0, axis): literal("size", entry) if size is not None else scaled_text(shape[axis], entry, single)
        for axis, entry in zip(axes, per_axis(given, len(axes)), strict=True)
    }


def _shuffle_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, factor = first(inputs) or (), literal("r", attributes["factor"])
    rank, last = len(shape), is_last(attributes)
    channel = channel_place(rank, 2, last)
    lines = {axis: carried(0, axis, shape) for axis in range(rank - 3)}
    lines |= {axis: product_text(literal("n", shape[axis]), factor) for axis in space_axes(rank, 2, last)}
    lines[channel] = quotient_text(literal("C", shape[channel]), product_text(factor, factor))
    return {(0, axis): text for axis, text in lines.items()}


def _unshuffle_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, factor = first(inputs) or (), literal("r", attributes["factor"])
    rank, last = len(shape), is_last(attributes)
    channel = channel_place(rank, 2, last)
    lines = {axis: carried(0, axis, shape) for axis in range(rank - 3)}
    lines |= {axis: quotient_text(literal("n", shape[axis]), factor) for axis in space_axes(rank, 2, last)}
    lines[channel] = product_text(literal("C", shape[channel]), factor, factor)
    return {(0, axis): text for axis, text in lines.items()}


def _grid_lines(_attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    grid = inputs[1] if len(inputs) > 1 else None
    return {} if grid is None else {(0, axis + 1): carried(1, axis, grid) for axis in range(1, len(grid) - 1)}


def _shuffled(name: str, summary: str, to_space: bool) -> Kind:
    return Kind(
        name,
        summary,
        f"--input {'1,12,5,7' if to_space else '1,3,10,14'} --factor 2",
        (Attribute("factor", "int", REQUIRED, "length of a block's side"), DATA_FORMAT),
        _shuffle if to_space else _unshuffle,
        _shuffle_axes,
        _shuffle_lines if to_space else _unshuffle_lines,
        NO_WORK,
        no_weights,
        BLOCK_TO_SPACE if to_space else SPACE_TO_BLOCK,
    )


_TO_SPACE = "blocks of channels become space"
_TO_CHANNELS = "blocks of space become channels"
_MODE = Attribute("mode", "str", "unknown", "the interpolation: `nearest`, `bilinear`, `area` …")

KINDS = (
    Kind(
        "resize",
        "resizes the space; channels stay",
        "--input 15,17 --scale 0.5 --mode bilinear",
        (
            Attribute("size", "tuple, one entry a spatial axis", "by scale_factor", "lengths of the output"),
            Attribute(
                "scale_factor", "float, or one a spatial axis", "by size", "the output's share of each length"
            ),
            _MODE,
            ALIGN_CORNERS,
            Attribute("antialias", "bool", "false", "where the space shrinks, all of it is averaged"),
            Attribute(
                "coordinates",
                "str",
                "unknown",
                "where a position of the output lies in the input: `half_pixel`, `asymmetric` …",
            ),
            Attribute(
                "nearest_mode", "str", "unknown", "how the nearest position is rounded: `floor`, `ceil` …"
            ),
            DATA_FORMAT,
            Attribute(
                "recompute_scale_factor",
                "bool",
                "false",
                "positions follow from the two sizes, not from scale_factor",
            ),
            Attribute(
                "keep_aspect_ratio",
                '`"not_larger"` or `"not_smaller"`',
                "none",
                "one factor for all axes, so that no length is larger, or smaller, than asked",
            ),
            Attribute(
                "single_precision",
                "bool",
                "false",
                "the scaled length is rounded to 32 bits first (onnxruntime)",
            ),
            Attribute("crop_to_aspect_ratio", "bool", "false", "what does not fit is cut off first"),
            Attribute("pad_to_aspect_ratio", "bool", "false", "what is missing is filled first"),
            Attribute("fill_mode", "str", "unknown", "what is filled in"),
            Attribute("fill_value", "float", "unknown", "the value that is filled in"),
        ),
        _resize,
        _spatial_axes,
        _resize_lines,
        NO_WORK,
        no_weights,
        RESIZED,
    ),
    Kind(
        "grid_sample",
        "reads the input at the positions of its second input, `N *space` and one number a spatial axis",
        "--input 2,3,9,11 --input 2,5,7,2",
        (
            _MODE,
            replace(
                PADDING_MODE,
                form='`"zeros"`, `"border"`, `"reflection"`',
                meaning="what is outside the input",
            ),
            ALIGN_CORNERS,
            DATA_FORMAT,
        ),
        _grid_sample,
        _grid_axes,
        _grid_lines,
        NO_WORK,
        no_weights,
        BY_DATA,
    ),
    _shuffled("pixel_shuffle", _TO_SPACE, to_space=True),
    _shuffled("depth_to_space", _TO_SPACE, to_space=True),
    _shuffled("pixel_unshuffle", _TO_CHANNELS, to_space=False),
    _shuffled("space_to_depth", _TO_CHANNELS, to_space=False),
    Kind(
        "channel_shuffle",
        "mixes the channels of the groups; the shape stays",
        "--input 1,6,5,7 --groups 3",
        (Attribute("groups", "int", REQUIRED, "groups whose channels are mixed"), DATA_FORMAT),
        _channel_shuffle,
        _resize_axes,
        no_lines,
        NO_WORK,
        no_weights,
        SAME_POSITION,
    ),
)
