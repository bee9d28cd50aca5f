"""Selecting a part: slices, single entries, lookups, the largest entries, regions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape
from shapeinspect.rules.attributes import AXIS, REQUIRED
from shapeinspect.rules.fields import (
    ALL_OF_AXIS,
    BY_DATA,
    BY_INDICES,
    ONE_ENTRY,
    SAME_POSITION,
    SLICED,
    Field,
)
from shapeinspect.rules.formula_text import Lines, Text, carried, literal
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_lines, no_names, no_weights
from shapeinspect.rules.kinds.elementwise import keep_names, keep_names_in_each
from shapeinspect.rules.lengths import Length, ceil_div, larger, smaller
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, normalize_axis, show, unlike

# No axis is so long: sources write "to the end" as this, or as their largest integer.
_END = 10**9


def slice_size(n: Length, start: Length, end: Length, step: int = 1) -> Length:
    """Return the number of elements in a slice with bounds inside the axis.

    Args:
        n: the axis's length.
        start: the first element, from 0; it is cut to the axis.
        end: the element after the last; it is cut to the axis.
        step: the step, above 0.

    Source: the length of ``range(start, end, step)``; ``numpy`` slicing.

    Example:
        >>> slice_size(10, 2, 100, 3)
        3
    """
    low, high = larger(start, 0), smaller(larger(end, 0), n)
    return ceil_div(larger(high - low, 0), step)


def backward_slice_size(n: Length, start: Length, end: Length, step: int = 1) -> Length:
    """Return the number of elements in a slice with a negative step.

    Args:
        n: the axis's length.
        start: the element it begins with; it is cut to the axis.
        end: the element before which it stops, -1 to take the first one too.
        step: how far back each step goes, above 0.

    Source: ONNX Slice for negative steps, which cuts ``start`` to ``[0, n - 1]`` and ``end`` to
        ``[-1, n - 1]``.

    Example:
        >>> backward_slice_size(10, 9, -1, 2)
        5
    """
    high, low = smaller(larger(start, 0), n - 1), smaller(larger(end, -1), n - 1)
    return ceil_div(larger(high - low, 0), step)


def slice_text(n: Dim, start: Dim | None, end: Dim | None, step: int) -> Text:
    """Write ``slice_size`` or ``backward_slice_size``, the bounds cut to the axis.

    Args:
        n: the axis's length.
        start: the first element; None for the end where the step begins.
        end: the element before which it stops; None for the other end.
        step: the step, not 0.

    Example:
        >>> slice_text(10, 2, None, 3)
        ('ceil((end - start) / step)', (('end', 10), ('start', 2), ('step', 3)))
    """
    names: tuple[tuple[str, Dim], ...]
    if step > 0:
        low, high = _bound(start, n, 0), _bound(end, n, n)
        low, high = smaller(larger(low, 0), n), smaller(larger(high, 0), n)
        text, size = "end - start", high - low
        names = (("end", high), ("start", low))
    else:
        low, high = _before(end, n), _bound(start, n, n - 1)
        low, high = smaller(larger(low, -1), n - 1), smaller(larger(high, 0), n - 1)
        text, size = "start - end", high - low
        names = (("start", high), ("end", low))
    if abs(step) != 1:
        text, names = f"ceil(({text}) / step)", (*names, ("step", abs(step)))
    return (f"max({text}, 0)" if isinstance(size, int) and size < 0 else text), names


def _bound(value: Dim | None, n: Dim, default: Dim) -> Dim:
    if value is None or (isinstance(value, int) and value >= _END):
        return default
    if isinstance(value, int) and value <= -_END:
        return 0
    return n + value if isinstance(value, int) and value < 0 else value


def _length(n: Dim, start: Dim | None, end: Dim | None, step: int) -> Dim:
    length: Dim
    if step > 0 and isinstance(start, int) and -_END < start < 0 and _bound(end, n, n) is n:
        length = ceil_div(smaller(n, -start), step)  # the last ones
    elif step > 0:
        length = slice_size(n, _bound(start, n, 0), _bound(end, n, n), step)
    else:
        length = backward_slice_size(n, _bound(start, n, n - 1), _before(end, n), -step)
    return length


def _before(end: Dim | None, n: Dim) -> Dim:
    # Sources write their smallest integer for "through the first element".
    return -1 if end is None or (isinstance(end, int) and end <= -_END) else _bound(end, n, n)


def _slice(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    starts, ends = attributes["starts"], attributes["ends"]
    axes = attributes.get("axes") or tuple(range(len(starts)))
    steps = attributes.get("steps") or (1,) * len(starts)
    sizes = attributes.get("sizes") or (None,) * len(starts)
    out = list(shape)
    for place, (start, end, axis, step) in enumerate(zip(starts, ends, axes, steps, strict=True)):
        index = normalize_axis(axis, len(shape))
        if step == 0:
            raise mismatch("a step other than 0", "0")
        if sizes[place] is not None:
            out[index] = _taken(shape[index], start, sizes[place])
            continue
        out[index] = _length(shape[index], start, end, step) if isinstance(step, int) else UNKNOWN
        if isinstance(start, int) and index in attributes.get("dropped", ()) and unlike(out[index], 1):
            raise mismatch(
                f"more than {start if start >= 0 else -start - 1} entries on axis {index}",
                f"{shape[index]} of {show(shape)}",
            )
    return (regrouped(tuple(out), attributes),)


def _taken(length: Dim, start: Any, size: Any) -> Dim:
    """Return how many entries a slice of a given size takes: all that are left for -1."""
    begin: Dim = start if isinstance(start, int | Expr) else UNKNOWN
    if size == -1:
        return length - begin
    if not isinstance(size, int | Expr):
        return UNKNOWN
    end = begin + size
    if isinstance(end, int) and isinstance(length, int) and end > length:
        raise mismatch(f"{end} entries or more", str(length))
    return size


def regrouped(shape: Shape, attributes: Attributes) -> Shape:
    """Return the shape of a slice without the axes that it drops, and with those that it inserts.

    Args:
        shape: the lengths after the cuts.
        attributes: ``dropped`` counts the axes of the input, ``inserted`` those of the output.

    Example:
        >>> regrouped((2, 1, 7), {"dropped": (1,), "inserted": (0,)})
        (1, 2, 7)
    """
    lengths = [shape[axis] for axis in _kept_axes(len(shape), attributes)]
    for axis in sorted(attributes.get("inserted", ())):
        lengths.insert(axis, 1)
    return tuple(lengths)


def _kept_axes(rank: int, attributes: Attributes) -> list[int]:
    return [axis for axis in range(rank) if axis not in attributes.get("dropped", ())]


def _slice_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or not ("dropped" in attributes or "inserted" in attributes):
        return keep_names(attributes, inputs, outputs)
    new = attributes.get("inserted", ())
    places = [axis for axis in range(len(out)) if axis not in new]
    kept = _kept_axes(len(shape), attributes)
    if len(kept) != len(places):
        return Naming()
    return Naming(links=tuple((0, axis, 0, place) for axis, place in zip(kept, places, strict=True)))


def _index(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    axis, index = normalize_axis(attributes["axis"], len(shape)), attributes.get("index")
    n = shape[axis]
    if isinstance(index, int) and isinstance(n, int) and not -n <= index < n:
        raise mismatch(
            f"more than {index if index >= 0 else -index - 1} entries on axis {axis}", f"{n} of {show(shape)}"
        )
    return ((*shape[:axis], *shape[axis + 1 :]),)


def _index_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or len(out) != len(shape) - 1:
        return Naming()
    axis = normalize_axis(attributes["axis"], len(shape))
    kept = [kept_axis for kept_axis in range(len(shape)) if kept_axis != axis]
    return Naming(links=tuple((0, kept_axis, 0, index) for index, kept_axis in enumerate(kept)))


def _gather(attributes: Attributes, inputs: Shapes) -> Shapes:
    if len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return (None,)
    data, indices = inputs[0], inputs[1]
    axis = normalize_axis(attributes.get("axis", 0), len(data))
    return ((*data[:axis], *indices, *data[axis + 1 :]),)


def _gather_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    out = first(outputs)
    if out is None or len(inputs) < 2 or inputs[0] is None or inputs[1] is None:
        return Naming()
    rank, wide = len(inputs[0]), len(inputs[1])
    axis = normalize_axis(attributes.get("axis", 0), rank)
    if len(out) != rank - 1 + wide:
        return Naming()
    data = [
        (0, source_axis, 0, source_axis + (wide - 1 if source_axis > axis else 0))
        for source_axis in range(rank)
        if source_axis != axis
    ]
    return Naming(links=(*data, *((1, source_axis, 0, axis + source_axis) for source_axis in range(wide))))


def _take_along(_attributes: Attributes, inputs: Shapes) -> Shapes:
    return (inputs[1] if len(inputs) > 1 else None,)


def _topk(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, k = first(inputs), attributes.get("k", UNKNOWN)
    if shape is None:
        return (None, None)
    axis = normalize_axis(attributes.get("axis", -1), len(shape))
    n = shape[axis]
    if isinstance(k, int) and isinstance(n, int) and k > n:
        raise mismatch(f"at least k = {k} entries on axis {axis}", f"{n} of {show(shape)}")
    out = (*shape[:axis], k, *shape[axis + 1 :])
    return (out, out)


def _one_hot(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    axis = normalize_axis(attributes.get("axis", -1), len(shape) + 1)
    return ((*shape[:axis], attributes.get("depth", UNKNOWN), *shape[axis:]),)


def _one_hot_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None or len(out) != len(shape) + 1:
        return Naming()
    new = normalize_axis(attributes.get("axis", -1), len(out))
    return Naming(links=tuple((0, axis, 0, axis + (axis >= new)) for axis in range(len(shape))))


def _lookup(attributes: Attributes, inputs: Shapes) -> Shapes:
    # As a run of Keras gives them; its symbolic shapes differ for more than two axes.
    shape, mode, length = first(inputs), attributes.get("output_mode", "int"), attributes.get("length")
    if shape is None:
        return (None,)
    if "split" in attributes:  # a text becomes a row of tokens
        shape = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
        shape = (*shape, UNKNOWN if length is None else length)
    elif length is not None and mode == "int":
        shape = (*shape[:1], length)
    if mode == "int":
        return (shape,)
    depth = attributes.get("depth", UNKNOWN)
    if mode == "one_hot":
        return ((*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth),)
    return ((*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,),)


def _roi_align(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    size = attributes["output_size"]
    height, width = size if isinstance(size, tuple | list) else (size, size)
    boxes = inputs[1] if len(inputs) > 1 else None
    regions: Dim = boxes[0] if boxes else UNKNOWN
    if shape is None:
        return ((regions, UNKNOWN, height, width),)
    if len(shape) != 4:
        raise mismatch("4 axes: N C H W", f"{len(shape)} axes: {show(shape)}")
    if boxes and len(boxes) > 1 and unlike(boxes[-1], 4) and unlike(boxes[-1], 5):
        raise mismatch("boxes of 4 numbers, or 5 with the image's index", show(boxes))
    return ((regions, shape[1], height, width),)


def _roi_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    if not _rank_is(first(inputs), 4) or not _rank_is(first(outputs), 4):
        return Naming()
    return Naming((("N", "C", "H", "W"),), ((None, "C", "H", "W"),), ((0, 1, 0, 1),))


def _rank_is(shape: Shape | None, rank: int) -> bool:
    return shape is not None and len(shape) == rank


def _slice_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, starts = first(inputs) or (), attributes["starts"]
    axes = attributes.get("axes") or tuple(range(len(starts)))
    steps = attributes.get("steps") or (1,) * len(starts)
    positions = [normalize_axis(axis, len(shape)) for axis in axes]
    new = attributes.get("inserted", ())
    places = (axis for axis in range(len(shape) + len(new)) if axis not in new)
    place_of = dict(zip(_kept_axes(len(shape), attributes), places, strict=False))
    sizes = attributes.get("sizes") or (None,) * len(starts)
    cuts = zip(starts, attributes["ends"], positions, steps, sizes, strict=True)
    return {
        (0, place_of[axis]): (
            slice_text(shape[axis], start, end, step)
            if size is None
            else literal("size", _taken(shape[axis], start, size))
        )
        for start, end, axis, step, size in cuts
        if axis in place_of and isinstance(step, int)
    }


def _take_along_lines(_attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    indices = inputs[1] if len(inputs) > 1 else None
    return {(0, axis): carried(1, axis, indices) for axis in range(len(indices))} if indices else {}


def _topk_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    axis = normalize_axis(attributes.get("axis", -1), len(first(inputs) or ()))
    return {(0, axis): literal("k", attributes.get("k", UNKNOWN))}


def _one_hot_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    axis = normalize_axis(attributes.get("axis", -1), len(first(inputs) or ()) + 1)
    return {(0, axis): literal("depth", attributes.get("depth", UNKNOWN))}


def _lookup_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape, out = first(inputs) or (), first(outputs) or ()
    mode = attributes.get("output_mode", "int")
    name = "length" if mode == "int" else "depth"
    counts_all = mode not in ("int", "one_hot")
    lines = {
        (0, axis): carried(0, axis + 1 if counts_all and axis else axis, shape)
        for axis in range(len(out))
        if (axis + 1 if counts_all and axis else axis) < len(shape)
    }
    if out and (mode != "int" or name in attributes or len(out) > len(shape)):
        lines[0, len(out) - 1] = literal(name, attributes.get(name, UNKNOWN))
    return lines


def _roi_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    size, boxes = attributes["output_size"], inputs[1] if len(inputs) > 1 else None
    height, width = size if isinstance(size, tuple | list) else (size, size)
    regions = literal("regions", UNKNOWN) if not boxes else carried(1, 0, boxes)
    return {(0, 0): regions, (0, 2): literal("output_size", height), (0, 3): literal("output_size", width)}


def _kind(
    name: str,
    summary: str,
    example: str,
    attributes: tuple[Attribute, ...],
    outputs: Callable[[Attributes, Shapes], Shapes],
    naming: Callable[[Attributes, Shapes, Shapes], Naming],
    lines: Callable[[Attributes, Shapes, Shapes], Lines],
    sees: Field,
) -> Kind:
    return Kind(name, summary, example, attributes, outputs, naming, lines, NO_WORK, no_weights, sees)


_PER_CUT = "tuple, one entry an axis that is cut"

KINDS = (
    _kind(
        "slice",
        "takes a part of an axis",
        "--input 2,10,7 --axes 1 --set starts=2 --set ends=9 --set steps=3",
        (
            Attribute("starts", _PER_CUT, "from the second input", "the first entry that is taken"),
            Attribute("ends", _PER_CUT, "from the third input", "the entry before which it stops"),
            Attribute("axes", "tuple", "the first ones", "the axes that are cut"),
            Attribute("steps", _PER_CUT, "1", "the step between two entries"),
            Attribute("sizes", _PER_CUT, "by the ends", "how many are taken; −1 for all that are left"),
            Attribute("dropped", "tuple", "none", "the axes of the input of which one entry is taken"),
            Attribute("inserted", "tuple", "none", "the axes of the output that are new, of length 1"),
        ),
        _slice,
        _slice_axes,
        _slice_lines,
        SLICED,
    ),
    _kind(
        "index",
        "selects one entry of an axis and removes the axis",
        "--input 2,3,5 --axis 1 --set index=0",
        (
            replace(AXIS, meaning="the removed axis"),
            Attribute("index", "int", "unknown", "which entry; negative from the end"),
        ),
        _index,
        _index_axes,
        no_lines,
        ONE_ENTRY,
    ),
    _kind(
        "gather",
        "a lookup along one axis: each index of the second input gives one entry",
        "--input 50,5 --input 2,7 --axis 0",
        (replace(AXIS, default="0", meaning="the axis that is looked up"),),
        _gather,
        _gather_axes,
        no_lines,
        BY_INDICES,
    ),
    _kind(
        "take_along",
        "selects entries by index along one axis; the output has the indices' shape",
        "--input 2,9 --input 2,4 --axis 1",
        (replace(AXIS, default="unknown", meaning="the axis that the indices refer to"),),
        _take_along,
        no_names,
        _take_along_lines,
        BY_INDICES,
    ),
    _kind(
        "topk",
        "the k largest along one axis, and their indices",
        "--input 2,9 --axis 1 --set k=4",
        (
            replace(AXIS, default="-1", meaning="the axis that is searched"),
            Attribute("k", "int", "from the second input", "how many"),
        ),
        _topk,
        keep_names_in_each,
        _topk_lines,
        ALL_OF_AXIS,
    ),
    _kind(
        "one_hot",
        "each index becomes a vector of zeros with a single one",
        "--input 2,7 --set depth=11",
        (
            Attribute("depth", "int", "unknown", "the length of the new axis"),
            replace(AXIS, default="-1", meaning="position of the new axis"),
        ),
        _one_hot,
        _one_hot_axes,
        _one_hot_lines,
        SAME_POSITION,
    ),
    _kind(
        "lookup",
        "tokens become integers or codes",
        "--input 2,7 --set output_mode=multi_hot --set depth=11",
        (
            Attribute(
                "output_mode", "str", "int", "`int` keeps the shape; `multi_hot`, `one_hot`, `count` code it"
            ),
            Attribute("depth", "int", "unknown", "the length of a code"),
            Attribute("length", "int", "as the input", "the length that sequences are cut or filled to"),
            Attribute("vocabulary", "str", "unknown", "how many tokens there are, and their check sum"),
            Attribute("boundaries", "tuple", "unknown", "the limits of the bins"),
            Attribute("num_oov_indices", "int", "1", "ids of tokens that are not in the vocabulary"),
            Attribute("oov_token", "str or int", "unknown", "the token that stands for these"),
            Attribute("oov_method", "str", "unknown", "how such a token finds its id"),
            Attribute("mask_token", "str or int", "none", "the token that is masked"),
            Attribute("mask_value", "str or int", "none", "the value that is masked"),
            Attribute("salt", "int or tuple", "none", "the key of the hash"),
            Attribute("inverted", "bool", "false", "ids become tokens"),
            Attribute("idf_weights", "str", "none", "how many weights `tf_idf` has, and their check sum"),
            Attribute("pad_to_max_tokens", "bool", "false", "the code is as long as the largest vocabulary"),
            Attribute("sparse", "bool", "false", "the code is a sparse tensor"),
            Attribute("ragged", "bool", "false", "the rows have lengths of their own"),
            Attribute("standardize", "str", "none", "how a text is cleaned first"),
            Attribute("split", "str", "none", "how a text is split into tokens"),
            Attribute("ngrams", "int or tuple", "none", "how many tokens in a row become one"),
            Attribute("encoding", "str", "unknown", "the encoding of the text"),
        ),
        _lookup,
        no_names,
        _lookup_lines,
        SAME_POSITION,
    ),
    _kind(
        "roi_align",
        "cuts regions out of a map, each resampled to the same size",
        "--input 2,3,20,24 --input 6,5 --output-size 7,9",
        (Attribute("output_size", "int or pair", REQUIRED, "height and width of every region"),),
        _roi_align,
        _roi_axes,
        _roi_lines,
        BY_DATA,
    ),
)
