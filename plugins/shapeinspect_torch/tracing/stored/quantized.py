"""Quantized layers run as float ones: their packed kernels have no shape functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_CONV = "in_channels out_channels kernel_size stride padding dilation groups padding_mode"
_RECURRENT = "input_size hidden_size num_layers bias batch_first dropout bidirectional"
#: Kinds whose float class is built, with the settings it takes from the quantized layer.
_BUILT = {
    "conv": _CONV,
    "conv_transpose": f"{_CONV} output_padding",
    "linear": "in_features out_features",
    "embedding": "num_embeddings embedding_dim",
    "embedding_bag": "num_embeddings embedding_dim mode",
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
    "lstm_cell": "input_size hidden_size",
    "gru_cell": "input_size hidden_size",
    "rnn_cell": "input_size hidden_size",
}
_FUSED = {"ConvReLU": "Conv", "ConvAdd": "Conv", "ConvAddReLU": "Conv", "LinearReLU": "Linear"}


def float_forward(module: Any, kind: str, native: str) -> Callable[..., Any]:
    """Return the forward of a float layer of the same settings on the meta device.

    Args:
        module: the copy of a quantized module.
        kind: its kind.
        native: the name of its class, such as ``Conv2d`` or ``ConvReLU2d``.
    """
    import torch

    names = _BUILT.get(kind)
    if names is None:
        return _same_shape
    stem = native.rstrip("123d") if native[-1] == "d" else native
    name = native.replace(stem, _FUSED.get(stem, "Linear" if kind == "linear" else stem), 1)
    settings = {key: getattr(module, key) for key in names.split() if hasattr(module, key)}
    return getattr(torch.nn, name)(**settings, device="meta").forward  # type: ignore[no-any-return]  # as Any


def _same_shape(first: Any, *_others: Any, **_settings: Any) -> Any:
    return first.clone()


def packed_weights(module: Any) -> list[tuple[str, Any]]:
    """Return the weights of a quantized layer, unpacked, with their roles.

    Args:
        module: the user's module.
    """
    if hasattr(module, "get_weight") and hasattr(module, "get_bias"):
        return [*module.get_weight().items(), *module.get_bias().items()]
    holders: tuple[Any, ...] = (module, getattr(module, "_packed_params", None))
    for holder in holders:
        if hasattr(holder, "_weight_bias"):
            weight, bias = holder._weight_bias()
            return [("weight", weight)] if bias is None else [("weight", weight), ("bias", bias)]
    weight = getattr(module, "weight", None)
    return [("weight", weight())] if callable(weight) else []
