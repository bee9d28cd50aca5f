"""Settings of the operators that reshape, slice, join and reduce values.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Expr, Unknown
from shapeinspect_tensorflow.graph.node_view import View
from shapeinspect_tensorflow.graph.settings.conv import data_format
from shapeinspect_tensorflow.vocabulary import dtypes

#: A tensor of more axes is none that runs.
_MOST_AXES = 64
Settings = dict[str, Any]


def _known(**settings: Any) -> Settings:
    return {name: value for name, value in settings.items() if value is not None}


def target(view: View) -> Settings:
    """Read a Reshape whose lengths are numbers, or numbers behind the batch of its input.

    A single length that is known only at run time becomes -1.

    Args:
        view: the node.
    """
    lengths, shape = view.lengths(1), view.shape(0)
    if lengths is None or sum(number == -1 or isinstance(number, Unknown) for number in lengths) > 1:
        return {}
    wanted = tuple(-1 if isinstance(number, Unknown) else number for number in lengths)
    if shape and wanted and isinstance(wanted[0], Expr) and wanted[0] == shape[0]:
        rest = {"shape": wanted[1:], "batch_kept": True}
        return rest if all(isinstance(number, int) for number in wanted[1:]) else {}
    return {"shape": wanted} if all(isinstance(number, int) for number in wanted) else {}


def permute_kind(view: View) -> str:
    """Return ``unknown`` for a Transpose with a non-constant ``perm``.

    Args:
        view: the node.
    """
    return "unknown" if view.numbers(1) is None else "permute"


def permute(view: View) -> Settings:
    """Read a Transpose.

    Args:
        view: the node.
    """
    return _known(axes=view.numbers(1))


def squeeze(view: View) -> Settings:
    """Read a Squeeze; without axes it drops every axis of length 1.

    Args:
        view: the node.
    """
    axes = view.get("squeeze_dims")
    return {"axes": tuple(axes)} if axes else {}


def expand_dims(view: View) -> Settings:
    """Read an ExpandDims.

    Args:
        view: the node.
    """
    axis = view.number(1)
    return {} if axis is None else {"axes": (axis,)}


def concat(view: View) -> Settings:
    """Read a Concat: the axis comes first in the old operator and last in the new one.

    Args:
        view: the node.
    """
    return _known(axis=view.number(0 if view.op == "Concat" else -1))


def axis(view: View) -> Settings:
    """Read a Pack or Unpack.

    Args:
        view: the node.
    """
    return {"axis": view.get("axis", 0)}


def split(view: View) -> Settings:
    """Read a Split into equal parts, or a SplitV into given ones.

    Args:
        view: the node.
    """
    if view.op == "SplitV":
        sizes = view.numbers(1)
        return _known(axis=view.number(2), sizes=sizes if sizes and -1 not in sizes else None)
    return _known(axis=view.number(0), sections=view.get("num_split"))


def pad(view: View) -> Settings:
    """Read a Pad, with a pair for every axis.

    Args:
        view: the node.
    """
    amounts = view.lengths(1)
    if not amounts or len(amounts) % 2:
        return {}
    amounts = _numbers(amounts)
    mode = str(view.get("mode", "constant")).lower()
    return {"padding": tuple(zip(amounts[::2], amounts[1::2], strict=True)), "mode": mode}


def slices(view: View) -> Settings:
    """Read a Slice: starts and sizes; a size of -1 extends to the end.

    Args:
        view: the node.
    """
    read = _starts_and_sizes(view)
    if read is None:
        return {}
    starts, sizes = read
    settings = {"starts": starts, "axes": tuple(range(len(starts))), "steps": (1,) * len(starts)}
    if UNKNOWN in starts or UNKNOWN in sizes:
        return {**settings, "ends": (UNKNOWN,) * len(starts), "sizes": sizes}
    return {**settings, "ends": tuple(map(_end, starts, sizes))}


def _end(start: Dim, size: Dim) -> Dim:
    return 2**63 - 1 if size == -1 else start + size


def slice_kind(view: View) -> str:
    """Return ``slice``, or ``unknown`` where not even the number of axes is known.

    Args:
        view: a Slice.
    """
    return "slice" if _starts_and_sizes(view) else "unknown"


def _starts_and_sizes(view: View) -> tuple[tuple[Dim, ...], tuple[Dim, ...]] | None:
    """Return both, with UNKNOWN for each number that is known at run time only."""
    found = []
    for slot in (1, 2):
        numbers, shape = view.lengths(slot), view.shape(slot)
        if numbers is None and shape is not None and len(shape) == 1 and isinstance(shape[0], int):
            numbers = (UNKNOWN,) * min(shape[0], _MOST_AXES)
        if not numbers:
            return None
        found.append(_numbers(numbers))
    starts, sizes = found
    return (starts, sizes) if len(starts) == len(sizes) else None


def _numbers(lengths: tuple[Dim, ...]) -> tuple[Dim, ...]:
    return tuple(length if isinstance(length, int) else UNKNOWN for length in lengths)


def strided_kind(view: View) -> str:
    """Return ``slice``, ``index`` for the selection of one entry, or ``unknown``.

    Args:
        view: a StridedSlice.
    """
    cuts = _cuts(view)
    return "unknown" if not cuts else "index" if _single(cuts) is not None else "slice"


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is taken of one axis of the input; or a new axis of length 1."""

    start: Dim | None = None
    end: Dim | None = None
    step: Dim = 1
    dropped: bool = False
    new: bool = False

    @property
    def whole(self) -> bool:
        return (self.start, self.end, self.step) == (None, None, 1) and not self.dropped and not self.new


def _single(cuts: list[_Cut]) -> int | None:
    """Return the axis of which a single entry is selected, if the others are complete."""
    odd = [axis for axis, cut in enumerate(cuts) if not cut.whole]
    return odd[0] if len(odd) == 1 and cuts[odd[0]].dropped else None


def _cuts(view: View) -> list[_Cut]:
    """Return what is taken of each axis, in the order of the specification.

    Source: ``StridedSlice`` in tensorflow/core/ops/ops.pbtxt, for the masks.
    """
    starts, ends, steps = (view.lengths(slot) for slot in (1, 2, 3))
    if steps is not None:  # where a slice begins or ends may be known at run time only
        starts, ends = ((UNKNOWN,) * len(steps) if part is None else part for part in (starts, ends))
    shape, wide = view.shape(0), view.get("ellipsis_mask", 0)
    if view.get("offset"):  # TFLite may count the ends from the starts
        return []
    if starts is None or ends is None or steps is None or not len(starts) == len(ends) == len(steps):
        return []
    if wide & (wide - 1) or (wide and shape is None):
        return []
    new, drop = view.get("new_axis_mask", 0), view.get("shrink_axis_mask", 0)
    begin, end = view.get("begin_mask", 0), view.get("end_mask", 0)
    taken = sum(not (wide | new) >> place & 1 for place in range(len(starts)))
    cuts: list[_Cut] = []
    for place, (first, last, step) in enumerate(zip(starts, ends, steps, strict=True)):
        if wide >> place & 1:
            cuts.extend(_Cut() for _ in range(len(shape or ()) - taken))
        elif new >> place & 1:
            cuts.append(_Cut(new=True))
        elif drop >> place & 1:
            cuts.append(_Cut(0 if begin >> place & 1 else first, None, 1, dropped=True))
        else:
            cuts.append(_Cut(None if begin >> place & 1 else first, None if end >> place & 1 else last, step))
    return cuts


def strided(view: View) -> Settings:
    """Read a StridedSlice.

    Args:
        view: the node.
    """
    cuts = _cuts(view)
    axis = _single(cuts)
    if axis is not None:
        index = cuts[axis].start
        return _known(axis=axis, index=index if isinstance(index, int) else None)
    if not cuts:
        return {}
    old = [cut for cut in cuts if not cut.new]
    dropped = tuple(axis for axis, cut in enumerate(old) if cut.dropped)
    kept = [cut for cut in cuts if not cut.dropped]
    inserted = tuple(axis for axis, cut in enumerate(kept) if cut.new)
    settings = {
        "starts": tuple(_number(cut.start) for cut in old),
        "ends": tuple(_after(cut) if cut.dropped else _number(cut.end) for cut in old),
        "axes": tuple(range(len(old))),
        "steps": tuple(_number(cut.step) for cut in old),
    }
    return {**settings, **{key: axes for key, axes in (("dropped", dropped), ("inserted", inserted)) if axes}}


def _number(length: Dim | None) -> Dim | None:
    return length if length is None or isinstance(length, int) else UNKNOWN


def _after(cut: _Cut) -> Dim | None:
    """Return the end of a cut that takes a single entry."""
    if not isinstance(cut.start, int):
        return UNKNOWN
    return None if cut.start == -1 else cut.start + 1


def reduce(view: View) -> Settings:
    """Read a Sum, Mean, Max and the like.

    Args:
        view: the node.
    """
    settings = {"op": view.op.lower(), "keepdims": bool(view.get("keep_dims", False))}
    axes = view.numbers(1)
    return {**settings, "axes": UNKNOWN if axes is None else axes}


def arg(view: View) -> Settings:
    """Read an ArgMax or ArgMin.

    Args:
        view: the node.
    """
    axis = view.number(1)
    return {"axis": UNKNOWN if axis is None else axis, "keepdims": False}


def resize(view: View) -> Settings:
    """Read a resize of images with channels last.

    Args:
        view: the node.
    """
    modes = {"ResizeBilinear": "bilinear", "ResizeNearestNeighbor": "nearest", "ResizeBicubic": "bicubic"}
    settings = {"mode": modes.get(view.op, "area"), "data_format": "channels_last"}
    return {
        **settings,
        "align_corners": bool(view.get("align_corners", False)),
        **_known(size=view.numbers(1)),
    }


def scaled(view: View) -> Settings:
    """Read a ScaleAndTranslate, which samples images with a kernel of another width.

    Args:
        view: the node.
    """
    settings = {"mode": str(view.get("kernel_type", "lanczos3")), "data_format": "channels_last"}
    return {**settings, "align_corners": False, **_known(size=view.numbers(1))}


def bitcast_kind(view: View) -> str:
    """Return ``cast`` for a Bitcast to numbers of as many bytes, which keeps the shape.

    Args:
        view: the node.
    """
    codes = view.get("T"), view.get("type")
    sizes = {dtypes.nbytes(code, 1) for code in codes if isinstance(code, int)}
    return "cast" if None not in codes and len(sizes) == 1 and None not in sizes else "unknown"


def block(view: View) -> Settings:
    """Read a SpaceToDepth or DepthToSpace.

    Args:
        view: the node.
    """
    return {"factor": view.get("block_size"), "data_format": data_format(view)}


def tile(view: View) -> Settings:
    """Read a Tile.

    Args:
        view: the node.
    """
    return _known(repeats=view.numbers(1))


def expand(view: View) -> Settings:
    """Read a BroadcastTo.

    Args:
        view: the node.
    """
    return _known(shape=view.numbers(1))


def constant(view: View) -> Settings:
    """Read a Fill or a source of random numbers: its shape.

    Args:
        view: the node.
    """
    return _known(shape=view.numbers(0))


def topk(view: View) -> Settings:
    """Read a TopK of the last axis.

    Args:
        view: the node.
    """
    return _known(axis=-1, k=view.number(1))


def one_hot(view: View) -> Settings:
    """Read a OneHot.

    Args:
        view: the node.
    """
    return _known(depth=view.number(1), axis=view.get("axis", -1))


def einsum(view: View) -> Settings:
    """Read an Einsum.

    Args:
        view: the node.
    """
    return _known(equation=view.get("equation"))


def moved(view: View, name: str) -> Settings:
    """Read an operator along the axes that its second input names; the shape stays.

    Args:
        view: the node.
        name: what it does.
    """
    axes = view.numbers(1)
    flags = {key: True for key in ("exclusive", "reverse") if view.get(key)}
    return {"op": name, **flags, **({} if axes is None else {"axes": axes})}


def kept(_view: View, name: str) -> Settings:
    """Read an operator that keeps the shape of its first input.

    Args:
        view: the node.
        name: what it does.
    """
    return {"op": name}


def looked_up(_view: View) -> Settings:
    """Read a lookup of keys in a table, which gives one entry for each.

    Args:
        view: the node.
    """
    return {"output_mode": "int"}
