"""Joining tensors along an axis, and splitting them."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.dims import UNKNOWN, Dim, Shape
from shapeinspect.rules.attributes import AXIS
from shapeinspect.rules.fields import JOINED, OWN_AXES, PIECE, SAME_POSITION
from shapeinspect.rules.formula_text import Lines, Text, literal, quotient_text, sum_of, values
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_lines, no_weights
from shapeinspect.rules.kinds.elementwise import keep_names_in_each
from shapeinspect.rules.lengths import Length, ceil_div
from shapeinspect.rules.rule import (
    Attributes,
    Naming,
    Shapes,
    agree,
    first,
    mismatch,
    normalize_axis,
    show,
    unlike,
)


def chunk_sizes(n: int, chunks: int) -> tuple[int, ...]:
    """Return the lengths of ``chunks`` pieces of an axis, all equal but for a shorter last one.

    Args:
        n: the axis's length.
        chunks: the requested number of pieces; fewer result if the length is used up.

    Source: ``torch.chunk``; ONNX Split with ``num_outputs``.

    Example:
        >>> chunk_sizes(7, 3)
        (3, 3, 1)
    """
    return piece_sizes(n, ceil_div(n, chunks))


def piece_sizes(n: int, length: int) -> tuple[int, ...]:
    """Return the lengths of pieces of an axis, ``length`` each but for a shorter last one.

    Args:
        n: the axis's length.
        length: the length of a piece.

    Source: ``torch.split`` with one size.

    Example:
        >>> piece_sizes(7, 2)
        (2, 2, 2, 1)
    """
    full, rest = divmod(n, length)
    return (length,) * full + ((rest,) if rest else ())


def piece_text(n: Dim, length: Text, index: int) -> Text:
    """Write the length of one piece of an axis: a full one, or the remainder for the last.

    Args:
        n: the axis's length.
        length: the formula of a whole piece.
        index: which piece, from 0.

    Example:
        >>> piece_text(7, literal("chunk", 2), 3)[0]
        'min(chunk, n - 3*chunk)'
    """
    text = length[0]
    if index == 0:
        return f"min({text}, n)", values(length, literal("n", n))
    whole = text if text.isidentifier() or text.startswith("ceil") else f"({text})"
    return f"min({text}, n - {index}*{whole})", values(length, literal("n", n))


def concat_size(lengths: tuple[Length, ...]) -> Length:
    """Return the total length of joined pieces.

    Args:
        lengths: the pieces' lengths.

    Source: ``numpy.concatenate``.

    Example:
        >>> concat_size((2, 3))
        5
    """
    return sum(lengths[1:], start=lengths[0])


def _same_rank(inputs: Shapes) -> int | None:
    ranks = {len(shape) for shape in inputs if shape is not None}
    if len(ranks) > 1:
        shown = ", ".join(show(shape) for shape in inputs if shape is not None)
        raise mismatch("inputs with the same number of axes", shown)
    return next(iter(ranks), None)


def _common(inputs: Shapes, rank: int, except_axis: int | None) -> list[Dim]:
    lengths: list[Dim] = [UNKNOWN] * rank
    for shape in inputs:
        for axis, n in enumerate(shape or ()):
            if axis != except_axis and unlike(lengths[axis], n):
                shown = " and ".join(show(item) for item in inputs if item is not None)
                exception = "" if except_axis is None else f" but {except_axis}"
                raise mismatch(f"equal lengths on every axis{exception}", shown,
                               hint=f"axis {axis} differs: {lengths[axis]} and {n}")  # fmt: skip
            lengths[axis] = agree(lengths[axis], n)
    return lengths


def _concat(attributes: Attributes, inputs: Shapes) -> Shapes:
    # PyTorch accepts an empty vector in any concatenation.
    real = tuple(shape for shape in inputs if shape != (0,)) or inputs
    rank = _same_rank(real)
    if rank is None:
        return (None,)
    axis = normalize_axis(attributes["axis"], rank)
    lengths = _common(real, rank, axis)
    lengths[axis] = concat_size(tuple(UNKNOWN if shape is None else shape[axis] for shape in real))
    return (tuple(lengths),)


def _concat_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    out = first(outputs)
    if out is None:
        return Naming()
    along = normalize_axis(attributes["axis"], len(out))
    sources = [source for source, shape in enumerate(inputs) if shape is not None and len(shape) == len(out)]
    links = tuple((source, axis, 0, axis) for source in sources for axis in range(len(out)))
    return Naming(links=links, joins=((tuple((source, along) for source in sources), 0, along),))


def _stack(attributes: Attributes, inputs: Shapes) -> Shapes:
    rank = _same_rank(inputs)
    if rank is None:
        return (None,)
    axis = normalize_axis(attributes["axis"], rank + 1)
    lengths = _common(inputs, rank, None)
    return ((*lengths[:axis], len(inputs), *lengths[axis:]),)


def _stack_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    out = first(outputs)
    if out is None:
        return Naming()
    new = normalize_axis(attributes["axis"], len(out))
    links = [
        (source, axis, 0, axis + (axis >= new))
        for source, shape in enumerate(inputs)
        if shape is not None and len(shape) == len(out) - 1
        for axis in range(len(shape))
    ]
    return Naming(links=tuple(links))


def _split(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    sizes = attributes.get("sizes")
    if shape is None:
        return (None,) * (len(sizes) if sizes is not None else 1)
    axis = normalize_axis(attributes["axis"], len(shape))
    return tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in _pieces(attributes, shape, axis))


def _pieces(attributes: Attributes, shape: Shape, axis: int) -> tuple[Dim, ...]:
    sizes, chunk, chunks = attributes.get("sizes"), attributes.get("chunk"), attributes.get("chunks")
    n = shape[axis]
    if sizes is not None:
        total: Dim = concat_size(tuple(sizes)) if sizes else 0
        if unlike(total, n):
            raise mismatch(f"pieces that add up to {n}", f"{show(sizes)}, {total} together")
        return tuple(sizes)
    if chunk is not None:
        return piece_sizes(n, chunk) if isinstance(n, int) else (UNKNOWN,)
    if "indices" in attributes:
        return _between(n, tuple(attributes["indices"]))
    count = attributes["sections"] if chunks is None else chunks
    if chunks is None and isinstance(n, int) and n % count:
        raise mismatch(f"a length divisible by {count}", f"{n} on axis {axis} of {show(shape)}")
    return chunk_sizes(n, count) if isinstance(n, int) else (*(ceil_div(n, count),) * (count - 1), UNKNOWN)


def _between(n: Dim, cuts: tuple[int, ...]) -> tuple[Dim, ...]:
    if not isinstance(n, int):
        return (UNKNOWN,) * (len(cuts) + 1)
    edges = [slice(None, cut).indices(n)[1] for cut in cuts]
    return tuple(max(end - start, 0) for start, end in zip((0, *edges), (*edges, n), strict=True))


def _unstack(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    if shape is None:
        return (None,)
    axis = normalize_axis(attributes.get("axis", 0), len(shape))
    count, rest = shape[axis], (*shape[:axis], *shape[axis + 1 :])
    return (rest,) * (count if isinstance(count, int) else 1)


def _unstack_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape = first(inputs)
    if shape is None:
        return Naming()
    gone = normalize_axis(attributes.get("axis", 0), len(shape))
    links = [
        (0, axis, number, axis - (axis > gone))
        for number in range(len(outputs))
        for axis in range(len(shape))
        if axis != gone
    ]
    return Naming(links=tuple(links))


def _cut(n: Dim, cuts: tuple[int, ...], index: int) -> Text:
    if not isinstance(n, int):
        return "end - start", (("end", UNKNOWN), ("start", UNKNOWN))
    edges = (0, *(slice(None, cut).indices(n)[1] for cut in cuts), n)
    start, end = edges[index], edges[index + 1]
    text = "end - start" if end >= start else "max(end - start, 0)"
    return text, (("end", end), ("start", start))


def _concat_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    rank = len(first(outputs) or ())
    axis = normalize_axis(attributes["axis"], rank)
    parts = [UNKNOWN if shape is None else shape[axis] for shape in inputs if shape != (0,)]
    return {(0, axis): sum_of(parts)}


def _stack_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    return {
        (0, normalize_axis(attributes["axis"], len(first(outputs) or ()))): literal("inputs", len(inputs))
    }


def _split_lines(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    axis = normalize_axis(attributes["axis"], len(shape))
    n = shape[axis]
    return {(index, axis): _piece(attributes, n, index) for index in range(len(outputs))}


def _piece(attributes: Attributes, n: Dim, index: int) -> Text:
    sizes, chunk, chunks = attributes.get("sizes"), attributes.get("chunk"), attributes.get("chunks")
    if sizes is not None:
        return literal(f"size{index}", sizes[index])
    if chunk is not None:
        return piece_text(n, literal("chunk", chunk), index)
    if "indices" in attributes:
        return _cut(n, tuple(attributes["indices"]), index)
    if chunks is not None:
        return piece_text(n, ("ceil(n / chunks)", (("n", n), ("chunks", chunks))), index)
    return quotient_text(literal("n", n), literal("sections", attributes["sections"]))


KINDS = (
    Kind(
        "concat",
        "concatenates its inputs along one axis",
        "--input 1,4,7 --input 1,5,7 --axis 1",
        (replace(AXIS, meaning="the concat axis"),),
        _concat,
        _concat_axes,
        _concat_lines,
        NO_WORK,
        no_weights,
        JOINED,
    ),
    Kind(
        "stack",
        "stacks its inputs along a new axis",
        "--input 2,3 --input 2,3 --axis 1",
        (replace(AXIS, meaning="position of the new axis"),),
        _stack,
        _stack_axes,
        _stack_lines,
        NO_WORK,
        no_weights,
        OWN_AXES,
    ),
    Kind(
        "split",
        "splits an axis into pieces",
        "--input 2,7 --axis 1 --set chunks=3",
        (
            replace(AXIS, meaning="the axis that is cut"),
            Attribute("sizes", "tuple, one entry a piece", "none", "the length of each piece"),
            Attribute("chunk", "int", "none", "the length of every piece; the last may be shorter"),
            Attribute("chunks", "int", "none", "how many pieces; the last may be shorter"),
            Attribute("sections", "int", "none", "how many pieces of one length"),
            Attribute("indices", "tuple", "none", "where it is cut"),
        ),
        _split,
        keep_names_in_each,
        _split_lines,
        NO_WORK,
        no_weights,
        PIECE,
    ),
    Kind(
        "unstack",
        "splits an axis into single entries",
        "--input 3,2,5 --axis 0",
        (replace(AXIS, default="0", meaning="the axis that is split"),),
        _unstack,
        _unstack_axes,
        no_lines,
        NO_WORK,
        no_weights,
        SAME_POSITION,
    ),
)
