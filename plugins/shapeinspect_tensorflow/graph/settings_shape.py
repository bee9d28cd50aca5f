"""Settings of the operators that reshape, slice, join and reduce values.

Source: the operators' own pages, https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect_tensorflow.graph.node_view import View
from shapeinspect_tensorflow.graph.settings_conv import data_format

Settings = dict[str, Any]


def _known(**settings: Any) -> Settings:
    return {name: value for name, value in settings.items() if value is not None}


def target(view: View) -> Settings:
    """Read a Reshape; a single unknown length becomes -1.

    Args:
        view: the node.
    """
    lengths = view.partly(1)
    if lengths is None or sum(number in (None, -1) for number in lengths) > 1:
        return {}
    return {"shape": tuple(-1 if number is None else number for number in lengths)}


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
    amounts = view.numbers(1)
    if not amounts or len(amounts) % 2:
        return {}
    mode = str(view.get("mode", "constant")).lower()
    return {"padding": tuple(zip(amounts[::2], amounts[1::2], strict=True)), "mode": mode}


def slices(view: View) -> Settings:
    """Read a Slice: starts and sizes; a size of -1 extends to the end.

    Args:
        view: the node.
    """
    starts, sizes = view.numbers(1), view.numbers(2)
    if starts is None or sizes is None or len(starts) != len(sizes):
        return {}
    ends = tuple(2**63 - 1 if size == -1 else start + size for start, size in zip(starts, sizes, strict=True))
    return {"starts": starts, "ends": ends, "axes": tuple(range(len(starts))), "steps": (1,) * len(starts)}


def strided_kind(view: View) -> str:
    """Return ``slice``, ``index`` for the selection of one entry, or ``unknown``.

    Args:
        view: a StridedSlice.
    """
    return "slice" if _plain(view) else "index" if _dropped(view) is not None else "unknown"


def _plain(view: View) -> bool:
    masks = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    return not any(view.get(mask, 0) for mask in masks) and bool(_cuts(view))


def _dropped(view: View) -> int | None:
    """Return the axis of which a single entry is selected, if the others are complete."""
    shrink = view.get("shrink_axis_mask", 0)
    if view.get("ellipsis_mask", 0) or view.get("new_axis_mask", 0) or shrink <= 0 or shrink & (shrink - 1):
        return None
    place, cuts = int(shrink).bit_length() - 1, _cuts(view)
    whole = all(cut == (None, None, 1) for axis, cut in enumerate(cuts) if axis != place)
    return place if place < len(cuts) and whole else None


def _cuts(view: View) -> list[tuple[int | None, int | None, int]]:
    starts, ends, steps = (view.numbers(slot) for slot in (1, 2, 3))
    if view.get("offset"):  # TFLite may count the ends from the starts
        return []
    if starts is None or ends is None or steps is None or not len(starts) == len(ends) == len(steps):
        return []
    begin, end = view.get("begin_mask", 0), view.get("end_mask", 0)
    return [
        (None if begin >> place & 1 else first, None if end >> place & 1 else last, step)
        for place, (first, last, step) in enumerate(zip(starts, ends, steps, strict=True))
    ]


def strided(view: View) -> Settings:
    """Read a StridedSlice.

    Args:
        view: the node.
    """
    cuts, place = _cuts(view), _dropped(view)
    if place is not None:
        return _known(axis=place, index=cuts[place][0])
    if not _plain(view):
        return {}
    starts, ends, steps = zip(*cuts, strict=True)
    return {"starts": starts, "ends": ends, "axes": tuple(range(len(cuts))), "steps": steps}


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
