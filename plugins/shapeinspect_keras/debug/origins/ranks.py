"""Where an array got an axis too many, or lost one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from shapeinspect_keras.debug.origins.bindings import Place
from shapeinspect_keras.debug.origins.flow import Flow, Lengths, alike
from shapeinspect_keras.debug.origins.making import line, text
from shapeinspect_keras.debug.origins.operands import Operand
from shapeinspect_keras.debug.script.candidate import show

_STEPS = 60


def superfluous(shape: Lengths, others: Sequence[Lengths]) -> int | None:
    """Return the only axis without which a shape is another one that is told; None for none.

    Args:
        shape: the shape.
        others: the shapes that are told.

    Example:
        >>> superfluous((4, 10, 1, 28), [(None, 10, 28)]), superfluous((4, 10, 28), [(None, 10, 28)])
        (2, None)
    """
    found = [
        axis
        for axis in range(1, len(shape))
        if any(alike((*shape[:axis], *shape[axis + 1 :]), other) for other in others)
    ]
    clear = len(found) == 1 and shape[found[0]] != shape[0]  # else it may be the first axis as well
    return found[0] if clear else None


def told(flow: Flow, operand: Operand, lacks: int) -> Iterator[str]:
    """Name the expressions after which an array has more, or fewer, axes than before.

    Args:
        flow: the script.
        operand: the array, as the failing statement has it.
        lacks: how many axes it lacks, negative for too many.
    """
    found = 0
    for node, after, inner, before in _turns(flow, operand):
        if (len(after) > len(before)) == (lacks < 0):
            found += 1
            given = f"`{text(flow, inner)}`, {show(before)}"
            yield f"`{text(flow, node)}` at {line(node)} makes {show(after)} of {given}"
        if found == 2:
            return


def _turns(flow: Flow, operand: Operand) -> Iterator[tuple[ast.expr, Lengths, ast.expr, Lengths]]:
    """Yield what changes the number of axes, from the failing statement back."""
    place, shape = Place(operand.node), operand.shape
    seen = set()
    for _ in range(_STEPS):
        if (place.node, shape) in seen:
            return
        seen.add((place.node, shape))
        back = flow.before(place, shape)
        if back is not None:
            place = back
            continue
        inner = next(flow.operands(place.node, nested=True), None)
        before = None if inner is None else flow.shape(inner, nested=True)
        if inner is None or before is None:
            back = (
                next(flow.returned(place.node, place.parts), None)
                if isinstance(place.node, ast.Call)
                else None
            )
            found = None if back is None else flow.shape(back.node, nested=True)
            if back is None or found is None:
                return
            place, shape = back, found
            continue
        if len(before) != len(shape):
            yield place.node, shape, inner, before
        place, shape = Place(inner), before
