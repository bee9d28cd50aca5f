"""Fixes for a reshape that asks for another number of elements than there are."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from shapeinspect.frozen import Frozen
from shapeinspect.mismatch.reasons.layers import uneven
from shapeinspect.mismatch.repairs.divisors import producer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.plugin_api.changes import OnCall, OnLayer, OnOperand
from shapeinspect.plugin_api.rerun import Failure


def reshapes(failure: Failure, target: tuple[object, ...], shape: tuple[int, ...]) -> Iterator[Fix]:
    """Yield other target shapes, and another width of the layer before.

    Args:
        failure: where the run ended.
        target: the requested shape.
        shape: the shape of the reshaped tensor.
    """
    yield from _filled(failure, target, shape)
    yield Fix("not-contiguous", (OnOperand(None, 0, (("contiguous", None),)),), Rung.CONTIGUOUS)
    lengths = tuple(length for length in target if isinstance(length, int))
    if len(lengths) != len(target) or not shape or uneven(shape, lengths):
        return
    total = prod(shape)
    batch = shape[0]
    for axis in range(len(lengths)):
        others = [length for other, length in enumerate(lengths) if other != axis]
        rest = prod(length for length in others if length > 0)
        if rest and total % rest == 0 and -1 not in others:
            new = (*lengths[:axis], -1, *lengths[axis + 1 :])
            if new != lengths:
                yield Fix("reshape", (OnCall(Frozen(shape=new)),), Rung.OTHER_RESHAPE + 3 * axis)
    if len(lengths) >= 2 and (lengths[0] in (-1, batch)) and total % batch == 0:
        fixed = [length for length in lengths[1:] if length > 0]
        if len(fixed) == 1:
            yield Fix("reshape", (OnCall(Frozen(shape=(batch, -1))),), Rung.BATCH_AND_REST)
    swapped = (lengths[0], *reversed(lengths[1:]))
    if prod(swapped) == total and swapped != lengths:
        yield Fix("swapped-axes", (OnCall(Frozen(shape=swapped)),), Rung.SWAPPED_RESHAPE)


def _filled(failure: Failure, target: tuple[object, ...], shape: tuple[int, ...]) -> Iterator[Fix]:
    """Propose that the layer before produces the number of features that the reshape needs."""
    before = producer(failure, failure.inputs[0])
    lengths = [length for length in target if isinstance(length, int)]
    if before is None or len(shape) < 2 or len(lengths) != len(target):
        return
    setting = "out_features" if before.kind == "linear" else "out_channels"
    total, space = prod(length for length in lengths[1:] if length > 0), prod(shape[2:])
    fixed = lengths[0] in (-1, shape[0]) and -1 not in lengths[1:]
    if not fixed or before.attributes.get(setting) != shape[1] or total % space:
        return
    if total // space != shape[1]:
        change = OnLayer(before.path, Frozen({setting: total // space}))
        yield Fix("reshape", (change,), Rung.RESHAPED_WIDTH)
