"""What watches a second run of a script: a plug-in's knows its framework."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shapeinspect.plugin_api.origins.literals import Literal


class Follower:
    """What watches a second run; this one sees nothing."""

    @contextmanager
    def watching(self, literals: Sequence[Literal]) -> Iterator[None]:
        """Watch while the script runs.

        Args:
            literals: those of the script, by their number.
        """
        del literals
        yield

    def found(self, error: BaseException | None) -> Any:
        """Return what was found out, so that it can be sent from one process to another.

        Args:
            error: what the script ended with; None at its own end.
        """
        del error
        return None
