"""One order of numbers to be tried, and the choice between those that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.numbers.rounding import Same

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: How many numbers are looked at before all of them are compared.
_SAMPLE = 256
#: The most numbers that are sorted to tell whether they are the same ones.
_MOST_SORTED = 1 << 24
#: How far two sums of the same numbers may be apart, which are added in another order.
_CLOSE = 2e-5


@dataclass(frozen=True, slots=True)
class Trial:
    """An order of the first model's numbers that may be the second one's.

    Args:
        text: what was found, behind "B's are A's".
        line: the code that reorders ``A``, an array in the common convention.
        apply: reorders an array of the first one's shape.
        probe: returns a few numbers of both sides that have to be the same ones; None where any will do.
    """

    text: str
    line: str
    apply: Callable[[Array], Array]
    probe: Callable[[Array, Array], tuple[Array, Array]] | None = None


def decided(trials: Iterable[Trial], left: Array, right: Array, same: Same) -> tuple[str, ...]:
    """Return what the one order that fits is, and its line; nothing where none does, or several do.

    Args:
        trials: the orders, the plainest one first.
        left: the values of the first model, in the common convention.
        right: those of the second one.
        same: tells whether two arrays hold the same numbers.
    """
    fitting = [trial for trial in trials if _fits(trial, left, right, same)]
    if not fitting:
        return ()
    first = fitting[0]
    if len(fitting) > 1 and not _one_order(fitting, left):
        return ("the same numbers in another order, of which more than one fits",)
    return (f"B's are A's {first.text}", first.line)


def _fits(trial: Trial, left: Array, right: Array, same: Same) -> bool:
    if trial.probe is not None and not _near(*trial.probe(left, right)):
        return False
    array = trial.apply(left)
    if array.size != right.size:
        return False
    other = right.reshape(array.shape)
    return _sampled(array, other) and same(array, other)


def _sampled(array: Array, other: Array) -> bool:
    """Tell by a few numbers whether it is worth comparing all of them; rounding passes."""
    import numpy as np

    step = max(array.size // _SAMPLE, 1)
    at = np.unravel_index(np.arange(0, array.size, step), array.shape)
    return _near(array[at], other[at])


def _near(one: Array, other: Array) -> bool:
    import numpy as np

    x, y = one.astype(np.float64), other.astype(np.float64)
    gap, size = np.abs(x - y), np.maximum(np.abs(x), np.abs(y))
    # Where half of the numbers are far apart, no rounding is the reason.
    return bool(np.mean(gap <= 0.5 * size) > 0.5)


def _one_order(trials: Iterable[Trial], left: Array) -> bool:
    """Tell whether trials are the same order of the numbers' places, in other words."""
    import numpy as np

    places = np.arange(left.size).reshape(left.shape)
    first, *rest = (trial.apply(places).reshape(-1) for trial in trials)
    return all(np.array_equal(first, other) for other in rest)


def alike(left: tuple[float, float], right: tuple[float, float]) -> bool:
    """Tell whether both sides can have the same values, by two sums that no order changes.

    Args:
        left: the sums of the first model's values.
        right: those of the second one's.
    """
    return all(abs(x - y) <= _CLOSE * max(x, y) for x, y in zip(left, right, strict=True))


def shuffled(left: Array, right: Array) -> tuple[str, ...]:
    """Say that both sides hold the very same numbers, in no order that anything explains.

    Args:
        left: the values of the first model.
        right: those of the second one.
    """
    import numpy as np

    if left.size > _MOST_SORTED or left.dtype.kind not in "fiu" or right.dtype.kind not in "fiu":
        return ()
    if not np.array_equal(np.sort(left, axis=None), np.sort(right, axis=None)):
        return ()
    return ("the same numbers in another order, which is none of the usual ones",)
