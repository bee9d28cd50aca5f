"""Fixes for a reshape that changes the batch size; the error surfaces at the loss."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from shapeinspect.frozen import Frozen
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import lengths_of
from shapeinspect.plugin_api.changes import Change, InsteadOf, OnLayer, OnOperand
from shapeinspect.plugin_api.rerun import Failure


def shifted(failure: Failure) -> Iterator[Fix]:
    """Yield targets without their first step, where the outputs lack the last one.

    Args:
        failure: where the run ended.
    """
    if not is_loss(failure.layer) or len(failure.inputs) < 2:
        return
    kinds = {layer.path: layer.kind for layer in failure.model.layers}
    sources: list[tuple[int, str, tuple[int, ...]]] = []
    for name in failure.inputs[:2]:
        for index, call in enumerate(failure.model.calls):
            shape = lengths_of(failure, call.inputs[0]) if call.inputs else None
            if name in call.outputs and kinds.get(call.layer) in ("reshape", "flatten") and shape:
                sources.append((index, call.inputs[0], shape))
    if len(sources) != 2 or len(sources[0][2]) < 2 or len(sources[1][2]) != 2:
        return
    (_, _, outputs), (index, name, targets) = sources
    if outputs[0] == targets[0] and outputs[1] < targets[1]:
        surplus = targets[1] - outputs[1]
        tensor = name if name in failure.model.inputs else "the targets"
        text = f'{tensor}[:, {surplus}:] before "{failure.model.calls[index].layer}"'
        change = OnOperand(index, 0, (("crop", (targets[0], outputs[1])),))
        yield Fix("length", (change,), Rung.LATER_TARGETS, text)


def mixed(failure: Failure) -> Iterator[Fix]:
    """Yield a flatten of all axes but the batch, and a layer after it that takes its features.

    Args:
        failure: where the run ended.
    """
    if not is_loss(failure.layer) or len(failure.inputs) < 2:
        return
    batch = (lengths_of(failure, failure.inputs[1]) or (0,))[0]
    layers = {layer.path: layer for layer in failure.model.layers}
    readers = [(index, layers.get(call.layer), call) for index, call in enumerate(failure.model.calls)]
    for _, layer, call in readers:
        if layer is None or layer.kind != "reshape" or not call.inputs or not call.outputs:
            continue
        before, after = lengths_of(failure, call.inputs[0]), lengths_of(failure, call.outputs[0])
        if not before or not after or before[0] != batch or after[0] == batch or len(after) != 2:
            continue
        for index, reader, reading in readers:
            if reader is not None and reader.kind == "linear" and reading.inputs[:1] == call.outputs[:1]:
                width = prod(before[1:])
                built = OnLayer(reader.path, Frozen(in_features=width))
                changes: tuple[Change, ...] = (OnOperand(index, 0, (("reshape", (batch, width)),)), built)
                wording = (InsteadOf(layer.path, (("flatten", 1),)), built)
                yield Fix("batch-mixed", changes, Rung.BATCH_KEPT, wording=wording)
