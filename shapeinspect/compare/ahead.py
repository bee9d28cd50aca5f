"""Paddings ahead of a convolution or a pool, as layers of their own: they are part of its padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.compare.functions import mode
from shapeinspect.dims import Shape
from shapeinspect.ir import Call, Layer, Model
from shapeinspect.rules.kinds.pad import padded_axes
from shapeinspect.rules.spatial import is_last

#: Pixels before and after each spatial axis.
Pairs = tuple[tuple[int, int], ...]

#: Functions that return nothing below 0: zeros around them change no maximum.
_NOT_NEGATIVE = frozenset({"relu", "relu6", "sigmoid", "hard_sigmoid", "softplus", "softmax"})


@dataclass(frozen=True, slots=True)
class Ahead:
    """A padding ahead of a layer.

    Args:
        pairs: the pixels before and after each spatial axis; None if the graph computes them.
        settings: what else the layer does by it: its ``padding_mode``, and whether a mean counts the padding.
        shape: the shape that is padded; None if it is not known.
    """

    pairs: Pairs | None
    settings: Mapping[str, Any]
    shape: Shape | None


def ahead(
    model: Model, layer: Layer, call: Call | None, makers: Mapping[str, tuple[Layer, Call]]
) -> Ahead | None:
    """Return the padding that stands ahead of a layer; None where no padding of the layer's own is the same.

    Args:
        model: the model.
        layer: the layer.
        call: its call.
        makers: for each value the layer and the call that returns it.
    """
    kernel = layer.attributes.get("kernel_size") or ()
    found = makers.get(call.inputs[0]) if call is not None and call.inputs else None
    settings = _KINDS.get(layer.kind)
    if settings is None or found is None or found[0].kind != "pad" or not kernel:
        return None
    pad, before = found
    value = model.values.get(before.inputs[0]) if before.inputs else None
    pairs = _spatial(pad, layer, len(kernel) + 2)
    if pairs is None and pad.attributes.get("padding") is not None:
        return None
    source = makers.get(before.inputs[0]) if before.inputs else None
    more = settings(pad, layer, source[0] if source is not None else None)
    return None if more is None else Ahead(pairs, more, value.shape if value is not None else None)


def _spatial(pad: Layer, layer: Layer, rank: int) -> Pairs | None:
    """Return the pairs of the layer's spatial axes; None if others are padded, or a number is not known."""
    stated: Any = pad.attributes.get("padding")
    if not isinstance(stated, tuple) or len(stated) > rank:
        return None
    every: list[Any] = [(0, 0)] * rank
    for axis, pair in zip(padded_axes(pad.attributes, rank, len(stated)), stated, strict=True):
        every[axis] = pair
    if not all(isinstance(end, int) and end >= 0 for pair in every for end in pair):
        return None
    inner, others = (
        (every[1:-1], [every[0], every[-1]]) if is_last(layer.attributes) else (every[2:], every[:2])
    )
    return tuple(inner) if all(pair == (0, 0) for pair in others) else None


def _of_conv(pad: Layer, layer: Layer, _source: Layer | None) -> Mapping[str, Any] | None:
    how = mode(pad.attributes.get("mode", "constant"))
    if how == "constant":
        usual = layer.attributes.get("padding_mode", "zeros") == "zeros"
        return {} if usual and not pad.attributes.get("value") else None
    word = {"edge": "replicate", "wrap": "circular"}.get(how, how)
    return {"padding_mode": word} if _unpadded(layer) else None


def _of_max(pad: Layer, _layer: Layer, source: Layer | None) -> Mapping[str, Any] | None:
    if mode(pad.attributes.get("mode", "constant")) != "constant":
        return None
    value = pad.attributes.get("value", 0)
    if value == float("-inf"):
        return {}
    function = (
        None if source is None else source.attributes.get("activation", source.attributes.get("function"))
    )
    return {} if not value and function in _NOT_NEGATIVE else None


def _of_mean(pad: Layer, layer: Layer, _source: Layer | None) -> Mapping[str, Any] | None:
    plain = mode(pad.attributes.get("mode", "constant")) == "constant" and not pad.attributes.get("value")
    return {"count_include_pad": True} if plain and _unpadded(layer) else None


def _unpadded(layer: Layer) -> bool:
    own: Any = layer.attributes.get("padding", "valid")
    return own == "valid" or (not isinstance(own, str) and all(end == 0 for pair in own for end in pair))


#: What a padding ahead of each kind of layer says of it; None where it is not the layer's own.
_KINDS: Mapping[str, Callable[[Layer, Layer, Layer | None], Mapping[str, Any] | None]] = {
    "conv": _of_conv,
    "max_pool": _of_max,
    "avg_pool": _of_mean,
}
