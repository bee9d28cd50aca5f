"""One name for each activation, however a framework spells it and by what bounds it writes it."""

from __future__ import annotations

import math
from typing import Any

from shapeinspect.ir import Layer

#: Functions that frameworks call by several names.
_ALIASES = {
    "silu": "swish",
    "hardswish": "hard_swish",
    "hard_silu": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "hardtanh": "hard_tanh",
    "hardshrink": "hard_shrink",
    "softshrink": "soft_shrink",
    "tanhshrink": "tanh_shrink",
}
#: Functions that only cut off, with the bounds that they have where none are stated.
_BOUNDED = {
    "hard_tanh": (-1.0, 1.0),
    "clip": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
}
_NAMED = {(0.0, 6.0): "relu6", (0.0, math.inf): "relu", (-1.0, 1.0): "hard_tanh"}


#: What frameworks call the ways to resize and to fill a padding, by one name.
_MODES = {
    "bilinear": "linear",
    "trilinear": "linear",
    "bicubic": "cubic",
    "replicate": "edge",
    "circular": "wrap",
    "reflection": "reflect",
}


def mode(name: Any) -> Any:
    """Return one name of a way to resize or to fill a padding that has several.

    Args:
        name: any of them.

    Example:
        >>> mode("bilinear"), mode("replicate"), mode("area")
        ('linear', 'edge', 'area')
    """
    return _MODES.get(name.lower(), name.lower()) if isinstance(name, str) else name


def canonical(layer: Layer) -> Any:
    """Return the name of a layer's function in one spelling; with its bounds where it has no name of its own.

    Args:
        layer: the layer.

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> def named(**settings):
        ...     return canonical(Layer("a", "activation", "", attributes=Frozen(settings)))
        >>> named(function="hardtanh", min_val=0, max_val=6), named(function="clip", min=0.0)
        ('relu6', 'relu')
        >>> named(function="clip", min=-2.0, max=2.0)
        'clip to -2…2'
    """
    settings = layer.attributes
    name = alias(settings.get("function"))
    if name not in _BOUNDED:
        return name
    low, high = _BOUNDED[name]
    low = _bound(settings.get("min_val", settings.get("min")), low)
    high = _bound(settings.get("max_val", settings.get("max")), high)
    return _NAMED.get((low, high), f"clip to {low:g}…{high:g}")


def alias(name: Any) -> Any:
    """Return one name of a function that has several.

    Args:
        name: any of them.

    Example:
        >>> alias("hardswish"), alias("gelu")
        ('hard_swish', 'gelu')
    """
    return _ALIASES.get(name, name) if isinstance(name, str) else name


def _bound(stated: Any, usual: float) -> float:
    return float(stated) if isinstance(stated, int | float) else usual
