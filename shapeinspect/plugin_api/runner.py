"""Runs a model on numbers and keeps what its layers return: the only place where a port is tried for real."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shapeinspect.ir import Call, Model
from shapeinspect.plugin_api.loading_script import Setting
from shapeinspect.sources.source import Source

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Recording:
    """What one run returned.

    Args:
        layers: for each layer that was seen, by its path, the first output of each of its calls, in the order
            of the source's axes.
        outputs: the outputs of the model, in their order.
        keys: what the outputs are called where the model returns them by name; else empty.
        calls: everything that ran, in its order; functions, which belong to no layer with weights, among it.
        values: what the calls received and returned, by its name in ``calls``.
        returned: the names of the outputs among the values.
    """

    layers: Mapping[str, Sequence[Array]] = field(default_factory=dict)
    outputs: Sequence[Array] = ()
    keys: Sequence[str] = ()
    calls: Sequence[Call] = ()
    values: Mapping[str, Array] = field(default_factory=dict)
    returned: Sequence[str] = ()


class Session(ABC):
    """One model that is ready to run."""

    @abstractmethod
    def run(self, inputs: Sequence[Array]) -> Recording:
        """Run the model as at inference, and keep what its layers return.

        Args:
            inputs: the numbers of its inputs, in their order and in its own order of axes.

        Raises:
            ModelCodeError: if the model raises.
        """

    def change(self, setting: Setting) -> Callable[[], None] | None:
        """Change a setting of a layer until the returned function is called.

        Args:
            setting: which, and the value.

        Returns:
            what puts the old value back; None where the setting cannot be changed in a model that is made.
        """
        del setting
        return None


class Runner(ABC):
    """Makes models of one format ready to run.

    An adapter names an instance by ``runner``; it is imported when a model is to be run.
    """

    @abstractmethod
    def open(self, source: Source, model: Model, run_code: bool = False) -> Session:
        """Return a model that is ready to run; this executes it with its own framework.

        Args:
            source: the request.
            model: what was read of it.
            run_code: whether the user allowed it to run a program that a file holds, which may do anything.

        Raises:
            UsageError: if it holds no code or graph that can be run, or a program that may not run.
            MissingDependencyError: if what runs it is not installed.
        """
