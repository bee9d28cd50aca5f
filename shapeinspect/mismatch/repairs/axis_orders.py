"""Fixes for inputs or axes whose order differs from the one that a single layer reads."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.frozen import Frozen
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.requirements import lengths_of
from shapeinspect.plugin_api.changes import Around, Exchanged, InsteadOf, OnLayer, OnOperand
from shapeinspect.plugin_api.rerun import Failure


def exchanged(failure: Failure) -> Iterator[Fix]:
    """Yield the other order of two inputs, where each has the features of the other.

    Args:
        failure: where the run ended.
    """
    layer, shapes = failure.layer, [lengths_of(failure, name) for name in failure.inputs[:2]]
    if layer.kind != "bilinear" or len(shapes) < 2 or not shapes[0] or not shapes[1]:
        return
    if (shapes[1][-1], shapes[0][-1]) == tuple(layer.attributes.get(f"in{n}_features") for n in (1, 2)):
        text = f'the two inputs of "{layer.path}" in the other order'
        yield Fix("exchanged", (Exchanged(),), Rung.EXCHANGED_INPUTS, text)
        return
    sizes = Frozen(in1_features=shapes[0][-1], in2_features=shapes[1][-1])
    yield Fix("features", (OnLayer(layer.path, sizes),), Rung.OWN_WIDTH)


def permuted_around(failure: Failure, rank: int, axis: int, position: int) -> Iterator[Fix]:
    """Yield a permutation that moves the channels to where a norm reads them, and back after it.

    Args:
        failure: where the run ended.
        rank: how many axes the norm is given.
        axis: the index of the channels.
        position: where the norm reads them.
    """
    rest = [other for other in range(rank) if other != axis]
    axes = (*rest[:position], axis, *rest[position:])
    yield Fix("channels-last", (Around(failure.layer.path, axes),), Rung.NORM_INSIDE)


def squeezed(failure: Failure) -> Iterator[Fix]:
    """Yield a flatten that keeps the batch, instead of a squeeze that removed it.

    Args:
        failure: where the run ended.
    """
    layers = {layer.path: layer for layer in failure.model.layers}
    for call in failure.model.calls:
        layer = layers.get(call.layer)
        if layer is None or layer.kind != "squeeze" or not call.inputs or not call.outputs:
            continue
        before, after = lengths_of(failure, call.inputs[0]), lengths_of(failure, call.outputs[0])
        if before is None or after is None or len(before) < 3 or before[0] != 1 or len(after) != 1:
            continue
        if failure.inputs[:1] == call.outputs[:1]:
            change = OnOperand(None, 0, (("unsqueeze", 0),))
            wording = InsteadOf(layer.path, (("flatten", 1),))
            yield Fix("squeezed", (change,), Rung.SQUEEZE_KEEPS_BATCH, wording=(wording,))
