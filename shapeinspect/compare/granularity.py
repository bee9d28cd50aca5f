"""Layers as other frameworks have them: gates of one weight, a separable convolution as two layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Frozen, Layer, Layout, Weight
from shapeinspect.layout import canonical

#: The two convolutions that a separable one is, and the slots that each takes, by its own.
_HALVES = (
    ("depthwise", {"depthwise.weight": "weight"}),
    ("pointwise", {"pointwise.weight": "weight", "bias": "bias"}),
)


def stacked(layer: Layer) -> tuple[Layer, dict[str, tuple[str, ...]]]:
    """Put the entries of a slot that are stored one by one into one weight: Keras 1 has one a gate.

    Args:
        layer: a layer.

    Returns:
        the layer, and the names of the stored weights that each one is made of, by its own.

    Example:
        >>> weights = tuple(
        ...     Weight(f"b_{gate}", f"b_{gate}", (3,), layout=Layout("o", "o", slot=f"bias.l0[{at}]"))
        ...     for at, gate in enumerate("ifgo"))
        >>> made, names = stacked(Layer("a", "lstm", "LSTM", weights=weights))
        >>> [(weight.shape, weight.layout.slot) for weight in made.weights], list(names.values())
        ([((4, 3), 'bias.l0')], [('b_i', 'b_f', 'b_g', 'b_o')])
    """
    entries = canonical.entries(layer.weights)
    if not entries:
        return layer, {}
    readers = canonical.read(layer.weights)
    made: list[Weight] = []
    names: dict[str, tuple[str, ...]] = {}
    gone: set[str] = set()
    for slot, found in entries.items():
        weights = [weight for weight, _ in found]
        piece = found[0][1]
        name = " ".join(weight.name for weight in weights)
        pattern = f"gate {piece.pattern}"
        shape = (len(found), *piece.shape)
        one = replace(
            weights[0], name=name, role=slot, shape=shape, nbytes=None, storage=None, common_shape=shape,
            layout=Layout(pattern, pattern, slot=slot), values=readers.get(slot),
        )  # fmt: skip
        made.append(one)
        names[name] = tuple(weight.name for weight in weights)
        gone.update(names[name])
    return replace(layer, weights=(*made, *(one for one in layer.weights if one.name not in gone))), names


def halves(layer: Layer) -> tuple[Layer, ...]:
    """Take a separable convolution apart into the two convolutions that it is one after the other.

    Args:
        layer: a layer.

    Returns:
        the depthwise and the pointwise one; the layer itself where it is of another kind.

    Example:
        >>> [half.path for half in halves(Layer("a", "separable_conv", "SeparableConv2D"))]
        ['a.depthwise', 'a.pointwise']
        >>> [half.path for half in halves(Layer("a", "conv", "Conv2D"))]
        ['a']
    """
    if layer.kind != "separable_conv":
        return (layer,)
    settings = dict(layer.attributes)
    into, between = settings.get("in_channels"), _channels(layer.weights)
    space = len(settings.get("kernel_size") or ())
    shared = {name: settings[name] for name in ("data_format",) if name in settings}
    first: dict[str, Any] = {
        **{name: value for name, value in settings.items() if name not in ("depth_multiplier", "activation")},
        "out_channels": between,
        "groups": into,
    }
    second: dict[str, Any] = {
        **shared,
        **{name: settings[name] for name in ("out_channels", "activation") if name in settings},
        "in_channels": between,
        **dict.fromkeys(("kernel_size", "stride", "dilation"), (1,) * space),
        "padding": ((0, 0),) * space,
        "groups": 1,
    }
    made: list[Layer] = []
    for (name, slots), attributes in zip(_HALVES, (first, second), strict=True):
        known = {name: value for name, value in attributes.items() if value is not None}
        made.append(
            replace(
                layer,
                path=f"{layer.path}.{name}",
                kind="conv",
                parts=(*(layer.parts or (layer.path,)), name),
                attributes=Frozen(known),
                weights=tuple(_taken(layer.weights, slots)),
            )
        )
    return tuple(made)


def _channels(weights: Iterable[Weight]) -> int | None:
    """Return how many channels go from the depthwise to the pointwise one."""
    found = canonical.slots(weights).get("pointwise.weight")
    length = found[1].shape[1] if found is not None else None
    return length if isinstance(length, int) else None


def _taken(weights: Sequence[Weight], slots: dict[str, str]) -> Iterable[Weight]:
    for weight in weights:
        if weight.layout is not None and weight.layout.slot in slots:
            yield replace(weight, layout=replace(weight.layout, slot=slots[weight.layout.slot]))
