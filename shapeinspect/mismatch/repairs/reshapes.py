"""What could be done where a reshape asks for another number of elements than there are."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from shapeinspect.ir import Frozen
from shapeinspect.mismatch.repairs.divisors import producer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.plugin_api.rerun import Failure, OnCall, OnLayer, OnOperand


def reshapes(failure: Failure, target: tuple[object, ...], shape: tuple[int, ...]) -> Iterator[Fix]:
    """Yield other shapes to ask for, and another width of the layer before.

    Args:
        failure: where the run ended.
        target: the shape that is asked for.
        shape: the shape that is given.
    """
    yield from _filled(failure, target, shape)
    yield Fix("not-contiguous", (OnOperand(None, 0, (("contiguous", None),)),), 5)
    lengths = tuple(length for length in target if isinstance(length, int))
    if len(lengths) != len(target) or not shape:
        return
    total = prod(shape)
    batch = shape[0]
    for axis in range(len(lengths)):
        rest = prod(length for at, length in enumerate(lengths) if at != axis and length > 0)
        others = [length for at, length in enumerate(lengths) if at != axis]
        if rest and total % rest == 0 and -1 not in others:
            new = (*lengths[:axis], -1, *lengths[axis + 1 :])
            if new != lengths:
                yield Fix("reshape", (OnCall(Frozen(shape=new)),), 30 + 3 * axis)
    if len(lengths) >= 2 and (lengths[0] in (-1, batch)) and total % batch == 0:
        fixed = [length for length in lengths[1:] if length > 0]
        if len(fixed) == 1:
            yield Fix("reshape", (OnCall(Frozen(shape=(batch, -1))),), 42)
    swapped = (lengths[0], *reversed(lengths[1:]))
    if prod(swapped) == total and swapped != lengths:
        yield Fix("swapped-axes", (OnCall(Frozen(shape=swapped)),), 44)


def _filled(failure: Failure, target: tuple[object, ...], shape: tuple[int, ...]) -> Iterator[Fix]:
    """Propose that the layer before makes as many features as the reshape asks for."""
    maker, lengths = producer(failure, failure.inputs[0]), [one for one in target if isinstance(one, int)]
    if maker is None or len(shape) < 2 or len(lengths) != len(target):
        return
    setting = "out_features" if maker.kind == "linear" else "out_channels"
    whole, space = prod(length for length in lengths[1:] if length > 0), prod(shape[2:])
    told = (
        lengths[0] in (-1, shape[0]) and -1 not in lengths[1:] and maker.attributes.get(setting) == shape[1]
    )
    if told and whole % space == 0 and whole // space != shape[1]:
        yield Fix("reshape", (OnLayer(maker.path, Frozen({setting: whole // space})),), 32)
