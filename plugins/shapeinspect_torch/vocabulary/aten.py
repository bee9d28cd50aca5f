"""ATen ops in the vocabulary: only those whose argument names differ from torch's.

An op that is not listed here has the name and the arguments of the torch function that it implements.
Source: ``aten/src/ATen/native/native_functions.yaml`` (names and defaults of arguments).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect_torch.vocabulary.functions import describe_call, plain_name
from shapeinspect_torch.vocabulary.kinds import last_axes_pairs, pairs, per_axis

_Arguments: TypeAlias = "Mapping[str, Any]"
_Reader: TypeAlias = "Callable[[_Arguments, int], tuple[str, dict[str, Any]]]"
#: The end of a slice without an end.
_NO_END = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Argument:
    """A tensor that an op reads.

    Args:
        name: its name in the graph.
        shape: its lengths.
        dtype: its element type.
    """

    name: str
    shape: Shape
    dtype: str | None

    def numel(self) -> int:
        """Return the number of elements.

        Raises:
            TypeError: if a length is not an integer.
        """
        total = 1
        for length in self.shape:
            if not isinstance(length, int):
                raise TypeError(f"{length} is not a number")
            total *= length
        return total


class Described(NamedTuple):
    """The description of an op.

    Args:
        kind: its kind; ``"unknown"`` where nothing tells.
        attributes: its settings.
        weights: the arguments that are weights, by ``"Class role"`` of ``torch.nn``.
    """

    kind: str
    attributes: dict[str, Any]
    weights: dict[str, Any]


def describe_op(name: str, arguments: _Arguments, result: Argument | None) -> Described:
    """Return the kind of a call of an ATen op, its settings and its weights.

    Args:
        name: the op's name without namespace and overload, such as ``conv2d``.
        arguments: those that the file gives, by their names; tensors as :class:`Argument`.
        result: its first output tensor.

    Example:
        >>> x = Argument("x", (2, 3, 8, 8), "float32")
        >>> describe_op("max_pool2d", {"self": x, "kernel_size": [2, 2]}, None).attributes["stride"]
        (2, 2)
        >>> describe_op("mystery", {"self": x}, None).kind
        'unknown'
    """
    first = next((value for value in arguments.values() if isinstance(value, Argument)), None)
    rank = 0 if first is None else len(first.shape)
    try:
        if name in _READERS:
            kind, attributes = _READERS[name](arguments, rank)
            known = {key: value for key, value in attributes.items() if value is not None}
            rows = _convolution_weights(arguments) if name == "convolution" else _WEIGHTS.get(name, {})
            weights = {use: arguments[role] for role, use in rows.items() if arguments.get(role)}
            return Described(kind, known, weights)
        if name in _CASTS:
            return _cast(first, result)
        plain = plain_name(name)
        function, names, defaults = _RENAMED.get(plain, (plain, {}, {}))
        named = {names.get(key, key): value for key, value in {**defaults, **arguments}.items()}
        kind, attributes, uses = describe_call(function, (), named, rank)
        return Described(kind, attributes, {use: value for use, value in uses.items() if value is not None})
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Arguments that the op does not take, or an overload that the table does not know.
        return Described("unknown", {}, {})


def _convolution_weights(arguments: _Arguments) -> dict[str, str]:
    weight = arguments.get("weight")
    if not isinstance(weight, Argument):
        return {}
    class_name = f"Conv{'Transpose' if arguments.get('transposed') else ''}{len(weight.shape) - 2}d"
    return {role: f"{class_name} {role}" for role in ("weight", "bias")}


def _cast(first: Argument | None, result: Argument | None) -> Described:
    if first is None or result is None or first.dtype == result.dtype:
        return Described("identity", {}, {})
    return Described("cast", {"dtype": result.dtype}, {})


def _always(kind: str, **attributes: Any) -> _Reader:
    return lambda _a, _rank: (kind, attributes)


def _reshape(name: str) -> _Reader:
    # aten.view.dtype has no size: it reinterprets the same bytes.
    return lambda a, _rank: ("reshape", {"shape": tuple(a[name])}) if name in a else ("cast", {})


def _slice(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
    end = a.get("end")
    return "slice", {
        "axes": (a.get("dim", 0),),
        "starts": (a.get("start") or 0,),
        "ends": (None if end == _NO_END else end,),
        "steps": (a.get("step", 1),),
    }


def _unflatten(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
    return "unflatten", {"axis": a["dim"], "sizes": tuple(a["sizes"])}


def _index(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
    """One index tensor along one axis is a gather; for several, or booleans, there is no rule."""
    indexed = [(axis, index) for axis, index in enumerate(a["indices"]) if index is not None]
    if len(indexed) == 1 and indexed[0][1].dtype != "bool":
        return "gather", {"axis": indexed[0][0]}
    return "unknown", {}


def _upsample(mode: str, space: int, antialias: bool | None = None) -> _Reader:
    def read(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
        settings: dict[str, Any] = {
            "mode": mode,
            "align_corners": a.get("align_corners"),
            "antialias": antialias,
        }
        size, scale = a.get("output_size"), a.get("scale_factors")
        if size is not None:
            return "resize", {**settings, "size": per_axis(size, space)}
        return "resize", {**settings, "scale_factor": per_axis(scale, space)}

    return read


def _convolution(a: _Arguments, rank: int) -> tuple[str, dict[str, Any]]:
    weight, space = a["weight"].shape, rank - 2
    groups, transposed = a["groups"], a["transposed"]
    read = {
        "in_channels": weight[0] if transposed else weight[1] * groups,
        "out_channels": weight[1] * groups if transposed else weight[0],
        "kernel_size": tuple(weight[2:]),
        "stride": per_axis(a["stride"], space),
        "dilation": per_axis(a["dilation"], space),
        "groups": groups,
        "padding": pairs(a["padding"], space),
    }
    if transposed:
        return "conv_transpose", {**read, "output_padding": per_axis(a["output_padding"], space)}
    return "conv", read


def _recurrent(kind: str, gates: int, function: str | None = None) -> _Reader:
    def read(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
        # weight_ih is (gates·hidden) × input, weight_hh (gates·hidden) × what is passed on.
        first, width = a["params"][0].shape, a["params"][1].shape[1]
        hidden = first[0] // gates
        settings = {
            "input_size": first[1],
            "hidden_size": hidden,
            "num_layers": a["num_layers"],
            "bidirectional": a["bidirectional"],
            "proj_size": 0 if width == hidden else width,
            "batch_first": a["batch_first"],
            "return_sequences": True,
            "return_state": True,
            "cell_function": function,
        }
        return kind, {**settings, "reset_after": True} if kind == "gru" else settings

    return read


def _cell(kind: str, gates: int, function: str | None = None) -> _Reader:
    def read(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
        first = a["w_ih"].shape
        settings: dict[str, Any] = {"input_size": first[1], "hidden_size": first[0] // gates}
        settings["cell_function"] = function
        return kind, {**settings, "reset_after": True} if kind == "gru_cell" else settings

    return read


def _pad(mode: str) -> _Reader:
    def read(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
        padding = last_axes_pairs(tuple(a["pad"] if "pad" in a else a["padding"]))
        value = a.get("value", 0) if mode == "constant" else None
        return "pad", {"padding": padding, "mode": mode, "value": value}

    return read


def _fractional(a: _Arguments, _rank: int) -> tuple[str, dict[str, Any]]:
    sizes = {"kernel_size": tuple(a["kernel_size"]), "output_size": tuple(a["output_size"])}
    return "fractional_max_pool", {**sizes, "return_indices": True}


_SPACES = ((1, "1d"), (2, "2d"), (3, "3d"))
_CELLS = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}

_READERS: dict[str, _Reader] = {
    **dict.fromkeys(("view", "view_copy", "_unsafe_view"), _reshape("size")),
    **dict.fromkeys(("reshape", "_reshape_alias", "_reshape_copy"), _reshape("shape")),
    **dict.fromkeys(
        ("clone", "contiguous", "detach", "detach_", "alias", "lift_fresh_copy", "lift_fresh", "lift"),
        _always("identity"),
    ),
    **dict.fromkeys(("dropout", "native_dropout", "feature_dropout", "alpha_dropout", "dropout_"),
                    _always("dropout")),
    **dict.fromkeys(
        (
            "zeros", "ones", "full", "empty", "empty_strided", "arange", "linspace", "logspace", "eye",
            "rand", "randn", "randint", "randperm", "scalar_tensor", "zeros_like", "ones_like",
            "full_like", "empty_like", "rand_like", "randn_like", "randint_like", "new_zeros", "new_ones",
            "new_full", "new_empty", "tril_indices", "triu_indices", "hann_window", "hamming_window",
        ),
        _always("constant"),
    ),
    "expand": lambda a, _rank: ("expand", {"shape": tuple(a["size"])}),
    "expand_copy": lambda a, _rank: ("expand", {"shape": tuple(a["size"])}),
    "broadcast_to": lambda a, _rank: ("expand", {"shape": tuple(a["size"])}),
    "repeat": lambda a, _rank: ("tile", {"repeats": tuple(a["repeats"])}),
    "tile": lambda a, _rank: ("tile", {"repeats": tuple(a["dims"])}),
    "slice": _slice,
    "slice_copy": _slice,
    "narrow": lambda a, _rank: ("slice", {"axes": (a["dim"],), "starts": (a["start"],),
                                          "ends": (a["start"] + a["length"],), "steps": (1,)}),
    "unflatten": _unflatten,
    "index": _index,
    **{f"upsample_nearest{name}": _upsample("nearest", space) for space, name in _SPACES},
    **{f"_upsample_nearest_exact{name}": _upsample("nearest-exact", space) for space, name in _SPACES},
    "upsample_linear1d": _upsample("linear", 1),
    "upsample_bilinear2d": _upsample("bilinear", 2),
    "_upsample_bilinear2d_aa": _upsample("bilinear", 2, antialias=True),
    "upsample_bicubic2d": _upsample("bicubic", 2),
    "_upsample_bicubic2d_aa": _upsample("bicubic", 2, antialias=True),
    "upsample_trilinear3d": _upsample("trilinear", 3),
    "convolution": _convolution,
    "lstm": _recurrent("lstm", 4),
    "gru": _recurrent("gru", 3),
    "rnn_tanh": _recurrent("rnn", 1, "tanh"),
    "rnn_relu": _recurrent("rnn", 1, "relu"),
    "lstm_cell": _cell("lstm_cell", 4),
    "gru_cell": _cell("gru_cell", 3),
    "rnn_tanh_cell": _cell("rnn_cell", 1, "tanh"),
    "rnn_relu_cell": _cell("rnn_cell", 1, "relu"),
    "constant_pad_nd": _pad("constant"),
    **{f"reflection_pad{name}": _pad("reflect") for _, name in _SPACES},
    **{f"replication_pad{name}": _pad("replicate") for _, name in _SPACES},
    "fractional_max_pool2d": _fractional,
    "fractional_max_pool3d": _fractional,
    "quantize_per_tensor": _always("quantize"),
    "quantize_per_channel": _always("quantize"),
    "dequantize_per_tensor": _always("dequantize"),
    "dequantize_per_channel": _always("dequantize"),
    "dequantize": _always("dequantize"),
    # Sliding windows along one axis, rotated planes, and sums of products: no row computes their shapes.
    **dict.fromkeys(
        ("unfold", "unfold_copy", "rot90", "addbmm", "addmv", "var_mean", "std_mean",
         "batch_norm_update_stats"),
        _always("unknown"),
    ),
}  # fmt: skip

_RNN_CELL = {name: f"RNNCell {role}" for name, role in _CELLS.items()}
#: The weights of the ops above.
_WEIGHTS: dict[str, dict[str, str]] = {
    "lstm_cell": {name: f"LSTMCell {role}" for name, role in _CELLS.items()},
    "gru_cell": {name: f"GRUCell {role}" for name, role in _CELLS.items()},
    "rnn_tanh_cell": _RNN_CELL,
    "rnn_relu_cell": _RNN_CELL,
}

#: Ops with the name of the function that has a row, the names of its arguments, and defaults.
_RENAMED: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "layer_norm": ("layer_norm", {}, {"eps": 1e-5}),
    "native_layer_norm": ("layer_norm", {}, {}),
    "native_group_norm": ("group_norm", {}, {}),
    "embedding": ("embedding", {"indices": "input"}, {}),
    "embedding_bag": ("embedding_bag", {"indices": "input"}, {"mode": 0}),
    "_embedding_bag": ("embedding_bag", {"indices": "input"}, {"mode": 0}),
    "grid_sampler": ("grid_sample", {"interpolation_mode": "mode"}, {}),
    "grid_sampler_2d": ("grid_sample", {"interpolation_mode": "mode"}, {}),
    "grid_sampler_3d": ("grid_sample", {"interpolation_mode": "mode"}, {}),
    "_softmax": ("softmax", {}, {}),
    "_safe_softmax": ("softmax", {}, {}),
    "_log_softmax": ("log_softmax", {}, {}),
    "_adaptive_avg_pool2d": ("adaptive_avg_pool2d", {}, {}),
    "_adaptive_avg_pool3d": ("adaptive_avg_pool3d", {}, {}),
    "_native_batch_norm_legit": ("batch_norm", {}, {}),
    "_native_batch_norm_legit_functional": ("batch_norm", {}, {}),
    "_native_batch_norm_legit_no_training": ("batch_norm", {}, {"training": False}),
    "native_batch_norm": ("batch_norm", {}, {}),
    "_prelu_kernel": ("prelu", {}, {}),
    "log_sigmoid": ("logsigmoid", {}, {}),
    "im2col": ("unfold", {}, {}),
    "col2im": ("fold", {}, {}),
    "tensordot": ("tensordot", {"self": "a", "other": "b"}, {}),
    "split": ("split", {"split_sizes": "split_size_or_sections"}, {}),
    "numpy_T": ("T", {}, {}),
    "_fused_rms_norm": ("rms_norm", {}, {}),
    "_scaled_dot_product_flash_attention": ("scaled_dot_product_attention", {}, {}),
    "_scaled_dot_product_flash_attention_for_cpu": ("scaled_dot_product_attention", {}, {}),
    "_scaled_dot_product_efficient_attention": ("scaled_dot_product_attention", {}, {}),
    "_scaled_dot_product_attention_math": ("scaled_dot_product_attention", {}, {}),
}

_CASTS = frozenset({
    "to", "_to_copy", "type_as", "float", "half", "double", "bfloat16", "int", "long", "bool", "type",
    "convert_element_type", "_cast_Float", "_cast_Int",
})  # fmt: skip
