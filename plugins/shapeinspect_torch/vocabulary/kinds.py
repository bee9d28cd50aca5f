"""From torch.nn class names to the vocabulary: one table for live modules and pickled ones alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from shapeinspect.frozen import Frozen

_Attributes: TypeAlias = "dict[str, Any]"
#: Reads a module's plain attributes, given the number of spatial axes (0 if the name gives none).
_Reader: TypeAlias = "Callable[[Mapping[str, Any], int], _Attributes]"
_Row: TypeAlias = "tuple[str, _Reader, _Attributes]"

_RANK = re.compile(r"([123])d$")


def describe(class_name: str, attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind of an nn class and its settings in the vocabulary's terms.

    Settings that the attributes do not contain are omitted.

    Args:
        class_name: the class's own name, such as ``Conv2d``; a dotted prefix is ignored.
        attributes: the module's plain attribute values, as in ``module.__dict__``.

    Returns:
        The kind (``"unknown"`` for a class that is not torch's) and its attributes.

    Source:
        https://docs.pytorch.org/docs/stable/nn.html and each class's ``__init__``.

    Example:
        >>> describe("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1})[1]["padding"]
        ((1, 1), (1, 1))
        >>> describe("Mine", {})
        ('unknown', {})
    """
    name = native_name(class_name)
    row = _TABLE.get(name)
    if row is None:
        return "unknown", {}
    kind, reader, constants = row
    match = _RANK.search(name)
    read = reader(attributes, int(match.group(1)) if match else 0)
    if class_name.rpartition(".")[2].startswith("Lazy"):
        read = {key: value for key, value in read.items() if value != 0 or key not in _LAZY_SIZES}
    return kind, {**read, **constants}


def native_name(class_name: str) -> str:
    """Return the name under which the table (and the table of layouts) knows a class.

    Args:
        class_name: a class's name; a dotted prefix, ``Lazy`` and ``Parametrized`` are removed.

    Example:
        >>> native_name("LazyConv2d"), native_name("quantized.dynamic.Linear")
        ('Conv2d', 'Linear')
    """
    name = class_name.rpartition(".")[2]
    for prefix in ("Parametrized", "Lazy"):
        if name.startswith(prefix) and name.removeprefix(prefix) in _TABLE:
            name = name.removeprefix(prefix)
    return _SAME_AS.get(name, name)


def is_known(class_name: str) -> bool:
    """Tell whether the table has a kind for a class name.

    Args:
        class_name: a class's name.

    Example:
        >>> is_known("GRUCell"), is_known("ResNet")
        (True, False)
    """
    return native_name(class_name) in _TABLE


def per_axis(value: Any, rank: int) -> Any:
    """Spread one number over the spatial axes; a sequence becomes a tuple.

    Args:
        value: a number, or one number for each axis.
        rank: the number of spatial axes; 0 where it is not known.

    Example:
        >>> per_axis(3, 2), per_axis([3], 2), per_axis([3, 5], 2), per_axis(3, 0)
        ((3, 3), (3, 3), (3, 5), 3)
    """
    if isinstance(value, (list, tuple)):
        return tuple(value) * rank if len(value) == 1 and rank > 1 else tuple(value)
    return (value,) * rank if rank else value


def pairs(value: Any, rank: int) -> Any:
    """Convert a symmetric padding to ``(before, after)`` pairs; a text such as ``"same"`` stays.

    Args:
        value: a number, or one for each axis.
        rank: the number of spatial axes.

    Example:
        >>> pairs((1, 2), 2), pairs("same", 2)
        (((1, 1), (2, 2)), 'same')
    """
    if isinstance(value, str):
        return value
    return tuple((amount, amount) for amount in per_axis(value, max(rank, 1)))


def last_axes_pairs(flat: Any, rank: int = 0) -> tuple[tuple[int, int], ...]:
    """Turn torch's padding, whose last axis comes first, into pairs in the order of the axes.

    Args:
        flat: ``(left, right, top, bottom, ...)``, or one number for every side.
        rank: the number of axes that one number stands for.

    Source:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html

    Example:
        >>> last_axes_pairs((1, 2, 3, 4))
        ((3, 4), (1, 2))
    """
    if not isinstance(flat, (list, tuple)):
        return ((flat, flat),) * rank
    return tuple((flat[position], flat[position + 1]) for position in range(len(flat) - 2, -1, -2))


def _take(attributes: Mapping[str, Any], names: str) -> _Attributes:
    return {name: attributes[name] for name in names.split() if name in attributes}


def _given(attributes: Mapping[str, Any], names: str) -> _Attributes:
    """Take what is set: None is how torch says that an option is not used."""
    return {name: value for name, value in _take(attributes, names).items() if value is not None}


def _norm(names: str) -> _Reader:
    """Read a norm; a momentum of None says that running statistics are the mean of all batches."""
    return _plain(f"{names} eps momentum affine track_running_stats")


def _table_of_rows(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    read = _take(attributes, "num_embeddings embedding_dim mode include_last_offset")
    if "mode" in read:  # in a lookup of single rows the padding has no effect on the result
        read.update(_given(attributes, "padding_idx"))
    if attributes.get("max_norm") is not None:
        read.update(_take(attributes, "max_norm norm_type"))
    return read


def _loss(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    read = _take(attributes, _LOSS_OPTIONS)
    distance = attributes.get("distance_function")
    if distance is not None:
        read["function"] = getattr(distance, "__name__", type(distance).__name__)
    return read


def _container(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    """Read what a container itself does with its parts; their own settings stand at the parts."""
    read = {name: value for name, value in _take(attributes, "norm_first").items() if value}
    activation = attributes.get("activation")
    if activation is not None and "norm_first" in attributes:
        read["activation"] = activation if isinstance(activation, str) else _function_name(activation)
    if isinstance(attributes.get("cutoffs"), (list, tuple)):
        read["cutoffs"] = tuple(attributes["cutoffs"])
    return read


def _function_name(function: Any) -> str:
    kind, read = describe(type(function).__name__, getattr(function, "__dict__", {}))
    if kind == "activation":
        return str(read["function"])
    name = str(getattr(function, "__name__", "") or getattr(function, "name", ""))
    return name.rpartition(".")[2] or type(function).__name__


def _plain(names: str) -> _Reader:
    return lambda attributes, _rank: _take(attributes, names)


def _renamed(**names: str) -> _Reader:
    return lambda attributes, _rank: {
        new: attributes[old] for new, old in names.items() if attributes.get(old) is not None
    }


def _spatial(attributes: Mapping[str, Any], names: str, rank: int) -> _Attributes:
    return {name: per_axis(value, rank) for name, value in _take(attributes, names).items()}


def _conv(attributes: Mapping[str, Any], rank: int) -> _Attributes:
    read = _take(attributes, "in_channels out_channels groups padding_mode")
    read.update(_spatial(attributes, "kernel_size stride dilation", rank))
    if "padding" in attributes:
        read["padding"] = pairs(attributes["padding"], rank)
    return read


def _conv_transpose(attributes: Mapping[str, Any], rank: int) -> _Attributes:
    return {**_conv(attributes, rank), **_spatial(attributes, "output_padding", rank)}


def _pool(attributes: Mapping[str, Any], rank: int) -> _Attributes:
    read = _spatial(attributes, "kernel_size dilation", rank)
    stride = attributes.get("stride")
    if stride is None:
        stride = attributes.get("kernel_size")
    if stride is not None:
        read["stride"] = per_axis(stride, rank)
    if "padding" in attributes or "kernel_size" in attributes:  # a traced layer's are in its code alone
        read["padding"] = pairs(attributes.get("padding", 0), rank)
    read.update(_take(attributes, "ceil_mode count_include_pad return_indices norm_type"))
    read.update(_given(attributes, "divisor_override"))
    return read


def _adaptive(attributes: Mapping[str, Any], rank: int) -> _Attributes:
    return {**_spatial(attributes, "output_size", rank), **_take(attributes, "return_indices")}


def _fractional(attributes: Mapping[str, Any], rank: int) -> _Attributes:
    read = _spatial(attributes, "kernel_size output_size output_ratio", rank)
    sizes = {key: value for key, value in read.items() if attributes[key] is not None}
    return {**sizes, **_take(attributes, "return_indices")}


def _pad(attributes: Mapping[str, Any], rank: int) -> _Attributes:
    if "padding" not in attributes:
        return {}
    return {"padding": last_axes_pairs(attributes["padding"], rank), **_take(attributes, "value")}


def _windows(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    read = _spatial(attributes, "kernel_size stride dilation output_size", 2)
    if "padding" in attributes:
        read["padding"] = pairs(attributes["padding"], 2)
    return read


#: The modes of a resize that align corners or do not; where nothing is said, they do not.
SMOOTH_MODES = ("linear", "bilinear", "bicubic", "trilinear")


def _resize(attributes: Mapping[str, Any], rank: int) -> _Attributes:
    read = _take(attributes, "mode align_corners recompute_scale_factor")
    if read.get("align_corners", True) is None and read.get("mode") in SMOOTH_MODES:
        read["align_corners"] = False
    read.update(
        {
            key: per_axis(value, rank)
            for key, value in _take(attributes, "size scale_factor").items()
            if value is not None
        }
    )
    return read


def _recurrent(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    names = "input_size hidden_size num_layers bidirectional proj_size batch_first"
    always = {"return_sequences": True, "return_state": True}
    return {**_take(attributes, names), **_cell_function(attributes), **always}


def _cell_function(attributes: Mapping[str, Any]) -> _Attributes:
    """Read the nonlinearity of an RNN; a file from before it was kept names it in the mode."""
    name = attributes.get("nonlinearity")
    if name is None and str(attributes.get("mode", "")).startswith("RNN_"):
        name = attributes["mode"].removeprefix("RNN_").lower()
    return {} if name is None else {"cell_function": name}


def _attention(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    read = _take(attributes, "embed_dim num_heads head_dim kdim vdim batch_first add_zero_attn")
    if "num_heads" in read:
        read["num_kv_heads"] = read["num_heads"]
    if "embed_dim" in read:
        read["out_features"] = read["embed_dim"]
    if attributes.get("dropout"):
        read["rate"] = attributes["dropout"]
    return {**read, "need_weights": True}


def _normalized(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    read = _take(attributes, "normalized_shape eps")
    if "normalized_shape" in read:
        shape = read["normalized_shape"]
        shape = tuple(shape) if isinstance(shape, (list, tuple)) else (shape,)
        read["normalized_shape"] = shape
        read["axis"] = -1 if len(shape) == 1 else tuple(range(-len(shape), 0))
    return read


def _unflatten(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    sizes = attributes.get("unflattened_size")
    if not isinstance(sizes, (list, tuple)):
        return _renamed(axis="dim")(attributes, 0)
    # A named size is a pair of a name and a length.
    plain = tuple(size[1] if isinstance(size, tuple) else size for size in sizes)
    return {"axis": attributes.get("dim"), "sizes": plain}


def _no_attributes(_attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    return {}


def _activation(function: str, settings: str = "") -> _Row:
    return "activation", _plain(settings), {"function": function}


#: Sizes that are unknown before a lazy module's first call; it stores 0.
_LAZY_SIZES = ("in_channels", "in_features", "num_features")

#: Classes that differ from another one in what they compute, not in shapes, settings or weights.
_SAME_AS = {
    "NonDynamicallyQuantizableLinear": "Linear",
    "NLLLoss2d": "NLLLoss",
}

_LINEAR: _Row = ("linear", _plain("in_features out_features"), {})
_BATCH_NORM: _Row = ("batch_norm", _norm("num_features"), {"axis": 1})
_INSTANCE_NORM: _Row = ("instance_norm", _norm("num_features"), {})
_LOSS_OPTIONS = (
    "reduction ignore_index label_smoothing margin p delta beta eps blank zero_infinity full log_input "
    "log_target swap"
)
_LOSS: _Row = ("loss", _loss, {})
_DROPOUT: _Row = ("dropout", _renamed(rate="p"), {})
_MODULE: _Row = ("module", _container, {})
_IDENTITY: _Row = ("identity", _no_attributes, {})


def _cell(attributes: Mapping[str, Any], _rank: int) -> _Attributes:
    return {**_take(attributes, "input_size hidden_size"), **_cell_function(attributes)}


def _rows(names: str, row: _Row) -> dict[str, _Row]:
    return dict.fromkeys(names.split(), row)


_TABLE: dict[str, _Row] = {
    **_rows("Conv1d Conv2d Conv3d", ("conv", _conv, {})),
    **_rows("ConvTranspose1d ConvTranspose2d ConvTranspose3d", ("conv_transpose", _conv_transpose, {})),
    "Linear": _LINEAR,
    **_rows("Bilinear", ("bilinear", _plain("in1_features in2_features out_features"), {})),
    **_rows("Embedding", ("embedding", _table_of_rows, {})),
    **_rows("EmbeddingBag", ("embedding_bag", _table_of_rows, {})),
    **_rows("BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm", _BATCH_NORM),
    **_rows("InstanceNorm1d InstanceNorm2d InstanceNorm3d", _INSTANCE_NORM),
    **_rows("LayerNorm", ("layer_norm", _normalized, {})),
    **_rows("RMSNorm", ("rms_norm", _normalized, {})),
    **_rows("GroupNorm", ("group_norm", _plain("num_groups num_channels eps affine"), {})),
    **_rows("LocalResponseNorm CrossMapLRN2d", ("local_response_norm", _plain("size alpha beta k"), {})),
    **_rows("RNN", ("rnn", _recurrent, {})),
    **_rows("LSTM", ("lstm", _recurrent, {})),
    **_rows("GRU", ("gru", _recurrent, {"reset_after": True})),
    **_rows("RNNCell", ("rnn_cell", _cell, {})),
    **_rows("LSTMCell", ("lstm_cell", _cell, {})),
    **_rows("GRUCell", ("gru_cell", _cell, {"reset_after": True})),
    **_rows("MultiheadAttention", ("attention", _attention, {})),
    **_rows("MaxPool1d MaxPool2d MaxPool3d", ("max_pool", _pool, {})),
    **_rows("AvgPool1d AvgPool2d AvgPool3d", ("avg_pool", _pool, {})),
    **_rows("LPPool1d LPPool2d LPPool3d", ("lp_pool", _pool, {})),
    **_rows("MaxUnpool1d MaxUnpool2d MaxUnpool3d", ("max_unpool", _pool, {})),
    **_rows("FractionalMaxPool2d FractionalMaxPool3d", ("fractional_max_pool", _fractional, {})),
    **_rows("AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d", ("adaptive_avg_pool", _adaptive, {})),
    **_rows("AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d", ("adaptive_max_pool", _adaptive, {})),
    **_rows("Upsample UpsamplingBilinear2d UpsamplingNearest2d", ("resize", _resize, {})),
    **_rows("PixelShuffle", ("pixel_shuffle", _renamed(factor="upscale_factor"), {})),
    **_rows("PixelUnshuffle", ("pixel_unshuffle", _renamed(factor="downscale_factor"), {})),
    **_rows("ChannelShuffle", ("channel_shuffle", _plain("groups"), {})),
    **_rows("Unfold", ("unfold", _windows, {})),
    **_rows("Fold", ("fold", _windows, {})),
    **_rows("ZeroPad1d ZeroPad2d ZeroPad3d", ("pad", _pad, {"mode": "constant"})),
    **_rows("ConstantPad1d ConstantPad2d ConstantPad3d", ("pad", _pad, {"mode": "constant"})),
    **_rows("ReflectionPad1d ReflectionPad2d ReflectionPad3d", ("pad", _pad, {"mode": "reflect"})),
    **_rows("ReplicationPad1d ReplicationPad2d ReplicationPad3d", ("pad", _pad, {"mode": "replicate"})),
    **_rows("CircularPad1d CircularPad2d CircularPad3d", ("pad", _pad, {"mode": "circular"})),
    "Flatten": ("flatten", _renamed(start_axis="start_dim", end_axis="end_dim"), {}),
    "Unflatten": ("unflatten", _unflatten, {}),
    "Softmax": ("softmax", _renamed(axis="dim"), {"log": False}),
    "Softmin": ("softmax", _renamed(axis="dim"), {"log": False, "negated": True}),
    "LogSoftmax": ("softmax", _renamed(axis="dim"), {"log": True}),
    "Softmax2d": ("softmax", _no_attributes, {"axis": -3, "log": False}),
    "GLU": ("glu", _renamed(axis="dim"), {}),
    "PReLU": ("prelu", _plain("num_parameters"), {}),
    "CELU": _activation("celu", "alpha"),
    "ELU": _activation("elu", "alpha"),
    "GELU": _activation("gelu", "approximate"),
    "Hardshrink": _activation("hardshrink", "lambd"),
    "Hardsigmoid": _activation("hardsigmoid"),
    "Hardswish": _activation("hardswish"),
    "Hardtanh": _activation("hardtanh", "min_val max_val"),
    "LeakyReLU": _activation("leaky_relu", "negative_slope"),
    "LogSigmoid": _activation("log_sigmoid"),
    "Mish": _activation("mish"),
    "ReLU": _activation("relu"),
    "ReLU6": _activation("relu6"),
    "RReLU": _activation("rrelu", "lower upper"),
    "SELU": _activation("selu"),
    "Sigmoid": _activation("sigmoid"),
    "SiLU": _activation("silu"),
    "Softplus": _activation("softplus", "beta threshold"),
    "Softshrink": _activation("softshrink", "lambd"),
    "Softsign": _activation("softsign"),
    "Tanh": _activation("tanh"),
    "Tanhshrink": _activation("tanhshrink"),
    "Threshold": _activation("threshold", "threshold value"),
    **_rows("Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout", _DROPOUT),
    "Identity": _IDENTITY,
    "CosineSimilarity": (
        "distance",
        _renamed(axis="dim", eps="eps"),
        {"function": "cosine", "keepdims": False},
    ),
    "PairwiseDistance": (
        "distance",
        _renamed(keepdims="keepdim", p="norm", eps="eps"),
        {"function": "p", "axis": -1},
    ),
    **_rows("BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss GaussianNLLLoss", _LOSS),
    **_rows("HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss MSELoss NLLLoss", _LOSS),
    **_rows("MarginRankingLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss", _LOSS),
    **_rows(
        "PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss", _LOSS
    ),
    **_rows("Sequential ModuleList ModuleDict ParameterList ParameterDict Container", _MODULE),
    **_rows("Transformer TransformerEncoder TransformerEncoderLayer", _MODULE),
    **_rows("TransformerDecoder TransformerDecoderLayer AdaptiveLogSoftmaxWithLoss", _MODULE),
    **_rows("DataParallel DistributedDataParallel DistributedDataParallelCPU ParametrizationList", _MODULE),
    # torch.ao.nn: the quantized, fused and observed forms of the classes above.
    **_rows("ConvReLU1d ConvReLU2d ConvReLU3d ConvAdd2d ConvAddReLU2d", ("conv", _conv, {})),
    **_rows("ConvBn1d ConvBn2d ConvBn3d ConvBnReLU1d ConvBnReLU2d ConvBnReLU3d", ("conv", _conv, {})),
    **_rows("LinearReLU LinearLeakyReLU LinearTanh LinearBn1d", _LINEAR),
    **_rows("BNReLU2d BNReLU3d", _BATCH_NORM),
    "Quantize": ("quantize", _no_attributes, {}),
    "DeQuantize": ("dequantize", _no_attributes, {}),
    **_rows("QuantStub DeQuantStub FakeQuantize FusedMovingAvgObsFakeQuantize", _IDENTITY),
    **_rows("FloatFunctional QFunctional FXFloatFunctional QuantWrapper", _MODULE),
}

#: The kind of each class that is one layer.
CLASSES: Mapping[str, str] = Frozen({name: row[0] for name, row in _TABLE.items() if row[0] != "module"})

#: The classes whose input sizes are unknown before the first call, after which they are those above.
LAZY: Mapping[str, str] = Frozen(
    {f"Lazy{name}": CLASSES[name]
     for name in ("Linear", *(f"{norm}Norm{rank}d" for norm in ("Batch", "Instance") for rank in (1, 2, 3)),
                  *(f"{kind}{rank}d" for kind in ("Conv", "ConvTranspose") for rank in (1, 2, 3)))}
)  # fmt: skip

_ENCODER = "MultiheadAttention Linear LayerNorm"
#: The classes that consist of other layers, and the names of these; an empty text for any.
HOLDS: Mapping[str, str] = Frozen(
    {
        **{name: "" for name, row in _TABLE.items() if row[0] == "module"},
        **dict.fromkeys(
            ("Transformer", "TransformerEncoder", "TransformerEncoderLayer", "TransformerDecoder",
             "TransformerDecoderLayer"),
            _ENCODER,
        ),
        "AdaptiveLogSoftmaxWithLoss": "Linear",
    }
)  # fmt: skip
