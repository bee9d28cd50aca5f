"""Fixes for skip connections whose branches differ in size."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import lengths_of
from shapeinspect.plugin_api.changes import OnLayer
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.spatial import pairs, per_axis

#: The most layers that are padded.
_PADDED = 4
_SLIDING = frozenset({"conv", "max_pool", "avg_pool"})
#: Kinds that keep the spatial sizes, so that the branch is traced through them.
_THROUGH = frozenset({
    "activation", "dropout", "identity", "batch_norm", "group_norm", "instance_norm", "transpose2", "permute",
    "unary", "softmax",
})  # fmt: skip


def branches(failure: Failure) -> Iterator[Fix]:
    """Yield padding for the layers of the smaller branch, and more or less output padding.

    Args:
        failure: where the run ended.
    """
    layer = failure.layer
    if layer.kind not in ("elementwise", "concat", "stack") and not is_loss(layer):
        return
    shapes = [lengths_of(failure, name) for name in failure.inputs]
    skip = layer.attributes.get("axis") if layer.kind == "concat" else None
    for short, long in ((a, b) for operand in range(1, len(shapes)) for a, b in ((0, operand), (operand, 0))):
        small, large = shapes[short], shapes[long]
        if not small or not large or len(small) != len(large):
            continue
        differing = [
            (a, b)
            for axis, (a, b) in enumerate(zip(small, large, strict=True))
            if a != b and axis != (None if skip is None else skip % len(small))
        ]
        if differing and all(a < b for a, b in differing):
            yield from _padded(failure, short, long)
            yield from _trimmed(failure, long, large, small)
            if is_loss(layer):
                yield from _extended(failure, short)


def _padded(failure: Failure, short: int, long: int) -> Iterator[Fix]:
    """Propose padding that keeps the size, for the last windows of the smaller branch."""
    other = {layer.path for layer in _branch(failure, failure.inputs[long])}
    changes: list[OnLayer] = []
    for layer in _branch(failure, failure.inputs[short]):
        if layer.kind not in _SLIDING or layer.path in other or len(changes) == _PADDED:
            continue
        padding = _same_padding(layer)
        if padding is not None:
            changes.append(OnLayer(layer.path, Frozen(padding=padding)))
            yield Fix("space", tuple(changes), Rung.PADDED + len(changes) - 1)


def _same_padding(layer: Layer) -> tuple[int, ...] | None:
    """Return the padding with which a window keeps the size; None if it has it, or there is none."""
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
    """Propose less output padding for the transposed convolution at the end of the larger branch."""
    layer = next(_branch(failure, failure.inputs[long]), None)
    added = None if layer is None else layer.attributes.get("output_padding")
    if layer is None or layer.kind != "conv_transpose" or not isinstance(added, tuple):
        return
    rank = len(added)
    new = tuple(pad - (a - b) for pad, a, b in zip(added, have[-rank:], want[-rank:], strict=True))
    if new != added and min(new) >= 0:
        yield Fix("space", (OnLayer(layer.path, Frozen(output_padding=new)),), Rung.TRIMMED)


def _extended(failure: Failure, short: int) -> Iterator[Fix]:
    """Propose output padding for the last transposed convolutions of the smaller branch."""
    changes: list[OnLayer] = []
    for layer in _branch(failure, failure.inputs[short]):
        added = layer.attributes.get("output_padding")
        if layer.kind != "conv_transpose" or not isinstance(added, tuple) or len(changes) == _PADDED:
            return
        stride = per_axis(layer.attributes.get("stride"), len(added), 1)
        if any(added) or 1 in stride:
            continue
        changes.append(OnLayer(layer.path, Frozen(output_padding=(1,) * len(added))))
        yield Fix("space", tuple(changes), Rung.EXTENDED + len(changes) - 1)


def _branch(failure: Failure, name: str) -> Iterator[Layer]:
    """Yield the layers with windows that led to a value, the last first, up to where branches meet."""
    layers = {layer.path: layer for layer in failure.model.layers}
    producers = {
        value: (layers[call.layer], call)
        for call in failure.model.calls
        if call.layer in layers and layers[call.layer].kind not in ("module", "input")
        for value in call.outputs
    }
    while name in producers:
        layer, call = producers.pop(name)
        windowed = layer.kind in ("conv", "conv_transpose") or "pool" in layer.kind
        if not call.inputs or not (windowed or layer.kind in _THROUGH):
            return
        if windowed:
            yield layer
        name = call.inputs[0]
