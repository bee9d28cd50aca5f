"""One proposal of what to change."""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.rerun import Change


@dataclass(frozen=True, slots=True)
class Fix:
    """A proposal.

    Args:
        cause: what is wrong if it helps; see ``causes``.
        changes: what is different.
        rank: how likely it is meant; the smallest is the best.
        text: what to call it, where the changes alone do not say it well.
        alone: whether it is shown only where nothing likelier helps.

    Example:
        >>> from shapeinspect.rerun import OnInput
        >>> Fix("no-batch", (OnInput("x", (("unsqueeze", 0),)),), 9).cause
        'no-batch'
    """

    cause: str
    changes: tuple[Change, ...]
    rank: int
    text: str | None = None
    alone: bool = False
