"""Fixes for settings that have to divide others: groups, attention heads, blocks of a pixel shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.plugin_api.changes import OnLayer
from shapeinspect.plugin_api.facts import Indivisible
from shapeinspect.plugin_api.rerun import Failure

#: How many divisors are tried.
_TRIED = 3


def divisors(failure: Failure) -> Iterator[Fix]:
    """Yield the nearest settings to the refused one that divide the required lengths.

    Args:
        failure: where the run ended.
    """
    if isinstance(failure.fact, Indivisible):
        setting, lengths = failure.fact.setting, failure.fact.lengths
        cause = "attention-heads" if "heads" in setting else "groups"
        value = failure.layer.attributes[setting]
        for nth, divisor in enumerate(_nearest(value, gcd(*lengths.values()))):
            yield Fix(cause, (OnLayer(failure.layer.path, Frozen({setting: divisor})),), Rung.DIVISOR + nth)
        for name, length in lengths.items():
            multiple = -(-length // value) * value
            if multiple != length:
                yield Fix(cause, (OnLayer(failure.layer.path, Frozen({name: multiple})),), Rung.MULTIPLE)
        return
    yield from _groups(failure)
    yield from _blocks(failure)


def _nearest(value: int, length: int) -> list[int]:
    """Return the divisors of a length, the nearest to a value first."""
    divisors_ = [number for number in range(1, min(length, 100_000) + 1) if length % number == 0]
    return sorted(divisors_, key=lambda number: (abs(number - value), number))[:_TRIED]


def _groups(failure: Failure) -> Iterator[Fix]:
    """Propose other groups for a convolution that takes any number of channels."""
    layer, shape = failure.layer, _first(failure)
    groups, filters = layer.attributes.get("groups"), layer.attributes.get("out_channels")
    if not isinstance(groups, int) or groups < 2 or not isinstance(filters, int) or not shape:
        return
    channels = shape[-1] if layer.attributes.get("data_format") == "channels_last" else shape[1]
    if "in_channels" not in layer.attributes and channels % groups:
        for nth, number in enumerate(_nearest(groups, gcd(channels, filters))):
            yield Fix("groups", (OnLayer(layer.path, Frozen(groups=number)),), Rung.DIVISOR + nth)


def _blocks(failure: Failure) -> Iterator[Fix]:
    """Propose a number of channels that a pixel shuffle can spread over space."""
    shape, factor = _first(failure), failure.layer.attributes.get("factor")
    if failure.layer.kind != "pixel_shuffle" or not isinstance(factor, int) or not shape or len(shape) < 3:
        return
    before = producer(failure, failure.inputs[0])
    if before is not None and before.attributes.get("out_channels") == shape[-3]:
        for nth, number in enumerate((-(-shape[-3] // factor**2), shape[-3] // factor**2)):
            if number:
                change = OnLayer(before.path, Frozen(out_channels=number * factor**2))
                yield Fix("channels", (change,), Rung.SHUFFLE_CHANNELS + nth)


#: Kinds that may keep the number of channels or features; the caller compares it with the input's.
_KEEPING = frozenset({
    "activation", "dropout", "identity", "batch_norm", "group_norm", "instance_norm", "layer_norm", "flatten",
    "permute", "transpose2", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "pad",
    "softmax",
})  # fmt: skip


def producer(failure: Failure, name: str) -> Layer | None:
    """Return the layer with weights that produced a value, looking through kinds that keep the channels.

    Args:
        failure: where the run ended.
        name: the value.
    """
    layers = {layer.path: layer for layer in failure.model.layers}
    for call in reversed(failure.model.calls):
        layer = layers.get(call.layer)
        if layer is None or layer.kind in ("module", "input") or name not in call.outputs:
            continue
        if layer.weights and layer.kind in ("conv", "linear", "conv_transpose", "lstm", "gru", "rnn"):
            return layer
        if layer.kind not in _KEEPING or not call.inputs:
            return None
        name = call.inputs[0]
    return None


def _first(failure: Failure) -> tuple[int, ...]:
    value = failure.model.values.get(failure.inputs[0]) if failure.inputs else None
    shape = value.shape if value is not None and value.shape is not None else ()
    lengths = tuple(length for length in shape if isinstance(length, int))
    return lengths if len(lengths) == len(shape) else ()
