"""What ``torch.autocast`` makes of the dtypes of a call, which meta tensors would keep.

Sources: the lists of operations in "Automatic Mixed Precision package - torch.amp", and
``aten/src/ATen/autocast_mode.h``; for the CPU, ``tests/torch_live/test_autocast.py`` runs real calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: Computed in autocast's own dtype on every device.
_LOWER = frozenset((
    "linear", "matmul", "__matmul__", "__rmatmul__", "bmm", "mm", "addmm", "addbmm", "baddbmm", "einsum",
    "tensordot", "chain_matmul", "multi_dot", "linalg_multi_dot", "inner", "vecdot", "linalg_vecdot",
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "conv_tbc",
    "prelu", "scaled_dot_product_attention", "multi_head_attention_forward", "lstm", "rnn_tanh", "rnn_relu",
    "rnn_tanh_cell", "rnn_relu_cell",
))  # fmt: skip
_LOWER_ON = {"cuda": frozenset(("gru", "gru_cell", "lstm_cell", "mv", "addmv", "addr"))}
#: Losses are computed in float32 on every device.
_WIDE = frozenset((
    "mse_loss", "l1_loss", "smooth_l1_loss", "cross_entropy", "nll_loss", "binary_cross_entropy_with_logits",
    "kl_div", "poisson_nll_loss", "cosine_embedding_loss", "triplet_margin_loss",
    "margin_ranking_loss", "multi_margin_loss", "soft_margin_loss", "hinge_embedding_loss",
    "multilabel_margin_loss", "prod", "cdist", "grid_sample", "grid_sampler",
))  # fmt: skip
_WIDE_ON = {
    "cpu": frozenset((
        "binary_cross_entropy", "huber_loss", "ctc_loss", "max_pool3d", "avg_pool3d", "adaptive_avg_pool3d",
        "adaptive_max_pool3d", "trace", "quantile", "nanquantile", "stft", "local_response_norm", "gru",
        "gru_cell", "lstm_cell",
    )),
    "cuda": frozenset((
        "__pow__", "__rpow__", "__rdiv__", "__rtruediv__", "pow", "acos", "asin", "cosh", "sinh", "tan",
        "erfinv", "exp", "expm1", "log", "log10", "log1p", "log2", "reciprocal", "rsqrt",
        "cosine_similarity", "cumprod", "cumsum", "dist", "group_norm", "layer_norm",
        "log_softmax", "softmax", "softmin", "softplus", "norm", "normalize", "pdist", "sum", "renorm",
    )),
}  # fmt: skip
#: Computed in the widest of the operands' dtypes, which a concatenation on meta tensors does by itself.
_WIDEST_ON = {"cuda": frozenset(("addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "scatter_add"))}
_PADDED = frozenset(("reflect", "replicate"))


def autocast_arguments(
    name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], device: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call in the dtype that autocast gives them.

    Args:
        name: the function's own name.
        args: positional arguments.
        kwargs: named arguments.
        device: the type of the device that the tensors stand for.
    """
    dtype = _dtype(name, args, kwargs, device)
    if dtype is None:
        return args, dict(kwargs)

    def cast(tensor: Any) -> Any:
        stays = tensor.element_size() == 8 or tensor.dtype == dtype or not tensor.is_floating_point()
        return tensor if stays else tensor.to(dtype)

    return tuple(_mapped(arg, cast) for arg in args), {key: _mapped(arg, cast) for key, arg in kwargs.items()}


def _dtype(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], device: str) -> Any:
    """Return the dtype that the operands get, or None where they keep theirs."""
    import torch

    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return None
    if name in _LOWER or name in _LOWER_ON.get(device, ()):
        return torch.get_autocast_dtype(device)
    widest = name in _WIDEST_ON.get(device, ()) and any(
        getattr(arg, "dtype", None) == torch.float32 for arg in args
    )
    wide = name in _WIDE or name in _WIDE_ON.get(device, ())
    return torch.float32 if wide or widest or _is_padding(name, args, kwargs, device) else None


def _is_padding(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], device: str) -> bool:
    mode = args[2] if len(args) > 2 else kwargs.get("mode")
    return device == "cpu" and name == "pad" and mode in _PADDED


def _mapped(arg: Any, change: Callable[[Any], Any]) -> Any:
    import torch

    if isinstance(arg, torch.Tensor):
        return change(arg)
    if isinstance(arg, (list, tuple)) and not isinstance(arg, torch.Size):
        parts = [_mapped(part, change) for part in arg]
        return type(arg)(*parts) if hasattr(arg, "_fields") else type(arg)(parts)
    return arg
