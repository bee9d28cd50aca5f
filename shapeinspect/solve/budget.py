"""How much computing a search for sizes may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from shapeinspect.errors import UsageError
from shapeinspect.plugin_api.clock import allowed

#: Seconds of processor time for any search, and for each call of the network; a call needs 2 to 5 ms.
_SECONDS, _SECONDS_A_CALL = 20.0, 0.01


@dataclass(frozen=True, slots=True)
class Budget:
    """The processor time of a search, from the moment at which it is made.

    Args:
        calls: how many calls the network has.

    Example:
        >>> Budget(4).check()
    """

    calls: int
    _begin: float = field(init=False, repr=False, default_factory=time.process_time)

    @property
    def seconds(self) -> float:
        """How many seconds of processor time the search may take."""
        return allowed(_SECONDS + _SECONDS_A_CALL * self.calls)

    def check(self) -> None:
        """End a search that has used up its time.

        Raises:
            UsageError: if it has.
        """
        if time.process_time() - self._begin > self.seconds:
            raise UsageError(
                "which sizes fit is not known: trying them takes too long",
                expected=f"at most {self.seconds:.0f} s of computing for {self.calls:,} calls",
                hint="check tells whether one size fits: --input",
            )
