"""Ops that keep their input's shape, and broadcasting."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape, Unknown, symbols
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules.attributes import AXIS, INDEX_TEXT, MAX_VAL, MIN_VAL
from shapeinspect.rules.fields import ALL_OF_AXIS, BY_DATA, SAME_POSITION, SOFTMAX_AXIS, TO_LENGTH
from shapeinspect.rules.formula_text import Lines, Text, Weights, carried, values
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_lines, no_weights
from shapeinspect.rules.lengths import larger
from shapeinspect.rules.rule import (
    Attributes,
    Naming,
    Shapes,
    first,
    keep_axes,
    mismatch,
    normalize_axis,
    show,
)


def broadcast_size(a: Dim, b: Dim) -> Dim:
    """Return the length that two lengths of one axis broadcast to.

    Args:
        a: a length.
        b: the other one.

    Raises:
        ShapeMismatchError: if they are two different integers and neither is 1.

    Two expressions of one symbol are taken to be equal: where they are not, most often nothing fits.

    Source: the page "Broadcasting" of NumPy's user guide; PyTorch, Keras and ONNX name it.

    Example:
        >>> broadcast_size(1, 5), broadcast_size(UNKNOWN, 5), broadcast_size(UNKNOWN, 1)
        (5, 5, ?)
        >>> from shapeinspect.dims import symbol
        >>> h = symbol("H")
        >>> broadcast_size((h + 1) // 2, 2 * ((h + 3) // 4)), broadcast_size(h, symbol("W"))
        ((H + 1)//2, max(H, W))
    """
    if b in (a, 1):
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise mismatch("equal lengths, or 1", f"{a} and {b}")
    # Next to a length above 1, an unknown length is 1 or equal to it.
    if isinstance(a, int):
        return a
    if isinstance(b, int) or isinstance(a, Unknown) or isinstance(b, Unknown):
        return b if isinstance(b, int) else UNKNOWN
    return a if symbols(a) & symbols(b) else larger(a, b)


def taken_equal(inputs: Shapes) -> tuple[tuple[Dim, Dim], ...]:
    """Return the pairs of lengths that a broadcast takes to be equal without proof.

    Args:
        inputs: the input shapes.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> h = symbol("H")
        >>> taken_equal(((2, h), (h + 1,)))
        ((H, H + 1),)
    """
    pairs = []
    known = [shape for shape in inputs if shape is not None]
    for axis in range(1, max(map(len, known), default=0) + 1):
        lengths = [shape[-axis] for shape in known if len(shape) >= axis]
        symbolic = [length for length in lengths if isinstance(length, Expr)]
        pairs += [
            (symbolic[0], other)
            for other in symbolic[1:]
            if other != symbolic[0] and symbols(other) & symbols(symbolic[0])
        ]
    return tuple(pairs)


def broadcast(*shapes: Shape) -> Shape:
    """Return the broadcast shape of several shapes, aligned from the last axis.

    Args:
        shapes: the shapes.

    Raises:
        ShapeMismatchError: if two axes do not fit.

    Source: the page "Broadcasting" of NumPy's user guide.

    Example:
        >>> broadcast((8, 1, 6), (7, 1))
        (8, 7, 6)
    """
    out: Shape = ()
    for shape in shapes:
        longer, shorter = (out, shape) if len(out) >= len(shape) else (shape, out)
        ahead = len(longer) - len(shorter)
        try:
            tail = tuple(map(broadcast_size, longer[ahead:], shorter))
        except ShapeMismatchError:
            shown = " and ".join(map(show, shapes))
            raise mismatch(
                "shapes that broadcast: aligned from the last axis, sizes equal or 1", shown
            ) from None
        out = (*longer[:ahead], *tail)
    return out


def _broadcast(_attributes: Attributes, inputs: Shapes) -> Shapes:
    known = tuple(shape for shape in inputs if shape is not None)
    return (broadcast(*known) if inputs and len(known) == len(inputs) else None,)


def broadcast_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    """Link the axes of every input to the output's, except for broadcast axes.

    Args:
        _attributes: not looked at.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> broadcast_axes({}, ((2, 3), (3,)), ((2, 3),)).links
        ((0, 0, 0, 0), (0, 1, 0, 1), (1, 0, 0, 1))
    """
    out = first(outputs)
    if out is None:
        return Naming()
    links = []
    for source, shape in enumerate(inputs):
        if shape is None or len(shape) > len(out):
            continue
        shift = len(out) - len(shape)
        links += [(source, i, 0, i + shift) for i, n in enumerate(shape) if n != 1 or out[i + shift] == 1]
    return Naming(links=tuple(links))


def keep(_attributes: Attributes, inputs: Shapes) -> Shapes:
    """Return the first input's shape.

    Args:
        _attributes: not looked at.
        inputs: the input shapes.

    Example:
        >>> keep({}, ((2, 3),))
        ((2, 3),)
    """
    return (first(inputs),)


def keep_names(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    """Link every axis of the first input to the same axis of the output.

    Args:
        _attributes: not looked at.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> keep_names({}, ((2, 3),), ((2, 3),)).links
        ((0, 0, 0, 0), (0, 1, 0, 1))
    """
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or len(shape) != len(out):
        return Naming()
    return keep_axes(len(shape), len(out))


def keep_names_in_each(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    """Link every axis of the first input to the same axis of each output of its rank.

    Args:
        _attributes: not looked at.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> keep_names_in_each({}, ((5,),), ((2,), (3,))).links
        ((0, 0, 0, 0), (0, 0, 1, 0))
    """
    shape = first(inputs)
    if shape is None:
        return Naming()
    links = [
        (0, axis, number, axis)
        for number, out in enumerate(outputs)
        if out is not None and len(out) == len(shape)
        for axis in range(len(shape))
    ]
    return Naming(links=tuple(links))


def _glu(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    axis = normalize_axis(attributes.get("axis", -1), len(shape))
    length = shape[axis]
    if isinstance(length, int) and length % 2:
        raise mismatch("an even length to halve", f"{length} of {show(shape)}")
    return ((*shape[:axis], length // 2, *shape[axis + 1 :]),)


def _activation(attributes: Attributes, inputs: Shapes) -> Shapes:
    return _glu(attributes, inputs) if attributes.get("function") == "glu" else keep(attributes, inputs)


def broadcast_lines(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    """Write the axes of the broadcast shape: the longest of the aligned axes.

    Args:
        _attributes: not looked at.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> broadcast_lines({}, ((2, 1), (3,)), ((2, 3),))[0, 1][0]
        'max(n1, m0)'
    """
    out = first(outputs) or ()
    lines: dict[tuple[int, int], Text] = {}
    for axis, length in enumerate(out):
        met = [
            carried(source, index, shape)
            for source, shape in enumerate(inputs)
            if shape is not None and (index := axis - len(out) + len(shape)) >= 0
        ]
        if length != 0 and len(met) > 1:
            lines[0, axis] = (f"max({', '.join(text for text, _ in met)})", values(*met))
        elif met:  # an empty axis stays empty
            lines[0, axis] = next(text for text in met if text[1][0][1] == length)
    return lines


def _activation_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    return _half(attributes, inputs, outputs) if attributes.get("function") == "glu" else {}


def _half(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    axis = normalize_axis(attributes.get("axis", -1), len(shape))
    return {(0, axis): ("n / 2", (("n", shape[axis]),))}


def _prelu_weights(attributes: Attributes, _inputs: Shapes) -> Weights:
    return (("weight", "C", (attributes.get("num_parameters", 1),)),)


def _along(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Keep the shape of an op along one axis, which must exist."""
    shape, axis = first(inputs), attributes.get("axis")
    if shape is not None and isinstance(axis, int):
        normalize_axis(axis, max(len(shape), 1))
    return inputs[:1]


def _same_shape(name: str, summary: str, *attributes: Attribute, example: str = "--input 2,3,5") -> Kind:
    return Kind(
        name,
        summary,
        example,
        attributes,
        keep,
        keep_names,
        no_lines,
        NO_WORK,
        no_weights,
        SAME_POSITION,
    )


#: Functions that keep the shape but move entries along an axis, so that positions are not traced.
MOVING_FUNCTIONS = frozenset(
    {
        *("flip", "fliplr", "flipud", "roll", "rot90", "sort", "argsort", "cumsum", "cumprod", "cummax"),
        *("cummin", "logcumsumexp", "fftshift", "ifftshift", "fft", "ifft", "rfft", "irfft", "fft2", "ifft2"),
    }
)

KINDS = (
    Kind(
        "elementwise",
        "works element by element; axes of length 1 are broadcast",
        "--input 2,1,5 --input 3,1",
        (
            Attribute("op", "str", "unknown", "the operation: `add`, `mul` …"),
            Attribute("operand", "float", "none", "the other operand, where it is a number and no input"),
            Attribute("alpha", "float", "1", "the other operand of `add` and `sub` is multiplied by it"),
            Attribute("rounding_mode", "str", "none", "`floor` or `trunc`: how a quotient is rounded"),
            replace(MIN_VAL, meaning="the lower limit of `clamp`"),
            replace(MAX_VAL, meaning="the upper limit of `clamp`"),
            Attribute("scale", "float, or one a channel", "none", "the factor of `rescale`"),
            Attribute("offset", "float, or one a channel", "0", "what `rescale` adds"),
        ),
        _broadcast,
        broadcast_axes,
        broadcast_lines,
        NO_WORK,
        no_weights,
        SAME_POSITION,
    ),
    Kind(
        "activation",
        "works element by element; the shape stays",
        "--input 2,3,5 --set function=relu",
        (
            Attribute("function", "str", "unknown", "the function: `relu`, `gelu` …"),
            Attribute("axis", "int", "-1", "the axis that `glu` halves"),
            Attribute("approximate", "str", "none", "`tanh` where gelu is approximated by it"),
            replace(MIN_VAL, meaning="the lower limit of a hardtanh"),
            replace(MAX_VAL, meaning="the upper limit of a hardtanh"),
            Attribute("negative_slope", "float", "unknown", "the factor below 0"),
            Attribute("alpha", "float", "unknown", "the limit of an elu or a celu far below 0, negated"),
            Attribute("lambd", "float", "unknown", "a shrink is 0 between -lambd and lambd"),
            Attribute("beta", "float", "unknown", "a softplus divides by it, and its input is multiplied"),
            Attribute(
                "threshold",
                "float",
                "unknown",
                "up to it a threshold gives `value`; above it a softplus is the input itself",
            ),
            Attribute("value", "float", "unknown", "what a threshold gives up to `threshold`"),
            Attribute("lower", "float", "unknown", "the least factor below 0 of an rrelu"),
            Attribute("upper", "float", "unknown", "the greatest factor below 0 of an rrelu"),
        ),
        _activation,
        keep_names,
        _activation_lines,
        NO_WORK,
        no_weights,
        SAME_POSITION,
    ),
    Kind(
        "glu",
        "one half of an axis gates the other",
        "--input 2,6,5 --axis 1",
        (replace(AXIS, default="-1", meaning="the axis that is halved"),),
        _glu,
        keep_names,
        _half,
        NO_WORK,
        no_weights,
        ALL_OF_AXIS,
    ),
    _same_shape(
        "dropout",
        "sets some numbers to 0 in training; the shape stays",
        Attribute("rate", "float", "unknown", "the share of numbers that are set to 0"),
        Attribute("stddev", "float", "unknown", "the standard deviation of noise that is added instead"),
    ),
    _same_shape(
        "identity",
        "the input itself",
        Attribute("mask_value", "float", "none", "the layers behind leave out steps of this value"),
    ),
    _same_shape(
        "cast",
        "converts to another dtype; the shape stays",
        Attribute("dtype", "str", "unknown", "the dtype, in numpy's spelling"),
    ),
    _same_shape("quantize", "rounds to a few integer levels; the shape stays"),
    _same_shape("dequantize", "converts quantized integers back to real numbers; the shape stays"),
    _same_shape(
        "unary",
        "changes its entries or their order; the shape stays",
        Attribute("op", "str", "unknown", "the operation: `reverse`, `rotate` …"),
        replace(AXIS, default="unknown", meaning="the axis that it works along"),
        Attribute("axes", "tuple; None for all", "unknown", "the axes that it works along"),
        Attribute("shifts", "tuple, one entry an axis", "unknown", "how far entries are rolled"),
        Attribute("diagonal", "int", "0", "the diagonal that a triangle ends at"),
        Attribute("descending", "bool", "false", "the largest is the first"),
        Attribute("turns", "int", "1", "how many quarters a plane is rotated by"),
        Attribute("exclusive", "bool", "false", "a running sum does not hold the entry itself"),
        Attribute("reverse", "bool", "false", "a running sum begins at the end"),
    ),
    _same_shape(
        "augment",
        "changes images and keeps their shape",
        Attribute("function", "str", "by its type", "what also changes them at inference"),
        Attribute("value_range", "tuple", "unknown", "the least and the greatest value of a pixel"),
        Attribute("bins", "int", "unknown", "steps of a histogram"),
        Attribute("clip_limit", "float", "unknown", "the greatest count of a histogram, over the mean"),
        Attribute(
            "tile_grid_size", "tuple", "unknown", "the pieces of an image that have their own histogram"
        ),
    ),
    Kind(
        "scatter",
        "writes into the first input; the shape stays",
        "--input 2,9,5 --input 2,4,5 --axis 1",
        (replace(AXIS, default="unknown", meaning="the axis that the indices refer to"), INDEX_TEXT),
        keep,
        keep_names,
        no_lines,
        NO_WORK,
        no_weights,
        BY_DATA,
    ),
    Kind(
        "softmax",
        "turns scores into shares that sum to 1 along one axis",
        "--input 1,21,5,7 --axis 1",
        (
            replace(AXIS, default="unknown", meaning="the axis whose shares sum to 1"),
            Attribute("log", "bool", "false", "the logarithm of the shares"),
            Attribute("negated", "bool", "false", "the scores are negated first"),
            Attribute("beta", "float", "1", "the scores are multiplied by it first"),
        ),
        _along,
        keep_names,
        no_lines,
        NO_WORK,
        no_weights,
        SOFTMAX_AXIS,
    ),
    Kind(
        "normalize",
        "scales along one axis; the shape stays",
        "--input 2,3,5 --axis 1",
        (
            replace(
                AXIS,
                form="int or tuple",
                default="unknown",
                meaning="the axis that gets unit length, or has stored statistics",
            ),
            Attribute("p", "float", "2", "the p of the length"),
            Attribute("eps", "float", "unknown", "the least length that is divided by"),
            Attribute("inverted", "bool", "false", "the statistics are put back in"),
            Attribute("mean", "float, or one a channel", "by the weights", "a fixed mean"),
            Attribute("variance", "float, or one a channel", "by the weights", "a fixed variance"),
        ),
        _along,
        keep_names,
        no_lines,
        NO_WORK,
        no_weights,
        TO_LENGTH,
    ),
    Kind(
        "prelu",
        "scales values below 0 by a learned number; the shape stays",
        "--input 2,3,5 --set num_parameters=3",
        (
            Attribute("num_parameters", "int", "1", "learned numbers: 1, or one a channel"),
            Attribute("shared_axes", "tuple", "by the weight", "the axes that share a number"),
        ),
        keep,
        keep_names,
        no_lines,
        NO_WORK,
        _prelu_weights,
        SAME_POSITION,
    ),
)
