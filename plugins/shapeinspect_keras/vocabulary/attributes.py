"""What the settings of a Keras layer are called in the common vocabulary: a row a setting, a reader a family.

Every reader takes:
    config: the settings of one layer, in the spelling of Keras 3.
    rank: the number of spatial axes of the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

Attributes: TypeAlias = "dict[str, Any]"
Reader: TypeAlias = Callable[[Mapping[str, Any], int], "Attributes"]
#: Brings a value into the form of the vocabulary, for a layer with so many spatial axes.
Form: TypeAlias = "Callable[[Any, int], Any]"


def _plain(value: Any, _rank: int) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _flag(value: Any, _rank: int) -> bool:
    return bool(value)


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    """Give a setting one entry a spatial axis."""
    return tuple(value) if isinstance(value, list | tuple) else (value,) * rank


def _pairs(value: Any, rank: int) -> tuple[Any, ...]:
    """Give a padding or cropping its (before, after) pairs, as Keras's own layers read them."""
    if rank == 1 and isinstance(value, list | tuple) and len(value) == 2:
        return (tuple(value),)
    each = _each(value, rank)
    return tuple(tuple(pair) if isinstance(pair, list | tuple) else (pair, pair) for pair in each)


def _layout(value: Any, _rank: int) -> str:
    return "channels_first" if value == "channels_first" else "channels_last"


def _one_axis(value: Any, _rank: int) -> int:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int) else -1


def _axes(value: Any, _rank: int) -> Any:
    """Give one axis as a number, several as a tuple."""
    several = tuple(value) if isinstance(value, list | tuple) else (value,)
    return several[0] if len(several) == 1 else several


def _several(value: Any, _rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _both(value: Any, _rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)


def _numbers(value: Any, _rank: int) -> Any:
    """Give an array of numbers as nested tuples; an array that a file spells as an object is left out."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        items = tuple(_numbers(item, 0) for item in value)
        return None if None in items else items
    return value if isinstance(value, int | float) else None


#: Stands between tokens: no token holds it.
_SEPARATOR = "\0"


def _digest(value: Any, _rank: int) -> Any:
    """Tell lists of tokens or weights apart by their length and a check sum."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return value if isinstance(value, str) else None
    digest = sha256(_SEPARATOR.join(map(str, value)).encode("utf-8", "replace")).hexdigest()
    return f"{len(value)}, sha256 {digest[:8]}"


def _fixed_shape(value: Any, _rank: int) -> Any:
    whole = isinstance(value, list | tuple) and all(item is None or type(item) is int for item in value)
    return tuple(value) if whole else None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Args:
        name: what the vocabulary calls it.
        keras: what Keras calls it; the same if empty.
        form: brings its value into the form of the vocabulary.
        default: Keras's default; a setting without one is left out where the layer does not name it.
    """

    name: str
    keras: str = ""
    form: Form = _plain
    default: Any = None


def reader(*settings: Setting, **fixed: Any) -> Reader:
    """Return a reader of some settings.

    Args:
        settings: the settings.
        fixed: attributes that every layer of the family has.

    Example:
        >>> reader(Setting("out_features", "units"))({"units": 5}, 0)
        {'out_features': 5}
    """

    def read(config: Mapping[str, Any], rank: int) -> Attributes:
        result = dict(fixed)
        for setting in settings:
            value = config.get(setting.keras or setting.name)
            value = setting.default if value is None else value
            value = None if value is None else setting.form(value, rank)
            if value is not None:
                result[setting.name] = value
        return result

    return read


def _together(*readers: Reader) -> Reader:
    return lambda config, rank: {
        name: value for read in readers for name, value in read(config, rank).items()
    }


_DATA_FORMAT = Setting("data_format", form=_layout, default="channels_last")
_EPS = Setting("eps", "epsilon", default=1e-3)
_CONV = (
    Setting("out_channels", "filters"),
    Setting("kernel_size", form=_each, default=1),
    Setting("stride", "strides", _each, 1),
    Setting("padding", default="valid"),
    Setting("dilation", "dilation_rate", _each, 1),
    _DATA_FORMAT,
)
_GROUPS = Setting("groups", default=1)
_DEPTH = Setting("depth_multiplier", default=1)
_UNITS = Setting("hidden_size", "units")
_SIZE = Setting("output_size", form=_each, default=1)


def _when(name: str, keras: str = "") -> Setting:
    """Return a setting that a layer has only where it is switched on."""
    return Setting(name, keras, _on)


def _on(value: Any, _rank: int) -> Any:
    return True if value else None


def _returns(config: Mapping[str, Any], _rank: int) -> Attributes:
    switched = ("stateful", "zero_output_for_mask")
    return {
        "return_sequences": bool(config.get("return_sequences")),
        "return_state": bool(config.get("return_state")),
        **({"direction": "reverse"} if config.get("go_backwards") else {}),
        **{name: True for name in switched if config.get(name)},
    }


_RECURRENT = _together(reader(_UNITS, num_layers=1, bidirectional=False, batch_first=True), _returns)

nothing = reader()
conv = reader(*_CONV, _GROUPS)
# A depthwise convolution has a group for each channel: the weights or the input show how many.
depthwise = reader(*_CONV, _DEPTH)
separable = reader(*_CONV, _GROUPS, _DEPTH)
conv_lstm = _together(conv, reader(Setting("hidden_size", "filters")), _returns)
linear = reader(Setting("out_features", "units"))
einsum_dense = reader(Setting("equation"))
embedding = reader(
    Setting("num_embeddings", "input_dim"),
    Setting("embedding_dim", "output_dim"),
    _when("mask_zero"),
    Setting("logit_soft_cap"),
)
batch_norm = reader(_EPS, Setting("momentum", default=0.99), Setting("axis", form=_one_axis, default=-1))
axes_norm = reader(_EPS, Setting("axis", form=_axes, default=-1), _when("rms_scaling"))
rms_norm = reader(Setting("eps", "epsilon", default=1e-6), Setting("axis", form=_axes, default=-1))
recurrent = _RECURRENT
gru = _together(_RECURRENT, reader(Setting("reset_after", form=_flag, default=False)))
cudnn_gru = _together(_RECURRENT, reader(reset_after=True))
cell = reader(_UNITS)
gru_cell = reader(_UNITS, Setting("reset_after", form=_flag, default=False))
_SEEN = (Setting("sliding_window"), _when("gated", "use_gate"))
grouped_query = reader(
    Setting("num_heads", "num_query_heads"),
    Setting("num_kv_heads", "num_key_value_heads"),
    Setting("head_dim"),
    *_SEEN,
    batch_first=True,
)
# Source: ``_calculate_scores`` of keras/src/layers/attention/attention.py and additive_attention.py: the
# products are not scaled.
plain_attention = reader(
    Setting("score_mode", default="dot"), num_heads=1, projected=False, batch_first=True, scale=1.0
)
additive_attention = reader(num_heads=1, projected=False, batch_first=True, score_mode="additive", scale=1.0)
adaptive_pool = reader(_SIZE, _DATA_FORMAT)
global_pool = reader(Setting("keepdims", form=_flag, default=False), _DATA_FORMAT)
softmax = reader(Setting("axis", default=-1))
concat = reader(Setting("axis", default=-1))
dot = reader(Setting("axes", form=_both, default=-1), _when("normalize"))
masking = reader(Setting("mask_value", default=0.0))
prelu = reader(Setting("shared_axes", form=_several))
leaky_relu = reader(Setting("negative_slope", default=0.3), function="leaky_relu")
elu = reader(Setting("alpha", default=1.0), function="elu")
thresholded_relu = reader(Setting("threshold", "theta", default=1.0), function="thresholded_relu")
rescaling = reader(
    Setting("scale", form=_numbers), Setting("offset", form=_numbers, default=0.0), op="rescale"
)
normalization = reader(
    Setting("axis", form=_axes), _when("inverted", "invert"), Setting("mean", form=_numbers),
    Setting("variance", form=_numbers),
)  # fmt: skip
unit_norm = reader(Setting("axis", form=_axes, default=-1))
lambda_layer = reader(Setting("output_shape", form=_fixed_shape))
repeat_vector = reader(Setting("count", "n"), axis=1, new_axis=True)
padding = reader(Setting("padding", form=_pairs, default=1), _DATA_FORMAT)
cropping = reader(Setting("padding", "cropping", _pairs, 1), _DATA_FORMAT)
# Source: ``call`` of keras/src/layers/reshaping/flatten.py: channels that stand first are moved last.
flatten = reader(_DATA_FORMAT, start_axis=1, end_axis=-1)
upsampling = reader(
    Setting("scale_factor", "size", _each, 2),
    Setting("mode", "interpolation", default="nearest"),
    _DATA_FORMAT,
)


dropout = reader(Setting("rate", "p"), Setting("rate"), Setting("stddev", "sigma"), Setting("stddev"))


def named(function: str) -> Reader:
    """Return a reader that names the function of an activation.

    Args:
        function: its name.
    """
    return reader(function=function)


def elementwise(op: str) -> Reader:
    """Return a reader that names the operation of a merge layer.

    Args:
        op: its name.
    """
    return reader(op=op)


def conv_transpose(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a transposed convolution."""
    result = conv(config, rank)
    output_padding = config.get("output_padding")
    if output_padding is not None:
        # Source: keras/src/backend/common/backend_utils.py, _get_output_shape_given_tf_padding.
        result["output_padding"] = _each(output_padding, rank)
        sizes = zip(result["kernel_size"], result["dilation"], strict=False)
        half = [(size + (size - 1) * (dilation - 1)) // 2 for size, dilation in sizes]
        result["padding"] = tuple((pad, pad) if result["padding"] == "same" else (0, 0) for pad in half)
    fixed = config.get("output_shape")
    if isinstance(fixed, list | tuple) and len(fixed) == rank + 2:  # Keras 1 fixes it, batch included
        begin = 2 if result["data_format"] == "channels_first" else 1
        result["output_shape"] = tuple(fixed[begin : begin + rank])
    return result


def group_norm(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a GroupNormalization."""
    settings = (
        Setting("num_groups", "groups", default=32),
        Setting("axis", form=_one_axis, default=-1),
        _EPS,
    )
    result = reader(*settings)(config, rank)
    return {**result, "data_format": "channels_first" if result["axis"] == 1 else "channels_last"}


def multi_head(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a MultiHeadAttention."""
    axes = Setting("attention_axes", form=_several)
    settings = (Setting("num_heads"), Setting("head_dim", "key_dim"), axes, *_SEEN)
    result = reader(*settings, batch_first=True)(config, rank)
    if config.get("value_dim") not in (None, config.get("key_dim")):
        result["value_head_dim"] = config["value_dim"]
    shape = config.get("output_shape")
    if isinstance(shape, int) or (isinstance(shape, list | tuple) and len(shape) == 1):
        result["out_features"] = shape if isinstance(shape, int) else shape[0]
    return result


def pool(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a pooling layer; without strides it moves by its size."""
    size = config.get("pool_size", 2)
    settings = (
        Setting("kernel_size", "pool_size", _each, 2),
        Setting("stride", "strides", _each, size),
        Setting("padding", default="valid"),
        _DATA_FORMAT,
    )
    return reader(*settings, count_include_pad=False)(config, rank)


def reshape(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Reshape."""
    return {"shape": tuple(config.get("target_shape") or ()), "batch_kept": True}


def permute(config: Mapping[str, Any], _rank: int) -> Attributes:
    """Read the settings of a Permute."""
    return {"axes": (0, *(config.get("dims") or ()))}


def resizing(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a Resizing."""
    fitted = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    settings = (Setting("mode", "interpolation", default="bilinear"), _DATA_FORMAT, *map(_when, fitted))
    result = reader(*settings)(config, rank)
    if result.get("pad_to_aspect_ratio"):
        result |= reader(Setting("fill_mode"), Setting("fill_value"))(config, rank)
    return {"size": (config.get("height"), config.get("width")), **result}


def cut(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a CenterCrop or RandomCrop."""
    return resizing(config, rank) | {"mode": "crop"}


def relu(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a ReLU: one with a limit or a slope is the function of that name.

    Source: ``call`` of keras/src/layers/activations/relu.py, 3.15.
    """
    settings = (Setting("max_val", "max_value"), Setting("negative_slope"), Setting("threshold"))
    result = {name: value for name, value in reader(*settings)(config, rank).items() if value}
    if result == {"max_val": 6}:
        return {"function": "relu6", **result}
    return {"function": "leaky_relu" if set(result) == {"negative_slope"} else "relu", **result}


def augment(function: str) -> Reader:
    """Return a reader of a layer that changes images also at inference.

    Args:
        function: what it does.
    """
    settings = (Setting("bins"), Setting("value_range", form=_numbers), Setting("clip_limit"),
                Setting("tile_grid_size"))  # fmt: skip
    return reader(*settings, function=function)


#: What says how a lookup finds an entry, where it is not Keras's default.
_FOUND = (
    *(Setting("num_oov_indices", form=_plain), _when("inverted", "invert"), Setting("salt", form=_plain)),
    *(Setting("mask_token"), Setting("mask_value"), Setting("oov_token"), Setting("oov_method")),
    *(Setting("boundaries", "bin_boundaries", _numbers), Setting("standardize"), Setting("split")),
    *(Setting("ngrams", form=_plain), Setting("vocabulary", form=_digest)),
    *(Setting("idf_weights", form=_digest), _when("pad_to_max_tokens"), _when("sparse"), _when("ragged")),
    Setting("encoding"),
)


def lookup(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a lookup layer.

    Source: ``compute_output_shape`` of keras/src/layers/preprocessing, 3.15.
    """
    boundaries = config.get("bin_boundaries")
    depth: Any = None
    if config.get("max_tokens") and config.get("pad_to_max_tokens"):
        depth = config["max_tokens"]
    elif config.get("vocabulary_size") and config.get("output_mode") != "int":
        depth = config["vocabulary_size"]
    elif isinstance(boundaries, list | tuple):
        depth = len(boundaries) + 1
    else:
        depth = next(
            (config[key] for key in ("num_tokens", "num_bins", "max_tokens") if config.get(key)), None
        )
    result: Attributes = {"output_mode": config.get("output_mode", "int")}
    if type(depth) is int:
        result["depth"] = depth
    length = config.get("output_sequence_length")
    return result | ({"length": length} if length is not None else {}) | reader(*_FOUND)(config, rank)


def encoding(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of a CategoryEncoding."""
    return lookup({"output_mode": "multi_hot", **config}, rank)


def spectrogram(config: Mapping[str, Any], rank: int) -> Attributes:
    """Read the settings of an STFT or a MelSpectrogram."""
    frame = config.get("frame_length", config.get("sequence_length") or config.get("fft_length", 2048))
    lengths = {
        "frame_length": frame,
        "stride": config.get("frame_step", config.get("sequence_stride")) or frame // 2,
        "fft_length": config.get("fft_length") or frame,
    }
    window = (Setting("window", form=_name),)
    if "num_mel_bins" in config:
        mel = ("sampling_rate", "min_freq", "max_freq", "top_db", "mag_exp", "min_power", "ref_power")
        settings = (*window, Setting("num_bins", "num_mel_bins"), _when("power_to_db"), *map(Setting, mel))
        return lengths | reader(*settings, padding="centered")(config, rank)
    settings = (
        *window, Setting("mode", default="log"), Setting("scaling"), _when("periodic"),
        _when("new_axis", "expand_dims"), Setting("padding", default="valid"), _DATA_FORMAT,
    )  # fmt: skip
    return lengths | reader(*settings)(config, rank)


def _name(value: Any, _rank: int) -> Any:
    return value if isinstance(value, str) else None
