"""One setting of a module or of a function's call, changed for a run: the value that another model has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapeinspect.plugin_api.loading_script import Setting
from shapeinspect_torch.checkpoints.loading_code import pairs

#: Runs a function with another setting: given the function, its arguments, and named arguments.
Changed = Callable[[Any, "tuple[Any, ...]", "dict[str, Any]"], Any]

#: What torch calls a setting that has another name in the common vocabulary.
_NAMES = {"axis": "dim"}

#: Where the arguments of functions stand that may be given by position.
#: Source: https://docs.pytorch.org/docs/stable/nn.functional.html
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "leaky_relu": ("input", "negative_slope"),
    "elu": ("input", "alpha"),
    "softmax": ("input", "dim"),
    "log_softmax": ("input", "dim"),
    "interpolate": ("input", "size", "scale_factor", "mode", "align_corners"),
    "grid_sample": ("input", "grid", "mode", "padding_mode", "align_corners"),
    "grid_sampler": ("input", "grid", "interpolation_mode", "padding_mode", "align_corners"),
    "pad": ("input", "pad", "mode", "value"),
    "softplus": ("input", "beta", "threshold"),
    "hardshrink": ("input", "lambd"),
    "softshrink": ("input", "lambd"),
    "celu": ("input", "alpha"),
    "local_response_norm": ("input", "size", "alpha", "beta", "k"),
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "gelu": ("input",),
    **{f"conv{k}d": ("input", "weight", "bias", "stride", "padding", "dilation") for k in (1, 2, 3)},
    **{
        f"max_pool{k}d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
        for k in (1, 2, 3)
    },
    **{
        f"avg_pool{k}d": ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
        for k in (1, 2, 3)
    },
}  # fmt: skip

_SLIDING = frozenset({"conv", "max_pool", "avg_pool"})
_MORE = frozenset(
    {
        *("approximate", "align_corners", "count_include_pad", "eps", "negative_slope", "alpha", "axis"),
        *("ceil_mode", "dilation", "num_groups", "beta", "lambd", "threshold", "value", "k", "size"),
    }
)

#: What torch calls the ways to resize and to fill a padding that others call so; linear goes by the rank.
_WORDS = {"linear": "bilinear", "cubic": "bicubic", "edge": "replicate", "wrap": "circular"}
_LINEAR = {3: "linear", 5: "trilinear"}
#: Functions that have one of two names, by whether they return the logarithm.
_LOGARITHM = ("softmax", "log_softmax")


def functions() -> Mapping[str, Callable[[Any], Any]]:
    """Return torch's activations by their names in the common vocabulary."""
    import torch
    from torch.nn import functional

    return {
        "relu": torch.relu, "relu6": functional.relu6, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
        "silu": functional.silu, "swish": functional.silu, "elu": functional.elu,
        "softplus": functional.softplus,
        "gelu": functional.gelu, "leaky_relu": functional.leaky_relu, "selu": functional.selu,
        "hard_swish": functional.hardswish, "hard_sigmoid": functional.hardsigmoid, "linear": lambda x: x,
        "softmax": lambda x: torch.softmax(x, -1),
    }  # fmt: skip


def of_module(module: Any, setting: Setting) -> Callable[[Any], Any] | None:
    """Return what gives a copy of a module another forward; None where the setting cannot be changed.

    Args:
        module: the user's module.
        setting: which, and the value.
    """
    name = _NAMES.get(setting.name, setting.name)
    if setting.name == "function" and setting.value in functions():
        chosen = functions()[setting.value]
        return (lambda copy: chosen) if not list(module.parameters()) else None
    if setting.name == "mean and variance" and getattr(module, "running_mean", None) is not None:
        return _exchanged
    if setting.name == "padding" and _can_pad(setting):
        return lambda copy: _padded_forward(copy, setting)
    if setting.name in _MORE and hasattr(module, name):
        return lambda copy: _with_attribute(copy, name, setting.value)
    if setting.name == "mode" and setting.kind == "resize" and hasattr(module, "mode"):
        return lambda copy: _in_mode(copy, str(setting.value))
    if setting.name == "padding_mode" and hasattr(module, "padding_mode"):
        return lambda copy: _with_attribute(copy, "padding_mode", _word(setting.value, 0))
    return None


def _word(value: Any, rank: int) -> str:
    """Return torch's word for a way to resize so many axes, or to fill a padding."""
    word = _WORDS.get(str(value), str(value))
    return _LINEAR.get(rank, word) if word == "bilinear" else word


def _in_mode(copy: Any, value: str) -> Any:
    forward = copy.forward

    def run(x: Any) -> Any:
        copy.__dict__["mode"] = _word(value, x.dim())
        if value not in _ALIGNED:
            copy.__dict__["align_corners"] = None
        return forward(x)

    return run


#: The ways to resize that know of corners; the others refuse to be told of them.
_ALIGNED = frozenset({"linear", "bilinear", "trilinear", "bicubic", "cubic"})


def _exchanged(copy: Any) -> Any:
    copy.running_mean, copy.running_var = copy.running_var, copy.running_mean
    return copy.forward


def _with_attribute(copy: Any, name: str, value: Any) -> Any:
    copy.__dict__[name] = value
    return copy.forward


def _padded_forward(copy: Any, setting: Setting) -> Any:
    symmetric = _symmetric(setting.value)
    if symmetric is not None:
        return _with_attribute(copy, "padding", symmetric)
    forward = copy.forward
    copy.__dict__["padding"] = (0,) * len(setting.value)
    return lambda x, *args, **kwargs: forward(_padded(x, setting), *args, **kwargs)


def of_function(name: str, setting: Setting) -> Changed | None:
    """Return what runs a function with another setting; None where that is not known.

    Args:
        name: the function's plain name.
        setting: which, and the value.
    """
    if setting.name == "function" and setting.value in functions():
        chosen = functions()[setting.value]
        return lambda func, args, kwargs: chosen(args[0] if args else kwargs["input"])
    keyword = _NAMES.get(setting.name, setting.name)
    if setting.name == "padding" and _can_pad(setting) and name in _POSITIONS:
        symmetric = _symmetric(setting.value)
        ahead = None if symmetric is not None else (lambda x: _padded(x, setting))
        return _replacing(name, keyword, symmetric or (0,) * len(setting.value), ahead)
    if setting.name in _MORE and name in _POSITIONS:
        return _replacing(name, keyword, setting.value, None)
    if setting.name == "log" and name in _LOGARITHM:
        return lambda func, args, kwargs: _logarithmic(args, kwargs, bool(setting.value))
    if setting.name in ("mode", "padding_mode") and name in _POSITIONS and keyword in _POSITIONS[name]:
        return _with_word(name, keyword, setting.value)
    return None


def _logarithmic(args: tuple[Any, ...], kwargs: dict[str, Any], log: bool) -> Any:
    import torch

    given = dict(zip(_POSITIONS["softmax"], args, strict=False)) | kwargs
    return (torch.log_softmax if log else torch.softmax)(given["input"], dim=given["dim"])


def _with_word(name: str, keyword: str, value: Any) -> Changed:
    """Return what runs a function that resizes or pads in another way."""

    def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = dict(zip(_POSITIONS[name], args, strict=False)) | kwargs
        given[keyword] = _word(value, given["input"].dim())
        if name == "interpolate" and value not in _ALIGNED:
            given["align_corners"] = None
        if name == "pad" and given[keyword] != "constant":
            given.pop("value", None)
        return func(**given)

    return run


def _replacing(name: str, keyword: str, value: Any, ahead: Callable[[Any], Any] | None) -> Changed:
    positions = _POSITIONS[name]

    def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = list(args)
        named = dict(kwargs)
        if keyword in positions and positions.index(keyword) < len(given):
            given[positions.index(keyword)] = value
        else:
            named[keyword] = value
        if ahead is not None and given:
            given[0] = ahead(given[0])
        return func(*given, **named)

    return run


def _can_pad(setting: Setting) -> bool:
    """Tell whether zeros ahead of the call are the padding: a mean would count them."""
    if setting.kind not in _SLIDING or not pairs(setting.value):
        return False
    return setting.kind != "avg_pool" or _symmetric(setting.value) is not None


def _symmetric(ends: tuple[tuple[int, int], ...]) -> tuple[int, ...] | None:
    return tuple(before for before, _ in ends) if all(a == b for a, b in ends) else None


def _padded(x: Any, setting: Setting) -> Any:
    from torch.nn import functional

    ends = tuple(end for pair in reversed(setting.value) for end in pair)
    return functional.pad(x, ends, value=float("-inf") if setting.kind == "max_pool" else 0.0)
