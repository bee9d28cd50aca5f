"""Settings that have to divide others: groups of channels, heads of an embedding, blocks of a shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd

from shapeinspect.ir import Frozen, Layer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.plugin_api.rerun import Failure, OnLayer

#: How many divisors are tried.
_TRIED = 3


def divisors(failure: Failure) -> Iterator[Fix]:
    """Yield the settings nearest to the refused one that divide what they have to.

    Args:
        failure: where the run ended; ``facts["divides"]`` holds the setting that does not divide, and
            the lengths that it has to divide, by the settings that they are.
    """
    divided = failure.facts.get("divides")
    if divided is not None:
        setting, wholes = divided
        cause = "attention-heads" if "heads" in setting else "groups"
        value = failure.layer.attributes[setting]
        for at, number in enumerate(_nearest(value, gcd(*wholes.values()))):
            yield Fix(cause, (OnLayer(failure.layer.path, Frozen({setting: number})),), 5 + at)
        for name, whole in wholes.items():
            up = -(-whole // value) * value
            if up != whole:
                yield Fix(cause, (OnLayer(failure.layer.path, Frozen({name: up})),), 20)
        return
    yield from _groups(failure)
    yield from _blocks(failure)


def _nearest(value: int, whole: int) -> list[int]:
    found = [one for one in range(1, min(whole, 100_000) + 1) if whole % one == 0]
    return sorted(found, key=lambda one: (abs(one - value), one))[:_TRIED]


def _groups(failure: Failure) -> Iterator[Fix]:
    """Propose other groups for a convolution whose weights follow from its input."""
    layer, shape = failure.layer, _first(failure)
    groups, filters = layer.attributes.get("groups"), layer.attributes.get("out_channels")
    if not isinstance(groups, int) or groups < 2 or not isinstance(filters, int) or not shape:
        return
    channels = shape[-1] if layer.attributes.get("data_format") == "channels_last" else shape[1]
    if "in_channels" not in layer.attributes and channels % groups:
        for at, number in enumerate(_nearest(groups, gcd(channels, filters))):
            yield Fix("groups", (OnLayer(layer.path, Frozen(groups=number)),), 5 + at)


def _blocks(failure: Failure) -> Iterator[Fix]:
    """Propose as many channels as a pixel shuffle can spread over space."""
    shape, factor = _first(failure), failure.layer.attributes.get("factor")
    if failure.layer.kind != "pixel_shuffle" or not isinstance(factor, int) or not shape or len(shape) < 3:
        return
    maker = producer(failure, failure.inputs[0])
    if maker is not None and maker.attributes.get("out_channels") == shape[-3]:
        for at, number in enumerate((-(-shape[-3] // factor**2), shape[-3] // factor**2)):
            if number:
                change = OnLayer(maker.path, Frozen(out_channels=number * factor**2))
                yield Fix("channels", (change,), 10 + at)


#: What a width may come through unchanged; who asks compares it with what arrives.
_KEEPING = frozenset({
    "activation", "dropout", "identity", "batch_norm", "group_norm", "instance_norm", "layer_norm", "flatten",
    "permute", "transpose2", "max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool", "pad",
    "softmax",
})  # fmt: skip


def producer(failure: Failure, name: str) -> Layer | None:
    """Return the layer with weights that made a value, looking through what keeps the channels.

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
