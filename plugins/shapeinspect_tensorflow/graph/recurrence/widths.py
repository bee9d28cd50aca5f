"""How wide what a loop cuts into gates is, where a graph does not record it, as a frozen one does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from shapeinspect.dims import UNKNOWN
from shapeinspect_tensorflow.graph.flow import VARIABLES, Ref, Step
from shapeinspect_tensorflow.graph.nodes import Tensor

_MAX_DEPTH = 10
_SAME = frozenset({"ReadVariableOp", "Cast", "Enter", "Identity", "BiasAdd"})
_SUMS = frozenset({"Add", "AddV2"})


def measured(step: Step, numbers: Sequence[tuple[int, ...] | None], step_of: Callable[[Ref], Step]) -> Step:
    """Return a slice with the shape that a graph would record: its last axis, the others open.

    Args:
        step: the slice.
        numbers: what is stored in its inputs.
        step_of: returns the step that makes a value.
    """
    starts, ends = numbers[1:3] if len(numbers) == 4 else (None, None)
    if not starts or ends is None or len(starts) != len(ends):
        return step
    whole = _width(step.inputs[0], step_of)
    if whole is None:
        return step
    settings, last = step.node.attributes, len(starts) - 1
    first, end = (
        None if (settings.get(f"{name}_mask") or 0) >> last & 1 else places[last]
        for name, places in (("begin", starts), ("end", ends))
    )
    shape = (*(UNKNOWN for _ in starts[1:]), len(range(whole)[slice(first, end)]))
    return replace(step, node=replace(step.node, attributes={**settings, "_output_shapes": (shape,)}))


def _width(ref: Ref | None, step_of: Callable[[Ref], Step], depth: int = 0) -> int | None:
    """Return the length of the last axis of a value, which a product has from its matrix."""
    if ref is None or depth > _MAX_DEPTH:
        return None
    step = step_of(ref)
    op, settings = step.node.op, step.node.attributes
    stored = settings.get("value")
    shape = settings.get("shape") if op in VARIABLES else stored.shape if isinstance(stored, Tensor) else ()
    if shape:
        return shape[-1] if isinstance(shape[-1], int) else None
    if op == "MatMul" and len(step.inputs) == 2 and not settings.get("transpose_b"):
        return _width(step.inputs[1], step_of, depth + 1)
    if op in _SAME and step.inputs:
        return _width(step.inputs[0], step_of, depth + 1)
    widths = {_width(source, step_of, depth + 1) for source in step.inputs} if op in _SUMS else set()
    return (widths - {None, 1}).pop() if len(widths - {None, 1}) == 1 else None
