"""How much of TorchScript's code is followed before it counts as too much."""

from __future__ import annotations

from shapeinspect_torch.script.code.parser import CodeError

_MAX_STEPS = 200_000
_MAX_WORK = 300_000  # parts of values that are visited: tuples may repeat one tuple at every level


class Budget:
    """Counts what is done while a forward is followed."""

    def __init__(self) -> None:
        self._steps = self._work = 0

    def step(self) -> None:
        """Count a statement or an expression.

        Raises:
            CodeError: if there are too many.
        """
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise CodeError

    def spend(self, count: int = 1) -> None:
        """Count parts of values that are visited.

        Args:
            count: how many.

        Raises:
            CodeError: if there are too many.
        """
        self._work += count
        if self._work > _MAX_WORK:
            raise CodeError
