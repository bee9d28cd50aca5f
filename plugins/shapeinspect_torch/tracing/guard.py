"""Restores the state of the process: random states, grad mode, and the global module hooks."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_GLOBAL_HOOKS = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)


@dataclass(frozen=True, slots=True)
class RandomState:
    """The states of the random numbers of Python, torch, NumPy and the devices in use."""

    python: Any
    torch: Any
    numpy: Any
    devices: Any

    @classmethod
    def now(cls, every: bool = True) -> RandomState:
        """Return the states as they are; libraries that are not imported have none.

        Args:
            every: whether NumPy's is wanted, which takes longer to read than all others together.
        """
        import torch

        numpy = sys.modules.get("numpy") if every else None
        return cls(
            random.getstate(),
            torch.get_rng_state(),
            numpy.random.get_state() if numpy is not None else None,  # the user's is saved
            torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None,
        )

    def restore(self) -> None:
        """Set the states."""
        import torch

        random.setstate(self.python)
        torch.set_rng_state(self.torch)
        if self.numpy is not None:
            sys.modules["numpy"].random.set_state(self.numpy)  # the user's is restored
        if self.devices is not None:
            torch.cuda.set_rng_state_all(self.devices)


@contextmanager
def undisturbed(grad: bool, begin: RandomState | None = None) -> Iterator[None]:
    """Run the body without the user's global hooks; restore random state and grad mode afterwards.

    Args:
        grad: whether gradients are recorded, which a forward that differentiates needs.
        begin: the random state that the body begins with; None for that of the process.
    """
    import torch
    from torch.nn.modules import module, transformer

    hooks: list[tuple[Any, dict[Any, Any]]] = []
    before = RandomState.now()
    causal = transformer._detect_is_causal_mask
    try:
        for name in _GLOBAL_HOOKS:
            callbacks = getattr(module, name, None)
            if callbacks:
                hooks.append((callbacks, dict(callbacks)))
                callbacks.clear()
        # It compares the mask's numbers, and only to choose a faster kernel.
        transformer._detect_is_causal_mask = _is_causal
        with warnings.catch_warnings(), torch.inference_mode(False), torch.set_grad_enabled(grad):
            warnings.simplefilter("ignore")  # they concern real runs, and this is not one
            if begin is not None:
                begin.restore()
            yield
    finally:
        transformer._detect_is_causal_mask = causal
        for callbacks, saved in hooks:
            callbacks.clear()
            callbacks.update(saved)
        before.restore()


def _is_causal(_mask: Any, is_causal: bool | None = None, _size: int | None = None) -> bool:
    return bool(is_causal)
