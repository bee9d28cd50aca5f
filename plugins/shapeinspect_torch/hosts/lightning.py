"""The callback of Lightning, under either of its names."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from shapeinspect.errors import MissingDependencyError
from shapeinspect.plugin_api.training import Training

#: Both are the same code; a Trainer of one takes a callback of the other, but not every one of its hooks.
_NAMES = ("lightning.pytorch", "pytorch_lightning")


def make(training: Training) -> Any:
    """Return a callback for a ``Trainer``.

    Args:
        training: what is done where training begins, fails and ends.

    Raises:
        MissingDependencyError: if Lightning is not installed.
    """
    base: Any = _package().Callback

    class ShapeInspect(base):  # type: ignore[misc]  # a class that is known when it is asked for
        """Shows the table at the start, and explains the shape error that ends a run."""

        def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
            """Begin: fit, validate, test and predict all call it first."""
            del stage
            training.begin(
                pl_module, getattr(pl_module, "example_input_array", None), speaks=trainer.is_global_zero
            )

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            """Explain the error; Lightning raises it again."""
            del trainer, pl_module
            training.failed(exception)

        def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
            """End."""
            del trainer, pl_module, stage
            training.end()

        def __reduce__(self) -> tuple[Any, ...]:
            return (make, (training,))

    return ShapeInspect()


def _package() -> Any:
    """Return the package that the user imports, else the one that is installed."""
    for name in sorted(_NAMES, key=lambda name: name not in sys.modules):
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in (name, name.partition(".")[0]):
                raise
    raise MissingDependencyError("lightning", "callbacks for Lightning", extra="hosts")
