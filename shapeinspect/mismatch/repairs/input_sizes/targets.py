"""Which length of a failed call has to change, where an input of another size is to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from shapeinspect.mismatch.sizes.loss_shapes import is_loss
from shapeinspect.mismatch.sizes.requirements import demand_of
from shapeinspect.plugin_api.rerun import Failure


@dataclass(frozen=True, slots=True)
class Target:
    """A length fixed by a stored tensor.

    Args:
        operand: which input of the failed call has to have it.
        axis: which of its axes; None for all its elements.
        wanted: the length.
    """

    operand: int
    axis: int | None
    wanted: int

    def of(self, ended: Failure) -> int | None:
        """Return the length that another run has there.

        Args:
            ended: where the other run ended.
        """
        shapes = operands(ended)
        shape = shapes[self.operand] if self.operand < len(shapes) else None
        if shape is None:
            return None
        if self.axis is None:
            return prod(shape)
        return shape[self.axis] if -len(shape) <= self.axis < len(shape) else None


def target_of(failure: Failure) -> Target | None:
    """Return the length that the failed call has to get; None where its settings do not fix one.

    Args:
        failure: where the run ended.
    """
    shapes = operands(failure)
    demand = demand_of(failure.layer, shapes)
    if demand is not None:
        return Target(0, demand.axis - len(shapes[0] or ()), demand.wanted)
    if is_loss(failure.layer):
        outputs, targets = (*shapes, None, None)[:2]
        mixed = outputs and targets and outputs[0] != targets[0]
        return Target(0, -len(outputs), targets[0]) if outputs and targets and mixed else None
    asked, first = failure.layer.attributes.get("shape"), shapes[0] if shapes else None
    if failure.layer.kind == "reshape" and isinstance(asked, tuple) and first:
        if not all(isinstance(length, int) for length in asked):
            return None
        return Target(0, None, prod(first[0] if length == -1 else length for length in asked))
    return _beside_a_weight(failure, shapes)


def _beside_a_weight(failure: Failure, shapes: tuple[tuple[int, ...] | None, ...]) -> Target | None:
    """Find the length of a stored operand (a position table) that differs from the computed one."""
    computed = {name for call in failure.model.calls for name in call.outputs} | set(failure.model.inputs)
    if failure.layer.kind not in ("elementwise", "concat") or len(shapes) != 2:
        return None
    for stored, other in ((0, 1), (1, 0)):
        table, tensor = shapes[stored], shapes[other]
        if failure.inputs[stored] in computed or failure.inputs[other] not in computed:
            continue
        if not table or not tensor:
            continue
        for back in range(1, min(len(table), len(tensor)) + 1):
            if table[-back] != tensor[-back] and 1 not in (table[-back], tensor[-back]):
                return Target(other, -back, table[-back])
    return None


def operands(failure: Failure) -> tuple[tuple[int, ...] | None, ...]:
    """Return the shape of each input of the failed call; -1 for an open length, None for an unknown shape.

    Args:
        failure: where the run ended.
    """
    shapes = [
        None if (value := failure.model.values.get(name)) is None else value.shape for name in failure.inputs
    ]
    return tuple(
        None if shape is None else tuple(length if isinstance(length, int) else -1 for length in shape)
        for shape in shapes
    )
