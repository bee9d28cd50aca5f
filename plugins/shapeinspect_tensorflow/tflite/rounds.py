"""How often a loop of a TFLite file runs, where it counts to a constant.

Source: https://www.tensorflow.org/mlir/tfl_ops: ``tfl.while`` runs the graph of its condition before each
round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from shapeinspect.dims import Dim
from shapeinspect.rules.lengths import ceil_div, larger, smaller
from shapeinspect_tensorflow.tflite.file import Operator, Subgraph

#: For each comparison, whether the counter is on its left where a loop counts up, and whether the end counts.
_ENDS = {"LESS": (True, 0), "LESS_EQUAL": (True, 1), "GREATER": (False, 0), "GREATER_EQUAL": (False, 1)}
_MOST_PARTS = 16


@dataclass(frozen=True, slots=True)
class _Counter:
    """A value of a loop that is compared with its end, which a round does not change."""

    place: int
    end: int | None
    constant: int | None
    included: int


def rounds(
    loop: Operator, condition: Subgraph, body: Subgraph, number: Callable[[int], Dim | None]
) -> Dim | None:
    """Return how often a loop runs; None where that is not known.

    Args:
        loop: the loop.
        condition: the graph of its condition.
        body: the graph of one round.
        number: returns the number that a tensor of the graph around the loop is.
    """
    count = len(loop.inputs)
    if (
        not count == len(condition.inputs) == len(body.inputs) == len(body.outputs)
        or len(condition.outputs) != 1
    ):
        return None
    counts: list[Dim] = []
    for counter in _counters(condition):
        if counter is None:
            return None
        step, begin = _step(body, counter.place), number(loop.inputs[counter.place])
        end: Dim | None = counter.constant
        if counter.end is not None and body.inputs[counter.end] == body.outputs[counter.end]:
            end = number(loop.inputs[counter.end])
        if begin is None or end is None or step is None or step < 1:
            return None
        counts.append(larger(ceil_div(end + counter.included - begin, step), 0))
    return reduce(smaller, counts) if counts else None


def _counters(condition: Subgraph) -> list[_Counter | None]:
    """Return what a condition compares: all of it has to hold."""
    makers = condition.makers()
    found: list[_Counter | None] = []
    stack = [condition.outputs[0]]
    while stack and len(found) < _MOST_PARTS:
        maker = makers.get(stack.pop())
        if maker is not None and maker.op == "LOGICAL_AND":
            stack.extend(maker.inputs)
            continue
        found.append(None if maker is None else _counter(condition, maker))
    return [*found, *(None for _ in stack)]


def _counter(condition: Subgraph, compare: Operator) -> _Counter | None:
    left, included = _ENDS.get(compare.op, (True, 0))
    if compare.op not in _ENDS or len(compare.inputs) != 2:
        return None
    value, end = compare.inputs if left else compare.inputs[::-1]
    if value not in condition.inputs:
        return None
    place = condition.inputs.index(value)
    if end in condition.inputs:
        return _Counter(place, condition.inputs.index(end), None, included)
    return _Counter(place, None, _constant(condition, end), included)


def _step(body: Subgraph, place: int) -> int | None:
    """Return what a round adds to a value."""
    maker = body.makers().get(body.outputs[place])
    if maker is None or maker.op != "ADD" or (maker.options or {}).get("fused") or len(maker.inputs) != 2:
        return None
    others = [index for index in maker.inputs if index != body.inputs[place]]
    return _constant(body, others[0]) if len(others) == 1 else None


def _constant(graph: Subgraph, index: int) -> int | None:
    numbers = graph.tensors[index].numbers if index >= 0 else None
    return numbers[0] if numbers is not None and len(numbers) == 1 else None
