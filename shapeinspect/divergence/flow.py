"""What ran between two layers: where, from equal inputs, two models first computed something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shapeinspect.ir import Call, Layer
from shapeinspect.plugin_api.runner import Recording

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: How a value of one run is found in the other: as it is up to the order of its axes, or with the same
#: numbers in another order.
Likeness: TypeAlias = Literal["equal", "reordered"]

#: Calls that compute nothing by themselves.
_NO_STEP = frozenset({"module", "input", "constant"})
#: Beyond so many axes not every order is tried.
_MOST_AXES = 5


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two calls that received the same and returned something else.

    Args:
        a: the first model's.
        b: the second one's.
        reordered: whether they returned the same numbers in another order.
        inputs: for each model the first value that they received.
    """

    a: Call
    b: Call
    reordered: bool = False
    inputs: tuple[str, str] = ("", "")


class Flow:
    """The calls of one run, and what they returned.

    Args:
        recording: the run.
        layers: the model's layers by path.
    """

    def __init__(self, recording: Recording, layers: Mapping[str, Layer]) -> None:
        self.values = recording.values
        self.returned = recording.returned
        self.layers = layers
        self.calls = [
            call for call in recording.calls if call.layer not in layers or not _silent(layers[call.layer])
        ]
        self.producer = {name: call for call in self.calls for name in call.outputs}
        #: Values that agree with the other run's but for the activation that is inside of its call, and those
        #: that are lengths: one model computes them where the other one has them as numbers.
        self.settled: set[str] = set(_sizes(recording.calls, layers, recording.values))
        #: The layers that have such an activation inside.
        self.fused: set[str] = set()
        self._sorted: dict[str, Array] = {}

    def above(self, names: Sequence[str]) -> list[str]:
        """Return values and everything that they were computed from, the nearest first.

        Args:
            names: the values.
        """
        found = dict.fromkeys(name for name in names if name in self.values)
        waiting = list(found)
        while waiting:
            call = self.producer.get(waiting.pop(0))
            for name in call.inputs if call is not None else ():
                if name not in found and name in self.values:
                    found[name] = None
                    waiting.append(name)
        return list(found)

    def numbers(self, name: str) -> Array:
        """Return a value's numbers in the order of their size.

        Args:
            name: the value.
        """
        import numpy as np

        known = self._sorted.get(name)
        if known is None:
            known = self._sorted[name] = np.sort(
                np.nan_to_num(self.values[name]).astype("float64"), axis=None
            )
        return known


def _sizes(calls: Sequence[Call], layers: Mapping[str, Layer], values: Mapping[str, Array]) -> Iterator[str]:
    """Yield the values that are computed from shapes and constants alone."""
    known: set[str] = set()
    fixed: set[str] = set()
    for call in calls:
        kind = layers[call.layer].kind if call.layer in layers else ""
        given = {name for name in call.inputs if name in values}
        if kind == "constant" and not given:
            fixed.update(call.outputs)
        elif kind == "shape_of" or (given and given & known and given <= known | fixed):
            known.update(call.outputs)
            yield from call.outputs


def _silent(layer: Layer) -> bool:
    return layer.kind in _NO_STEP


class Twins:
    """Finds values of one run in another by their numbers, which are random and so hardly coincide.

    Args:
        a: the first run.
        b: the second one.
        rtol: the difference that counts as none, as a part of the largest value.
    """

    def __init__(self, a: Flow, b: Flow, rtol: float) -> None:
        self._flows, self._rtol = (a, b), rtol
        self._known: dict[tuple[str, str], Likeness | None] = {}

    def like(self, name_a: str, name_b: str) -> Likeness | None:
        """Tell how two values are alike; None if they are not.

        Args:
            name_a: the first run's value.
            name_b: the second one's.
        """
        key = (name_a, name_b)
        if key not in self._known:
            self._known[key] = self._compared(name_a, name_b)
        return self._known[key]

    def _compared(self, name_a: str, name_b: str) -> Likeness | None:
        import numpy as np

        x, y = self._flows[0].values[name_a], self._flows[1].values[name_b]
        if x.size != y.size or not x.size or x.dtype.kind not in "fiub" or y.dtype.kind not in "fiub":
            return None
        left, right = self._flows[0].numbers(name_a), self._flows[1].numbers(name_b)
        limit = self._rtol * max(abs(left[0]), abs(left[-1]), abs(right[0]), abs(right[-1]))
        if abs(left[0] - right[0]) > limit or abs(left[-1] - right[-1]) > limit:
            return None
        if float(np.abs(left - right).max()) > limit:
            return None
        return "equal" if any(_near(x, one, limit) for one in _turned(x, y)) else "reordered"

    def of(self, side: int, name: str, among: Sequence[str]) -> tuple[str, Likeness] | None:
        """Return the value of the other run that is alike, an equal one first.

        Args:
            side: 0 for a value of the first run, 1 for one of the second.
            name: the value.
            among: the other run's values.
        """
        other: tuple[str, Likeness] | None = None
        for twin in among:
            likeness = self.like(name, twin) if side == 0 else self.like(twin, name)
            if likeness == "equal":
                return twin, likeness
            if likeness is not None and other is None:
                other = twin, likeness
        return other


def _near(x: Array, y: Array, limit: float) -> bool:
    import numpy as np

    apart = np.abs(np.nan_to_num(x).astype("float64") - np.nan_to_num(y).astype("float64"))
    return bool(apart.max(initial=0.0) <= limit)


def _turned(x: Array, y: Array) -> Iterator[Array]:
    """Yield an array in each order of axes that gives another one's lengths; those of length 1 may lack."""
    x_shape = [length for length in x.shape if length != 1]
    y = y.squeeze()
    if y.ndim > _MOST_AXES:
        yield from [y.reshape(x.shape)] if list(y.shape) == x_shape else []
        return
    for order in permutations(range(y.ndim)):
        if [y.shape[axis] for axis in order] == x_shape:
            yield y.transpose(order).reshape(x.shape)


def same_axes(x: Array, y: Array, rtol: float) -> tuple[int, ...]:
    """Return for each axis of an array the axis of an equal one; empty if it is not equal in any order.

    Args:
        x: the first array.
        y: the second one.
        rtol: the difference that counts as none, as a part of the largest value.

    Example:
        >>> import numpy as np
        >>> x = np.arange(6.0).reshape(1, 2, 3)
        >>> same_axes(x, x.transpose(0, 2, 1), 1e-6)
        (0, 2, 1)
    """
    import numpy as np

    if x.ndim != y.ndim or x.ndim > _MOST_AXES:
        return ()
    limit = rtol * float(np.abs(np.nan_to_num(x)).max(initial=0.0))
    for order in permutations(range(x.ndim)):
        turned = y.transpose(order)
        if turned.shape == x.shape and _near(x, turned, limit):
            return order
    return ()


def meetings(a: Flow, b: Flow, twins: Twins, ends: tuple[Sequence[str], Sequence[str]]) -> list[Meeting]:
    """Find the calls above two values at which the runs part: what goes in is alike, what comes out is not.

    Those come first that put the same numbers into another order, as a flatten does whose weights were moved
    with it.

    Args:
        a: the first run.
        b: the second one.
        twins: finds values of one run in the other.
        ends: for each run the values from which to look upwards.

    Returns:
        pairs of calls in the first run's order; none where either run does not show its steps.
    """
    above = a.above(ends[0]), b.above(ends[1])
    first = _frontier(a, ends[0], lambda name: twins.of(0, name, above[1]))
    second = _frontier(b, ends[1], lambda name: twins.of(1, name, above[0]))
    found = [
        Meeting(call, other, False, (_first(call), _first(other)))
        for call, other in _paired(a, b, first, second)
    ]
    return [*_reordered(a, twins, b, [one.a for one in found], above[1]), *found]


def _first(call: Call) -> str:
    return next((name for name in call.inputs if name), "")


def _frontier(flow: Flow, ends: Sequence[str], twin: Any) -> list[Call]:
    """Return the calls above values that have twins for what they receive and none for what they return."""
    found: dict[int, Call] = {}
    seen: set[str] = set()
    waiting = [name for name in ends if name in flow.values]
    while waiting:
        name = waiting.pop(0)
        if name in seen or name in flow.settled or twin(name) is not None:
            continue
        seen.add(name)
        call = flow.producer.get(name)
        if call is None:
            continue
        # What no call returns is the model's own, such as a grid that it holds: nothing above it is open.
        given = [one for one in call.inputs if one in flow.producer and one not in flow.settled]
        open_inputs = [one for one in given if one in flow.values and twin(one) is None]
        waiting += open_inputs
        if not open_inputs:
            found[id(call)] = call
    order = {id(call): index for index, call in enumerate(flow.calls)}
    return sorted(found.values(), key=lambda call: order[id(call)])


def _paired(a: Flow, b: Flow, first: Sequence[Call], second: Sequence[Call]) -> Iterator[tuple[Call, Call]]:
    """Pair the calls of two frontiers: of one kind in their order, else one alone with one alone."""
    kinds = [_kind(b, call) for call in second]
    taken: set[int] = set()
    for call in first:
        at = next((i for i, kind in enumerate(kinds) if kind == _kind(a, call) and i not in taken), None)
        if at is None and len(first) == len(second) == 1:
            at = 0
        if at is not None:
            taken.add(at)
            yield call, second[at]


def _kind(flow: Flow, call: Call) -> str:
    if call.layer in flow.fused:
        return "activation"
    layer = flow.layers.get(call.layer)
    return layer.kind if layer is not None else ""


def _reordered(
    a: Flow, twins: Twins, b: Flow, calls: Sequence[Call], among: Sequence[str]
) -> Iterator[Meeting]:
    """Yield the calls that put the same numbers into another order, of which some calls received them."""
    for name in a.above([name for call in calls for name in call.inputs]):
        call = a.producer.get(name)
        twin = twins.of(0, name, among)
        if call is None or twin is None or twin[1] != "reordered":
            continue
        given = [twins.of(0, one, among) for one in call.inputs if one in a.values]
        other = b.producer.get(twin[0])
        if other is not None and given and all(one is not None and one[1] == "equal" for one in given):
            yield Meeting(call, other, True, (_first(call), _first(other)))
