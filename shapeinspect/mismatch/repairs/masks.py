"""What could be done to a mask so that attention takes it."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.requirements import lengths_of, wanted_masks
from shapeinspect.plugin_api.rerun import Failure, OnInput, OnOperand


def masks(failure: Failure) -> Iterator[Fix]:
    """Yield masks turned, cut, or made anew for the lengths of queries and keys.

    Args:
        failure: where the run ended.
    """
    shapes = tuple(lengths_of(failure, name) for name in failure.inputs)
    for at, wanted in wanted_masks(failure.layer, shapes).items():
        old = shapes[at] or ()
        if old == wanted:
            continue
        longer = len(old) == len(wanted) and all(a >= b for a, b in zip(old, wanted, strict=True))
        if longer and failure.inputs[at] not in failure.model.inputs:
            yield Fix("mask", (OnOperand(None, at, (("crop", wanted),)),), 29)
        text = f"a mask of shape {wanted}"
        changes = (OnOperand(None, at, (("resize", wanted),)),)
        yield Fix("mask", changes, 31, f'{text} for "{failure.layer.path}"', True)


def turned(failure: Failure) -> Iterator[Fix]:
    """Yield a mask turned that is (time, batch) where attention reads (batch, time), or the other way.

    Args:
        failure: where the run ended.
    """
    lengths = {lengths_of(failure, name) or () for name in failure.model.inputs}
    for name in failure.model.inputs:
        shape = lengths_of(failure, name) or ()
        other = any(len(one) == 3 and one[:2] == shape[::-1] for one in lengths)
        if failure.layer.kind == "attention" and len(shape) == 2 and shape[0] != shape[1] and other:
            yield Fix("swapped-axes", (OnInput(name, (("permute", (1, 0)),)),), 8)
