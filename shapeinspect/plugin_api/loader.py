"""What a framework's own loader refuses when a checkpoint's keys and shapes do not fit a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from shapeinspect.ir import Model


@dataclass(frozen=True, slots=True)
class SizeMismatch:
    """A key that both sides have, with two shapes.

    Args:
        key: the weight's name.
        checkpoint: axes and lengths in the checkpoint.
        model: axes and lengths in the model.
    """

    key: str
    checkpoint: str
    model: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a framework's strict loading of one model's weights into another refuses.

    Args:
        call: the framework's own name of the loading call.
        checkpoint: the source that is loaded.
        model: the source that is loaded into.
        missing: keys in the model that the checkpoint does not have.
        unexpected: keys in the checkpoint that the model does not have.
        mismatched: keys that both have, with different shapes.
        causes: the likely causes, one sentence each.
    """

    call: str
    checkpoint: str
    model: str
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: tuple[SizeMismatch, ...] = ()
    causes: tuple[str, ...] = ()

    @property
    def refused(self) -> int:
        """The number of refused keys."""
        return len(self.missing) + len(self.unexpected) + len(self.mismatched)


class Loader(ABC):
    """Predicts what a framework's own loading by key accepts, without running it.

    An adapter names an instance by ``loader``; it is imported when two models of its framework are compared.
    """

    @abstractmethod
    def refusal(self, checkpoint: Model, model: Model, renamed: Sequence[tuple[str, str]]) -> Refusal:
        """Return what strict loading refuses, and the likely causes.

        Args:
            checkpoint: the model whose weights are loaded.
            model: the model that they are loaded into.
            renamed: for each pair of matched weights its key in the checkpoint and its key in the model.
        """
