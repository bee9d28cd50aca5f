"""Shapes of the most common functions by the core's own rules; torch computes all others.

Since torch's shape functions are written in Python, the first one that runs imports its compiler
and a computer algebra system (a second, 800 modules). Most networks need none of them: the
functions of this table are computed by ``shapeinspect.rules``, and only where the arguments are plain
(one floating dtype, contiguous activations, weights that fit). Anything else, errors above all, is
left to torch, so that the user sees torch's own messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.errors import ShapeInspectError
from shapeinspect.rules import RULES
from shapeinspect_torch.vocabulary.functions import describe_call, plain_name

_KINDS = frozenset((
    "conv", "conv_transpose", "linear", "batch_norm", "instance_norm", "layer_norm", "rms_norm", "group_norm",
    "activation", "max_pool", "avg_pool", "adaptive_avg_pool", "elementwise", "concat", "stack", "softmax",
    "dropout", "matmul", "reduce", "embedding", "attention", "resize", "channel_shuffle",
    "pixel_shuffle", "glu",
))  # fmt: skip
#: Functions whose output dtype and shape follow from the kind alone.
_OPS = frozenset((
    "add", "sub", "mul", "div", "pow", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "square", "sin", "cos",
    "maximum", "minimum", "mean", "sum", "amax", "amin",
))  # fmt: skip
#: Kinds whose result is contiguous whatever the strides of a sequence it reads.
_CONTIGUOUS = frozenset(("linear", "matmul", "concat", "embedding", "layer_norm", "softmax"))
_RANKS = {"bmm": 3, "mm": 2}
_REFUSED = ("out", "dtype", "return_indices", "correction", "scale_grad_by_freq", "alpha")


def quick(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], tensors: list[Any]) -> Any:
    """Return the outputs of a function, or None where torch must compute them.

    Args:
        name: its own name, such as ``add_``.
        args: positional arguments.
        kwargs: named arguments.
        tensors: all tensors among them; on meta, all of them.
    """
    import torch

    if torch.is_grad_enabled() or not tensors or _is_special(args, kwargs):
        return None
    plain = plain_name(name)
    if name in _RANKS and any(tensor.dim() != _RANKS[name] for tensor in tensors):
        return None  # it does not broadcast, as matmul does
    if plain in ("max", "min"):  # with an axis they return the indices too
        return None
    try:
        kind, attributes, weights = describe_call(plain, args, kwargs, tensors[0].dim())
        if kind not in _KINDS or (kind in ("elementwise", "reduce") and attributes["op"] not in _OPS):
            return None
        data = [tensor for tensor in tensors if not any(tensor is weight for weight in weights.values())]
        if not _is_plain(kind, data, weights, args, tensors):
            return None
        if kind == "attention":
            return _attended(data, args, kwargs)
        if kind.endswith("_pool") and data[0].dim() != 2 + len(_window(attributes)):
            return None
        shape = RULES[kind].outputs(attributes, tuple(tuple(tensor.shape) for tensor in data))[0]
    except (ShapeInspectError, KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError):
        return None  # torch raises the error itself
    if shape is None or not all(isinstance(dim, int) and dim >= 0 for dim in shape):
        return None
    if _in_place(name, kind, args, kwargs):
        if tuple(args[0].shape) != shape:
            return None
        torch.autograd.graph.increment_version(args[0])
        return args[0]
    return (weights["Embedding weight"] if kind == "embedding" else data[0]).new_empty(shape)


def _is_plain(
    kind: str, data: list[Any], weights: Mapping[str, Any], args: tuple[Any, ...], tensors: list[Any]
) -> bool:
    first = tensors[-1] if kind == "embedding" else data[0]
    if not first.is_floating_point() or any(t.dtype != first.dtype for t in tensors if t.is_floating_point()):
        return False
    if kind != "embedding" and not all(tensor.is_floating_point() for tensor in tensors):
        return False
    if any(isinstance(arg, (bool, complex)) for arg in args[1:2]) and kind == "elementwise":
        return False
    free = kind in _CONTIGUOUS and all(tensor.dim() <= 3 for tensor in data)
    free = free or kind in ("attention", "matmul")
    if not free and not all(tensor.is_contiguous() for tensor in data):
        return False
    return _weights_fit(kind, data, {key.split()[1]: value for key, value in weights.items()})


def _weights_fit(kind: str, data: list[Any], weights: Mapping[str, Any]) -> bool:
    """Check what the kind's rule does not: biases, scales and statistics."""
    shapes = {role: tuple(weight.shape) for role, weight in weights.items() if weight is not None}
    if kind in ("conv", "linear", "conv_transpose"):
        kernel = shapes["weight"]
        if kind == "linear":
            return len(kernel) == 2 and shapes.get("bias", kernel[:1]) == kernel[:1]
        channels = kernel[:1] if kind == "conv" else shapes.get("bias", ())
        return shapes.get("bias", channels) == channels and data[0].dim() == len(kernel)
    if kind in ("batch_norm", "instance_norm", "group_norm"):
        return data[0].dim() > 1 and all(shape == (data[0].shape[1],) for shape in shapes.values())
    if kind in ("layer_norm", "rms_norm"):
        return all(shape == tuple(data[0].shape[-len(shape) :]) for shape in shapes.values())
    return True


def _is_special(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    import torch

    asked = any(kwargs.get(key) is not None and kwargs[key] is not False for key in _REFUSED)
    return asked or len(args) > 7 or any(isinstance(arg, torch.dtype) for arg in args)


def _in_place(name: str, kind: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if (name.endswith("_") and not name.endswith("__")) or kwargs.get("inplace"):
        return True
    return (kind == "activation" and args[-1] is True) or (kind == "dropout" and args[3:4] == (True,))


def _window(attributes: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(attributes["kernel_size"] if "kernel_size" in attributes else attributes["output_size"])


def _attended(data: list[Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    query, key, value = data[:3]
    grouped = kwargs.get("enable_gqa") or len(args) > 3 or kwargs.get("attn_mask") is not None
    same = query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    fits = query.shape[-1] == key.shape[-1] and key.shape[-2] == value.shape[-2]
    if grouped or not (same and fits and query.dim() == 4):
        return None
    batch, heads, steps, _ = query.shape
    # The fused kernels store their result with the heads next to their features.
    return query.new_empty((batch, steps, heads, value.shape[-1])).transpose(1, 2)
