"""Settings of the ops that reshape, slice, join and combine values.

Source: the operators' own pages, https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from math import ceil
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.frozen import Frozen
from shapeinspect_onnx.dtypes import name as dtype_name
from shapeinspect_onnx.reading.node import Node

Settings = dict[str, Any]

#: TensorProto.INT32 and INT64.
_WHOLE = (6, 7)


def _known(**settings: Any) -> Settings:
    return {name: value for name, value in settings.items() if value is not None}


def reshape(node: Node) -> Settings:
    """Read a Reshape: a zero copies a length unless ``allowzero`` is set.

    Args:
        node: the node.
    """
    return _known(shape=node.numbers("shape", 1), zero_copies=not node.get("allowzero", 0))


def flatten(node: Node) -> Settings:
    """Read a Flatten, whose output always has two axes.

    Args:
        node: the node.
    """
    return {"axis": node.get("axis", 1)}


def transpose(node: Node) -> Settings:
    """Read a Transpose; without ``perm`` it reverses the axes.

    Args:
        node: the node.
    """
    rank = node.rank()
    axes = node.get("perm") or (None if rank is None else tuple(reversed(range(rank))))
    return _known(axes=axes)


def squeeze(node: Node) -> Settings:
    """Read a Squeeze; without axes it drops every axis of length 1.

    Args:
        node: the node.
    """
    axes = node.numbers("axes", 1)
    return {"axes": UNKNOWN} if axes is None and node.has(1) else _known(axes=axes)


def unsqueeze(node: Node) -> Settings:
    """Read an Unsqueeze.

    Args:
        node: the node.
    """
    return _known(axes=node.numbers("axes", 1))


def concat(node: Node) -> Settings:
    """Read a Concat; opset 1 had axis 1 as the default.

    Args:
        node: the node.
    """
    return {"axis": node.get("axis", 1)}


def split(node: Node) -> Settings:
    """Read a Split; without sizes the parts are equal, except for a smaller last one.

    Args:
        node: the node.
    """
    axis, sizes, shape = node.get("axis", 0), node.numbers("split", 1), node.shape(0)
    if sizes is None and not node.has(1) and shape is not None and -len(shape) <= axis < len(shape):
        total, parts = shape[axis], node.get("num_outputs") or len(node.outputs)
        if isinstance(total, int) and 0 < parts <= len(node.outputs):
            chunk = -(-total // parts)
            last = total - chunk * (parts - 1)
            sizes = (*(chunk,) * (parts - 1), last) if last >= 0 else None  # as in a branch never taken
    if sizes is None and not node.has(1):
        parts, outputs = node.get("num_outputs"), len(node.outputs)
        if parts is not None and not 0 < parts <= outputs:
            return {"axis": axis}  # more parts than there are outputs: no runtime takes it
        return {"axis": axis, "chunks": parts} if parts else {"axis": axis, "sections": outputs}
    return _known(axis=axis, sizes=sizes)


def pad(node: Node) -> Settings:
    """Read a Pad of any opset: attributes ``paddings`` or ``pads``, or inputs with axes.

    Args:
        node: the node.
    """
    pads, mode = node.get("paddings") or node.numbers("pads", 1), node.get("mode", "constant")
    filled = _known(mode=mode, value=_filling(node) if mode == "constant" else None)
    if pads is None:
        return filled
    half = len(pads) // 2
    pairs = tuple((pads[axis], pads[half + axis]) for axis in range(half))
    if not node.has(3):
        return {"padding": pairs, **filled}
    axes, rank = node.numbers("axes", 3), node.rank()
    if axes is None or rank is None or len(axes) != half or not all(-rank <= axis < rank for axis in axes):
        return filled
    every = [(0, 0)] * rank
    for axis, pair in zip(axes, pairs, strict=True):
        every[axis] = pair
    return {"padding": tuple(every), **filled}


def _filling(node: Node) -> float | None:
    """Return the number that a constant padding writes; None for 0, or where the graph computes it."""
    return node.number("value", 2) or None


def slices(node: Node) -> Settings:
    """Read a Slice; axes default to the first ones, steps to one.

    Args:
        node: the node.
    """
    starts, ends = node.numbers("starts", 1), node.numbers("ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        return {}
    axes = node.numbers("axes", 3) if node.has(3) or node.get("axes") else tuple(range(len(starts)))
    steps = node.numbers("steps", 4) if node.has(4) else (1,) * len(starts)
    return {"starts": starts, "ends": ends, "axes": axes, "steps": steps} if axes and steps else {}


def resize(node: Node) -> Settings:
    """Read a Resize or Upsample of any opset; only the spatial part is a setting.

    Args:
        node: the node.
    """
    settings: Settings = {**_positions(node), "data_format": "channels_first", "single_precision": True}
    rank = node.rank()
    if "height_scale" in node.attributes:  # Upsample-1
        return {**settings, "scale_factor": (node.get("height_scale"), node.get("width_scale"))}
    if node.op == "Upsample" or node.version < 11:
        scales, sizes = node.numbers("scales", 1), None
    else:
        scales, sizes = node.numbers("", 2), node.numbers("", 3)
    axes = node.get("axes")
    if sizes:
        spatial = _spatial(sizes, axes, rank, None if node.shape(0) is None else node.shape(0))
        policy = node.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            # Sizes of all axes count the batch and the channels among those that are kept in proportion.
            of_space = spatial is not None and axes
            settings["keep_aspect_ratio"] = policy
            spatial = spatial if of_space or rank is None else (UNKNOWN,) * (rank - 2)
        return {**settings, **_known(size=spatial)}
    if scales:
        spatial = _spatial(scales, axes, rank, (1.0, 1.0))
        return {**settings, **_known(scale_factor=spatial)}
    return settings


#: From here on a Resize says how positions are computed.
_STATES_POSITIONS = 11


def _positions(node: Node) -> Settings:
    """Read where a pixel of the output lies in the input; opset 10 and Upsample do not say it."""
    mode, aligned = node.get("mode", "nearest"), False
    settings: Settings = {}
    if node.op == "Resize" and node.version >= _STATES_POSITIONS:
        where = node.get("coordinate_transformation_mode", "half_pixel")
        aligned = where == "align_corners"
        if not aligned:
            settings["coordinates"] = where
        if mode == "nearest":
            settings["nearest_mode"] = node.get("nearest_mode", "round_prefer_floor")
        if node.get("antialias", 0):
            settings["antialias"] = True
    return {"mode": mode, "align_corners": aligned, **settings}


def _spatial(numbers: tuple[Any, ...], axes: Any, rank: int | None, outer: Any) -> tuple[Any, ...] | None:
    """Return the entries of the spatial axes if the batch and the channels stay as they are."""
    if axes:
        if rank is None or sorted(axis % rank for axis in axes) != list(range(2, rank)):
            return None
        return tuple(number for _, number in sorted(zip((a % rank for a in axes), numbers, strict=False)))
    if len(numbers) < 3:
        return None
    kept = outer is not None and tuple(numbers[:2]) == tuple(outer[:2])
    return tuple(numbers[2:] if kept else numbers)


def block(node: Node) -> Settings:
    """Read DepthToSpace and SpaceToDepth.

    Args:
        node: the node.
    """
    settings = {"factor": node.get("blocksize"), "data_format": "channels_first"}
    return {**settings, "mode": node.get("mode", "DCR")} if node.op == "DepthToSpace" else settings


def reduce(node: Node) -> Settings:
    """Read a reduction; no axes means all of them unless ``noop_with_empty_axes`` is set.

    Args:
        node: the node.
    """
    settings: Settings = {
        "op": node.op.removeprefix("Reduce").lower(),
        "keepdims": bool(node.get("keepdims", 1)),
    }
    axes = node.numbers("axes", 1)
    if not axes and node.get("noop_with_empty_axes", 0) and (axes is not None or not node.has(1)):
        return {**settings, "axes": ()}
    if axes is None and node.has(1):
        return {**settings, "axes": UNKNOWN}
    return {**settings, "axes": axes or None}


def arg(node: Node) -> Settings:
    """Read ArgMax and ArgMin.

    Args:
        node: the node.
    """
    return {"axis": node.get("axis", 0), "keepdims": bool(node.get("keepdims", 1))}


def is_embedding(node: Node) -> bool:
    """Tell whether a gather looks up rows of a stored table of real numbers.

    Args:
        node: the node.
    """
    table = node.constant(0)
    return (
        table is not None
        and not table.is_integer
        and len(table.dims) == 2
        and node.get("axis", 0) == 0
        and node.constant(1) is None
    )


def gather_kind(node: Node) -> str:
    """Return ``embedding``, ``index`` for the selection of one entry, or ``gather``.

    Args:
        node: the node.
    """
    if is_embedding(node):
        return "embedding"
    index = node.constant(1)
    return "index" if index is not None and not index.dims and index.numbers() else "gather"


def gather(node: Node) -> Settings:
    """Read a Gather.

    Args:
        node: the node.
    """
    kind, table = gather_kind(node), node.constant(0)
    if kind == "embedding" and table is not None:
        return {"num_embeddings": table.dims[0], "embedding_dim": table.dims[1]}
    axis = node.get("axis", 0)
    return {"axis": axis, "index": node.number("", 1)} if kind == "index" else {"axis": axis}


def softmax(node: Node) -> Settings:
    """Read a softmax; before opset 13 its axis was 1 by default, and all axes after it were included.

    Args:
        node: the node.
    """
    axis = node.get("axis", -1 if node.version >= 13 else 1)
    settings: Settings = {"axis": axis, "log": node.op == "LogSoftmax"}
    return settings if node.version >= 13 else {**settings, "flattened": True}


def expand(node: Node) -> Settings:
    """Read an Expand.

    Args:
        node: the node.
    """
    return _known(shape=node.numbers("", 1))


def tile(node: Node) -> Settings:
    """Read a Tile; opset 1 repeated one axis.

    Args:
        node: the node.
    """
    return {} if node.has(2) else _known(repeats=node.numbers("repeats", 1))


def topk(node: Node) -> Settings:
    """Read a TopK.

    Args:
        node: the node.
    """
    return _known(axis=node.get("axis", -1), k=node.number("k", 1))


def cast(node: Node) -> Settings:
    """Read a Cast; opset 1 named the type by a text.

    Args:
        node: the node.
    """
    to = node.get("to")
    return _known(
        dtype=dtype_name(to) if isinstance(to, int) else to.lower() if isinstance(to, str) else None
    )


def constant(node: Node) -> Settings:
    """Read an op without inputs, or of a shape alone.

    Args:
        node: the node.
    """
    if node.op != "ConstantOfShape":
        return _known(shape=node.numbers("shape", -1))
    return _known(shape=node.numbers("shape", 0), fill=_fill(node.get("value")))


def counted(node: Node) -> Settings:
    """Read a Range: numbers from the first input up to the second in steps of the third.

    Args:
        node: the node.

    Source: https://onnx.ai/onnx/operators/onnx__Range.html
    """
    numbers = [node.number("", slot) for slot in range(3)]
    start, limit, step = numbers[0], numbers[1], 1 if not node.has(2) else numbers[2]
    if not step or start is None or limit is None:
        return {"op": "range"}
    return {"op": "range", "shape": (max(ceil((limit - start) / step), 0),)}


def _fill(tensor: Any) -> int | None:
    """Return the integer that a ConstantOfShape is filled with; the default is 0.0."""
    if tensor is None or tensor.data_type not in _WHOLE:
        return None
    if tensor.raw_data:
        return int.from_bytes(tensor.raw_data, "little", signed=True)
    stored = tensor.int64_data or tensor.int32_data
    return int(stored[0]) if stored else None


def dropout(node: Node) -> Settings:
    """Read a Dropout; its ratio became an input in opset 12.

    Args:
        node: the node.
    """
    return _known(ratio=node.get("ratio", node.number("", 1)))


def clip(node: Node) -> Settings:
    """Read a Clip; its bounds became inputs in opset 11.

    Args:
        node: the node.
    """
    return _known(function="clip", min=node.number("min", 1), max=node.number("max", 2))


def shape_of(node: Node) -> Settings:
    """Read a Shape, which takes a range of axes since opset 15.

    Args:
        node: the node.
    """
    return _known(start=node.get("start", 0), end=node.get("end"))


def einsum(node: Node) -> Settings:
    """Read an Einsum; its stored operands say how long the axes of their letters are.

    Args:
        node: the node.
    """
    equation = node.get("equation", "")
    sizes: dict[str, int] = {}
    for slot, term in enumerate(equation.replace(" ", "").partition("->")[0].split(",")):
        constant = node.constant(slot)
        if constant is None or "..." in term or len(term) != len(constant.shape):
            continue
        for letter, length in zip(term, constant.shape, strict=True):
            # An axis of 1 is broadcast to that of another operand.
            sizes[letter] = length if sizes.get(letter, 1) == 1 else sizes[letter]
    return {"equation": equation, **({"sizes": Frozen(sizes)} if sizes else {})}


def size(node: Node) -> Settings:
    """Read a local response norm.

    Args:
        node: the node.
    """
    return {
        "size": node.get("size"),
        "alpha": node.get("alpha", 1e-4),
        "beta": node.get("beta", 0.75),
        "k": node.get("bias", 1.0),
    }


def col2im(node: Node) -> Settings:
    """Read a Col2Im, which is a fold.

    Args:
        node: the node.
    """
    image, kernel = node.numbers("", 1), node.numbers("", 2)
    if image is None or kernel is None:
        return {}
    pads = node.get("pads") or (0, 0) * len(kernel)
    return {
        "output_size": image,
        "kernel_size": kernel,
        "stride": node.get("strides") or (1,) * len(kernel),
        "padding": tuple(zip(pads[: len(kernel)], pads[len(kernel) :], strict=False)),
        "dilation": node.get("dilations") or (1,) * len(kernel),
    }


def affine_axis(node: Node) -> Settings:
    """Read the axis of an op that keeps the shape.

    Args:
        node: the node.
    """
    return _known(axis=node.get("axis"))


def size_of(node: Node) -> Settings:
    """Read a Size: the number of all elements.

    Args:
        node: the node.
    """
    return {"op": "size", "axes": None, "keepdims": False}


#: From here on a GridSample calls the mode "linear", since it takes more than two spatial axes.
_LINEAR = 20


def grid_sample(node: Node) -> Settings:
    """Read a GridSample.

    Args:
        node: the node.
    """
    return {
        "mode": node.get("mode", "linear" if node.version >= _LINEAR else "bilinear"),
        "padding_mode": node.get("padding_mode", "zeros"),
        "align_corners": bool(node.get("align_corners", 0)),
        "data_format": "channels_first",
    }


def loss(node: Node) -> Settings:
    """Read a classification loss; unreduced it has a value for each target.

    Args:
        node: the node.
    """
    return {
        "reduction": node.get("reduction", "mean"),
        "a_target": True,
        "log_probabilities": len([name for name in node.outputs if name]) > 1,
    }
