"""What could be done where a reshape made another number of samples, which only the loss notices."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from shapeinspect.ir import Frozen
from shapeinspect.mismatch.loss_shapes import is_loss
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.requirements import lengths_of
from shapeinspect.plugin_api.rerun import Change, Failure, OnLayer, OnOperand


def shifted(failure: Failure) -> Iterator[Fix]:
    """Yield targets without their first step, where the outputs were made without the last one.

    Args:
        failure: where the run ended.
    """
    if not is_loss(failure.layer) or len(failure.inputs) < 2:
        return
    layers = {layer.path: layer.kind for layer in failure.model.layers}
    sources: list[tuple[int, str, tuple[int, ...]]] = []
    for name in failure.inputs[:2]:
        for at, call in enumerate(failure.model.calls):
            shape = lengths_of(failure, call.inputs[0]) if call.inputs else None
            if name in call.outputs and layers.get(call.layer) in ("reshape", "flatten") and shape:
                sources.append((at, call.inputs[0], shape))
    if len(sources) != 2 or len(sources[0][2]) < 2 or len(sources[1][2]) != 2:
        return
    (_, _, outputs), (at, name, targets) = sources
    if outputs[0] == targets[0] and outputs[1] < targets[1]:
        more = targets[1] - outputs[1]
        called = name if name in failure.model.inputs else "the targets"
        text = f'{called}[:, {more}:] before "{failure.model.calls[at].layer}"'
        yield Fix("length", (OnOperand(at, 0, (("crop", (targets[0], outputs[1])),)),), 10, text)


def mixed(failure: Failure) -> Iterator[Fix]:
    """Yield a flatten of all but the batch, with the layer behind it built for what comes.

    Args:
        failure: where the run ended.
    """
    if not is_loss(failure.layer) or len(failure.inputs) < 2:
        return
    batch = (lengths_of(failure, failure.inputs[1]) or (0,))[0]
    layers = {layer.path: layer for layer in failure.model.layers}
    readers = [(at, layers.get(call.layer), call) for at, call in enumerate(failure.model.calls)]
    for _, layer, call in readers:
        if layer is None or layer.kind != "reshape" or not call.inputs or not call.outputs:
            continue
        given, made = lengths_of(failure, call.inputs[0]), lengths_of(failure, call.outputs[0])
        if not given or not made or given[0] != batch or made[0] == batch or len(made) != 2:
            continue
        for at, reader, reading in readers:
            if reader is not None and reader.kind == "linear" and reading.inputs[:1] == call.outputs[:1]:
                width = prod(given[1:])
                changes: tuple[Change, ...] = (
                    OnOperand(at, 0, (("reshape", (batch, width)),)),
                    OnLayer(reader.path, Frozen(in_features=width)),
                )
                text = f'flatten(1) in place of "{layer.path}", in_features={width} in "{reader.path}"'
                yield Fix("batch-mixed", changes, 32, text)
