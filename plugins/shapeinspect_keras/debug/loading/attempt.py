"""Runs a load for real, in a scope in which no variable of the user's is written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shapeinspect_keras.tracing.guard import touchable, untouched

#: How many weights a sentence names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load did.

    Args:
        loaded: the loaded variables.
        missing: those that were not loaded.
    """

    loaded: tuple[Any, ...]
    missing: tuple[Any, ...]

    @property
    def total(self) -> int:
        """How many variables the model has."""
        return len(self.loaded) + len(self.missing)

    def text(self) -> str:
        """Say what was loaded."""
        if not self.missing:
            return f"all {self.total} weights of the model load"
        names = [key(variable) for variable in self.missing]
        shown = ", ".join(names[:_NAMED]) + (
            f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        )
        stay = "stays" if len(names) == 1 else "stay"
        return f"{len(self.loaded)} of {self.total} weights load; {shown} {stay} as initialized"


def key(variable: Any) -> str:
    """Return what a table calls a variable: its layer and its own name.

    Args:
        variable: the variable.
    """
    return "/".join(str(variable.path).split("/")[-2:])


def attempt(model: Any, load: Callable[[], Any]) -> Outcome | None:
    """Run a load; None where Keras refuses it.

    Args:
        model: the model; it stays as it is.
        load: loads into it.
    """
    import keras

    with warnings.catch_warnings(), untouched(touchable(model)):
        warnings.simplefilter("ignore")  # what is skipped is told by the outcome
        with keras.StatelessScope(initialize_variables=False) as scope:
            try:
                load()
            except Exception:  # noqa: BLE001  # whatever Keras raises, it does not load
                return None
            written = set(scope.state_mapping)
            variables = _variables(model)
    return Outcome(
        tuple(item for item in variables if id(item) in written),
        tuple(item for item in variables if id(item) not in written),
    )


def _variables(model: Any) -> list[Any]:
    """List the weights, without the states of random generators."""
    return [item for item in model.variables if "seed_generator" not in item.path]
