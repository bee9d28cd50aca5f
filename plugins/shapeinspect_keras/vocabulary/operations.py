"""Keras operations (``keras.ops``, ``x + y``, ``x[:, 0]``) in the common vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from shapeinspect_keras.vocabulary.signatures import SIGNED, signature

Settings: TypeAlias = "Mapping[str, Any]"
_Reader: TypeAlias = "Callable[[Settings], dict[str, Any]]"


def _nothing(_config: Settings) -> dict[str, Any]:
    return {}


def _plain(value: Any) -> Any:
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple) else value


def _take(**names: str) -> _Reader:
    """Rename settings: ``_take(shape="newshape")``."""
    return lambda config: {new: _plain(config[old]) for new, old in names.items() if old in config}


def _fixed(**values: Any) -> _Reader:
    return lambda _config: dict(values)


def _axes(config: Settings) -> dict[str, Any]:
    axis = config.get("axis")
    return {} if axis is None else {"axes": tuple(axis) if isinstance(axis, list | tuple) else (axis,)}


def _reduce(op: str) -> _Reader:
    def read(config: Settings) -> dict[str, Any]:
        axes = _axes(config).get("axes")
        return {"op": op, "axes": axes, "keepdims": bool(config.get("keepdims", False))}

    return read


def _softmax(log: bool) -> _Reader:
    return lambda config: {"axis": _plain(config.get("axis", -1)), "log": log}


def _split(config: Settings) -> dict[str, Any]:
    sections = config.get("indices_or_sections")
    result: dict[str, Any] = {"axis": config.get("axis", 0)}
    return result | ({"sections": sections} if isinstance(sections, int) else {"indices": _plain(sections)})


def _axis(config: Settings) -> dict[str, Any]:
    return {"axis": config.get("axis", 0)}


def _transpose(config: Settings) -> dict[str, Any]:
    axes = config.get("axes")
    return {"axes": tuple(axes)} if isinstance(axes, list | tuple) else {}


def _reshape(config: Settings) -> dict[str, Any]:
    # An open length, such as that of ``ops.shape(x)[0]``, is left to be worked out.
    shape = config.get("newshape")
    lengths = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    return {"shape": tuple(-1 if length is None else length for length in lengths)}


def _resize(config: Settings) -> dict[str, Any]:
    size = _take(size="size", mode="interpolation")(config)
    return {**size, "data_format": config.get("data_format") or "channels_last"}


#: Operations of one value that keep its shape.
_ACTIVATIONS = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "SparseSigmoid": "sparse_sigmoid", "Tanh": "tanh",
    "Softplus": "softplus", "Softsign": "softsign", "SoftShrink": "soft_shrink", "HardShrink": "hard_shrink",
    "Silu": "silu", "Gelu": "gelu", "Elu": "elu", "Selu": "selu", "Celu": "celu",
    "LeakyRelu": "leaky_relu", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh", "LogSigmoid": "log_sigmoid", "TanhShrink": "tanh_shrink",
    "Threshold": "threshold", "SquarePlus": "squareplus", "Squareplus": "squareplus",
    "SparsePlus": "sparse_plus", "Sparsemax": "sparsemax",
}  # fmt: skip

#: Operations that broadcast their operands, or take one value at a time.
_ELEMENTWISE = {
    "Add": "add", "Subtract": "sub", "Multiply": "mul", "Divide": "div", "TrueDivide": "div",
    "FloorDivide": "floor_div", "Mod": "mod", "Power": "pow", "Maximum": "max", "Minimum": "min",
    "Absolute": "abs", "Abs": "abs", "Negative": "neg", "Exp": "exp", "Expm1": "expm1", "Log": "log",
    "Log1p": "log1p", "Log2": "log2", "Log10": "log10", "Sqrt": "sqrt", "Rsqrt": "rsqrt", "Square": "square",
    "Reciprocal": "reciprocal", "Sign": "sign", "Floor": "floor", "Ceil": "ceil", "Round": "round",
    "Clip": "clip", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Erf": "erf", "Where": "where",
    "Equal": "equal", "NotEqual": "not_equal", "Greater": "greater", "GreaterEqual": "greater_equal",
    "Less": "less", "LessEqual": "less_equal", "LogicalAnd": "and", "LogicalOr": "or", "LogicalNot": "not",
    "LogicalXor": "xor", "Isnan": "isnan", "Isinf": "isinf", "Isfinite": "isfinite",
    "ZerosLike": "zeros_like", "OnesLike": "ones_like", "Flip": "flip", "Roll": "roll",
    "Cumsum": "cumsum", "Cumprod": "cumprod",
    **{name: name.lower() for name in (
        "Angle", "BitwiseAnd", "BitwiseInvert", "BitwiseNot", "BitwiseOr", "BitwiseXor", "BitwiseLeftShift",
        "BitwiseRightShift", "LeftShift", "RightShift", "Cbrt", "Conjugate", "Conj", "Copy", "Cosh",
        "Deg2rad", "Rad2deg", "EmptyLike", "Exp2", "FullLike", "Gcd", "Heaviside", "Hypot", "I0", "Imag",
        "Isclose",
        "Isneginf", "Isposinf", "Isreal", "Lcm", "Ldexp", "Logaddexp2", "NanToNum", "Nextafter", "Real",
        "Signbit", "Sinc", "Sinh", "Erfc", "Erfinv", "Fmax", "Fmin", "Fmod",
    )},
    "Arccos": "acos", "Arccosh": "acosh", "Arcsin": "asin", "Arcsinh": "asinh", "Arctan": "atan",
    "Arctanh": "atanh", "Fabs": "abs", "Trunc": "trunc", "DivideNoNan": "div", "Nancumsum": "cumsum",
    "Nancumprod": "cumprod", "Fliplr": "fliplr", "Flipud": "flipud", "Sort": "sort", "Argsort": "argsort",
    "Tril": "tril", "Triu": "triu", "Arctan2": "atan2", "Logaddexp": "logaddexp",
    "StopGradient": "stop_gradient",
}  # fmt: skip

_REDUCE = {
    "Mean": "mean", "Sum": "sum", "Max": "max", "Min": "min", "Prod": "prod", "Amax": "max", "Amin": "min",
    "Std": "std", "Var": "var", "Any": "any", "All": "all", "Logsumexp": "logsumexp", "Median": "median",
    "CountNonzero": "count_nonzero", "Norm": "norm", "Average": "mean", "Nanmax": "max", "Nanmean": "mean",
    "Nanmedian": "median", "Nanmin": "min", "Nanprod": "prod", "Nanstd": "std", "Nansum": "sum",
    "Nanvar": "var", "Ptp": "ptp",
}  # fmt: skip


def _activation(function: str, **names: str) -> _Reader:
    """Return a reader of a function and its parameters."""
    return lambda config: {"function": function, **_take(**names)(config)}


def _gelu(config: Settings) -> dict[str, Any]:
    return {"function": "gelu", **({"approximate": "tanh"} if config.get("approximate", True) else {})}


def _blocks(config: Settings) -> dict[str, Any]:
    return {"factor": config.get("block_size"), "data_format": config.get("data_format") or "channels_last"}


def _unfold(config: Settings) -> dict[str, Any]:
    def both(value: Any) -> tuple[Any, ...]:
        return tuple(value) if isinstance(value, list | tuple) else (value, value)

    names = ("kernel_size", "dilation", "padding", "stride")
    return {name: both(config[name]) for name in names if name in config}


def _grayscale(config: Settings) -> dict[str, Any]:
    first = config.get("data_format") == "channels_first"
    return {"op": "grayscale", "axes": (-3 if first else -1,), "keepdims": True}


#: What these do depends on the call: see ``shapeinspect_keras.calls.by_call``.
_BY_CALL = (
    "GetItem", "Dot", "Tensordot", "Conv", "Pad", "MaxPool", "AveragePool", "PadImages", "CropImages",
    "DepthwiseConv", "SeparableConv", "ConvTranspose", "AdaptiveMaxPool", "AdaptiveAveragePool", "Append",
    "ArraySplit", "Slice", "Quantile", "Percentile", "Nanquantile", "Nanpercentile", "Vstack", "Hstack",
    "Dstack", "Diag", "Diagflat", "Diagonal", "Trace", "Diff", "Rot90", "Vander", "Moments", "Kron", "Inner",
    "Outer", "Vdot", "Cross", "Correlate", "Corrcoef", "Meshgrid", "Hsplit", "Vsplit", "Dsplit", "Select",
    "Trapezoid", "Solve", "SolveTriangular", "Lstsq", "CategoricalCrossentropy", "SegmentSum", "SegmentMax",
    "SegmentMin", "SegmentProd", "SparseCategoricalCrossentropy", "Nonzero", "Unique", "View",
)  # fmt: skip

#: The class of each operation: its kind and the reader of its settings. What depends on the call (the
#: key of ``GetItem``, the second operand) is not a setting.
OPERATIONS: dict[str, tuple[str, _Reader]] = {
    **{name: ("activation", _fixed(function=function)) for name, function in _ACTIVATIONS.items()},
    **{name: ("elementwise", _fixed(op=op)) for name, op in _ELEMENTWISE.items()},
    **{name: ("reduce", _reduce(op)) for name, op in _REDUCE.items()},
    "LeakyRelu": ("activation", _activation("leaky_relu", negative_slope="negative_slope")),
    "Elu": ("activation", _activation("elu", alpha="alpha")),
    "Celu": ("activation", _activation("celu", alpha="alpha")),
    "Threshold": ("activation", _activation("threshold", threshold="threshold")),
    "Gelu": ("activation", _gelu),
    "Glu": ("glu", _take(axis="axis")),
    "DepthToSpace": ("depth_to_space", _blocks),
    "SpaceToDepth": ("space_to_depth", _blocks),
    "Unfold": ("unfold", _unfold),
    "RGBToGrayscale": ("reduce", _grayscale),
    "BatchNorm": ("batch_norm", _take(axis="axis", eps="epsilon")),
    "MultiHot": ("lookup", lambda config: {"output_mode": "multi_hot", "depth": config.get("num_classes")}),
    "SaturateCast": ("cast", _take(dtype="dtype")),
    "ConvertToTensor": ("identity", _nothing),
    "Nanargmax": ("argmax", _take(axis="axis", keepdims="keepdims")),
    "Nanargmin": ("argmax", _take(axis="axis", keepdims="keepdims")),
    "Clip": ("elementwise", lambda config: {"op": "clip", **_take(min_val="x_min", max_val="x_max")(config)}),
    "Norm": ("reduce", lambda config: {**_reduce("norm")(config), **_take(p="ord")(config)}),
    "Softmax": ("softmax", _softmax(log=False)),
    "LogSoftmax": ("softmax", _softmax(log=True)),
    "Argmax": ("argmax", _take(axis="axis", keepdims="keepdims")),
    "Argmin": ("argmax", _take(axis="axis", keepdims="keepdims")),
    "Reshape": ("reshape", _reshape),
    "Ravel": ("reshape", _fixed(shape=(-1,))),
    "Transpose": ("permute", _transpose),
    "Moveaxis": ("movedim", _take(source="source", destination="destination")),
    "Swapaxes": ("transpose2", _take(axis0="axis1", axis1="axis2")),
    "ExpandDims": ("unsqueeze", _axes),
    "Squeeze": ("squeeze", _axes),
    "Concatenate": ("concat", _take(axis="axis")),
    "Stack": ("stack", _take(axis="axis")),
    "Split": ("split", _split),
    "Unstack": ("unstack", _axis),
    "Repeat": ("repeat", _take(axis="axis", count="repeats")),
    "Tile": ("tile", _take(repeats="repeats")),
    "BroadcastTo": ("expand", _take(shape="shape")),
    "Cast": ("cast", _take(dtype="dtype")),
    "Matmul": ("matmul", _nothing),
    "Einsum": ("einsum", _take(equation="subscripts")),
    "Take": ("gather", _take(axis="axis")),
    "TakeAlongAxis": ("take_along", _take(axis="axis")),
    "OneHot": ("one_hot", _take(depth="num_classes", axis="axis")),
    "TopK": ("topk", lambda config: {"k": config.get("k"), "axis": -1}),
    **{name: ("operation", signature(name)) for name in SIGNED},
    **dict.fromkeys(_BY_CALL, ("unknown", _nothing)),
    "Resize": ("resize", _resize),
    "LayerNorm": ("layer_norm", _take(axis="axis", eps="epsilon")),
    "RMSNorm": ("rms_norm", _take(axis="axis", eps="epsilon")),
    "Normalize": ("normalize", _take(axis="axis", p="order", eps="epsilon")),
}
