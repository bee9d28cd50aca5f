"""What could be done on the two ways that lead to a sum, so that both come to one size."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.ir import Frozen, Layer
from shapeinspect.mismatch.loss_shapes import is_loss
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.requirements import lengths_of
from shapeinspect.plugin_api.rerun import Failure, OnLayer
from shapeinspect.rules.spatial import pairs, per_axis

#: So many convolutions are padded at most.
_PADDED = 4
_SLIDING = frozenset({"conv", "max_pool", "avg_pool"})
#: What keeps the lengths of space, so that the way goes on before it.
_THROUGH = frozenset({
    "activation", "dropout", "identity", "batch_norm", "group_norm", "instance_norm", "transpose2", "permute",
    "unary", "softmax",
})  # fmt: skip


def ways(failure: Failure) -> Iterator[Fix]:
    """Yield padding for the convolutions of the shorter way, and less output padding for the longer one.

    Args:
        failure: where the run ended.
    """
    layer = failure.layer
    if layer.kind not in ("elementwise", "concat", "stack") and not is_loss(layer):
        return
    shapes = [lengths_of(failure, name) for name in failure.inputs]
    skip = layer.attributes.get("axis") if layer.kind == "concat" else None
    for short, long in ((a, b) for at in range(1, len(shapes)) for a, b in ((0, at), (at, 0))):
        one, two = shapes[short], shapes[long]
        if not one or not two or len(one) != len(two):
            continue
        pairs_of = [
            (mine, other)
            for axis, (mine, other) in enumerate(zip(one, two, strict=True))
            if mine != other and axis != (None if skip is None else skip % len(one))
        ]
        if pairs_of and all(mine < other for mine, other in pairs_of):
            yield from _padded(failure, short, long)
            yield from _trimmed(failure, long, two, one)


def _padded(failure: Failure, short: int, long: int) -> Iterator[Fix]:
    """Propose padding that keeps the lengths, for the last windows before the shorter operand."""
    other = {layer.path for layer in _way(failure, failure.inputs[long])}
    changes: list[OnLayer] = []
    for layer in _way(failure, failure.inputs[short]):
        if layer.kind not in _SLIDING or layer.path in other or len(changes) == _PADDED:
            continue
        padding = _same(layer)
        if padding is not None:
            changes.append(OnLayer(layer.path, Frozen(padding=padding)))
            yield Fix("space", tuple(changes), 27 + len(changes))


def _same(layer: Layer) -> tuple[int, ...] | None:
    """Return the padding with which a convolution keeps the length; None if it has it, or has none such."""
    kernel = layer.attributes.get("kernel_size")
    if not isinstance(kernel, tuple) or isinstance(layer.attributes.get("padding"), str):
        return None
    rank = len(kernel)
    stride = per_axis(layer.attributes.get("stride"), rank, 1)
    dilation = per_axis(layer.attributes.get("dilation"), rank, 1)
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    now = [sum(pair) for pair in pairs(layer.attributes.get("padding"), rank)]
    if any(length % 2 for length in reach) or set(stride) != {1} or now == reach:
        return None
    return tuple(length // 2 for length in reach)


def _trimmed(failure: Failure, long: int, have: tuple[int, ...], want: tuple[int, ...]) -> Iterator[Fix]:
    """Propose less output padding of the transposed convolution that made the longer operand."""
    layer = next(_way(failure, failure.inputs[long]), None)
    added = None if layer is None else layer.attributes.get("output_padding")
    if layer is None or layer.kind != "conv_transpose" or not isinstance(added, tuple):
        return
    rank = len(added)
    new = tuple(pad - (one - two) for pad, one, two in zip(added, have[-rank:], want[-rank:], strict=True))
    if new != added and min(new) >= 0:
        yield Fix("space", (OnLayer(layer.path, Frozen(output_padding=new)),), 27)


def _way(failure: Failure, name: str) -> Iterator[Layer]:
    """Yield the layers with windows that a value came through, the last first, as far as the way is one."""
    layers = {layer.path: layer for layer in failure.model.layers}
    makers = {
        value: (layers[call.layer], call)
        for call in failure.model.calls
        if call.layer in layers and layers[call.layer].kind not in ("module", "input")
        for value in call.outputs
    }
    while name in makers:
        layer, call = makers.pop(name)
        windowed = layer.kind in ("conv", "conv_transpose") or "pool" in layer.kind
        if not call.inputs or not (windowed or layer.kind in _THROUGH):
            return
        if windowed:
            yield layer
        name = call.inputs[0]
