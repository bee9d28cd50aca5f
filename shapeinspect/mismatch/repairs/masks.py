"""Fixes for masks that attention does not accept."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.requirements import lengths_of, wanted_masks
from shapeinspect.plugin_api.changes import OnInput, OnOperand, Remade, Step
from shapeinspect.plugin_api.rerun import Failure


def masks(failure: Failure) -> Iterator[Fix]:
    """Yield masks arranged for, cut to, or created for the lengths of queries and keys.

    Args:
        failure: where the run ended.
    """
    shapes = tuple(lengths_of(failure, name) for name in failure.inputs)
    for operand, wanted in wanted_masks(failure.layer, shapes, failure.roles).items():
        old = shapes[operand] or ()
        if old == wanted:
            continue
        for steps in _arranged(old, wanted):
            yield Fix("mask", (OnOperand(None, operand, steps),), Rung.ARRANGED_MASK)
        longer = len(old) == len(wanted) and all(a >= b for a, b in zip(old, wanted, strict=True))
        if longer and failure.inputs[operand] not in failure.model.inputs:
            yield Fix("mask", (OnOperand(None, operand, (("crop", wanted),)),), Rung.CUT_MASK)
        text = f'a mask of shape {wanted} for "{failure.layer.path}"'
        changes = (OnOperand(None, operand, (("resize", wanted),)),)
        yield Fix("mask", changes, Rung.REMADE, wording=(Remade(operand, wanted),))
        yield Fix("mask", changes, Rung.NEW_MASK, text, alone=True)


def _arranged(old: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[tuple[Step, ...]]:
    """Yield steps that bring a mask into its shape and keep all of its entries."""
    if len(old) == 2 and old[::-1] == wanted:
        yield (("permute", (1, 0)),)
    for axis, length in enumerate(old):
        if length == 1 and (*old[:axis], *old[axis + 1 :]) == wanted:
            yield (("squeeze", axis),)
    if len(old) == len(wanted) == 3 and old[1:] == wanted[1:] and old[0] and wanted[0] % old[0] == 0:
        yield (("repeat", (0, wanted[0] // old[0])),)


def transposed_masks(failure: Failure) -> Iterator[Fix]:
    """Yield a transposed mask where attention reads (batch, time) and gets (time, batch), or vice versa.

    Args:
        failure: where the run ended.
    """
    shapes = {lengths_of(failure, name) or () for name in failure.model.inputs}
    for name in failure.model.inputs:
        mask = lengths_of(failure, name) or ()
        fits = any(len(shape) == 3 and shape[:2] == mask[::-1] for shape in shapes)
        if failure.layer.kind == "attention" and len(mask) == 2 and mask[0] != mask[1] and fits:
            yield Fix("swapped-axes", (OnInput(name, (("permute", (1, 0)),)),), Rung.TRANSPOSED_MASK)
