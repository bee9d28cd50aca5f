"""How a copy of a model is run: without numbers, with those of its integers, or for real."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from shapeinspect_torch.tracing.dispatch_mode import Listener, without_numbers_mode
from shapeinspect_torch.tracing.inputs import Inputs
from shapeinspect_torch.tracing.meta_copy import LARGE, TINY, Shadow, on_meta
from shapeinspect_torch.tracing.pytree import tensors
from shapeinspect_torch.tracing.real_run import RealRun


class Way(ABC):
    """One way to run a copy.

    Args:
        grad: whether gradients are recorded.
    """

    #: Whether all tensors have numbers.
    real = False

    def __init__(self, grad: bool) -> None:
        self.grad = grad

    @abstractmethod
    def shadow(self) -> Shadow:
        """Return what copies the model and its arguments."""

    @abstractmethod
    def call(self, copy: Any, model: Any, inputs: Inputs, listener: Listener) -> Any:
        """Call a copy.

        Args:
            copy: the copy.
            model: the user's module.
            inputs: the arguments, copied.
            listener: is called with every call; see ``dispatch_mode``.
        """


class WithoutNumbers(Way):
    """On meta tensors; integers keep their numbers where they are few, or all of them.

    Args:
        integers: whether all integers and flags keep their numbers.
        grad: whether gradients are recorded.
    """

    def __init__(self, integers: bool = False, grad: bool = False) -> None:
        super().__init__(grad)
        self.largest = LARGE if integers else TINY

    def shadow(self) -> Shadow:
        """Return what copies onto meta."""
        return Shadow(lambda tensor: on_meta(tensor, self.largest))

    def call(self, copy: Any, model: Any, inputs: Inputs, listener: Listener) -> Any:
        """Call a copy on meta tensors; see :class:`Way`."""
        import torch

        first = next((tensor for tensor in (*model.parameters(), *model.buffers())), None)
        device = torch.device("cpu") if first is None or first.is_meta else first.device
        with without_numbers_mode(device, listener, self.largest):
            return copy(*inputs.args, **inputs.kwargs)


class WithNumbers(Way):
    """For real, on the model's own device and weights.

    Args:
        run: what is shared, and the limits.
        grad: whether gradients are recorded.
    """

    real = True

    def __init__(self, run: RealRun, grad: bool) -> None:
        super().__init__(grad)
        self._run = run

    def shadow(self) -> Shadow:
        """Return what shares weights and copies other tensors."""
        return Shadow(self._run.tensor, runs=True)

    def call(self, copy: Any, model: Any, inputs: Inputs, listener: Listener) -> Any:
        """Call a copy for real; see :class:`Way`."""
        del model
        with self._run.mode(listener):
            return copy(*inputs.args, **inputs.kwargs)


def has_numbers(model: Any, example: Any) -> bool:
    """Tell whether a call can be run for real: no tensor of it is without numbers.

    Args:
        model: the user's module.
        example: its arguments, or None for none.
    """
    if example is None:
        return False
    given = [tensor for _, tensor in tensors(example)]
    every = (*given, *model.parameters(), *model.buffers())
    return bool(given) and not any(tensor.is_meta or hasattr(tensor, "fake_mode") for tensor in every)
