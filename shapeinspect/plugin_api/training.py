"""What a training framework's callback hands on: where training begins, fails and ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any


class Training(ABC):
    """One training run, as its callback sees it: the callback knows its framework, and this does the work."""

    #: The model, where the user has named it beforehand; else None.
    model: object | None

    @property
    @abstractmethod
    def watching(self) -> bool:
        """Whether a model is watched now: since ``begin``, until the training fails or ends."""

    @abstractmethod
    def begin(self, model: object, example: Any = None, *, speaks: bool = True) -> None:
        """Show the model, once, and watch it until the training fails or ends.

        Args:
            model: the model that is trained.
            example: inputs of the model, where the framework knows some and the user named none.
            speaks: whether this process is the one that prints.
        """

    @abstractmethod
    def failed(self, error: BaseException) -> None:
        """Explain the error that ends the training, if it is about shapes, and watch no longer.

        Args:
            error: the error, with its traceback.
        """

    @abstractmethod
    def end(self) -> None:
        """Watch no longer: the training came to its end."""

    @abstractmethod
    def watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, whose errors are explained on their way out.

        Args:
            function: a step of the training, or all of it.
        """

    @abstractmethod
    def __reduce__(self) -> tuple[Any, ...]:
        """Say how to make it anew in another process."""
