"""Older names of Keras layers and settings, translated to those of Keras 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What reading settings of an unexpected form may raise: a file may hold anything.
UNEXPECTED_FORM = (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError)

#: Class names that stand for a newer one.
_CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "GroupQueryAttention": "GroupedQueryAttention",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "DenseV2": "Dense",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
    "SimpleRNNV2": "SimpleRNN",
    "NormalizationV2": "Normalization",
    "Model": "Functional",
    "Graph": "Functional",
}

#: Settings that only changed their name; those of Keras 1 first.
_SETTINGS = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "atrous_rate": "dilation_rate",
    "filter_length": "kernel_size",
    "pool_length": "pool_size",
    "inner_activation": "recurrent_activation",
    "concat_axis": "axis",
    "p": "rate",
    "bias": "use_bias",
    "batch_input_shape": "batch_shape",
}

#: What a setting of one class is called now; ``(class, old)`` to new.
_OWN_SETTINGS = {
    ("Dense", "output_dim"): "units",
    ("TimeDistributedDense", "output_dim"): "units",
    ("MaxoutDense", "output_dim"): "units",
    ("SimpleRNN", "output_dim"): "units",
    ("LSTM", "output_dim"): "units",
    ("GRU", "output_dim"): "units",
    ("UpSampling1D", "length"): "size",
}

_DATA_FORMATS = {"th": "channels_first", "tf": "channels_last"}


def modern(class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Translate a class name and its settings to Keras 3.

    Args:
        class_name: as a file or an object spells it; a ``Package>`` prefix is kept, for it means that
            the class is not Keras's own.
        config: its settings.

    Source: ``keras/legacy/interfaces.py`` of Keras 2.0, which renamed the arguments of Keras 1.

    Example:
        >>> modern("Convolution2D", {"nb_filter": 8, "nb_row": 3, "nb_col": 5, "border_mode": "same"})
        ('Conv2D', {'filters': 8, 'padding': 'same', 'kernel_size': (3, 5)})
    """
    name = _CLASSES.get(class_name, class_name)
    result: dict[str, Any] = {}
    for key, value in config.items():
        new = _OWN_SETTINGS.get((name, key)) or _SETTINGS.get(key, key)
        if new not in config or new == key:
            result[new] = value
    sides = ("kernel_dim1", "kernel_dim2", "kernel_dim3", "nb_row", "nb_col")
    kernel = tuple(result.pop(key) for key in sides if key in result)
    if kernel:
        result["kernel_size"] = kernel
    ordering = result.get("dim_ordering")
    if isinstance(ordering, str) and ordering in _DATA_FORMATS:
        result["data_format"] = _DATA_FORMATS[ordering]
    return name, result


def nested(config: Mapping[str, Any], key: str) -> tuple[str, Mapping[str, Any]] | None:
    """Return the class name and settings of a layer inside another's settings, or None.

    Args:
        config: the outer layer's settings.
        key: ``layer``, ``cell``, ``backward_layer`` …

    Example:
        >>> nested({"layer": {"class_name": "Dense", "config": {"units": 3}}}, "layer")
        ('Dense', {'units': 3})
    """
    inner = config.get(key)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("class_name"), str):
        return None
    settings = inner.get("config")
    return inner["class_name"], settings if isinstance(settings, Mapping) else {}


def quantization_mode(config: Mapping[str, Any], *, whole: bool = False) -> str | None:
    """Return how a layer's kernel is quantized (``int8``, ``int4``, ``float8`` …), or None.

    Args:
        config: the layer's settings, among them the dtype policy.
        whole: whether the settings of the mode are wanted, too: ``int4/128``.

    Source: ``keras/src/dtype_policies/dtype_policy.py``: a quantized policy is named
    ``<mode>_from_<policy>`` and has a ``mode``.

    Example:
        >>> quantization_mode({"dtype": "int8_from_float32"}), quantization_mode({"dtype": "float32"})
        ('int8', None)
    """
    dtype = config.get("dtype")
    if isinstance(dtype, Mapping):
        inner = dtype.get("config")
        if not isinstance(inner, Mapping):
            return None
        mode = inner.get("mode")
        if isinstance(mode, str):
            return mode if whole else mode.partition("/")[0]
        dtype = inner.get("name")
    if isinstance(dtype, str) and "_from_" in dtype:
        mode = dtype.partition("_from_")[0]
        return mode if whole else mode.partition("/")[0]
    return None
