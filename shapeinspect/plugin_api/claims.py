"""What was run with a fix, so that nothing wider is claimed of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How far a fix was tried."""

    #: The statement of the program that failed ran to its end.
    WHOLE = "whole"
    #: The layer that failed ran; what follows was not run.
    PART = "part"
    #: The layer that failed ran; another one fails after it.
    FURTHER = "further"
    #: Nothing was run.
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Claim:
    """What may be said of a fix.

    Args:
        level: how far it was tried.
        what: what ran to its end, such as "the model call"; of ``PART`` and ``FURTHER`` the part that ran.
        rest: of ``PART`` why what follows was not run, of ``FURTHER`` what fails next, of ``UNTRIED`` why
            nothing was run or what is known instead; of ``WHOLE`` what of the program was not run. A clause
            of its own; empty for nothing to add.
        to_end: whether all that follows in the program was run, too.

    Example:
        >>> Claim().text
        'the model call runs to its end with it'
        >>> Claim(Level.PART, "torch.stack", "the data loader was not run again").text
        'torch.stack runs with it; what follows was not run: the data loader was not run again'
        >>> Claim(Level.FURTHER, "conv1", 'layer "conv2" refuses 64 channels').text
        'conv1 gets past here with it; next: layer "conv2" refuses 64 channels'
        >>> Claim(Level.UNTRIED, rest="the session is gone").sentence(1)
        'it was not tried: the session is gone'
        >>> Claim().sentence(2)
        'each was tried: the model call runs to its end with it'
    """

    level: Level = Level.WHOLE
    what: str = "the model call"
    rest: str = ""
    to_end: bool = False

    @property
    def text(self) -> str:
        """The claim as a clause, without a word on whether it was tried."""
        colon, semicolon = (f"{mark} {self.rest}" if self.rest else "" for mark in ":;")
        if self.level is Level.WHOLE:
            return f"{self.what} runs to its end with it{semicolon}"
        if self.level is Level.PART:
            return f"{self.what} runs with it; what follows was not run{colon}"
        if self.level is Level.FURTHER:
            return f"{self.what} gets past here with it; next{colon}"
        return self.rest

    def sentence(self, count: int) -> str:
        """Return the claim as it stands behind one fix, or behind several with the same claim.

        Args:
            count: how many fixes it is said of.
        """
        who = "it was" if count == 1 else "each was"
        if self.level is not Level.UNTRIED:
            return f"{who} tried: {self.text}"
        return f"{'it was' if count == 1 else 'they were'} not tried" + (
            f": {self.rest}" if self.rest else ""
        )
