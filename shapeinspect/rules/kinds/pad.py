"""Padding and cropping the ends of axes."""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import Dim, Shape
from shapeinspect.rules.attributes import DATA_FORMAT, REQUIRED
from shapeinspect.rules.fields import CROPPED, PADDED, Field
from shapeinspect.rules.formula_text import Lines, Text
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_weights
from shapeinspect.rules.kinds.elementwise import keep_names
from shapeinspect.rules.lengths import Length
from shapeinspect.rules.rule import Attributes, Shapes, first, mismatch, show
from shapeinspect.rules.spatial import is_last

#: How much a mode that reuses the input's values can add to one end, as a share of the length.
_REUSE = {"reflect": -1, "circular": 0, "symmetric": 0}


def pad_size(n: Length, before: Length, after: Length) -> Length:
    """Return the length with padding at both ends; negative padding crops.

    Args:
        n: the input's length.
        before: added in front.
        after: added behind.

    Source: ``torch.nn.functional.pad``; ONNX Pad.

    Example:
        >>> pad_size(5, 1, 2), pad_size(5, -1, 0)
        (8, 4)
    """
    return n + before + after


def padded_text(n: Dim, before: int, after: int) -> Text:
    """Write ``pad_size``.

    Args:
        n: the input's length.
        before: added in front; negative where it is taken off.
        after: added behind.

    Example:
        >>> padded_text(5, 1, 2)[0], padded_text(5, -1, 0)[0]
        ('n + before + after', 'n - before')
    """
    text, values = "n", [("n", n)]
    for name, amount in (("before", before), ("after", after)):
        if amount:
            text += f" {'+' if amount > 0 else '-'} {name}"
            values.append((name, abs(amount)))
    return text, tuple(values)


def padded_axes(attributes: Attributes, rank: int, count: int) -> tuple[int, ...]:
    """Return the axes that the pairs of a padding are for.

    Args:
        attributes: the settings of the padding.
        rank: the number of the input's axes.
        count: how many pairs there are.

    Raises:
        ShapeMismatchError: if there are more pairs than axes.

    Example:
        >>> padded_axes({"data_format": "channels_last"}, 4, 2), padded_axes({}, 4, 2)
        ((1, 2), (2, 3))
    """
    if count > rank:
        raise mismatch(f"at least {count} axes", f"{rank}")
    if is_last(attributes) and count == rank - 2:
        return tuple(range(1, rank - 1))
    return tuple(range(rank - count, rank))


def _padded(attributes: Attributes, shape: Shape, sign: int) -> Shape:
    pairs: Any = attributes["padding"] if "padding" in attributes else attributes["crop"]
    out = list(shape)
    for axis, (before, after) in zip(padded_axes(attributes, len(shape), len(pairs)), pairs, strict=True):
        n = shape[axis]
        length: Dim = pad_size(n, sign * before, sign * after)
        out[axis] = length
        if not isinstance(before, int) or not isinstance(after, int):
            continue  # an amount computed from the input
        reuse = _REUSE.get(attributes.get("mode", ""))
        if reuse is not None and isinstance(n, int) and max(before, after) > n + reuse:
            raise mismatch(
                f"padding of at most {n + reuse} on axis {axis}", f"{before} and {after} on {show(shape)}"
            )
        cut = min(before, 0) + min(after, 0) if sign > 0 else 0
        if isinstance(n, int) and n + cut < 0:
            raise mismatch(f"at least {-cut} on axis {axis} to crop", f"{n} of {show(shape)}")
        if isinstance(length, int) and length < (1 if sign < 0 else 0):
            raise mismatch(f"axis {axis} to keep a length", f"{length} left of {show(shape)}")
    return tuple(out)


def _pad(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    return (None if shape is None else _padded(attributes, shape, 1),)


def _crop(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    return (None if shape is None else _padded(attributes, shape, -1),)


def _lines(attributes: Attributes, shape: Shape, sign: int) -> Lines:
    pairs: Any = attributes["padding"] if "padding" in attributes else attributes["crop"]
    return {
        (0, axis): padded_text(shape[axis], sign * before, sign * after)
        for axis, (before, after) in zip(padded_axes(attributes, len(shape), len(pairs)), pairs, strict=True)
        if isinstance(before, int) and isinstance(after, int) and (before or after)
    }


def _kind(name: str, summary: str, sign: int, sees: Field, *attributes: Attribute) -> Kind:
    return Kind(
        name,
        summary,
        "--input 2,3,5,7 --padding 1+2,0+3",
        (*attributes, DATA_FORMAT),
        _pad if sign > 0 else _crop,
        keep_names,
        lambda given, inputs, _: _lines(given, first(inputs) or (), sign),
        NO_WORK,
        no_weights,
        sees,
    )


_FORM = "tuple of `(before, after)` pairs, for the last axes or for all"

KINDS = (
    _kind(
        "pad",
        "pads the ends of axes",
        1,
        PADDED,
        Attribute("padding", _FORM, REQUIRED, "the amount at each end; a negative number crops"),
        Attribute(
            "mode", '`"constant"`, `"reflect"`, `"edge"` …', "constant", "what the padding is filled with"
        ),
        Attribute("value", "float", "0", "the constant"),
    ),
    _kind(
        "crop",
        "crops the ends of axes",
        -1,
        CROPPED,
        Attribute("padding", _FORM, "by crop", "the amount removed at each end"),
        Attribute("crop", _FORM, "by padding", "the same under Keras's name"),
    ),
)
