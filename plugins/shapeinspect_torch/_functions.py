"""What torch's functions and tensor methods are in the vocabulary: one table.

A row says the kind, the names of the parameters in their order (``*dims`` takes the rest, spread
or in one sequence), how the arguments become attributes, and which arguments are weights.
Source: https://docs.pytorch.org/docs/stable/torch.html and .../nn.functional.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shapeinspect_torch.kinds import last_axes_pairs, pairs, per_axis

_Arguments: TypeAlias = "dict[str, Any]"
_Reader: TypeAlias = "Callable[[_Arguments, int], dict[str, Any]]"


@dataclass(frozen=True, slots=True)
class Function:
    """One function as the vocabulary knows it.

    Args:
        kind: its kind.
        parameters: the names of its parameters in order, separated by spaces.
        read: makes the attributes from the named arguments and the rank of the first tensor.
        weights: for each parameter that is a weight, the nn class whose layout it has.
    """

    kind: str
    parameters: str = "input"
    read: _Reader = lambda _arguments, _rank: {}
    weights: Mapping[str, str] = field(default_factory=dict)


def describe_call(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], rank: int
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return a call's kind, its attributes, and the arguments that are weights by their nn class and role.

    Args:
        name: the function's plain name, as :func:`plain_name` gives it.
        args: the positional arguments.
        kwargs: the named ones.
        rank: the rank of the first tensor.

    Returns:
        The kind, ``"unknown"`` where the table has none; the attributes; and the weights, keyed
        by ``"Class role"``.
    """
    if name in ("max", "min"):
        pair = hasattr(args[1] if len(args) > 1 else kwargs.get("other"), "dtype")
        name = f"{name}imum" if pair else f"a{name}"
    if name.endswith("_with_indices"):
        name, kwargs = name.removesuffix("_with_indices"), {**kwargs, "return_indices": True}
    row = _TABLE.get(name)
    if row is None:
        return "unknown", {}, {}
    named = _arguments(row, args, kwargs)
    if name == "getitem":
        return *_indexing(named["index"], rank), {}
    weights = {f"{kind} {role}": named[role] for role, kind in row.weights.items() if role in named}
    read = {key: value for key, value in row.read(named, rank).items() if value is not None}
    return row.kind, read, weights


def counted(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return where ``torch.arange`` starts and how far its numbers lie apart, if these are integers.

    Args:
        args: the positional arguments.
        kwargs: the named ones.

    Example:
        >>> counted((7,), {}), counted((2, 9), {"step": 3})
        ({'start': 0, 'step': 1}, {'start': 2, 'step': 3})
    """
    start = kwargs.get("start", args[0] if len(args) > 1 else 0)
    step = kwargs.get("step", args[2] if len(args) > 2 else 1)
    return {"start": start, "step": step} if isinstance(start, int) and isinstance(step, int) else {}


def plain_name(name: str) -> str:
    """Return the name of what a function computes: in-place and reflected forms share it.

    Args:
        name: ``add_``, ``__radd__``, ``add`` …

    Example:
        >>> plain_name("add_"), plain_name("__rsub__"), plain_name("__getitem__")
        ('add', 'sub', 'getitem')
    """
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        for letter in "ri":
            if name.startswith(letter) and name[1:] in _TABLE and name not in _TABLE:
                name = name[1:]
    elif name.endswith("_"):
        name = name.rstrip("_")
    return _SAME_AS.get(name, name)


def _arguments(row: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Arguments:
    named: _Arguments = {}
    rest = list(args)
    for name in row.parameters.split():
        if name.startswith("*"):
            spread = rest[0] if len(rest) == 1 and isinstance(rest[0], (list, tuple)) else rest
            if rest:
                named[name[1:]] = tuple(spread)
            rest = []
        elif rest:
            named[name] = rest.pop(0)
    for name, value in kwargs.items():
        named[{"axis": "dim", "keepdims": "keepdim", "self": "input"}.get(name, name)] = value
    return named


def _axes(value: Any) -> Any:
    return tuple(value) if isinstance(value, (list, tuple)) else value


def _several(value: Any) -> Any:
    # One axis is a tuple of one; None stays, for all of them.
    return value if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _squeezed(a: _Arguments, _rank: int) -> dict[str, Any]:
    """Return the axes that go: of those that are asked for, torch leaves the longer ones as they are."""
    axes, shape = _several(a.get("dim")), getattr(a["input"], "shape", None)
    if axes is None or shape is None:
        return {"axes": axes}
    rank = len(shape)
    return {"axes": tuple(one for one in axes if not -rank <= one < rank or shape[one] == 1)}


def _shape(value: Any) -> Any:
    return tuple(int(dim) for dim in (value if isinstance(value, (list, tuple)) else (value,)))


def _axis(default: int | None = None, **constants: Any) -> _Reader:
    return lambda a, _rank: {"axis": a.get("dim", default), **constants}


def _given(name: str) -> _Reader:
    return lambda a, _rank: {name: a[name]}


def _shape_of_other(a: _Arguments, _rank: int) -> dict[str, Any]:
    return {"shape": _shape(tuple(a["other"].shape))}


def _function(function: str) -> Function:
    return Function("activation", "input", lambda _a, _rank: {"function": function})


def _reduction(op: str) -> Function:
    def read(a: _Arguments, _rank: int) -> dict[str, Any]:
        return {"op": op, "axes": _several(a.get("dim")), "keepdims": bool(a.get("keepdim", False))}

    return Function("reduce", "input dim keepdim", read)


def _conv(space: int) -> Function:
    def read(a: _Arguments, _rank: int) -> dict[str, Any]:
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


def _conv_transpose(space: int) -> Function:
    def read(a: _Arguments, _rank: int) -> dict[str, Any]:
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


def _pool(kind: str, parameters: str, space: int) -> Function:
    def read(a: _Arguments, _rank: int) -> dict[str, Any]:
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
        return read

    return Function(kind, f"input {parameters}", read)


def _unpool(space: int) -> Function:
    def read(a: _Arguments, _rank: int) -> dict[str, Any]:
        stride, size = a.get("stride"), a.get("output_size")
        return {
            "kernel_size": per_axis(a["kernel_size"], space),
            "stride": per_axis(stride or a["kernel_size"], space),
            "padding": pairs(a.get("padding", 0), space),
            "output_size": None if size is None else tuple(size)[-space:],
        }

    return Function("max_unpool", "input indices kernel_size stride padding output_size", read)


def _columns(a: _Arguments, _rank: int) -> dict[str, Any]:
    if any(tensor.dim() < 2 for tensor in a["tensors"]):
        raise ValueError("a vector becomes a column first")
    return {"axis": 1}


def _adaptive(kind: str, space: int) -> Function:
    return Function(
        kind, "input output_size", lambda a, _rank: {"output_size": per_axis(a["output_size"], space)}
    )


def _linear(a: _Arguments, _rank: int) -> dict[str, Any]:
    weight = a["weight"].shape
    return {"in_features": weight[-1], "out_features": weight[0] if len(weight) > 1 else 1}


def _resize(a: _Arguments, rank: int) -> dict[str, Any]:
    read = {"mode": a.get("mode", "nearest"), "align_corners": a.get("align_corners")}
    for name in ("size", "scale_factor"):
        if a.get(name) is not None:
            read[name] = per_axis(a[name], rank - 2)
    return read


def _attention(a: _Arguments, _rank: int) -> dict[str, Any]:
    query, key, value = (a[name].shape for name in ("query", "key", "value"))
    return {"head_dim": query[-1], "kdim": key[-1], "vdim": value[-1], "scaled_dot_product": True}


def _split(a: _Arguments, _rank: int) -> dict[str, Any]:
    axis, sizes = a.get("dim", 0), a.get("split_size_or_sections", a.get("split_size"))
    return {"axis": axis, "sizes" if isinstance(sizes, (list, tuple)) else "chunk": _axes(sizes)}


def _pad(a: _Arguments, _rank: int) -> dict[str, Any]:
    return {"padding": last_axes_pairs(tuple(a["pad"])), "mode": a.get("mode", "constant")}


def _window(a: _Arguments, _rank: int) -> dict[str, Any]:
    read = {
        "kernel_size": per_axis(a["kernel_size"], 2),
        "dilation": per_axis(a.get("dilation", 1), 2),
        "stride": per_axis(a.get("stride", 1), 2),
        "padding": pairs(a.get("padding", 0), 2),
    }
    return {**read, "output_size": per_axis(a["output_size"], 2)} if "output_size" in a else read


def _normalized(a: _Arguments, _rank: int) -> dict[str, Any]:
    shape = _shape(a["normalized_shape"])
    axis = -1 if len(shape) == 1 else tuple(range(-len(shape), 0))
    return {"normalized_shape": shape, "eps": a.get("eps"), "axis": axis}


def _index(a: _Arguments, _rank: int) -> dict[str, Any]:
    return {"index": _index_text(a["index"])}


def _indexing(index: Any, rank: int) -> tuple[str, dict[str, Any]]:
    """Say what ``x[index]`` is: a slice, one index, new axes, a gather, or a mix of them."""
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)
    at = next(place for place, part in enumerate(parts) if part is Ellipsis)
    parts[at : at + 1] = [slice(None)] * (rank - used)
    told = [
        (axis, part)
        for axis, part in enumerate(parts)
        if not (isinstance(part, slice) and part == slice(None))
    ]
    kinds = {"new" if part is None else type(part).__name__ for _, part in told}
    if kinds <= {"slice"}:
        return "slice", {
            "axes": tuple(axis for axis, _ in told),
            "starts": tuple(part.start or 0 for _, part in told),
            "ends": tuple(part.stop for _, part in told),
            "steps": tuple(part.step or 1 for _, part in told),
        }
    if kinds == {"new"}:
        return "unsqueeze", {"axes": tuple(axis for axis, _ in told)}
    if kinds == {"int"} and len(told) == 1:
        return "index", {"axis": told[0][0], "index": told[0][1]}
    if len(told) == 1 and hasattr(told[0][1], "dtype"):
        return "gather", {"axis": told[0][0]}
    return "getitem", {"index": _index_text(index)}


def _index_text(index: Any) -> str:
    if isinstance(index, tuple):
        return ", ".join(_index_text(part) for part in index)
    if isinstance(index, slice):
        ends = ":".join("" if end is None else str(end) for end in (index.start, index.stop))
        return ends if index.step is None else f"{ends}:{index.step}"
    if index is Ellipsis:
        return "..."
    return str(index) if isinstance(index, (int, type(None))) else "tensor"


def _axis_pair(a: _Arguments, _rank: int) -> dict[str, Any]:
    return {"axis0": a.get("dim0", a.get("axis0")), "axis1": a.get("dim1", a.get("axis1"))}


def _same(names: str, row: Function) -> dict[str, Function]:
    return dict.fromkeys(names.split(), row)


def _elementwise(names: str) -> dict[str, Function]:
    def row(op: str) -> Function:
        return Function("elementwise", "input other", lambda _a, _rank: {"op": op})

    return {name: row(name) for name in names.split()}


_WITH_DIM = "input dim"
_LOSSES = (
    *("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "poisson_nll_loss", "soft_margin_loss"),
)
_BATCH_NORM = dict.fromkeys(("running_mean", "running_var", "weight", "bias"), "BatchNorm2d")
_LAYER_NORM = dict.fromkeys(("weight", "bias"), "LayerNorm")

_TABLE: dict[str, Function] = {
    **{f"conv{n}d": _conv(n) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _conv_transpose(n) for n in (1, 2, 3)},
    **{
        f"max_pool{n}d": _pool("max_pool", "kernel_size stride padding dilation ceil_mode", n)
        for n in (1, 2, 3)
    },
    **{
        f"avg_pool{n}d": _pool("avg_pool", "kernel_size stride padding ceil_mode count_include_pad", n)
        for n in (1, 2, 3)
    },
    **{f"lp_pool{n}d": _pool("lp_pool", "norm_type kernel_size stride ceil_mode", n) for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": _adaptive("adaptive_avg_pool", n) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": _adaptive("adaptive_max_pool", n) for n in (1, 2, 3)},
    "linear": Function("linear", "input weight bias", _linear, {"weight": "Linear", "bias": "Linear"}),
    "bilinear": Function(
        "bilinear",
        "input1 input2 weight bias",
        lambda a, _rank: dict(
            zip(("out_features", "in1_features", "in2_features"), a["weight"].shape, strict=True)
        ),
        {"weight": "Bilinear", "bias": "Bilinear"},
    ),
    "embedding": Function(
        "embedding",
        "input weight",
        lambda a, _rank: dict(zip(("num_embeddings", "embedding_dim"), a["weight"].shape, strict=True)),
        {"weight": "Embedding"},
    ),
    "embedding_bag": Function(
        "embedding_bag",
        "input weight offsets",
        lambda a, _rank: dict(zip(("num_embeddings", "embedding_dim"), a["weight"].shape, strict=True)),
        {"weight": "EmbeddingBag"},
    ),
    "batch_norm": Function(
        "batch_norm",
        "input running_mean running_var weight bias",
        lambda a, _rank: {"num_features": a["input"].shape[1], "axis": 1},
        _BATCH_NORM,
    ),
    "instance_norm": Function(
        "instance_norm",
        "input running_mean running_var weight bias",
        lambda a, _rank: {"num_features": a["input"].shape[1]},
        _BATCH_NORM,
    ),
    "group_norm": Function(
        "group_norm",
        "input num_groups weight bias eps",
        lambda a, _rank: {"num_groups": a["num_groups"], "num_channels": a["input"].shape[1]},
        {"weight": "GroupNorm", "bias": "GroupNorm"},
    ),
    "layer_norm": Function("layer_norm", "input normalized_shape weight bias eps", _normalized, _LAYER_NORM),
    "rms_norm": Function("rms_norm", "input normalized_shape weight eps", _normalized, {"weight": "RMSNorm"}),
    "local_response_norm": Function("local_response_norm", "input size", _given("size")),
    "prelu": Function(
        "prelu",
        "input weight",
        lambda a, _rank: {"num_parameters": a["weight"].numel()},
        {"weight": "PReLU"},
    ),
    "scaled_dot_product_attention": Function("attention", "query key value", _attention),
    "interpolate": Function("resize", "input size scale_factor mode align_corners", _resize),
    "upsample": Function("resize", "input size scale_factor mode align_corners", _resize),
    "grid_sample": Function("grid_sample", "input grid mode padding_mode align_corners", lambda a, _rank: {
        "mode": a.get("mode", "bilinear"), "align_corners": a.get("align_corners")}),
    **{f"max_unpool{n}d": _unpool(n) for n in (1, 2, 3)},
    "pixel_shuffle": Function(
        "pixel_shuffle", "input upscale_factor", lambda a, _rank: {"factor": a["upscale_factor"]}
    ),
    "pixel_unshuffle": Function(
        "pixel_unshuffle", "input downscale_factor", lambda a, _rank: {"factor": a["downscale_factor"]}
    ),
    "channel_shuffle": Function("channel_shuffle", "input groups", lambda a, _rank: {"groups": a["groups"]}),
    "unfold": Function("unfold", "input kernel_size dilation padding stride", _window),
    "fold": Function("fold", "input output_size kernel_size dilation padding stride", _window),
    "pad": Function("pad", "input pad mode", _pad),
    "matmul": Function("matmul", "input other"),
    "addmm": Function("gemm", "input mat1 mat2", lambda _a, _rank: {"added_first": True}),
    "outer": Function("einsum", "input vec2", lambda _a, _rank: {"equation": "i,j->ij"}),
    "einsum": Function("einsum", "equation *operands", lambda a, _rank: {"equation": a["equation"]}),
    "flatten": Function(
        "flatten",
        "input start_dim end_dim",
        lambda a, _rank: {"start_axis": a.get("start_dim", 0), "end_axis": a.get("end_dim", -1)},
    ),
    "unflatten": Function(
        "unflatten", "input dim sizes", lambda a, _rank: {"axis": a["dim"], "sizes": _shape(a["sizes"])}
    ),
    "reshape": Function("reshape", "input *shape", lambda a, _rank: {"shape": _shape(a["shape"])}),
    "view": Function("reshape", "input *shape", lambda a, _rank: {"shape": _shape(a["shape"])}),
    "view_as": Function("reshape", "input other", _shape_of_other),
    "permute": Function("permute", "input *dims", lambda a, _rank: {"axes": _shape(a["dims"])}),
    "transpose": Function("transpose2", "input dim0 dim1", _axis_pair),
    "t": Function("permute", "input", lambda _a, rank: {"axes": tuple(reversed(range(rank)))}),
    "T": Function("permute", "input", lambda _a, rank: {"axes": tuple(reversed(range(rank)))}),
    "mT": Function("transpose2", "input", lambda _a, _rank: {"axis0": -2, "axis1": -1}),
    "movedim": Function("movedim", "input source destination", lambda a, _rank: {
        "source": _axes(a["source"]), "destination": _axes(a["destination"])}),
    "squeeze": Function("squeeze", _WITH_DIM, _squeezed),
    "unsqueeze": Function("unsqueeze", _WITH_DIM, lambda a, _rank: {"axes": (a["dim"],)}),
    "cat": Function("concat", "tensors dim", _axis(0)),
    "stack": Function("stack", "tensors dim", _axis(0)),
    "column_stack": Function("concat", "tensors", _columns),
    "hstack": Function("concat", "tensors", lambda a, _rank: {"axis": 0 if a["tensors"][0].dim() < 2 else 1}),
    "split": Function("split", "input split_size_or_sections dim", _split),
    "chunk": Function(
        "split", "input chunks dim", lambda a, _rank: {"axis": a.get("dim", 0), "chunks": a["chunks"]}
    ),
    "unbind": Function("unstack", _WITH_DIM, _axis(0)),
    "getitem": Function("getitem", "input index", _index),
    "setitem": Function("scatter", "input index value", _index),
    **_same("scatter scatter_add index_add index_copy index_fill masked_scatter scatter_reduce index_put",
            Function("scatter", "input dim index", _axis())),
    "select": Function("index", "input dim index", lambda a, _rank: {"axis": a["dim"], "index": a["index"]}),
    "narrow": Function("slice", "input dim start length", lambda a, _rank: {
        "axes": (a["dim"],), "starts": (int(a["start"]),), "ends": (int(a["start"]) + a["length"],),
        "steps": (1,)}),
    "index_select": Function("gather", "input dim index", _axis(0)),
    "gather": Function("take_along", "input dim index", _axis(0)),
    "expand": Function("expand", "input *sizes", lambda a, _rank: {"shape": _shape(a["sizes"])}),
    "expand_as": Function("expand", "input other", _shape_of_other),
    "broadcast_to": Function("expand", "input *size", lambda a, _rank: {"shape": _shape(a["size"])}),
    "repeat": Function("tile", "input *repeats", lambda a, _rank: {"repeats": _shape(a["repeats"])}),
    "tile": Function("tile", "input *dims", lambda a, _rank: {"repeats": _shape(a["dims"])}),
    "repeat_interleave": Function("repeat", "input repeats dim", lambda a, _rank: {
        "axis": a.get("dim"), "count": a["repeats"] if isinstance(a["repeats"], int) else None}),
    **_same("flip roll rot90 sort cumsum cumprod cumsum logcumsumexp tril triu fftshift ifftshift normalize",
            Function("unary")),
    "softmax": Function("softmax", _WITH_DIM, _axis(None, log=False)),
    "softmin": Function("softmax", _WITH_DIM, _axis(None, log=False)),
    "gumbel_softmax": Function("softmax", "logits tau hard eps dim", _axis(-1, log=False)),
    "log_softmax": Function("softmax", _WITH_DIM, _axis(None, log=True)),
    "glu": Function("glu", _WITH_DIM, _axis(-1)),
    **{name: Function("loss", "input target", lambda a, _rank: {"reduction": a.get("reduction", "mean")})
       for name in _LOSSES},
    "cosine_similarity": Function("distance", "x1 x2 dim", lambda a, _rank: {
        "function": "cosine", "axis": a.get("dim", 1), "keepdims": False}),
    "pairwise_distance": Function("distance", "x1 x2 p eps keepdim", lambda a, _rank: {
        "function": "p", "axis": -1, "keepdims": bool(a.get("keepdim", False))}),
    "one_hot": Function("one_hot", "input num_classes", lambda a, _rank: {
        "depth": a["num_classes"], "axis": -1}),
    "topk": Function("topk", "input k dim", lambda a, _rank: {"k": a["k"], "axis": a.get("dim", -1)}),
    **_same("argmax argmin", Function("argmax", "input dim keepdim", lambda a, _rank: {
        "axis": a.get("dim"), "keepdims": bool(a.get("keepdim", False))})),
    **{name: _reduction(name) for name in (
        "mean", "sum", "prod", "amax", "amin", "std", "var", "logsumexp", "norm", "all", "any", "median",
        "nansum", "nanmean", "count_nonzero")},
    **_same("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout", Function("dropout")),
    **{name: _function(name) for name in (
        "relu", "relu6", "gelu", "silu", "elu", "celu", "selu", "mish", "sigmoid", "tanh", "softplus",
        "softsign", "hardswish", "hardsigmoid", "hardtanh", "hardshrink", "softshrink", "tanhshrink",
        "leaky_relu", "rrelu", "threshold", "logsigmoid")},
    **_elementwise(
        "add sub mul div floordiv mod floor_divide remainder fmod pow maximum minimum atan2 hypot where lerp "
        "addcmul addcdiv clamp masked_fill fmin fmax float_power copysign xlogy "
        "eq ne lt le gt ge logical_and logical_or logical_xor logical_not isclose "
        "and or xor invert bitwise_and bitwise_or bitwise_xor bitwise_not lshift rshift "
        "neg abs exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square sin cos tan asin acos atan sinh cosh "
        "sign floor ceil round trunc frac reciprocal erf erfc lgamma digamma isnan isinf isfinite nan_to_num "
        "angle conj sinc sgn clip"
    ),
    **_same("to float half double bfloat16 int long bool type type_as short char byte", Function("cast")),
}  # fmt: skip

#: Names that mean the same.
_SAME_AS = {
    "concat": "cat", "concatenate": "cat", "swapaxes": "transpose", "swapdims": "transpose",
    "moveaxis": "movedim", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "truediv": "div", "absolute": "abs", "negative": "neg", "bmm": "matmul", "mm": "matmul", "mv": "matmul",
    "dot": "matmul", "reshape_as": "view_as", "special_expit": "sigmoid",
    "greater": "gt", "less": "lt", "not_equal": "ne", "greater_equal": "ge", "less_equal": "le", "H": "mT",
    "rsub": "sub", "clamp_min": "clamp", "clamp_max": "clamp", "split_with_sizes": "split",
    "special_erf": "erf",
    "arctan2": "atan2", "adjoint": "mT",
}  # fmt: skip
