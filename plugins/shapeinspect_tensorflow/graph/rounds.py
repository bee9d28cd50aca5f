"""How often a loop of a graph runs, where it counts to a number that no round changes.

Source: https://www.tensorflow.org/api_docs/python/tf/raw_ops/While: the condition is computed before each
round; ``tf.while_loop`` adds a counter of its own where it is given ``maximum_iterations``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from shapeinspect.dims import UNKNOWN, Dim, Unknown
from shapeinspect.rules.lengths import ceil_div, larger, smaller
from shapeinspect_tensorflow.graph.evaluate import Numbers, one_number
from shapeinspect_tensorflow.graph.flow import Branch, Loop, Ref, Step

#: For each comparison, whether the counter is on its left where a loop counts up, and whether the end counts.
_ENDS = {"Less": (True, 0), "LessEqual": (True, 1), "Greater": (False, 0), "GreaterEqual": (False, 1)}
_MOST_PARTS = 16
#: What is said of a loop whose rounds are not counted.
UNCOUNTED = "how often this loop runs depends on its numbers, so its work is not known"
_ADDS = frozenset({"Add", "AddV2"})
#: A comparison of two numbers that no round changes.
_HOLDS: dict[str, Callable[[int, int], bool]] = {
    "Less": lambda a, b: a < b, "LessEqual": lambda a, b: a <= b, "Greater": lambda a, b: a > b,
    "GreaterEqual": lambda a, b: a >= b,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often a loop runs.

    Args:
        count: the number of rounds; unknown where it is an input of the model.
        value: a value that is this number; None where none is.
        counters: the places of the loop's values that are counters.
    """

    count: Dim
    value: Ref | None
    counters: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Counter:
    """A value of a loop that is compared with its end, which a round does not change."""

    place: int
    end: Ref
    included: int


def rounds(
    loop: Step,
    body: Loop,
    condition: Branch | None,
    step_of: Callable[[Ref], Step],
    numbers: Callable[[Ref], Numbers | None],
    fed: Callable[[Ref], bool],
) -> Rounds | None:
    """Return how often a loop runs; None where that is not known.

    Args:
        loop: the loop.
        body: one round of it.
        condition: its condition.
        step_of: returns the step that computes a value.
        numbers: returns the integers that a value is, as far as they are known.
        fed: tells whether a value is an input of the model.
    """
    if condition is None or len(condition.outputs) != 1 or condition.outputs[0] is None:
        return None
    counters = _Conditions(body, step_of, numbers).counters(condition.outputs[0])
    found: dict[tuple[Ref, Dim, int, int], Dim] = {}
    for counter in counters or ():
        start = loop.inputs[counter.place]
        begin, end = (None if ref is None else one_number(numbers(ref)) for ref in (start, counter.end))
        pace = _pace(body, counter.place, step_of, numbers)
        if begin is None or pace is None or pace < 1:
            return None
        if end is None:
            if (begin, pace, counter.included) != (0, 1, 0) or not fed(counter.end):
                return None
            end = UNKNOWN
        key = (counter.end, begin, pace, counter.included)
        length = end + counter.included - begin
        found[key] = length if isinstance(length, Unknown) else larger(ceil_div(length, pace), 0)
    if not found:
        return None
    places = frozenset(counter.place for counter in counters or ())
    if len(found) == 1:
        (((end_ref, begin, pace, included), count),) = found.items()
        return Rounds(count, end_ref if (begin, pace, included) == (0, 1, 0) else None, places)
    count = reduce(smaller, found.values())
    return None if isinstance(count, Unknown) else Rounds(count, None, places)


class _Conditions:
    def __init__(
        self, body: Loop, step_of: Callable[[Ref], Step], numbers: Callable[[Ref], Numbers | None]
    ) -> None:
        self._places = {value: place for place, value in enumerate(body.values) if value is not None}
        self._step_of, self._numbers = step_of, numbers
        self._parts = 0

    def counters(self, ref: Ref) -> list[_Counter] | None:
        """Return what a condition compares, all of which has to hold; None where it is another one."""
        found = self._holds(ref)
        return found if isinstance(found, list) else None

    def _holds(self, ref: Ref | None) -> list[_Counter] | bool | None:
        """Return the same, or whether the condition always or never holds."""
        self._parts += 1
        if ref is None or ref in self._places or self._parts > _MOST_PARTS:
            return None
        step = self._step_of(ref)
        op, inputs = step.node.op, step.inputs
        if op in ("LogicalAnd", "LogicalOr") and len(inputs) == 2:
            return _joined(self._holds(inputs[0]), self._holds(inputs[1]), op == "LogicalAnd")
        if op not in _ENDS or len(inputs) != 2 or inputs[0] is None or inputs[1] is None:
            return None
        left, included = _ENDS[op]
        value, end = (inputs[0], inputs[1]) if left else (inputs[1], inputs[0])
        if value in self._places and end not in self._places:
            return [_Counter(self._places[value], end, included)]
        if {*inputs} & self._places.keys():
            return None
        sides = [one_number(self._numbers(side)) for side in (inputs[0], inputs[1])]
        if not isinstance(sides[0], int) or not isinstance(sides[1], int):
            return None
        return _HOLDS[op](sides[0], sides[1])


def _joined(
    one: list[_Counter] | bool | None, other: list[_Counter] | bool | None, both: bool
) -> list[_Counter] | bool | None:
    """Return what two conditions are together: both of them, or either."""
    for first, second in ((one, other), (other, one)):
        if isinstance(first, bool):
            return second if first is both else first
    if one is None or other is None or not both:
        return None
    return [*(one if isinstance(one, list) else ()), *(other if isinstance(other, list) else ())]


def _pace(
    body: Loop, place: int, step_of: Callable[[Ref], Step], numbers: Callable[[Ref], Numbers | None]
) -> int | None:
    """Return what a round adds to a value."""
    made, value = body.outputs[place], body.values[place]
    maker = None if made is None or made == value else step_of(made)
    if maker is None or maker.node.op not in _ADDS or len(maker.inputs) != 2 or value not in maker.inputs:
        return None
    others = [ref for ref in maker.inputs if ref is not None and ref != value]
    pace = one_number(numbers(others[0])) if len(others) == 1 else None
    return pace if isinstance(pace, int) else None
