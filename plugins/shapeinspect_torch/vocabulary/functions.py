"""Torch's functions and tensor methods in the vocabulary: one table.

A row lists the kind, the names of the parameters in their order (``*dims`` takes the rest, spread
or in one sequence), how the arguments become attributes, and which arguments are weights.
Source: https://docs.pytorch.org/docs/stable/torch.html and .../nn.functional.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect_torch.vocabulary import function_rows as rows
from shapeinspect_torch.vocabulary.function_rows import Function
from shapeinspect_torch.vocabulary.indexing import index_steps


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
        steps = index_steps(named["index"], rank)
        return (steps[0].kind, steps[0].attributes, {}) if len(steps) == 1 else ("unknown", {}, {})
    weights = {f"{kind} {role}": named[role] for role, kind in row.weights.items() if role in named}
    read = {key: value for key, value in row.read(named, rank).items() if value is not None}
    return row.kind, read, weights


def counted(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the start and step of ``torch.arange``, if they are integers.

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
    """Return the canonical name of a function: in-place and reflected forms share it.

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
    name = _SAME_AS.get(name, name)
    if name not in _TABLE:
        for prefix in ("special_", "linalg_", "unsafe_", "fft_"):
            if name.startswith(prefix) and name.removeprefix(prefix) in _TABLE:
                return name.removeprefix(prefix)
        if name.removesuffix("_copy") in _TABLE:
            return name.removesuffix("_copy")
    return name


def _arguments(row: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> rows.Arguments:
    named: rows.Arguments = {}
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


_WITH_DIM = "input dim"
_LOSSES = (
    *("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"),
    *("cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss"),
    *("multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "triplet_margin_loss"),
    *("triplet_margin_with_distance_loss", "ctc_loss"),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits", "poisson_nll_loss", "soft_margin_loss"),
)
_BATCH_NORM = dict.fromkeys(("running_mean", "running_var", "weight", "bias"), "BatchNorm2d")
_LAYER_NORM = dict.fromkeys(("weight", "bias"), "LayerNorm")

_TABLE: dict[str, Function] = {
    **{f"conv{n}d": rows.conv(n) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": rows.conv_transpose(n) for n in (1, 2, 3)},
    **{
        f"max_pool{n}d": rows.pool("max_pool", "kernel_size stride padding dilation ceil_mode", n)
        for n in (1, 2, 3)
    },
    **{
        f"avg_pool{n}d": rows.pool(
            "avg_pool", "kernel_size stride padding ceil_mode count_include_pad divisor_override", n
        )
        for n in (1, 2, 3)
    },
    **{f"lp_pool{n}d": rows.pool("lp_pool", "norm_type kernel_size stride ceil_mode", n) for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": rows.adaptive("adaptive_avg_pool", n) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": rows.adaptive("adaptive_max_pool", n) for n in (1, 2, 3)},
    "linear": Function("linear", "input weight bias", rows.linear, {"weight": "Linear", "bias": "Linear"}),
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
        "input weight padding_idx max_norm norm_type",
        rows.embedding,
        {"weight": "Embedding"},
    ),
    "embedding_bag": Function(
        "embedding_bag",
        "input weight offsets max_norm norm_type scale_grad_by_freq mode sparse per_sample_weights "
        "include_last_offset padding_idx",
        rows.bag,
        {"weight": "EmbeddingBag"},
    ),
    "batch_norm": Function(
        "batch_norm",
        "input running_mean running_var weight bias training momentum eps",
        rows.batch_norm,
        _BATCH_NORM,
    ),
    "instance_norm": Function(
        "instance_norm",
        "input running_mean running_var weight bias use_input_stats momentum eps",
        rows.instance_norm,
        _BATCH_NORM,
    ),
    "group_norm": Function(
        "group_norm",
        "input num_groups weight bias eps",
        rows.group_norm,
        {"weight": "GroupNorm", "bias": "GroupNorm"},
    ),
    "layer_norm": Function(
        "layer_norm", "input normalized_shape weight bias eps", rows.normalized, _LAYER_NORM),
    "rms_norm": Function(
        "rms_norm", "input normalized_shape weight eps", rows.normalized, {"weight": "RMSNorm"}),
    "local_response_norm": Function(
        "local_response_norm",
        "input size alpha beta k",
        rows.options(size=None, alpha=1e-4, beta=0.75, k=1.0),
    ),
    "prelu": Function(
        "prelu",
        "input weight",
        lambda a, _rank: {"num_parameters": a["weight"].numel()},
        {"weight": "PReLU"},
    ),
    "scaled_dot_product_attention": Function(
        "attention", "query key value attn_mask dropout_p is_causal", rows.attention),
    "interpolate": Function(
        "resize",
        "input size scale_factor mode align_corners recompute_scale_factor antialias",
        rows.resize,
    ),
    "upsample": Function("resize", "input size scale_factor mode align_corners", rows.resize),
    "grid_sample": Function("grid_sample", "input grid mode padding_mode align_corners", rows.grid),
    **{f"max_unpool{n}d": rows.unpool(n) for n in (1, 2, 3)},
    "pixel_shuffle": Function(
        "pixel_shuffle", "input upscale_factor", lambda a, _rank: {"factor": a["upscale_factor"]}
    ),
    "pixel_unshuffle": Function(
        "pixel_unshuffle", "input downscale_factor", lambda a, _rank: {"factor": a["downscale_factor"]}
    ),
    "channel_shuffle": Function("channel_shuffle", "input groups", lambda a, _rank: {"groups": a["groups"]}),
    "unfold": Function("unfold", "input kernel_size dilation padding stride", rows.window),
    "fold": Function("fold", "input output_size kernel_size dilation padding stride", rows.window),
    "pad": Function("pad", "input pad mode value", rows.pad),
    "matmul": Function("matmul", "input other"),
    "baddbmm": Function("gemm", "input batch1 batch2", lambda _a, _rank: {"added_first": True}),
    "tensordot": Function("einsum", "a b dims", rows.tensordot),
    "ravel": Function("flatten", "input", lambda _a, _rank: {"start_axis": 0, "end_axis": -1}),
    "tensor_split": Function("split", "input indices_or_sections dim", rows.tensor_split),
    "addmm": Function("gemm", "input mat1 mat2", lambda _a, _rank: {"added_first": True}),
    "outer": Function("einsum", "input vec2", lambda _a, _rank: {"equation": "i,j->ij"}),
    "einsum": Function("einsum", "equation *operands", lambda a, _rank: {"equation": a["equation"]}),
    "flatten": Function(
        "flatten",
        "input start_dim end_dim",
        lambda a, _rank: {"start_axis": a.get("start_dim", 0), "end_axis": a.get("end_dim", -1)},
    ),
    "unflatten": Function(
        "unflatten", "input dim sizes", lambda a, _rank: {"axis": a["dim"], "sizes": rows.shape(a["sizes"])}
    ),
    "reshape": Function("reshape", "input *shape", lambda a, _rank: {"shape": rows.shape(a["shape"])}),
    "view": Function("reshape", "input *shape", lambda a, _rank: {"shape": rows.shape(a["shape"])}),
    "view_as": Function("reshape", "input other", rows.shape_of_other),
    "permute": Function("permute", "input *dims", lambda a, _rank: {"axes": rows.shape(a["dims"])}),
    "transpose": Function("transpose2", "input dim0 dim1", rows.axis_pair),
    "t": Function("permute", "input", lambda _a, rank: {"axes": tuple(reversed(range(rank)))}),
    "T": Function("permute", "input", lambda _a, rank: {"axes": tuple(reversed(range(rank)))}),
    "mT": Function("transpose2", "input", lambda _a, _rank: {"axis0": -2, "axis1": -1}),
    "movedim": Function("movedim", "input source destination", lambda a, _rank: {
        "source": rows.axes(a["source"]), "destination": rows.axes(a["destination"])}),
    "squeeze": Function("squeeze", _WITH_DIM, rows.squeezed),
    "unsqueeze": Function("unsqueeze", _WITH_DIM, lambda a, _rank: {"axes": (a["dim"],)}),
    "cat": Function("concat", "tensors dim", rows.axis(0)),
    "stack": Function("stack", "tensors dim", rows.axis(0)),
    "column_stack": Function("concat", "tensors", rows.columns),
    "hstack": Function("concat", "tensors", lambda a, _rank: {"axis": 0 if a["tensors"][0].dim() < 2 else 1}),
    "split": Function("split", "input split_size_or_sections dim", rows.split),
    "chunk": Function(
        "split", "input chunks dim", lambda a, _rank: {"axis": a.get("dim", 0), "chunks": a["chunks"]}
    ),
    "unbind": Function("unstack", _WITH_DIM, rows.axis(0)),
    "getitem": Function("unknown", "input index"),
    "setitem": Function("scatter", "input index value", rows.index),
    **rows.same("copy", Function("scatter", "input value")),
    **rows.same("scatter scatter_add index_add index_copy index_fill masked_scatter scatter_reduce index_put",
            Function("scatter", "input dim index", rows.axis())),
    "select": Function("index", "input dim index", lambda a, _rank: {"axis": a["dim"], "index": a["index"]}),
    "narrow": Function("slice", "input dim start length", lambda a, _rank: {
        "axes": (a["dim"],), "starts": (int(a["start"]),), "ends": (int(a["start"]) + a["length"],),
        "steps": (1,)}),
    "index_select": Function("gather", "input dim index", rows.axis(0)),
    "gather": Function("take_along", "input dim index", rows.axis(0)),
    "take_along_dim": Function("take_along", "input indices dim", rows.axis()),
    "expand": Function("expand", "input *sizes", lambda a, _rank: {"shape": rows.shape(a["sizes"])}),
    "expand_as": Function("expand", "input other", rows.shape_of_other),
    "broadcast_to": Function("expand", "input *size", lambda a, _rank: {"shape": rows.shape(a["size"])}),
    "repeat": Function("tile", "input *repeats", lambda a, _rank: {"repeats": rows.shape(a["repeats"])}),
    "tile": Function("tile", "input *dims", lambda a, _rank: {"repeats": rows.shape(a["dims"])}),
    "repeat_interleave": Function("repeat", "input repeats dim", lambda a, _rank: {
        "axis": a.get("dim"), "count": a["repeats"] if isinstance(a["repeats"], int) else None}),
    **rows.same("cumsum cumprod logcumsumexp", Function("unary", _WITH_DIM, rows.axis())),
    **rows.same("fftshift ifftshift", Function("unary", _WITH_DIM, lambda a, _rank: {
        "axes": rows.axes(a.get("dim"))})),
    "zero": Function("unary"),
    "fill": Function("unary"),
    "cummax": Function("unary", _WITH_DIM, rows.axis()),
    "cummin": Function("unary", _WITH_DIM, rows.axis()),
    "argsort": Function("unary", "input dim descending", lambda a, _rank: {
        "axis": a.get("dim", -1), "descending": bool(a.get("descending", False))}),
    "fliplr": Function("unary", "input", lambda _a, _rank: {"axes": (1,)}),
    "flipud": Function("unary", "input", lambda _a, _rank: {"axes": (0,)}),
    "bucketize": Function("unary"),
    "sort": Function("unary", "input dim descending", lambda a, _rank: {
        "axis": a.get("dim", -1), "descending": bool(a.get("descending", False))}),
    "flip": Function("unary", "input *dims", lambda a, _rank: {"axes": rows.shape(a["dims"])}),
    "roll": Function("unary", "input shifts dims", lambda a, _rank: {
        "shifts": rows.shape(a["shifts"]), "axes": rows.shape(a["dims"]) if a.get("dims") else None}),
    "rot90": Function("unary", "input k dims", lambda a, _rank: {
        "turns": a.get("k", 1), "axes": rows.shape(a.get("dims", (0, 1)))}),
    **rows.same("tril triu", Function("unary", "input diagonal", rows.options(diagonal=0))),
    "normalize": Function("normalize", "input p dim eps", lambda a, _rank: {
        "axis": a.get("dim", 1), **rows.options(p=2.0, eps=1e-12)(a, 0)}),
    "softmax": Function("softmax", _WITH_DIM, rows.axis(None, log=False)),
    "softmin": Function("softmax", _WITH_DIM, rows.axis(None, log=False)),
    "gumbel_softmax": Function("softmax", "logits tau hard eps dim", rows.axis(-1, log=False)),
    "log_softmax": Function("softmax", _WITH_DIM, rows.axis(None, log=True)),
    "glu": Function("glu", _WITH_DIM, rows.axis(-1)),
    **{name: Function("loss", "input target", rows.loss) for name in _LOSSES},
    "cosine_similarity": Function("distance", "x1 x2 dim eps", lambda a, _rank: {
        "function": "cosine", "axis": a.get("dim", 1), "keepdims": False, "eps": a.get("eps", 1e-8)}),
    "pairwise_distance": Function("distance", "x1 x2 p eps keepdim", lambda a, _rank: {
        "function": "p", "axis": -1, "keepdims": bool(a.get("keepdim", False)),
        **rows.options(p=2.0, eps=1e-6)(a, 0)}),
    "one_hot": Function("one_hot", "input num_classes", lambda a, _rank: {
        "depth": a["num_classes"], "axis": -1}),
    "topk": Function("topk", "input k dim", lambda a, _rank: {"k": a["k"], "axis": a.get("dim", -1)}),
    **rows.same("argmax argmin", Function("argmax", "input dim keepdim", lambda a, _rank: {
        "axis": a.get("dim"), "keepdims": bool(a.get("keepdim", False))})),
    **{name: rows.reduction(name) for name in (
        "mean", "sum", "prod", "amax", "amin", "logsumexp", "all", "any", "median",
        "nansum", "nanmean", "count_nonzero")},
    **{name: rows.spread(name) for name in ("std", "var")},
    "norm": Function("reduce", "input p dim keepdim", rows.norm),
    "linalg_norm": Function("reduce", "input ord dim keepdim", rows.norm),
    "linalg_vector_norm": Function("reduce", "input ord dim keepdim", rows.norm),
    **rows.same("dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout",
                Function("dropout", "input p training", rows.dropout)),
    **{name: rows.function(name) for name in (
        "relu", "relu6", "silu", "selu", "mish", "sigmoid", "tanh", "softsign", "hardswish", "hardsigmoid",
        "tanhshrink", "logsigmoid")},
    "gelu": rows.function("gelu", approximate="none"),
    "elu": rows.function("elu", alpha=1.0),
    "celu": rows.function("celu", alpha=1.0),
    "softplus": rows.function("softplus", beta=1.0, threshold=20.0),
    "hardtanh": rows.function("hardtanh", min_val=-1.0, max_val=1.0),
    "hardshrink": rows.function("hardshrink", lambd=0.5),
    "softshrink": rows.function("softshrink", lambd=0.5),
    "leaky_relu": rows.function("leaky_relu", negative_slope=0.01),
    "rrelu": rows.function("rrelu", lower=1 / 8, upper=1 / 3),
    "threshold": rows.function("threshold", threshold=None, value=None),
    "clamp": Function("elementwise", "input min max", rows.clamp),
    **rows.elementwise(
        "add sub mul div floordiv mod floor_divide remainder fmod pow maximum minimum atan2 hypot where lerp "
        "addcmul addcdiv masked_fill fmin fmax float_power copysign xlogy "
        "eq ne lt le gt ge logical_and logical_or logical_xor logical_not isclose "
        "and or xor invert bitwise_and bitwise_or bitwise_xor bitwise_not lshift rshift "
        "neg abs exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square sin cos tan asin acos atan sinh cosh "
        "sign floor ceil round trunc frac reciprocal erf erfc lgamma digamma isnan isinf isfinite nan_to_num "
        "angle conj sinc sgn acosh asinh atanh logit logaddexp logaddexp2 deg2rad rad2deg erfinv gcd lcm "
        "heaviside igamma igammac isneginf isposinf isreal signbit nextafter ldexp positive polygamma "
        "mvlgamma i0 bitwise_left_shift bitwise_right_shift entr erfcx gammainc gammaincc gammaln i0e i1 i1e "
        "log_ndtr ndtr ndtri psi xlog1py zeta airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 conj_physical"
    ),
    **rows.same("to float half double bfloat16 int long bool type type_as short char byte", Function("cast")),
}  # fmt: skip

#: Names that mean the same.
_SAME_AS = {
    "concat": "cat", "concatenate": "cat", "swapaxes": "transpose", "swapdims": "transpose",
    "moveaxis": "movedim", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "truediv": "div", "absolute": "abs", "negative": "neg", "bmm": "matmul", "mm": "matmul", "mv": "matmul",
    "dot": "matmul", "reshape_as": "view_as", "special_expit": "sigmoid",
    "greater": "gt", "less": "lt", "not_equal": "ne", "greater_equal": "ge", "less_equal": "le", "H": "mT",
    "rsub": "sub", "clip": "clamp", "clamp_min": "clamp", "clamp_max": "clamp", "split_with_sizes": "split",
    "special_erf": "erf",
    "arctan2": "atan2", "adjoint": "mT", "_threshold": "threshold", "log_sigmoid": "logsigmoid",
    **{f"arc{name}": f"a{name}" for name in ("cos", "sin", "tan", "cosh", "sinh", "tanh")},
    "ger": "outer", "fix": "trunc",
}  # fmt: skip
