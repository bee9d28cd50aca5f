"""What the settings of a Keras layer are called in the common vocabulary: one reader a family.

Every reader takes:
    config: the settings of one layer, in the spelling of Keras 3.
    rank: the number of spatial axes of the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Attributes: TypeAlias = "dict[str, Any]"
#: Reads settings, in the spelling of Keras 3, for a layer with so many spatial axes.
Reader: TypeAlias = Callable[[Mapping[str, Any], int], "Attributes"]


def _each(value: Any, rank: int, default: int = 1) -> tuple[Any, ...]:
    """Give a setting one entry a spatial axis."""
    if value is None:
        value = default
    return tuple(value) if isinstance(value, list | tuple) else (value,) * rank


def _pairs(value: Any, rank: int) -> tuple[Any, ...]:
    """Give a padding or cropping its (before, after) pairs, as Keras's own layers read them."""
    if rank == 1 and isinstance(value, list | tuple) and len(value) == 2:
        return (tuple(value),)
    return tuple(tuple(one) if isinstance(one, list | tuple) else (one, one) for one in _each(value, rank))


def _data_format(config: Mapping[str, Any]) -> str:
    return "channels_first" if config.get("data_format") == "channels_first" else "channels_last"


def _one_axis(config: Mapping[str, Any], default: int = -1) -> int:
    axis = config.get("axis", default)
    return (
        axis[0]
        if isinstance(axis, list | tuple) and len(axis) == 1
        else axis
        if isinstance(axis, int)
        else default
    )


def nothing(_config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of no setting at all."""
    return {}


def conv(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a convolution."""
    found: Attributes = {
        "out_channels": config.get("filters"),
        "kernel_size": _each(config.get("kernel_size"), rank),
        "stride": _each(config.get("strides"), rank),
        "padding": config.get("padding") or "valid",
        "dilation": _each(config.get("dilation_rate"), rank),
        "groups": config.get("groups", 1),
        "data_format": _data_format(config),
    }
    return {key: value for key, value in found.items() if value is not None}


def depthwise(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a depthwise convolution."""
    found = conv(config, rank) | {"depth_multiplier": config.get("depth_multiplier", 1)}
    del found["groups"]  # one group a channel: the weights or the input tell how many
    return found


def separable(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a separable convolution."""
    return conv(config, rank) | {"depth_multiplier": config.get("depth_multiplier", 1)}


def conv_transpose(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a transposed convolution."""
    found = conv(config, rank)
    output_padding = config.get("output_padding")
    if output_padding is not None:
        # Source: keras/src/backend/common/backend_utils.py, _get_output_shape_given_tf_padding.
        found["output_padding"] = _each(output_padding, rank)
        sizes = zip(found["kernel_size"], found["dilation"], strict=False)
        half = [(size + (size - 1) * (dilation - 1)) // 2 for size, dilation in sizes]
        found["padding"] = tuple((pad, pad) if found["padding"] == "same" else (0, 0) for pad in half)
    fixed = config.get("output_shape")
    if isinstance(fixed, list | tuple) and len(fixed) == rank + 2:  # Keras 1 fixes it, batch included
        at = 2 if found["data_format"] == "channels_first" else 1
        found["output_shape"] = tuple(fixed[at : at + rank])
    return found


def conv_lstm(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a convolutional LSTM."""
    return conv(config, rank) | {"hidden_size": config.get("filters")} | _returns(config)


def _returns(config: Mapping[str, Any]) -> Attributes:
    return {
        "return_sequences": bool(config.get("return_sequences", False)),
        "return_state": bool(config.get("return_state", False)),
        **({"direction": "reverse"} if config.get("go_backwards") else {}),
    }


def linear(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Dense layer."""
    return {"out_features": config.get("units")}


def einsum_dense(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of an EinsumDense layer."""
    return {"equation": config.get("equation")}


def embedding(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of an Embedding."""
    return {"num_embeddings": config.get("input_dim"), "embedding_dim": config.get("output_dim")}


def batch_norm(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a BatchNormalization."""
    return {
        "eps": config.get("epsilon", 1e-3),
        "momentum": config.get("momentum", 0.99),
        "axis": _one_axis(config),
    }


def axes_norm(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a normalization over given axes."""
    axis = config.get("axis", -1)
    several = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    return {"eps": config.get("epsilon", 1e-3), "axis": several[0] if len(several) == 1 else several}


def group_norm(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a GroupNormalization."""
    axis = _one_axis(config)
    layout = {"data_format": "channels_first"} if axis == 1 else {"data_format": "channels_last"}
    return {"num_groups": config.get("groups", 32), "eps": config.get("epsilon", 1e-3), "axis": axis} | layout


def recurrent(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a recurrent layer."""
    found = {"hidden_size": config.get("units"), "num_layers": 1, "bidirectional": False, "batch_first": True}
    return found | _returns(config)


def gru(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a GRU."""
    return recurrent(config, rank) | {"reset_after": bool(config.get("reset_after", False))}


def cudnn_gru(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a CuDNNGRU."""
    return recurrent(config, rank) | {"reset_after": True}


def cell(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a recurrent cell."""
    return {"hidden_size": config.get("units")}


def multi_head(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a MultiHeadAttention."""
    found: Attributes = {
        "num_heads": config.get("num_heads"),
        "head_dim": config.get("key_dim"),
        "batch_first": True,
    }
    if config.get("value_dim") not in (None, config.get("key_dim")):
        found["value_head_dim"] = config["value_dim"]
    shape = config.get("output_shape")
    if isinstance(shape, int) or (isinstance(shape, list | tuple) and len(shape) == 1):
        found["out_features"] = shape if isinstance(shape, int) else shape[0]
    return found


def grouped_query(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a GroupedQueryAttention."""
    return {
        "num_heads": config.get("num_query_heads"),
        "num_kv_heads": config.get("num_key_value_heads"),
        "head_dim": config.get("head_dim"),
        "batch_first": True,
    }


def plain_attention(_config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of an attention without projections."""
    return {"num_heads": 1, "projected": False, "batch_first": True}


def pool(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a pooling layer."""
    size = _each(config.get("pool_size"), rank, 2)
    return {
        "kernel_size": size,
        "stride": size if config.get("strides") is None else _each(config["strides"], rank),
        "padding": config.get("padding") or "valid",
        "count_include_pad": False,
        "data_format": _data_format(config),
    }


def adaptive_pool(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of an adaptive pooling layer."""
    return {"output_size": _each(config.get("output_size"), rank), "data_format": _data_format(config)}


def global_pool(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a global pooling layer."""
    return {"keepdims": bool(config.get("keepdims", False)), "data_format": _data_format(config)}


def named(function: str) -> Reader:
    """Return a reader that names the function of an activation.

    Args:
        function: its name.
    """
    return lambda _config, _rank: {"function": function}


def softmax(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Softmax."""
    axis = config.get("axis", -1)
    return {"axis": tuple(axis) if isinstance(axis, list) else axis}


def elementwise(op: str) -> Reader:
    """Return a reader that names the operation of a merge layer.

    Args:
        op: its name.
    """
    return lambda _config, _rank: {"op": op}


def concat(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Concatenate."""
    return {"axis": config.get("axis", -1)}


def dot(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Dot."""
    axes = config.get("axes", -1)
    return {"axes": tuple(axes) if isinstance(axes, list | tuple) else (axes, axes)}


def flatten(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Flatten."""
    # Source: ``call`` of keras/src/layers/reshaping/flatten.py: channels that stand first are moved last.
    moved = {"data_format": "channels_first"} if _data_format(config) == "channels_first" else {}
    return {"start_axis": 1, "end_axis": -1, **moved}


def reshape(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Reshape."""
    return {"shape": tuple(config.get("target_shape") or ()), "batch_kept": True}


def permute(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Permute."""
    return {"axes": (0, *(config.get("dims") or ()))}


def repeat_vector(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a RepeatVector."""
    return {"axis": 1, "count": config.get("n"), "new_axis": True}


def padding(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a zero padding."""
    return {"padding": _pairs(config.get("padding"), rank), "data_format": _data_format(config)}


def cropping(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a cropping."""
    return {"padding": _pairs(config.get("cropping"), rank), "data_format": _data_format(config)}


def upsampling(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of an upsampling."""
    return {
        "scale_factor": _each(config.get("size"), rank, 2),
        "mode": config.get("interpolation") or "nearest",
        "data_format": _data_format(config),
    }


def resizing(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Resizing."""
    return {
        "size": (config.get("height"), config.get("width")),
        "mode": config.get("interpolation") or "bilinear",
        "data_format": _data_format(config),
    }


def cut(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a CenterCrop or RandomCrop."""
    return resizing(config, rank) | {"mode": "crop"}


def feature_axes(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a layer that works along axes of its own."""
    axis = config.get("axis", -1)
    return {"axis": tuple(axis) if isinstance(axis, list | tuple) else axis}


def lookup(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a lookup layer."""
    depth = next((config[key] for key in ("num_tokens", "num_bins", "max_tokens") if config.get(key)), None)
    length = config.get("output_sequence_length")
    found: Attributes = {"output_mode": config.get("output_mode", "int")}
    if depth is not None:
        found["depth"] = depth
    return found | ({"length": length} if length is not None else {})


def encoding(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a CategoryEncoding."""
    return lookup({"output_mode": "multi_hot", **config}, rank)


def spectrogram(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of an STFT or a MelSpectrogram."""
    frame = config.get("frame_length", config.get("sequence_length") or config.get("fft_length", 2048))
    return {
        "frame_length": frame,
        "stride": config.get("frame_step", config.get("sequence_stride")) or frame // 2,
        "fft_length": config.get("fft_length") or frame,
    } | (
        {"num_bins": config["num_mel_bins"]}
        if "num_mel_bins" in config
        else {"mode": config.get("mode", "log")}
    )
