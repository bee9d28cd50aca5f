"""What surrounded a failed call: grad mode and autocast, the random state, and how long the call took."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.user_code.frames import Place, syntax_tree
from shapeinspect_torch.debug.code.user_code import UNKNOWN, value_of
from shapeinspect_torch.tracing.guard import RandomState
from shapeinspect_torch.tracing.real_run import SECONDS

#: The functions of torch that run a decorated function, and the name under which they keep its context.
_DECORATED = {"decorate_context": "ctx_factory", "decorate_autocast": "autocast_instance"}


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions under which a call is run again.

    Args:
        contexts: make the contexts around the call, the outermost first.
        random: the random state at its beginning; None where it is not known.
        seconds: how long a real run of it may take.
    """

    contexts: tuple[Callable[[], AbstractContextManager[Any]], ...] = ()
    random: RandomState | None = None
    seconds: float = SECONDS

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the contexts."""
        with ExitStack() as stack:
            for context in self.contexts:
                stack.enter_context(context())
            yield


def contexts_of(frames: Sequence[Place]) -> tuple[Callable[[], AbstractContextManager[Any]], ...]:
    """Return the grad modes and autocasts that an exception has left: those of decorators and of ``with``.

    Args:
        frames: the frames around the call, the outermost first, and their lines.
    """
    found: list[Callable[[], AbstractContextManager[Any]]] = []
    for frame, line in frames:
        kept = frame.f_locals.get(_DECORATED.get(frame.f_code.co_name, ""))
        if kept is None:
            found.extend(_around(frame, line))
        else:
            found.append(functools.partial(_context, kept))
    return tuple(found)


def _context(kept: Any) -> AbstractContextManager[Any]:
    return kept if hasattr(kept, "__enter__") else kept()  # type: ignore[no-any-return]  # torch is read as Any


def is_grad_enabled() -> bool:
    """Return whether gradients are recorded."""
    import torch

    return bool(torch.is_grad_enabled())


def _around(frame: FrameType, line: int) -> Iterator[Callable[[], AbstractContextManager[Any]]]:
    """Yield the contexts of torch whose ``with`` encloses a line, the outermost first."""
    if "/torch/" in frame.f_code.co_filename.replace("\\", "/"):
        return
    tree = syntax_tree(frame.f_code, frame.f_globals)
    names = {**frame.f_globals, **frame.f_locals}
    for node in () if tree is None else ast.walk(tree):
        if isinstance(node, ast.With) and node.body[0].lineno <= line <= (node.end_lineno or 0):
            for item in node.items:
                made = _made(item.context_expr, names)
                if made is not None:
                    yield made


def _made(expression: ast.expr, names: dict[str, Any]) -> Callable[[], AbstractContextManager[Any]] | None:
    import torch

    if not isinstance(expression, ast.Call):
        return None
    kinds = (torch.no_grad, torch.enable_grad, torch.inference_mode, torch.set_grad_enabled, torch.autocast)
    function = value_of(expression.func, names)
    if not (isinstance(function, type) and issubclass(function, kinds)):
        return None
    given = [_value(part, names) for part in expression.args]
    named = {keyword.arg: _value(keyword.value, names) for keyword in expression.keywords if keyword.arg}
    if UNKNOWN in given or UNKNOWN in named.values():
        return None
    return functools.partial(function, *given, **named)


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    return node.value if isinstance(node, ast.Constant) else value_of(node, names)
