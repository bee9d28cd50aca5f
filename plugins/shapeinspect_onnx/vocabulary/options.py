"""Attributes that change what an operator computes, and that no setting of the common vocabulary names.

A row gives for each attribute its default; ``None`` where the standard has none. What differs from it is kept
under the attribute's own name, as ``options``. Attributes that change no value, or that the shapes and the
types of the inputs tell, are in ``UNUSED``.

Source: the operators' own pages, https://onnx.ai/onnx/operators/ , "Attributes".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect_onnx.reading.node import Node

Settings = dict[str, Any]
Reader = Callable[[Node], Settings]

#: Attributes that change no value of a trained model, and why.
UNUSED: Mapping[str, str] = {
    "consumed_inputs": "the memory of inputs that are written to",
    "seed": "which random numbers are drawn",
    "dtype": "the type of the output, which it has itself",
    "output_datatype": "the type of the output, which it has itself",
    "output_dtype": "the type of the output, which it has itself",
    "precision": "the type in which it is computed",
    "stash_type": "the type in which it is computed",
    "softmax_precision": "the type in which it is computed",
    "is_test": "exporters of the opsets that have it write 1 for inference",
    "spatial": "exporters of the opsets that have it write 1 for images",
    "broadcast": "the shapes of the inputs tell whether they are broadcast",
    "output_sequence": "the outputs that are named tell which are wanted",
    "num_outputs": "as many outputs are named",
}

_ARITHMETIC = ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor")
_BROADCAST: Mapping[str, Any] = {"axis": None}
_ACTIVATED: Mapping[str, Any] = {"clip": None, "activation_alpha": None, "activation_beta": None}
_ORDER: Mapping[str, Any] = {"exclusive": 0, "reverse": 0}
_DRAWN: Mapping[str, Any] = {"mean": 0.0, "scale": 1.0}
_EVEN: Mapping[str, Any] = {"low": 0.0, "high": 1.0}
_LAST: Mapping[str, Any] = {"select_last_index": 0}
_CAST: Mapping[str, Any] = {"round_mode": "up", "saturate": 1}
_LOSS: Mapping[str, Any] = {"ignore_index": None}
_FIRST_AXIS: Mapping[str, Any] = {"axis": 0}
_WINDOW: Mapping[str, Any] = {"periodic": 1}

#: The attributes of each operator, and their defaults.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(_ARITHMETIC, _BROADCAST),
    **dict.fromkeys(("BlackmanWindow", "HammingWindow", "HannWindow"), _WINDOW),
    **dict.fromkeys(("RandomNormal", "RandomNormalLike"), _DRAWN),
    **dict.fromkeys(("RandomUniform", "RandomUniformLike"), _EVEN),
    **dict.fromkeys(("CumProd", "CumSum"), _ORDER),
    **dict.fromkeys(("ArgMax", "ArgMin"), _LAST),
    **dict.fromkeys(("Cast", "CastLike"), _CAST),
    **dict.fromkeys(("GRU", "RNN"), _ACTIVATED),
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), _LOSS),
    **dict.fromkeys(("GatherElements", "Scatter"), _FIRST_AXIS),
    "AffineGrid": {"align_corners": 0},
    "Attention": {
        "left_window_size": -1, "right_window_size": -1, "qk_matmul_output_mode": 0, "softcap": 0.0,
    },
    "BitShift": {"direction": None},
    "CausalConvWithState": {"activation": "none"},
    "CenterCropPad": {"axes": None},
    "DeformConv": {"offset_group": 1},
    "DequantizeLinear": {"block_size": 0},
    "EyeLike": {"k": 0},
    "Gemm": {"alpha": 1.0, "beta": 1.0},
    "Hardmax": {"axis": -1},
    "ImageDecoder": {"pixel_format": "RGB"},
    "IsInf": {"detect_negative": 1, "detect_positive": 1},
    "LSTM": {**_ACTIVATED, "input_forget": 0},
    "LinearAttention": {"chunk_size": 64, "scale": 0.0},
    "LpNormalization": {"axis": -1, "p": 2},
    "MaxPool": {"storage_order": 0},
    "MaxRoiPool": {"spatial_scale": 1.0},
    "MeanVarianceNormalization": {"axes": (0, 2, 3)},
    "Mod": {"fmod": 0},
    "NonMaxSuppression": {"center_point_box": 0},
    "QuantizeLinear": {"block_size": 0, "saturate": 1},
    "RegexFullMatch": {"pattern": None},
    "Resize": {"extrapolation_value": 0.0, "exclude_outside": 0, "cubic_coeff_a": -0.75},
    "ReverseSequence": {"batch_axis": 1, "time_axis": 0},
    "RoiAlign": {
        "coordinate_transformation_mode": "half_pixel", "mode": "avg", "sampling_ratio": 0,
        "spatial_scale": 1.0,
    },
    "RotaryEmbedding": {"interleaved": 0, "num_heads": None, "rotary_embedding_dim": 0},
    "Scan": {
        "directions": None, "num_scan_inputs": None, "scan_input_axes": None, "scan_input_directions": None,
        "scan_output_axes": None, "scan_output_directions": None,
    },
    "ScatterElements": {"axis": 0, "reduction": "none"},
    "ScatterND": {"reduction": "none"},
    "Selu": {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323},
    "Shrink": {"bias": 0.0},
    "SpaceToDepth": {"mode": "DCR"},
    "StringNormalizer": {"case_change_action": "NONE", "is_case_sensitive": 0, "locale": None},
    "StringSplit": {"delimiter": None, "maxsplit": None},
    "SwiGLU": {"alpha": 1.0},
    "Swish": {"alpha": 1.0},
    "TensorScatter": {"axis": -2, "mode": "linear"},
    "TfIdfVectorizer": {
        "max_gram_length": None, "max_skip_count": None, "min_gram_length": None, "mode": None,
        "ngram_counts": None, "pool_int64s": None, "pool_strings": None, "weights": None,
    },
    "TopK": {"largest": 1, "sorted": 1},
    "Trilu": {"upper": 1},
    "Unique": {"sorted": 1},
}  # fmt: skip

#: Defaults that older versions of an operator had: up to which version, and the value.
OLDER: Mapping[tuple[str, str], tuple[int, Any]] = {
    ("Hardmax", "axis"): (12, 1),
    ("Selu", "alpha"): (5, 1.673200011253357),
    ("Selu", "gamma"): (5, 1.0506999492645264),
}


def default(op: str, attribute: str, version: int) -> Any:
    """Return what an attribute is where a node does not state it.

    Args:
        op: the operator.
        attribute: its attribute.
        version: the version of the standard's operators.

    Example:
        >>> default("Hardmax", "axis", 11), default("Hardmax", "axis", 13)
        (1, -1)
    """
    last, value = OLDER.get((op, attribute), (0, None))
    return value if version <= last else OPTIONS[op][attribute]


def with_options(op: str, settings: Reader) -> Reader:
    """Return a reader that adds what no setting names.

    Args:
        op: the operator.
        settings: reads the settings.

    Example:
        >>> with_options("CumSum", lambda node: {})(Node("CumSum", 14, {"exclusive": 1, "reverse": 0}))
        {'options': {'exclusive': 1}}
    """
    names = OPTIONS.get(op)
    if names is None:
        return settings

    def read(node: Node) -> Settings:
        stated = {name: node.get(name) for name in names if name in node.attributes}
        other = {name: value for name, value in stated.items() if value != default(op, name, node.version)}
        return {**settings(node), **({"options": Frozen(other)} if other else {})}

    return read
