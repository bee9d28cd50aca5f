"""Restores the state of the process: random state, grad mode, and the global module hooks."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_GLOBAL_HOOKS = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)


@contextmanager
def undisturbed(grad: bool) -> Iterator[None]:
    """Run the body without the user's global hooks; restore random state and grad mode afterwards.

    Args:
        grad: whether gradients are recorded, which a forward that differentiates needs.
    """
    import torch
    from torch.nn.modules import module, transformer

    hooks: list[tuple[Any, dict[Any, Any]]] = []
    state, torch_state = random.getstate(), torch.get_rng_state()
    numpy = sys.modules.get("numpy")
    numpy_state = numpy.random.get_state() if numpy is not None else None  # the user's is saved
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
            yield
    finally:
        transformer._detect_is_causal_mask = causal
        for callbacks, saved in hooks:
            callbacks.clear()
            callbacks.update(saved)
        random.setstate(state)
        torch.set_rng_state(torch_state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)  # the user's is restored


def _is_causal(_mask: Any, is_causal: bool | None = None, _size: int | None = None) -> bool:
    return bool(is_causal)
