"""``debug``: runs a model or a training step, and explains a shape error where one is raised."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from shapeinspect import registry
from shapeinspect.adapter import Adapter
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect.mismatch import diagnose as _diagnose
from shapeinspect.mismatch.walked import walk_again
from shapeinspect.rerun import Debugger, Recorded, Rerun
from shapeinspect.source import from_object

#: Where an exception keeps what was found out about it.
_MARK = "__shapeinspect__"


class debug:  # noqa: N801  # it is used like a function
    """Explain the shape errors of a block, of a function, or of one call.

    Nothing is watched while all goes well. When an exception leaves the block, the failed call is
    found in its traceback and run again without numbers; what that shows is added to the exception
    as a note, and the exception goes on as it was.

    Args:
        target: the model; or the function to decorate; None for whatever the block calls.
        args: arguments to call the model on now; the result is what the model returns.
        kwargs: the same by name.

    Example:
        >>> with debug():
        ...     raise KeyError("not about shapes")
        Traceback (most recent call last):
        ...
        KeyError: 'not about shapes'
        >>> @debug
        ... def step(x):
        ...     return x + 1
        >>> step(1)
        2
    """

    def __new__(cls, target: Any = None, /, *args: Any, **kwargs: Any) -> Any:
        """Return the context manager, the decorated function, or what the model gives."""
        self = super().__new__(cls)
        self.model = target
        if args or kwargs:
            with self:
                return target(*args, **kwargs)
        if inspect.isroutine(target):
            self.model = None
            return self(target)
        return self

    model: Any

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function, such as a training step."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return run

    def __enter__(self) -> debug:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            explain_error(error, self.model)


def explain_error(error: BaseException, model: object | None = None) -> Diagnosis | None:
    """Add a diagnosis to an exception, if it is about shapes.

    Args:
        error: the exception, with its traceback.
        model: the model that is debugged, if it is known: paths are counted from it.

    Returns:
        What was found, or None where the exception is not about shapes.
    """
    known = getattr(error, _MARK, None)
    if known is not None:
        return known if isinstance(known, Diagnosis) else None
    try:
        rerun = _recover(error, model)
        if rerun is None:
            return None
        found = _diagnose(rerun)
        text = describe(found)
    except Exception as problem:  # noqa: BLE001  # a fault of the diagnosis must not hide the user's exception
        _note(error, f"shapeinspect: no diagnosis ({type(problem).__name__}: {problem})", None)
        return None
    _note(error, f"shapeinspect: {text}", found)
    return found


def _recover(error: BaseException, model: object | None) -> Rerun | None:
    """Ask the debuggers of the frameworks that are imported."""
    for adapter in _adapters():
        if adapter.debugger is None:
            continue
        debugger = _load(adapter.debugger)
        if not any(package in sys.modules for package in debugger.packages):
            continue
        fits = model is not None and adapter.match(from_object(model)) > 0
        found = debugger.recover(error, model if fits else None)
        if isinstance(found, Recorded):
            found = walk_again(found)
        if found is not None:
            return found
    return None


@functools.cache
def _adapters() -> tuple[Adapter, ...]:
    return tuple(row.adapter for row in registry.installed() if row.adapter is not None)


@functools.cache
def _load(name: str) -> Debugger:
    import importlib

    module, _, attribute = name.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, Debugger):
        raise TypeError(f"{name} is no Debugger")
    return found


def _note(error: BaseException, text: str, found: Diagnosis | None) -> None:
    try:
        setattr(error, _MARK, found or text)
    except AttributeError:
        return  # an exception without a dictionary takes no note either
    if hasattr(error, "add_note"):
        error.add_note(text)
    elif error.args and isinstance(error.args[0], str):
        # Python 3.10 has no notes: the message carries the text.
        error.args = (f"{error.args[0]}\n{text}", *error.args[1:])
