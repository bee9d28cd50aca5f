"""Fixes for outputs and targets that do not fit a loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.loss_shapes import is_loss, targets_of
from shapeinspect.plugin_api.changes import Step


@dataclass(frozen=True, slots=True)
class LossSteps:
    """Steps on the operands of a loss.

    Args:
        cause: what is wrong if they help; see ``causes``.
        steps: which operand, and what is done to it.
        rank: their place on the ladder of ``ranks``.
        alters: what they change of the program's meaning; see ``Fix``.
    """

    cause: str
    steps: tuple[tuple[int, tuple[Step, ...]], ...]
    rank: int
    alters: str = ""


def losses(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> Iterator[LossSteps]:
    """Yield the steps that could make outputs and targets match.

    Args:
        layer: the loss.
        shapes: the outputs' and the targets' shape.

    Example:
        >>> loss = Layer("l", "loss", "CrossEntropyLoss")
        >>> [fix.steps for fix in losses(loss, ((8, 10), (8, 1)))][0]
        ((1, (('squeeze', 1),)),)
    """
    if len(shapes) < 2 or not is_loss(layer):
        return
    outputs, targets = shapes[0], shapes[1]
    yield from _resized(layer, outputs, targets)
    form = targets_of(layer)
    if form == "lengths":
        samples = shapes[2][0] if len(shapes) > 2 and len(shapes[2]) == 1 else targets[0]
        if len(outputs) == 3 and outputs[0] == samples != outputs[1]:
            steps: tuple[Step, ...] = (("permute", (1, 0, 2)),)
            behind = "axis 0 of the outputs: lengths that are computed from it have to be computed behind it"
            yield LossSteps("batch-first", ((0, steps),), Rung.LOSS_TIME_FIRST, behind)
    elif form != "same":
        if outputs == targets and len(outputs) > 1:
            yield LossSteps("targets", ((1, (("argmax", 1),)),), Rung.TARGETS_ARGMAX)
        yield from _classes(outputs, targets)
    else:
        yield from _equal(outputs, targets)


#: The most channels of a picture.
_COLORS = 4


def _resized(layer: Layer, outputs: tuple[int, ...], targets: tuple[int, ...]) -> Iterator[LossSteps]:
    """Resize the outputs to the targets, with channels last."""
    sparse = targets_of(layer) == "sparse" and len(targets) == len(outputs) - 1
    space = targets[1:] if sparse else targets[1:-1]
    same = outputs[:1] == targets[:1] and (sparse or outputs[-1:] == targets[-1:])
    if len(targets) == 4 and targets[1] <= _COLORS < targets[-1]:
        return  # pictures whose channels come first
    if len(outputs) == 4 and len(space) == 2 and same and outputs[1:-1] != space:
        yield LossSteps("output-size", ((0, (("interpolate_last", space),)),), Rung.RESIZED_OUTPUT)


def _classes(outputs: tuple[int, ...], targets: tuple[int, ...]) -> Iterator[LossSteps]:
    if len(targets) >= 2:
        for axis, length in enumerate(targets):
            if length == 1 and axis:
                yield LossSteps("targets", ((1, (("squeeze", axis),)),), Rung.LOSS_SQUEEZED)
    if len(outputs) == 3 and len(targets) == 2 and outputs[:2] == targets:
        yield LossSteps("channels-last", ((0, (("permute", (0, 2, 1)),)),), Rung.LOSS_CHANNELS)
        rows = ((0, (("merge", (0, 1)),)), (1, (("flatten", 0),)))
        yield LossSteps("channels-last", rows, Rung.LOSS_ROWS)
    if len(outputs) == 4 and len(targets) == 3 and outputs[:3] == targets:
        yield LossSteps("channels-last", ((0, (("permute", (0, 3, 1, 2)),)),), Rung.LOSS_CHANNELS)
    if len(outputs) == 2 and len(targets) == 2 and outputs[0] == prod(targets):
        yield LossSteps("targets", ((1, (("flatten", 0),)),), Rung.LOSS_MERGED)
    if len(outputs) == 3 and len(targets) == 1 and outputs[0] * outputs[1] == targets[0]:
        yield LossSteps("targets", ((0, (("merge", (0, 1)),)),), Rung.LOSS_MERGED)
    if len(outputs) >= 3 and len(targets) == 1 and outputs[0] == targets[0]:
        yield from _one_class_a_sample(outputs)
    if len(outputs) == len(targets) == 4 and outputs[2:] == targets[1:3] and targets[3] in (3, 4):
        colors = f"which of the {targets[3]} colors is the label: right where they are equal"
        yield LossSteps("targets", ((1, (("first", -1),)),), Rung.ONE_COLOR, colors)
    if len(outputs) == 4 and len(targets) == 3 and outputs[2:] != targets[1:]:
        yield LossSteps("space", ((0, (("interpolate", targets[1:]),)),), Rung.LOSS_RESIZED)
    if len(outputs) == 1:
        yield LossSteps("no-batch", ((0, (("unsqueeze", 0),)),), Rung.LOSS_BATCH)


def _one_class_a_sample(outputs: tuple[int, ...]) -> Iterator[LossSteps]:
    """Reduce the outputs to two axes, for a single target per sample."""
    for axis, length in enumerate(outputs):
        if length == 1 and axis:
            yield LossSteps("extra-axis", ((0, (("squeeze", axis),)),), Rung.LOSS_EXTRA_AXIS)
    yield LossSteps("not-flattened", ((0, (("last", 1),)),), Rung.LOSS_LAST_STEP)
    yield LossSteps("not-flattened", ((0, (("flatten", 1),)),), Rung.LOSS_ALL_STEPS)


def _equal(outputs: tuple[int, ...], targets: tuple[int, ...]) -> Iterator[LossSteps]:
    if len(outputs) > 2 and len(targets) == 1 and outputs[0] == prod(outputs) == targets[0]:
        yield LossSteps("targets", ((0, (("flatten", 0),)),), Rung.LOSS_FLATTENED)
    for operand, shape, other in ((0, outputs, targets), (1, targets, outputs)):
        rank = Rung.LOSS_ALIGNED + operand
        for axis, length in enumerate(shape):
            if length == 1 and (*shape[:axis], *shape[axis + 1 :]) == other:
                yield LossSteps("targets", ((operand, (("squeeze", axis),)),), rank)
        for axis in range(len(shape) + 1):
            if (*shape[:axis], 1, *shape[axis:]) == other:
                yield LossSteps("targets", ((operand, (("unsqueeze", axis),)),), rank + 1)
    if len(outputs) == len(targets) >= 3 and outputs[2:] != targets[2:] and outputs[:2] == targets[:2]:
        yield LossSteps("space", ((0, (("interpolate", targets[2:]),)),), Rung.LOSS_RESIZED)
    if len(outputs) == 2 and len(targets) > 2 and prod(targets[1:]) == outputs[1]:
        yield LossSteps("not-flattened", ((1, (("flatten", 1),)),), Rung.LOSS_MERGED)
    if len(targets) == 2 and len(outputs) > 2 and prod(outputs[1:]) == targets[1]:
        yield LossSteps("not-flattened", ((0, (("flatten", 1),)),), Rung.LOSS_MERGED)
    if len(outputs) == len(targets) == 4 and outputs == (targets[0], targets[3], targets[1], targets[2]):
        yield LossSteps("channels-last", ((1, (("permute", (0, 3, 1, 2)),)),), Rung.LOSS_CHANNELS + 2)
