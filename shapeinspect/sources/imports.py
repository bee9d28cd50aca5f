"""Live models named by ``package.module:attribute``: the one place that runs a user's code by name."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys

from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.sources.source import Source, from_object, named_by_module


def from_import_string(text: str) -> Source:
    """Import a model by its name; a class or a factory is called without arguments.

    The current directory is searched first, as ``python -m`` does.

    Args:
        text: ``package.module:attribute``.

    Raises:
        UsageError: if the module or attribute does not exist.
        ModelCodeError: if the module or the factory raises.

    Example:
        >>> from_import_string("fractions:Fraction").target
        Fraction(0, 1)
    """
    module_name, _, attribute = text.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        target: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(error.name + ".")):
            raise ModelCodeError(
                f'importing "{module_name}" failed: {error}',
                hint="install the package that the module imports",
            ) from error
        raise UsageError(
            f'no module named "{error.name}"',
            where=f'"{text}", searched in "{here}" and the installed packages',
            hint=named_by_module(text) or "run from the directory that contains it, or pass a file's path",
        ) from None
    except Exception as error:
        raise ModelCodeError(f'importing "{module_name}" failed: {_text(error)}') from error
    for name in attribute.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            raise UsageError(
                f'"{module_name}" has no attribute "{attribute}"', hint=_close(target, name)
            ) from None
    if _is_called(target):
        target = _build(text, target)
    return from_object(target, text)


def is_factory(text: str) -> bool:
    """Tell whether a name that was imported before is that of a class or a factory.

    Args:
        text: ``package.module:attribute``.

    Example:
        >>> is_factory("fractions:Fraction"), is_factory("string:digits"), is_factory("lenet.onnx")
        (True, False, False)
    """
    module, _, attribute = text.partition(":")
    target: object = sys.modules.get(module)
    for name in attribute.split("."):
        target = getattr(target, name, None)
    return _is_called(target)


def _is_called(target: object) -> bool:
    return inspect.isclass(target) or inspect.isroutine(target) or isinstance(target, functools.partial)


def _build(text: str, factory: object) -> object:
    try:
        return factory()  # type: ignore[operator]  # the caller has checked that it is callable
    except Exception as error:
        needs_arguments = isinstance(error, TypeError) and "argument" in str(error)
        raise ModelCodeError(
            f'calling "{text}" failed: {_text(error)}',
            hint="name a function that takes no arguments and returns the model" if needs_arguments else None,
        ) from error


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _close(owner: object, name: str) -> str | None:
    import difflib

    close = difflib.get_close_matches(name, dir(owner), n=3)
    return "did you mean " + " or ".join(f'"{match}"' for match in close) + "?" if close else None
