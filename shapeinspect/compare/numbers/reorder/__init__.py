"""Numbers that differ only in their order: the mistakes of a port, rows of what is tried.

``trial`` decides between trials, ``axes`` moves whole axes, ``rows`` reorders the entries along one,
``stored`` reshapes what had to be transposed, ``arithmetic`` is what is no reordering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapeinspect.compare.granularity.slots import Slot
from shapeinspect.compare.numbers.reorder.arithmetic import changed
from shapeinspect.compare.numbers.reorder.axes import exchanged, ordered
from shapeinspect.compare.numbers.reorder.rows import along
from shapeinspect.compare.numbers.reorder.stored import reshaped
from shapeinspect.compare.numbers.reorder.trial import alike, decided, shuffled
from shapeinspect.compare.numbers.rounding import Same, allowance
from shapeinspect.compare.prints import sums

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def reordering(a: Slot, b: Slot, left: Array, right: Array, same: Same, groups: int = 1) -> tuple[str, ...]:
    """Say how one side's values must be reordered to give the other's.

    Args:
        a: the first model's slot.
        b: the second model's.
        left: the values of the first, in the common convention.
        right: those of the second.
        same: tells whether two arrays hold the same numbers.
        groups: how many groups of channels the layer has.

    Returns:
        a clause, and another one with the line of code that does it; nothing where no order makes them equal.

    Example:
        >>> import numpy as np
        >>> from shapeinspect.ir import Layout, Weight
        >>> from shapeinspect.layout.canonical import pieces
        >>> weight = Weight("w", "weight", (3, 3), layout=Layout("o i", "o i", slot="weight"))
        >>> slot, square = Slot("weight", weight, pieces(weight)[0]), np.arange(9.0).reshape(3, 3)
        >>> reordering(slot, slot, square, square.T, np.array_equal)
        ("B's are A's with o and i swapped", "B = rearrange(A, 'o i -> i o')")
    """
    if left.size != right.size or left.size < 2:
        return ()
    rounded = bool(allowance(a, b))
    if not rounded and not alike(sums(left), sums(right)):
        return changed(a.name, left, right, same)
    proven = a.piece is not None and b.piece is not None
    trials = [*(ordered(a, b, left) if proven else exchanged([], left, right.shape)), *reshaped(a, b)]
    trials += along(left, right, groups)
    found = decided(trials, left, right, same)
    if found or rounded:
        return found
    return shuffled(left, right)
