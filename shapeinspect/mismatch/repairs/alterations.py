"""What a fix changes of a program's meaning besides mending it."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import lengths_of
from shapeinspect.plugin_api.changes import OnInput, OnLayer, OnOperand, reshaped
from shapeinspect.plugin_api.rerun import Failure

#: Fixes that drop a part of what an operand holds.
_CUTS = (Rung.CUT_MASK, Rung.CUT_OPERAND)
#: Settings that say how many numbers a model gives.
_OUTPUTS = ("out_features", "out_channels")


def marked(failure: Failure, fix: Fix) -> Fix:
    """Return a fix with what it alters, where that can be told from its changes.

    Args:
        failure: where the run ended.
        fix: the fix.
    """
    if fix.alters or fix.wording:
        return fix
    if fix.rank == Rung.STRIDED_SHORTCUT and {*failure.inputs} <= {*failure.model.inputs}:
        # There is no shortcut to stride: both operands are what is fed.
        return replace(fix, alters="what is computed: by one more convolution")
    for change in fix.changes:
        altered = ""
        if isinstance(change, OnInput):
            altered = _batch(failure, change) or _cut(lengths_of(failure, change.name), change)
        elif isinstance(change, OnOperand) and fix.rank in _CUTS and change.call is None:
            altered = _cut(lengths_of(failure, failure.inputs[change.operand]), change)
        elif isinstance(change, OnLayer) and is_loss(failure.layer):
            altered = _outputs(failure, change)
        if altered:
            return replace(fix, alters=altered)
    return fix


def _batch(failure: Failure, change: OnInput) -> str:
    """Say that another number of samples is fed; adding a batch axis to one sample is none."""
    shape = lengths_of(failure, change.name)
    # A permutation moves the batch; it does not change it.
    value = failure.model.values.get(change.name)
    if value is None or not value.shape or not isinstance(value.shape[0], int):
        return ""  # an open batch takes any number
    if not shape or len(shape) < 2 or any(step in ("permute", "unsqueeze") for step, _ in change.steps):
        return ""
    new = shape
    for step in change.steps:
        try:
            new = reshaped(step, new)
        except (ValueError, IndexError):
            return ""
    return f"the batch: {new[0]} samples instead of {shape[0]}" if new and new[0] != shape[0] else ""


def _cut(shape: tuple[int, ...] | None, change: OnInput | OnOperand) -> str:
    """Say that what lies behind a length is not read any more."""
    for step, lengths in change.steps:
        if step == "crop" and shape is not None and len(lengths) == len(shape):
            cut = [(new, old) for new, old in zip(lengths, shape, strict=True) if new < old]
            return f"what is read: the first {cut[0][0]} of {cut[0][1]}" if cut else ""
    return ""


def _outputs(failure: Failure, change: OnLayer) -> str:
    """Say that the model gives fewer numbers for each sample, such as one for five classes."""
    layers = {layer.path: layer for layer in failure.model.layers}
    for setting in _OUTPUTS:
        new = change.attributes.get(setting)
        old = layers[change.path].attributes.get(setting) if change.path in layers else None
        if isinstance(new, int) and isinstance(old, int) and new < old:
            return f"the number of outputs: {new} instead of {old}"
    return ""
