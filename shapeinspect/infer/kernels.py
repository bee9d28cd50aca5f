"""Holds the stored kernel of a convolution against its settings: a runtime refuses one of another size."""

from __future__ import annotations

from shapeinspect.errors import LayoutError, ShapeMismatchError
from shapeinspect.ir import Layer
from shapeinspect.layout import common_shape
from shapeinspect.rules.rule import mismatch, show, unlike

_CONVOLUTIONS = frozenset({"conv", "conv_transpose"})


def check_kernel(layer: Layer) -> None:
    """Refuse a convolution whose stored kernel has other lengths than its settings say.

    Args:
        layer: a layer of any kind.

    Raises:
        ShapeMismatchError: if the two lengths are known and differ.

    Example:
        >>> check_kernel(Layer("act", "activation", "Relu"))
    """
    error = misfit(layer)
    if error is not None:
        raise error


def misfit(layer: Layer) -> ShapeMismatchError | None:
    """Return what a runtime refuses about a stored kernel, or None.

    Args:
        layer: a layer of any kind.

    Example:
        >>> misfit(Layer("act", "activation", "Relu")) is None
        True
    """
    asked = layer.attributes.get("kernel_size")
    if layer.kind not in _CONVOLUTIONS or not isinstance(asked, tuple):
        return None
    for weight in layer.weights:
        if weight.layout is None or weight.layout.slot != "weight" or weight.quantization is not None:
            continue
        try:
            stored = common_shape(weight.layout, weight.shape)[2:]
        except LayoutError:
            continue
        if len(stored) != len(asked) or any(map(unlike, stored, asked)):
            got = f'{show(stored)} in the weight "{weight.name}" of {show(weight.shape)}'
            return mismatch(f"a kernel of {show(asked)}", got)
    return None
