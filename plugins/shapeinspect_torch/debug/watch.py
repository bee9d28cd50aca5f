"""Keeps the last arguments of the debugged model, which no frame of a failed backward contains."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: The number of calls kept: one training step may call a model two or three times.
_KEPT = 4

_SEEN: weakref.WeakKeyDictionary[Any, deque[tuple[tuple[Any, ...], dict[str, Any]]]] = (
    weakref.WeakKeyDictionary()
)


@contextmanager
def watching(model: Any) -> Iterator[None]:
    """Keep the arguments of a model's last calls while the block runs: one hook, on the model itself.

    Args:
        model: the module.
    """
    seen: deque[tuple[tuple[Any, ...], dict[str, Any]]] = deque(maxlen=_KEPT)

    def keep(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append((args, kwargs))

    handle = model.register_forward_pre_hook(keep, with_kwargs=True)
    _SEEN[model] = seen
    try:
        yield
    finally:
        handle.remove()
        _SEEN.pop(model, None)


def calls_of(model: Any) -> tuple[tuple[Any, tuple[Any, ...], dict[str, Any]], ...]:
    """Return the last calls of a watched model, the latest first.

    Args:
        model: the module, or None.
    """
    import torch

    seen = _SEEN.get(model, ()) if isinstance(model, torch.nn.Module) else ()
    return tuple((model, args, kwargs) for args, kwargs in reversed(list(seen)))
