"""The formula of every output axis of a call, and the windows behind it."""

from __future__ import annotations

from shapeinspect.dims import Shape
from shapeinspect.explanation.notation import holds
from shapeinspect.explanation.values import Formula, WindowFact
from shapeinspect.rules import KINDS, Attributes, Shapes, adaptive_end, adaptive_start, axis_lines
from shapeinspect.rules.fields import ADAPTIVE_WINDOW, POOL_WINDOW, WINDOW
from shapeinspect.rules.sliding import paddings, window_settings
from shapeinspect.rules.spatial import is_last, names, space_axes

#: The formulas of the output axes: (which output, which of its axes) and the formula.
Formulas = dict[tuple[int, int], Formula]

SLIDING = frozenset(name for name, kind in KINDS.items() if kind.sees in (WINDOW, POOL_WINDOW))
ADAPTIVE = frozenset(name for name, kind in KINDS.items() if kind.sees is ADAPTIVE_WINDOW)
_SHOWN = 64


def axis_formulas(kind: str, attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Formulas:
    """Return the formulas of the axes of every output.

    A formula that does not evaluate to the rule's length is left out.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        inputs: the input shapes.
        outputs: the output shapes.

    Example:
        >>> result = axis_formulas("conv", {"kernel_size": (5,), "out_channels": 8},
        ...     ((1, 3, 300),), ((1, 8, 296),))
        >>> result[0, 2].written, result[0, 2].substituted
        ('n − k + 1', '300 − 5 + 1')
    """
    result = {}
    for (index, axis), (text, values) in axis_lines(kind, attributes, inputs, outputs).items():
        out = outputs[index] if index < len(outputs) else None
        if out is not None and axis < len(out) and holds(text, dict(values), out[axis]):
            result[index, axis] = Formula(text, values, out[axis])
    return result


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
    space, axes, kernel, stride, dilation = window_settings(attributes, shape)
    sides = paddings(attributes, space, kernel)
    labels = names(len(space))[2:]
    result = []
    for label, axis, n, k, s, side, d in zip(
        labels, axes, space, kernel, stride, sides, dilation, strict=True
    ):
        if not all(isinstance(item, int) for item in (n, out[axis], *side)) or k < 1:
            continue
        before, after = int(side[0]), int(side[1])
        length = int(out[axis])
        crossed = kind == "conv_transpose"
        if crossed and isinstance(attributes.get("padding"), str):
            continue
        positions = range(min(n if crossed else length, _SHOWN))
        taps = tuple(tuple(t * s - before + tap * d for tap in range(k)) for t in positions)
        result.append(WindowFact(label, n, length, before, after, taps, transposed=crossed))
    return tuple(result)


def _adaptive_windows(attributes: Attributes, shape: Shape, out: Shape) -> tuple[WindowFact, ...]:
    count = len(shape) - 2
    size = attributes.get("output_size")
    if isinstance(size, tuple | list):
        count = len(size)
    last = is_last(attributes)
    result = []
    for label, axis in zip(names(count)[2:], space_axes(len(shape), count, last), strict=True):
        n, length = shape[axis], out[axis]
        if isinstance(n, int) and isinstance(length, int):
            taps = tuple(
                tuple(range(adaptive_start(t, n, length), adaptive_end(t, n, length)))
                for t in range(min(length, _SHOWN))
            )
            result.append(WindowFact(label, n, length, 0, 0, taps, ragged=True))
    return tuple(result)
