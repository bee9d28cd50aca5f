"""Keeps what no frame of a failure contains: the last arguments of a model, its random state and the time."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shapeinspect.plugin_api import clock
from shapeinspect_torch.debug.hidden_hook import hidden_hook
from shapeinspect_torch.tracing.guard import RandomState

#: The number of calls kept: one training step may call a model two or three times.
_KEPT = 4

_SEEN: weakref.WeakKeyDictionary[Any, deque[tuple[tuple[Any, ...], dict[str, Any]]]] = (
    weakref.WeakKeyDictionary()
)
#: When the last call of a model began, and the random state then.
_BEGUN: weakref.WeakKeyDictionary[Any, tuple[float, RandomState]] = weakref.WeakKeyDictionary()


@contextmanager
def watching(model: Any) -> Iterator[None]:
    """Keep the arguments of a model's last calls while the block runs: one hook, on the model itself.

    Args:
        model: the module.
    """
    from torch.compiler import is_compiling

    seen: deque[tuple[tuple[Any, ...], dict[str, Any]]] = deque(maxlen=_KEPT)

    def keep(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if is_compiling():  # Dynamo follows a hook as well: a clock would part its graph
            return
        seen.append((args, kwargs))
        _BEGUN[model] = (clock.now(), RandomState.now(every=False))

    _SEEN[model] = seen
    try:
        with hidden_hook(model, keep):
            yield
    finally:
        _SEEN.pop(model, None)
        _BEGUN.pop(model, None)


def calls_of(model: Any) -> tuple[tuple[Any, tuple[Any, ...], dict[str, Any]], ...]:
    """Return the last calls of a watched model, the latest first.

    Args:
        model: the module, or None.
    """
    import torch

    seen = _SEEN.get(model, ()) if isinstance(model, torch.nn.Module) else ()
    return tuple((model, args, kwargs) for args, kwargs in reversed(list(seen)))


def begun(model: Any) -> tuple[float, RandomState] | None:
    """Return when the last call of a watched model began, and the random state then.

    Args:
        model: the module, or None.
    """
    import torch

    return _BEGUN.get(model) if isinstance(model, torch.nn.Module) else None
