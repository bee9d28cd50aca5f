"""What could be done to the outputs and the targets so that a loss takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from shapeinspect.ir import Layer
from shapeinspect.mismatch.loss_shapes import is_loss
from shapeinspect.plugin_api.rerun import Step

#: The losses that take classes, by parts of their names in lower case.
_CLASSES = ("crossentropy", "cross_entropy", "nllloss", "nll_loss", "multimargin", "multi_margin")


@dataclass(frozen=True, slots=True)
class Meeting:
    """Steps on the operands of a loss.

    Args:
        cause: what would be wrong without them; see ``causes``.
        steps: which operand, and what is done to it.
        rank: how likely it is meant; the smallest is the best.
    """

    cause: str
    steps: tuple[tuple[int, tuple[Step, ...]], ...]
    rank: int


def losses(layer: Layer, shapes: tuple[tuple[int, ...], ...]) -> Iterator[Meeting]:
    """Yield what could be done so that outputs and targets meet.

    Args:
        layer: the loss.
        shapes: the outputs' and the targets' shape.

    Example:
        >>> loss = Layer("l", "loss", "CrossEntropyLoss")
        >>> [found.steps for found in losses(loss, ((8, 10), (8, 1)))][0]
        ((1, (('squeeze', 1),)),)
    """
    if len(shapes) < 2 or not is_loss(layer):
        return
    outputs, targets = shapes[0], shapes[1]
    yield from _resized(layer, outputs, targets)
    name = layer.type.lower().replace("sparsecategorical", "")
    binary = "binary" in name or "bce" in name
    if "ctc" in name:
        if len(outputs) == 3 and outputs[0] == targets[0]:
            yield Meeting("batch-first", ((0, (("permute", (1, 0, 2)),)),), 10)
    elif any(part in name for part in _CLASSES) and not binary:
        if outputs == targets and len(outputs) > 1:
            yield Meeting("targets", ((1, (("argmax", 1),)),), 9)
        yield from _classes(outputs, targets)
    else:
        yield from _same(outputs, targets)


def _resized(layer: Layer, outputs: tuple[int, ...], targets: tuple[int, ...]) -> Iterator[Meeting]:
    """Bring the outputs to the targets' size, the channels being last."""
    sparse = "sparse" in layer.type.lower() and len(targets) == len(outputs) - 1
    space = targets[1:] if sparse else targets[1:-1]
    same = outputs[:1] == targets[:1] and (sparse or outputs[-1:] == targets[-1:])
    if len(outputs) == 4 and len(space) == 2 and same and outputs[1:-1] != space:
        yield Meeting("output-size", ((0, (("interpolate_last", space),)),), 29)


def _classes(outputs: tuple[int, ...], targets: tuple[int, ...]) -> Iterator[Meeting]:
    if len(targets) >= 2:
        for axis, length in enumerate(targets):
            if length == 1 and axis:
                yield Meeting("targets", ((1, (("squeeze", axis),)),), 10)
    if len(outputs) == 3 and len(targets) == 2 and outputs[:2] == targets:
        yield Meeting("channels-last", ((0, (("permute", (0, 2, 1)),)),), 10)
        yield Meeting("channels-last", ((0, (("merge", (0, 1)),)), (1, (("flatten", 0),))), 11)
    if len(outputs) == 4 and len(targets) == 3 and outputs[:3] == targets:
        yield Meeting("channels-last", ((0, (("permute", (0, 3, 1, 2)),)),), 10)
    if len(outputs) == 2 and len(targets) == 2 and outputs[0] == prod(targets):
        yield Meeting("targets", ((1, (("flatten", 0),)),), 12)
    if len(outputs) == 3 and len(targets) == 1 and outputs[0] * outputs[1] == targets[0]:
        yield Meeting("targets", ((0, (("merge", (0, 1)),)),), 12)
    if len(outputs) >= 3 and len(targets) == 1 and outputs[0] == targets[0]:
        for axis, length in enumerate(outputs):
            if length == 1 and axis:
                yield Meeting("extra-axis", ((0, (("squeeze", axis),)),), 13)
        yield Meeting("not-flattened", ((0, (("last", 1),)),), 30)
        yield Meeting("not-flattened", ((0, (("flatten", 1),)),), 31)
    if len(outputs) == 4 and len(targets) == 3 and outputs[2:] != targets[1:]:
        yield Meeting("space", ((0, (("interpolate", targets[1:]),)),), 30)
    if len(outputs) == 1:
        yield Meeting("no-batch", ((0, (("unsqueeze", 0),)),), 14)


def _same(outputs: tuple[int, ...], targets: tuple[int, ...]) -> Iterator[Meeting]:
    if len(outputs) > 2 and len(targets) == 1 and outputs[0] == prod(outputs) == targets[0]:
        yield Meeting("targets", ((0, (("flatten", 0),)),), 10)
    for operand, shape, other in ((0, outputs, targets), (1, targets, outputs)):
        rank = 10 + operand
        for axis, length in enumerate(shape):
            if length == 1 and (*shape[:axis], *shape[axis + 1 :]) == other:
                yield Meeting("targets", ((operand, (("squeeze", axis),)),), rank)
        for axis in range(len(shape) + 1):
            if (*shape[:axis], 1, *shape[axis:]) == other:
                yield Meeting("targets", ((operand, (("unsqueeze", axis),)),), rank + 1)
    if len(outputs) == len(targets) >= 3 and outputs[2:] != targets[2:] and outputs[:2] == targets[:2]:
        yield Meeting("space", ((0, (("interpolate", targets[2:]),)),), 30)
    if len(outputs) == 2 and len(targets) > 2 and prod(targets[1:]) == outputs[1]:
        yield Meeting("not-flattened", ((1, (("flatten", 1),)),), 12)
    if len(targets) == 2 and len(outputs) > 2 and prod(outputs[1:]) == targets[1]:
        yield Meeting("not-flattened", ((0, (("flatten", 1),)),), 12)
    if len(outputs) == len(targets) == 4 and outputs == (targets[0], targets[3], targets[1], targets[2]):
        yield Meeting("channels-last", ((1, (("permute", (0, 3, 1, 2)),)),), 12)
