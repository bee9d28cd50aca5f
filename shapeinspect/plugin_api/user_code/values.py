"""The value of an expression of the user's, where it can be known without running code of the user's."""

from __future__ import annotations

import ast
import builtins
import dataclasses
from types import FrameType
from typing import Any

#: Functions that may be called again when the arguments of a call are evaluated.
_PLAIN = frozenset({"len", "int", "max", "min", "sum", "abs", "round", "tuple", "list", "dict"})


class UnknownError(Exception):
    """A value that cannot be known without running code of the user's."""


def value_of(node: ast.expr, frame: FrameType) -> Any:
    """Evaluate an expression that runs no code of the user's but the making of a configuration.

    Args:
        node: the expression.
        frame: the frame whose names it reads.

    Raises:
        UnknownError: if more would be run, or a name is gone.
    """
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            function = value_of(part.func, frame)
            plain = isinstance(part.func, ast.Name) and function is getattr(builtins, part.func.id, None)
            if not (plain and part.func.id in _PLAIN) and not makes_configuration(function):  # type: ignore[attr-defined]  # plain says that it is a Name
                raise UnknownError
        elif isinstance(part, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Lambda):
            raise UnknownError
    scope = {**frame.f_globals, **frame.f_locals}
    names = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    if any(hasattr(type(scope.get(name)), "__next__") for name in names):
        raise UnknownError  # an iterator would be advanced
    try:
        return eval(compile(ast.Expression(node), "<argument>", "eval"), scope)  # noqa: S307  # names and literals of the user's own line
    except Exception:  # noqa: BLE001  # a name that is gone by now may fail in any way
        raise UnknownError from None


def makes_configuration(function: Any) -> bool:
    """Tell whether a class makes a configuration, which does nothing but hold values.

    Args:
        function: what is called.
    """
    name = getattr(function, "__name__", "")
    return isinstance(function, type) and (
        dataclasses.is_dataclass(function) or name.endswith(("Config", "Args", "Namespace", "Configuration"))
    )
