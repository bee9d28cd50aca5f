"""What a run on candidates comes to: which of them each call accepts, and the shapes behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"
#: A length is an int or an array of candidates.
Lengths: TypeAlias = "tuple[Any, ...]"

#: What stands for a candidate in the place of a call that refuses it.
ACCEPTED, UNKNOWN = -1, -2


@dataclass(slots=True)
class Outcome:
    """The result for every candidate.

    Args:
        refused: the number of the call that refuses each candidate; ACCEPTED for those that none does,
            UNKNOWN for those of which a call's rule tells nothing.
        unsolved: the calls whose outputs the arithmetic cannot compute, with the reason.
        shapes: the shape of every computed value; lengths of refused candidates are meaningless.
        numbers: the contents of the small tensors with which the graph computes shapes.
        ids: the largest number of each value that the network's own code counts up.
    """

    refused: Array
    unsolved: dict[int, str] = field(default_factory=dict)
    shapes: dict[str, Lengths] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> Array:
        """Which candidates every call accepts."""
        result: Array = self.refused == ACCEPTED
        return result

    def refuse(self, index: int, refuses: Any) -> None:
        """Mark the candidates that a call refuses, unless an earlier one has.

        Args:
            index: the call.
            refuses: whether it refuses each candidate, or one answer for all.

        Example:
            >>> import numpy as np
            >>> outcome = Outcome(np.array([ACCEPTED, 0, ACCEPTED]))
            >>> outcome.refuse(2, np.array([True, True, False]))
            >>> outcome.refused.tolist()
            [2, 0, -1]
        """
        self.refused[(self.refused == ACCEPTED) & refuses] = index
