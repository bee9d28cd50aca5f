"""Ops that regroup the same elements into other axes: flatten, reshape, unflatten."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape, Unknown, product
from shapeinspect.rules.attributes import AXIS, DATA_FORMAT, REQUIRED
from shapeinspect.rules.fields import REGROUPED, SAME_POSITION, Field
from shapeinspect.rules.formula_text import (
    Lines,
    Text,
    carried,
    literal,
    number,
    product_of,
    product_text,
    quotient_text,
)
from shapeinspect.rules.kind import NO_WORK, Attribute, Kind, no_lines, no_weights
from shapeinspect.rules.rule import Attributes, Naming, Shapes, first, mismatch, normalize_axis, show
from shapeinspect.rules.spatial import names


def flatten_shape(shape: Shape, start: int = 1, end: int = -1) -> Shape:
    """Return the shape with a run of axes merged into one.

    Args:
        shape: the lengths.
        start: the first axis of the run.
        end: the last one, included.

    Raises:
        ShapeMismatchError: if there are no such axes.

    Source: ``torch.flatten``.

    Example:
        >>> flatten_shape((1, 16, 5, 7))
        (1, 560)
    """
    if not shape:
        return (1,)
    low, high = normalize_axis(start, len(shape)), normalize_axis(end, len(shape))
    if low > high:
        raise mismatch("a first axis before the last", f"{start} and {end}")
    return (*shape[:low], product(shape[low : high + 1]), *shape[high + 1 :])


def _flatten(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape = first(inputs)
    axis = attributes.get("axis")
    if shape is None:
        return (None if axis is None else (UNKNOWN, UNKNOWN),)
    if axis is None:
        return (flatten_shape(shape, attributes.get("start_axis", 1), attributes.get("end_axis", -1)),)
    if not -len(shape) <= axis <= len(shape):
        raise mismatch(f"at least {axis} axes", f"{len(shape)}")
    cut = axis % len(shape) if axis < 0 else axis
    return ((product(shape[:cut]), product(shape[cut:])),)


def reshape_shape(shape: Shape | None, target: Shape, zero_copies: bool = False) -> Shape:
    """Return the shape after a reshape; one target of -1 takes the rest.

    Args:
        shape: the lengths; None if even their number is unknown.
        target: the requested lengths, -1 for at most one.
        zero_copies: whether 0 stands for the input's length on that axis, as in ONNX.

    Raises:
        ShapeMismatchError: if the numbers of elements differ.

    Source: ``numpy.reshape``; ONNX Reshape for ``allowzero=0``.

    Example:
        >>> reshape_shape((2, 3, 8), (0, -1), zero_copies=True)
        (2, 24)
    """
    copied = {axis for axis, n in enumerate(target) if zero_copies and n == 0}
    if shape is None:
        return tuple(UNKNOWN if n == -1 or axis in copied else n for axis, n in enumerate(target))
    if copied and max(copied) >= len(shape):
        raise mismatch(f"more than {max(copied)} axes to copy from", show(shape))
    asked = tuple(shape[axis] if axis in copied else n for axis, n in enumerate(target))
    hole = _hole(asked, target, copied)
    left, right = _cancel(list(shape), [n for axis, n in enumerate(asked) if axis != hole])
    total, rest = product(left), product(right)
    if isinstance(total, int) and isinstance(rest, int) and not _divides(rest, total, exactly=hole is None):
        raise _count(shape, asked)
    if hole is None:
        return asked
    length: Dim = UNKNOWN if rest == 0 else total // rest
    return (*asked[:hole], length, *asked[hole + 1 :])


def taken_for_one_size(attributes: Attributes, inputs: Shapes) -> tuple[Dim, Dim] | None:
    """Return the lengths that must be equal for a reshape to fixed lengths; None where it fits every size.

    Args:
        attributes: the settings of a reshape.
        inputs: the input shapes.

    Source: ``numpy.reshape``, which keeps the number of elements.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> shape = (symbol("N"), symbol("T"), 32)
        >>> taken_for_one_size({"shape": (0, 16, 4, 8), "zero_copies": True}, (shape,))
        (T, 16)
    """
    shape, target = first(inputs), tuple(attributes.get("shape") or ())
    if shape is None or attributes.get("batch_kept") or -1 in target:
        return None
    copied = {axis for axis, n in enumerate(target) if attributes.get("zero_copies") and n == 0}
    if copied and max(copied) >= len(shape):
        return None
    asked = [shape[axis] if axis in copied else n for axis, n in enumerate(target)]
    left, right = map(product, _cancel(list(shape), asked))
    if not isinstance(left, Expr) or not isinstance(right, int) or len(left.terms) != 1:
        return None
    factor = left.terms[0][1]
    return (left // factor, right // factor) if right > 0 and right % factor == 0 else None


def _hole(asked: Shape, target: Shape, copied: set[int]) -> int | None:
    """Return the axis whose length follows from the number of elements: the -1, or a single unknown one."""
    holes = [axis for axis, n in enumerate(asked) if n == -1]
    if len(holes) > 1:
        raise mismatch("at most one -1", show(target))
    if holes:
        return holes[0]
    unknown = [axis for axis, n in enumerate(asked) if isinstance(n, Unknown)]
    return unknown[0] if len(unknown) == 1 and unknown[0] not in copied else None


def _divides(part: int, total: int, *, exactly: bool) -> bool:
    """Tell whether a number of elements is the total, or divides it where a length is still open."""
    return part == total if exactly else part != 0 and total % part == 0


def _cancel(left: list[Dim], right: list[Dim]) -> tuple[list[Dim], list[Dim]]:
    """Cancel equal symbols in both products; nothing else if a length is unknown."""
    for dim in list(right):
        if isinstance(dim, Expr) and dim in left:
            left.remove(dim)
            right.remove(dim)
    return left, right


def _count(shape: Shape, target: Shape) -> Exception:
    asked, more = product(n for n in target if n != -1), " or a multiple" if -1 in target else ""
    return mismatch(
        f"{asked} elements{more}: {show(target)}",
        f"{product(shape)} elements: {show(shape)}",
    )


def _reshape(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, target = first(inputs), tuple(attributes["shape"])
    if not attributes.get("batch_kept"):
        return (reshape_shape(shape, target, bool(attributes.get("zero_copies"))),)
    if shape is None:
        return ((UNKNOWN, *reshape_shape(None, target)),)
    return ((shape[0], *reshape_shape(shape[1:], target)),)


def _groups(source: Shape, target: Shape) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Match runs of axes of two shapes with the same elements in row-major order.

    Axes of length 1 are skipped.
    """
    ins = [axis for axis, n in enumerate(source) if n != 1]
    outs = [axis for axis, n in enumerate(target) if n != 1]
    result: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    while ins and outs:
        i, o = 1, 1
        left, right = source[ins[0]], target[outs[0]]
        while left != right:
            # Only integers are ordered; with symbols the shorter list of axes grows until it fits.
            if isinstance(left, Unknown) or isinstance(right, Unknown):
                return result
            grow_left = left < right if isinstance(left, int) and isinstance(right, int) else i <= o
            if grow_left and i < len(ins):
                left, i = left * source[ins[i]], i + 1
            elif o < len(outs) and not (grow_left and isinstance(left, int) and isinstance(right, int)):
                right, o = right * target[outs[o]], o + 1
            elif not grow_left and i < len(ins) and not isinstance(right, int):
                left, i = left * source[ins[i]], i + 1
            else:
                return result
        if isinstance(left, Unknown):
            return result
        result.append((tuple(ins[:i]), tuple(outs[:o])))
        ins, outs = ins[i:], outs[o:]
    return result


def _regroup_axes(_attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None:
        return Naming()
    links, merges, splits = [], [], []
    lead = 0
    while lead < min(len(shape), len(out)) and shape[lead] == out[lead]:
        links.append((0, lead, 0, lead))
        lead += 1
    for source, target in _groups(shape[lead:], out[lead:]):
        if len(target) != 1:
            if len(source) == 1:
                splits.append((0, source[0] + lead, 0, tuple(axis + lead for axis in target)))
            continue
        if len(source) == 1:
            links.append((0, source[0] + lead, 0, target[0] + lead))
        else:
            merges.append((0, tuple(axis + lead for axis in source), 0, target[0] + lead))
    return Naming(links=tuple(links), merges=tuple(merges), splits=tuple(splits))


def _flatten_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if not shape or out is None:
        return Naming()
    rank = len(shape)
    axis = attributes.get("axis")
    if axis is None:
        low, high = (
            normalize_axis(attributes.get("start_axis", 1), rank),
            normalize_axis(attributes.get("end_axis", -1), rank),
        )
        runs = (
            [(i,) for i in range(low)] + [tuple(range(low, high + 1))] + [(i,) for i in range(high + 1, rank)]
        )
    else:
        cut = axis % rank if axis < 0 else axis
        runs = [tuple(range(cut)), tuple(range(cut, rank))]
    if len(runs) != len(out):
        return Naming()
    links, merges = [], []
    first_channels = axis is None and attributes.get("data_format") == "channels_first" and rank > 2
    if first_channels:  # Keras moves the channels last before it merges
        runs = [(*run[1:], 1) if run[:1] == (1,) else run for run in runs]
    for target, run in enumerate(runs):
        real = tuple(i for i in run if shape[i] != 1) or run[:1]
        if len(real) == 1:
            links.append((0, real[0], 0, target))
        elif real:
            merges.append((0, real, 0, target))
    named = (names(rank - 2),) if first_channels and rank <= _LARGEST_MAP else ()
    return Naming(named, links=tuple(links), merges=tuple(merges))


#: The axes of a map with depth, height and width.
_LARGEST_MAP = 5


def _unflatten(attributes: Attributes, inputs: Shapes) -> Shapes:
    shape, sizes = first(inputs), tuple(attributes["sizes"])
    if shape is None:
        return (None,)
    axis = normalize_axis(attributes["axis"], len(shape))
    return ((*shape[:axis], *reshape_shape((shape[axis],), sizes), *shape[axis + 1 :]),)


def _unflatten_axes(attributes: Attributes, inputs: Shapes, outputs: Shapes) -> Naming:
    shape, out = first(inputs), first(outputs)
    if shape is None or out is None:
        return Naming()
    axis, more = normalize_axis(attributes["axis"], len(shape)), len(out) - len(shape)
    kept = [source_axis for source_axis in range(len(shape)) if source_axis != axis]
    return Naming(
        links=tuple(
            (0, source_axis, 0, source_axis + (more if source_axis > axis else 0)) for source_axis in kept
        ),
        splits=((0, axis, 0, tuple(range(axis, axis + more + 1))),),
    )


def _flatten_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, axis = first(inputs) or (), attributes.get("axis")
    rank = len(shape)
    if rank == 0:
        return {(0, 0): number(1)} | ({} if axis is None else {(0, 1): number(1)})
    if axis is not None:
        cut = axis % rank if axis < 0 else axis
        return {(0, 0): _merged(shape, range(cut)), (0, 1): _merged(shape, range(cut, rank))}
    low, high = (
        normalize_axis(attributes.get("start_axis", 1), rank),
        normalize_axis(attributes.get("end_axis", -1), rank),
    )
    return {(0, low): _merged(shape, range(low, high + 1))} if low < high else {}


def _merged(shape: Shape, axes: Iterable[int]) -> Text:
    return product_of({f"n{axis}": shape[axis] for axis in axes})


def _reshape_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape, target = first(inputs), tuple(attributes["shape"])
    kept = 1 if attributes.get("batch_kept") else 0
    lines = {} if shape is None or not kept else {(0, 0): carried(0, 0, shape)}
    sizes = _sized(shape, target, kept, bool(attributes.get("zero_copies")))
    return lines | {(0, axis + kept): text for axis, text in enumerate(sizes)}


def _sized(shape: Shape | None, target: Shape, lead: int, zero_copies: bool = False) -> list[Text]:
    """Write each requested length, and the rest for -1 (or for the only unknown one)."""
    copied = [zero_copies and n == 0 for n in target]
    asked = [
        carried(0, axis, shape) if copies and shape is not None else literal(f"s{axis + lead}", n)
        for axis, (n, copies) in enumerate(zip(target, copied, strict=True))
    ]
    open_ones = [axis for axis, n in enumerate(target) if n == -1]
    open_ones = open_ones or [axis for axis, n in enumerate(target) if isinstance(n, Unknown)]
    if shape is not None and len(open_ones) == 1:
        rest = [text for axis, text in enumerate(asked) if axis != open_ones[0]]
        whole = _merged(shape, range(lead, len(shape)))
        asked[open_ones[0]] = quotient_text(whole, product_text(*rest)) if rest else whole
    return asked


def _unflatten_lines(attributes: Attributes, inputs: Shapes, _outputs: Shapes) -> Lines:
    shape = first(inputs) or ()
    axis = normalize_axis(attributes["axis"], len(shape))
    sizes = tuple(attributes["sizes"])
    asked = [literal(f"s{index}", size) for index, size in enumerate(sizes)]
    if sizes.count(-1) == 1:
        rest = [text for text, size in zip(asked, sizes, strict=True) if size != -1]
        asked[sizes.index(-1)] = quotient_text(literal("n", shape[axis]), product_text(*rest))
    return {(0, axis + index): text for index, text in enumerate(asked)}


def _kind(
    name: str,
    summary: str,
    example: str,
    attributes: tuple[Attribute, ...],
    outputs: Callable[[Attributes, Shapes], Shapes],
    naming: Callable[[Attributes, Shapes, Shapes], Naming],
    lines: Callable[[Attributes, Shapes, Shapes], Lines] = no_lines,
    sees: Field = SAME_POSITION,
) -> Kind:
    return Kind(name, summary, example, attributes, outputs, naming, lines, NO_WORK, no_weights, sees)


KINDS = (
    _kind(
        "flatten",
        "merges a run of axes into one, in row-major order",
        "--input 1,16,5,7",
        (
            Attribute("start_axis", "int", "1", "the first axis of the run"),
            Attribute("end_axis", "int", "-1", "the last axis of the run"),
            Attribute("axis", "int", "none", "ONNX: two axes are made, cut before this one"),
            replace(
                DATA_FORMAT,
                default="unknown",
                meaning="Keras: position of the channels; first, they are moved last before flattening",
            ),
        ),
        _flatten,
        _flatten_axes,
        _flatten_lines,
        REGROUPED,
    ),
    _kind(
        "reshape",
        "the same elements in the same order, on other axes",
        "--input 2,3,8 --shape 4,-1",
        (
            Attribute(
                "shape", "tuple; one −1 takes the rest", "from the second input", "the requested lengths"
            ),
            Attribute("zero_copies", "bool", "false", "0 stands for the input's length on that axis (ONNX)"),
            Attribute("batch_kept", "bool", "false", "the shape is without the batch, which stays (Keras)"),
        ),
        _reshape,
        _regroup_axes,
        _reshape_lines,
        REGROUPED,
    ),
    _kind(
        "unflatten",
        "splits one axis into several",
        "--input 2,12 --axis 1 --sizes 3,-1",
        (
            replace(AXIS, meaning="the axis to split"),
            Attribute("sizes", "tuple; one −1 takes the rest", REQUIRED, "the lengths it becomes"),
        ),
        _unflatten,
        _unflatten_axes,
        _unflatten_lines,
        REGROUPED,
    ),
)
