"""The rows of the table of torch's functions: how arguments become attributes.

What is given everywhere:
    a: the arguments of one call by name.
    rank: the rank of its first tensor.
    value: an argument as it was given.
    space: the number of spatial axes.
    kind: the kind of the row.
    parameters: the names of the parameters in order, separated by spaces.
    default: what an argument is that is not given.
    name: the name of an argument.
    names: names of functions, separated by spaces.
    row: the row that they share.
    op: the operation in the vocabulary's words.
    function: the activation in the vocabulary's words.
    index: the index expression.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shapeinspect_torch.vocabulary.kinds import SMOOTH_MODES, last_axes_pairs, pairs, per_axis

Arguments: TypeAlias = "dict[str, Any]"
Reader: TypeAlias = "Callable[[Arguments, int], dict[str, Any]]"


@dataclass(frozen=True, slots=True)
class Function:
    """One function in the vocabulary.

    Args:
        kind: its kind.
        parameters: the names of its parameters in order, separated by spaces.
        read: makes the attributes from the named arguments and the rank of the first tensor.
        weights: for each parameter that is a weight, the nn class whose layout it has.
    """

    kind: str
    parameters: str = "input"
    read: Reader = lambda _arguments, _rank: {}
    weights: Mapping[str, str] = field(default_factory=dict)


def axes(value: Any) -> Any:
    """Return one axis or several as an integer or a tuple."""
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _several(value: Any) -> Any:
    # One axis is a tuple of one; None stays, for all of them.
    return value if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)


def squeezed(a: Arguments, _rank: int) -> dict[str, Any]:
    """Return the removed axes: torch ignores requested axes longer than 1."""
    axes, shape = _several(a.get("dim")), getattr(a["input"], "shape", None)
    if axes is None or shape is None:
        return {"axes": axes}
    rank = len(shape)
    return {"axes": tuple(item for item in axes if not -rank <= item < rank or shape[item] == 1)}


def shape(value: Any) -> Any:
    """Return lengths as a tuple of integers."""
    return tuple(int(dim) for dim in (value if isinstance(value, (list, tuple)) else (value,)))


def axis(default: int | None = None, **constants: Any) -> Reader:
    """Return a reader of the argument `dim`, with settings that never change."""
    return lambda a, _rank: {"axis": a.get("dim", default), **constants}


def given(name: str) -> Reader:
    """Return a reader that keeps one argument under its own name."""
    return lambda a, _rank: {name: a[name]}


def shape_of_other(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the shape of the second tensor."""
    return {"shape": shape(tuple(a["other"].shape))}


def options(**defaults: Any) -> Reader:
    """Return a reader of settings that keep their names, each with what torch takes where it is not given."""
    return lambda a, _rank: {name: a.get(name, default) for name, default in defaults.items()}


def both(*readers: Reader) -> Reader:
    """Return a reader of what several readers read."""
    return lambda a, rank: {key: value for reader in readers for key, value in reader(a, rank).items()}


def function(function: str, **defaults: Any) -> Function:
    """Return the row of an activation function and its settings, in the order of the arguments."""
    read = both(lambda _a, _rank: {"function": function}, options(**defaults))
    return Function("activation", " ".join(("input", *defaults)), read)


def reduction(op: str) -> Function:
    """Return the row of a reduction."""

    def read(a: Arguments, _rank: int) -> dict[str, Any]:
        return {"op": op, "axes": _several(a.get("dim")), "keepdims": bool(a.get("keepdim", False))}

    return Function("reduce", "input dim keepdim", read)


def spread(op: str) -> Function:
    """Return the row of `std` or `var`; an overload has the old `unbiased` in front of the axes or behind."""

    def read(a: Arguments, _rank: int) -> dict[str, Any]:
        dim: Any = a.get("dim")
        correction: Any = a.get("correction")
        if isinstance(dim, bool):
            dim, correction = None, int(dim)
        if a.get("unbiased") is not None:
            correction = int(bool(a["unbiased"]))
        correction = 1 if correction is None else correction
        more = {"keepdims": bool(a.get("keepdim", False)), "correction": correction}
        return {"op": op, "axes": _several(dim), **more}

    return Function("reduce", "input dim unbiased keepdim", read)


def norm(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read a norm: its p, and the axes."""
    p = a.get("p", a.get("ord", 2))
    more = {"keepdims": bool(a.get("keepdim", False)), "p": 2 if p in (None, "fro") else p}
    return {"op": "norm", "axes": _several(a.get("dim")), **more}


def embedding(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the rows of a table, and the length that they are limited to."""
    rows, width = a["weight"].shape
    read = {"num_embeddings": rows, "embedding_dim": width}
    return read if a.get("max_norm") is None else {**read, **options(max_norm=None, norm_type=2.0)(a, 0)}


def bag(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read an embedding bag; ATen counts its modes."""
    mode = a.get("mode", "mean")
    padding = a.get("padding_idx")
    return {
        **embedding(a, 0),
        "mode": mode if isinstance(mode, str) else ("sum", "mean", "max")[mode],
        "include_last_offset": bool(a.get("include_last_offset", False)),
        "padding_idx": None if padding is None or padding < 0 else padding,
    }


def batch_norm(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read a batch normalization: in training, and without running statistics, the input's own are taken."""
    own = bool(a.get("training", False)) or a.get("running_mean") is None
    return {**_normed(a, own), "num_features": _channels(a), "axis": 1}


def instance_norm(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read an instance normalization."""
    return {**_normed(a, bool(a.get("use_input_stats", True))), "num_features": _channels(a)}


def _channels(a: Arguments) -> Any:
    """Return the channels that are normalized; in TorchScript's code only the weights have shapes."""
    for name in ("weight", "running_mean", "bias"):
        shape = getattr(a.get(name), "shape", None)
        if shape is not None:
            return shape[0]
    shape = getattr(a["input"], "shape", None)
    return None if shape is None else shape[1]


def _normed(a: Arguments, own: bool) -> dict[str, Any]:
    affine = a.get("weight") is not None
    return {**options(eps=1e-5, momentum=0.1)(a, 0), "affine": affine, "track_running_stats": not own}


def group_norm(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read a group normalization."""
    read = {"num_groups": a.get("num_groups", a.get("group")), "num_channels": _channels(a)}
    return {**read, "eps": a.get("eps", 1e-5), "affine": a.get("weight") is not None}


def grid(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the arguments of `grid_sample`; ATen counts the modes."""
    mode, padding = a.get("mode", "bilinear"), a.get("padding_mode", "zeros")
    return {
        "mode": mode if isinstance(mode, str) else ("bilinear", "nearest", "bicubic")[mode],
        "padding_mode": padding if isinstance(padding, str) else ("zeros", "border", "reflection")[padding],
        "align_corners": bool(a.get("align_corners", False)),
    }


def loss(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read a loss; ATen counts the reductions."""
    how = a.get("reduction", "mean")
    read = {name: a[name] for name in _LOSS_OPTIONS if a.get(name) is not None}
    return {"reduction": how if isinstance(how, str) else ("none", "mean", "sum")[how], **read}


_LOSS_OPTIONS = (
    *("ignore_index", "label_smoothing", "margin", "p", "delta", "beta", "eps", "blank", "zero_infinity"),
    *("full", "log_input", "log_target", "swap"),
)


def conv(space: int) -> Function:
    """Return the row of a convolution over a number of spatial axes."""

    def read(a: Arguments, _rank: int) -> dict[str, Any]:
        weight, groups = a["weight"].shape, a.get("groups", 1)
        return {
            "in_channels": weight[1] * groups,
            "out_channels": weight[0],
            "kernel_size": tuple(weight[2:]),
            "stride": per_axis(a.get("stride", 1), space),
            "dilation": per_axis(a.get("dilation", 1), space),
            "groups": groups,
            "padding": pairs(a.get("padding", 0), space),
            "padding_mode": "zeros",
        }

    parameters = "input weight bias stride padding dilation groups"
    return Function("conv", parameters, read, {"weight": f"Conv{space}d", "bias": f"Conv{space}d"})


def conv_transpose(space: int) -> Function:
    """Return the row of a transposed convolution over a number of spatial axes."""

    def read(a: Arguments, _rank: int) -> dict[str, Any]:
        weight, groups = a["weight"].shape, a.get("groups", 1)
        return {
            "in_channels": weight[0],
            "out_channels": weight[1] * groups,
            "kernel_size": tuple(weight[2:]),
            "stride": per_axis(a.get("stride", 1), space),
            "dilation": per_axis(a.get("dilation", 1), space),
            "groups": groups,
            "padding": pairs(a.get("padding", 0), space),
            "output_padding": per_axis(a.get("output_padding", 0), space),
        }

    name = f"ConvTranspose{space}d"
    parameters = "input weight bias stride padding output_padding groups dilation"
    return Function("conv_transpose", parameters, read, {"weight": name, "bias": name})


def pool(kind: str, parameters: str, space: int) -> Function:
    """Return the row of a pooling over a number of spatial axes."""

    def read(a: Arguments, _rank: int) -> dict[str, Any]:
        stride = a.get("stride")
        read = {
            "kernel_size": per_axis(a["kernel_size"], space),
            "stride": per_axis(a["kernel_size"] if stride is None or stride == [] else stride, space),
            "padding": pairs(a.get("padding", 0), space),
            "ceil_mode": bool(a.get("ceil_mode", False)),
        }
        if kind == "max_pool":
            read["dilation"] = per_axis(a.get("dilation", 1), space)
            read["return_indices"] = bool(a.get("return_indices", False))
        if kind == "avg_pool":
            read["count_include_pad"] = bool(a.get("count_include_pad", True))
            read["divisor_override"] = a.get("divisor_override")
        if kind == "lp_pool":
            read["norm_type"] = float(a["norm_type"])
        return read

    return Function(kind, f"input {parameters}", read)


def unpool(space: int) -> Function:
    """Return the row of an unpooling over a number of spatial axes."""

    def read(a: Arguments, _rank: int) -> dict[str, Any]:
        stride, size = a.get("stride"), a.get("output_size")
        return {
            "kernel_size": per_axis(a["kernel_size"], space),
            "stride": per_axis(stride or a["kernel_size"], space),
            "padding": pairs(a.get("padding", 0), space),
            "output_size": None if size is None else tuple(size)[-space:],
        }

    return Function("max_unpool", "input indices kernel_size stride padding output_size", read)


def columns(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read a `column_stack`.

    Raises:
        ValueError: if it turns vectors into columns first, which no kind describes.
    """
    if any(tensor.dim() < 2 for tensor in a["tensors"]):
        raise ValueError("a vector becomes a column first")
    return {"axis": 1}


def adaptive(kind: str, space: int) -> Function:
    """Return the row of an adaptive pooling over a number of spatial axes."""
    return Function(
        kind, "input output_size", lambda a, _rank: {"output_size": per_axis(a["output_size"], space)}
    )


def linear(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the features of a linear function from its weight."""
    weight = a["weight"].shape
    return {"in_features": weight[-1], "out_features": weight[0] if len(weight) > 1 else 1}


def resize(a: Arguments, rank: int) -> dict[str, Any]:
    """Read the arguments of `interpolate`."""
    read = {"mode": a.get("mode", "nearest"), "align_corners": a.get("align_corners")}
    read["recompute_scale_factor"] = a.get("recompute_scale_factor")
    if read["align_corners"] is None and read["mode"] in SMOOTH_MODES:
        read["align_corners"] = False
    if a.get("antialias"):
        read["antialias"] = True
    for name in ("size", "scale_factor"):
        if a.get(name) is not None:
            read[name] = per_axis(a[name], rank - 2)
    return read


def attention(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the arguments of scaled dot-product attention."""
    query, key, value = (a[name].shape for name in ("query", "key", "value"))
    read = {"head_dim": query[-1], "kdim": key[-1], "vdim": value[-1], "scaled_dot_product": True}
    if a.get("is_causal"):
        read["is_causal"] = True
    if a.get("dropout_p"):
        read["rate"] = a["dropout_p"]
    return {**read, "scale": a.get("scale")}


def dropout(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the rate of a dropout; of one that is switched off it is not the rate in training."""
    rate = a.get("p", 0.5)
    return {"rate": rate} if a.get("training", True) and isinstance(rate, (int, float)) else {}


def split(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the lengths of a split, or the common length of all pieces."""
    axis, sizes = a.get("dim", 0), a.get("split_size_or_sections", a.get("split_size"))
    return {"axis": axis, "sizes" if isinstance(sizes, (list, tuple)) else "chunk": axes(sizes)}


def tensor_split(a: Arguments, rank: int) -> dict[str, Any]:
    """Read the lengths of a `tensor_split`: pieces that differ by at most one, or the cuts.

    Raises:
        TypeError: if the cuts are a tensor, or the length that they cut is not a number.
    """
    axis = a.get("dim", 0)
    cuts = next(a[key] for key in ("indices_or_sections", "sections", "indices") if key in a)
    length = a["input"].shape[axis]
    if isinstance(cuts, int):
        pieces = tuple(length // cuts + (at < length % cuts) for at in range(cuts))
        return {"axis": axis, "sizes": pieces}
    ends = [0, *(min(cut + length if cut < 0 else cut, length) for cut in cuts), length]
    return {"axis": axis, "sizes": tuple(max(end - start, 0) for start, end in itertools.pairwise(ends))}


def tensordot(a: Arguments, _rank: int) -> dict[str, Any]:
    """Write a `tensordot` as the equation that it stands for."""
    left, right = len(a["a"].shape), len(a["b"].shape)
    dims = (a["dims_self"], a["dims_other"]) if "dims_self" in a else a.get("dims", 2)
    if isinstance(dims, int):
        pairs = [(left - dims + at, at) for at in range(dims)]
    else:
        pairs = [(one % left, two % right) for one, two in zip(*dims, strict=True)]
    letters = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    of_left = [next(letters) for _ in range(left)]
    of_right = [next(letters) for _ in range(right)]
    for one, two in pairs:
        of_right[two] = of_left[one]
    summed = {of_left[one] for one, _ in pairs}
    kept = [letter for letter in (*of_left, *of_right) if letter not in summed]
    return {"equation": f"{''.join(of_left)},{''.join(of_right)}->{''.join(kept)}"}


def pad(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the arguments of `pad`, whose pairs begin at the last axis."""
    value = a.get("value")
    return {
        "padding": last_axes_pairs(tuple(a["pad"])),
        "mode": a.get("mode", "constant"),
        "value": 0 if value is None and a.get("mode", "constant") == "constant" else value,
    }


def window(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the arguments of `unfold` and `fold`."""
    read = {
        "kernel_size": per_axis(a["kernel_size"], 2),
        "dilation": per_axis(a.get("dilation", 1), 2),
        "stride": per_axis(a.get("stride", 1), 2),
        "padding": pairs(a.get("padding", 0), 2),
    }
    return {**read, "output_size": per_axis(a["output_size"], 2)} if "output_size" in a else read


def normalized(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the arguments of a normalization over the last axes."""
    normalized_axes = shape(a["normalized_shape"])
    axes = -1 if len(normalized_axes) == 1 else tuple(range(-len(normalized_axes), 0))
    return {"normalized_shape": normalized_axes, "eps": a.get("eps"), "axis": axes}


def index(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read an index as text."""
    return {"index": _index_text(a["index"])}


def _index_text(index: Any) -> str:
    if isinstance(index, tuple):
        return ", ".join(_index_text(part) for part in index)
    if isinstance(index, slice):
        ends = ":".join("" if end is None else str(end) for end in (index.start, index.stop))
        return ends if index.step is None else f"{ends}:{index.step}"
    if index is Ellipsis:
        return "..."
    return str(index) if isinstance(index, (int, type(None))) else "tensor"


def axis_pair(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the two axes that a transpose swaps."""
    return {"axis0": a.get("dim0", a.get("axis0")), "axis1": a.get("dim1", a.get("axis1"))}


def same(names: str, row: Function) -> dict[str, Function]:
    """Return one row under several names."""
    return dict.fromkeys(names.split(), row)


def elementwise(names: str) -> dict[str, Function]:
    """Return a row for each elementwise operation named."""

    def row(op: str) -> Function:
        return Function("elementwise", "input other", lambda a, _rank: {"op": op, **_operand(a)})

    return {name: row(name) for name in names.split()}


def _operand(a: Arguments) -> dict[str, Any]:
    """Read what else an elementwise operation computes with: a number, and the options of some."""
    read = {name: a[name] for name in ("rounding_mode",) if a.get(name) is not None}
    if a.get("alpha", 1) != 1:
        read["alpha"] = a["alpha"]
    for name in ("input", "other", "exponent", "value"):
        operand = a.get(name)
        if isinstance(operand, (int, float)):
            read["operand"] = operand
    return read


def clamp(a: Arguments, _rank: int) -> dict[str, Any]:
    """Read the limits of `clamp`, where they are numbers."""
    limits = {"min_val": a.get("min"), "max_val": a.get("max")}
    return {
        "op": "clamp",
        **{key: value for key, value in limits.items() if isinstance(value, (int, float))},
    }
