"""Brings layers to one granularity: stacks gates, splits separable convolutions and recurrent stacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Layout, Weight
from shapeinspect.layout import canonical

#: The two convolutions of a separable one, and the slots that each takes over, with their new names.
_HALVES = (
    ("depthwise", {"depthwise.weight": "weight"}),
    ("pointwise", {"pointwise.weight": "weight", "bias": "bias"}),
)

#: The layer of a recurrent stack in the name of a slot, counted from 0.
_LAYER = re.compile(r"\.l(\d+)")


def stacked(layer: Layer) -> tuple[Layer, dict[str, tuple[Weight, ...]]]:
    """Stack the entries of a slot that are stored as separate weights: Keras 1 stores one weight a gate.

    Args:
        layer: a layer.

    Returns:
        the layer, and for each stacked weight, by name, the stored weights in it.

    Example:
        >>> weights = tuple(
        ...     Weight(f"b_{gate}", f"b_{gate}", (3,), layout=Layout("o", "o", slot=f"bias.l0[{index}]"))
        ...     for index, gate in enumerate("ifgo"))
        >>> layer, names = stacked(Layer("a", "lstm", "LSTM", weights=weights))
        >>> [(weight.shape, weight.layout.slot) for weight in layer.weights], list(names)
        ([((4, 3), 'bias.l0')], ['b_i b_f b_g b_o'])
    """
    entries = canonical.entries(layer.weights)
    if not entries:
        return layer, {}
    readers = canonical.read(layer.weights)
    stacks: list[Weight] = []
    names: dict[str, tuple[Weight, ...]] = {}
    replaced: set[str] = set()
    like, one = next(part for parts in entries.values() for part in parts if part is not None)
    for slot, parts in entries.items():
        held = {part[0].name: part[0] for part in parts if part is not None}
        name = " ".join(held) or f"{slot} of {layer.path}"
        shaped = next((part[1] for part in parts if part is not None), one)
        pattern = f"gate {shaped.pattern}"
        shape = (len(parts), *shaped.shape)
        stack = replace(
            next(iter(held.values()), like), name=name, role=slot, shape=shape, nbytes=None, storage=None,
            common_shape=shape, layout=Layout(pattern, pattern, slot=slot), values=readers.get(slot),
        )  # fmt: skip
        stacks.append(stack)
        names[name] = tuple(held.values())
        replaced.update(held)
    return replace(
        layer, weights=(*stacks, *(weight for weight in layer.weights if weight.name not in replaced))
    ), names


def halves(layer: Layer) -> tuple[Layer, ...]:
    """Split a separable convolution into its depthwise and its pointwise convolution.

    Args:
        layer: a layer.

    Returns:
        both; or the layer itself where it is of another kind.

    Example:
        >>> [half.path for half in halves(Layer("a", "separable_conv", "SeparableConv2D"))]
        ['a.depthwise', 'a.pointwise']
        >>> [half.path for half in halves(Layer("a", "conv", "Conv2D"))]
        ['a']
    """
    if layer.kind != "separable_conv":
        return (layer,)
    settings = dict(layer.attributes)
    in_channels, between = settings.get("in_channels"), _channels(layer.weights)
    space = len(settings.get("kernel_size") or ())
    shared = {name: settings[name] for name in ("data_format",) if name in settings}
    first: dict[str, Any] = {
        **{name: value for name, value in settings.items() if name not in ("depth_multiplier", "activation")},
        "out_channels": between,
        "groups": in_channels,
    }
    second: dict[str, Any] = {
        **shared,
        **{name: settings[name] for name in ("out_channels", "activation") if name in settings},
        "in_channels": between,
        **dict.fromkeys(("kernel_size", "stride", "dilation"), (1,) * space),
        "padding": ((0, 0),) * space,
        "groups": 1,
    }
    layers: list[Layer] = []
    for (name, slots), attributes in zip(_HALVES, (first, second), strict=True):
        known = {name: value for name, value in attributes.items() if value is not None}
        layers.append(
            replace(
                layer,
                path=f"{layer.path}.{name}",
                kind="conv",
                parts=(*(layer.parts or (layer.path,)), name),
                attributes=Frozen(known),
                weights=tuple(_taken(layer.weights, slots)),
            )
        )
    return tuple(layers)


def _channels(weights: Iterable[Weight]) -> int | None:
    """Return the number of channels between the depthwise and the pointwise convolution."""
    slot = canonical.slots(weights).get("pointwise.weight")
    length = slot[1].shape[1] if slot is not None else None
    return length if isinstance(length, int) else None


def _taken(weights: Sequence[Weight], slots: dict[str, str]) -> Iterable[Weight]:
    for weight in weights:
        if weight.layout is not None and weight.layout.slot in slots:
            yield replace(weight, layout=replace(weight.layout, slot=slots[weight.layout.slot]))


def depth(layer: Layer) -> int:
    """Count the layers of a recurrent stack; 0 for a layer of another kind.

    Args:
        layer: a layer.

    Example:
        >>> weights = tuple(Weight(n, n, (3,), layout=Layout("o", "o", slot=f"bias.l{n}")) for n in "01")
        >>> depth(Layer("a", "lstm", "LSTM", weights=weights)), depth(Layer("a", "conv", "Conv2d"))
        (2, 0)
    """
    return 1 + max((_number(weight) for weight in layer.weights), default=-1)


def single_layers(layer: Layer) -> tuple[Layer, ...]:
    """Split a recurrent stack into its layers, the first one first.

    Args:
        layer: a layer.

    Returns:
        one layer each, named by the stack and the number, from 0; the layer itself where it is no stack.

    Example:
        >>> weights = tuple(Weight(n, n, (3,), layout=Layout("o", "o", slot=f"bias.l{n}")) for n in "01")
        >>> [(one.path, one.weights[0].layout.slot)
        ...  for one in single_layers(Layer("a", "lstm", "LSTM", weights=weights))]
        [('a.l0', 'bias.l0'), ('a.l1', 'bias.l0')]
    """
    count = depth(layer)
    if count < 2:
        return (layer,)
    settings = {**layer.attributes, "num_layers": 1}
    return tuple(
        replace(
            layer,
            path=f"{layer.path}.l{number}",
            parts=(*(layer.parts or (layer.path,)), f"l{number}"),
            attributes=Frozen(settings),
            weights=tuple(_first(weight) for weight in layer.weights if _number(weight) == number),
        )
        for number in range(count)
    )


def _number(weight: Weight) -> int:
    found = _LAYER.search(weight.layout.slot) if weight.layout is not None else None
    return int(found.group(1)) if found else -1


def _first(weight: Weight) -> Weight:
    if weight.layout is None:
        return weight
    return replace(weight, layout=replace(weight.layout, slot=_LAYER.sub(".l0", weight.layout.slot)))
