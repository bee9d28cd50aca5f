"""Ops that keep their input's shape, and broadcasting."""

from __future__ import annotations

from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules.formula_text import Lines, Text, Weights, carried, values
from shapeinspect.rules.rule import Attributes, Naming, Rule, Shapes, at, first, keep_axes, mismatch, show


def broadcast_size(a: Dim, b: Dim) -> Dim:
    """Return the length that two lengths of one axis broadcast to.

    Args:
        a: a length.
        b: the other one.

    Raises:
        ShapeMismatchError: if they are two different integers and neither is 1.

    Source: the page "Broadcasting" of NumPy's user guide; PyTorch, Keras and ONNX name it.

    Example:
        >>> broadcast_size(1, 5), broadcast_size(UNKNOWN, 5), broadcast_size(UNKNOWN, 1)
        (5, 5, ?)
    """
    if b in (a, 1):
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise mismatch("equal lengths, or 1", f"{a} and {b}")
    # Of a length above 1 and an unknown one, the unknown one is 1 or the same.
    if isinstance(a, int):
        return a
    return b if isinstance(b, int) else UNKNOWN


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape that shapes broadcast to, aligned at the last axis.

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
            raise mismatch("axes that are equal or 1, aligned at the last", shown) from None
        out = (*longer[:ahead], *tail)
    return out


def _broadcast(_attributes: Attributes, inputs: Shapes) -> Shapes:
    known = tuple(shape for shape in inputs if shape is not None)
    return (broadcast(*known) if inputs and len(known) == len(inputs) else None,)


def broadcast_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    """Link the axes of every input to the output's, but for those that are stretched.

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
    axis = at(attributes.get("axis", -1), len(shape))
    length = shape[axis]
    if isinstance(length, int) and length % 2:
        raise mismatch("an even length to halve", f"{length} of {show(shape)}")
    return ((*shape[:axis], length // 2, *shape[axis + 1 :]),)


def _activation(attributes: Attributes, inputs: Shapes) -> Shapes:
    return _glu(attributes, inputs) if attributes.get("function") == "glu" else keep(attributes, inputs)


def broadcast_lines(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    """Write the axes of the shape that inputs broadcast to: the longest of those that meet there.

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
            carried(source, place, shape)
            for source, shape in enumerate(inputs)
            if shape is not None and (place := axis - len(out) + len(shape)) >= 0
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
    axis = at(attributes.get("axis", -1), len(shape))
    return {(0, axis): ("n / 2", (("n", shape[axis]),))}


def _prelu_weights(attributes: Attributes, _inputs: Shapes) -> Weights:
    return (("weight", "C", (attributes.get("num_parameters", 1),)),)


def _along(attributes: Attributes, inputs: Shapes) -> Shapes:
    """Keep the shape of what works along one axis, which has to be there."""
    shape, axis = first(inputs), attributes.get("axis")
    if shape is not None and isinstance(axis, int):
        at(axis, max(len(shape), 1))
    return inputs[:1]


_KEEP = Rule(keep, axes=keep_names)
_ALONG = Rule(_along, axes=keep_names)

_KEPT = "dropout identity cast quantize dequantize unary augment scatter"

RULES = {
    "elementwise": Rule(_broadcast, axes=broadcast_axes, lines=broadcast_lines),
    "activation": Rule(_activation, axes=keep_names, lines=_activation_lines),
    "glu": Rule(_glu, axes=keep_names, lines=_half),
    **dict.fromkeys(_KEPT.split(), _KEEP),
    "softmax": _ALONG,
    "normalize": _ALONG,
    "prelu": Rule(keep, axes=keep_names, weights=_prelu_weights),
}
