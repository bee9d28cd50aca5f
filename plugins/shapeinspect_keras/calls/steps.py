"""A call that consists of several steps, as separate layers and calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call
from shapeinspect_keras.calls.indexing import Step
from shapeinspect_keras.calls.values import Values


def chained(
    path: tuple[str, ...],
    steps: Sequence[Step],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    values: Values,
) -> Iterator[tuple[tuple[str, ...], str, Mapping[str, Any], Call]]:
    """Add the steps of a call as layers and calls.

    Args:
        path: the path of what is called, as parts.
        steps: the kind and the attributes of each step.
        inputs: what the call reads; the first step reads it.
        outputs: its outputs; the last step returns them.
        values: the values of the model, to which those between the steps are added.

    Yields:
        The path, kind, attributes and call of each step.

    Example:
        >>> values = Values()
        >>> steps = [("index", {"axis": 1, "index": 0}), ("unsqueeze", {"axes": (1,)})]
        >>> [call.layer for *_, call in chained(("item",), steps, ("x",), ("y",), values)]
        ['item/(index of axis 1)', 'item/(unsqueeze)']
    """
    current = inputs
    for number, (kind, attributes) in enumerate(steps, 1):
        axis = f" of axis {attributes['axis']}" if "axis" in attributes else ""
        inner = (*path, f"({kind}{axis})")
        name = "/".join(inner)
        after = outputs if number == len(steps) else (values.add(name, None, None),)
        yield inner, kind, attributes, Call(name, current, after, Frozen(attributes))
        current = after
