"""What a TFLite interpreter declares, and another one of the same file to try things with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.plugin_api.arrays.feeds import Input

_PREFIX = "serving_default_"


def declared(details: Mapping[str, Any], free: bool = False, name: str = "") -> Input:
    """Return an input as an interpreter describes it.

    Args:
        details: an entry of ``get_input_details()``.
        free: whether lengths that the file leaves open may be anything; else those count that are allocated.
        name: its name; by default the one in the file.
    """
    import numpy as np

    lengths = details["shape_signature"] if free and len(details["shape_signature"]) else details["shape"]
    shape = tuple(int(length) if length >= 0 else "N" for length in lengths)
    scale, zero = details["quantization"]
    quantized = (float(scale), int(zero)) if scale else None
    return Input(name or short(details["name"]), shape, str(np.dtype(details["dtype"])), quantized)


def short(name: str) -> str:
    """Return the user's part of a tensor's name.

    Args:
        name: the name in the file.

    Example:
        >>> short("serving_default_picture:0")
        'picture'
    """
    return name.removeprefix(_PREFIX).removesuffix(":0")


def another(interpreter: Any) -> Any | None:
    """Return a new interpreter of the same bytes; None where the user's one was made from a path.

    Args:
        interpreter: the user's interpreter.
    """
    content = getattr(interpreter, "_model_content", None)
    return type(interpreter)(model_content=content) if content else None
