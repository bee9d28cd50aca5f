"""Resolves names in the user's code, and runs parts of it again as a module."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Mapping, Sequence
from types import ModuleType
from typing import Any

#: The result of :func:`value_of` for names that cannot be resolved.
UNKNOWN = object()


def value_of(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Resolve a plain name and the attributes after it; no user code runs.

    Args:
        node: the expression.
        names: the variables that it may read.

    Returns:
        The value; UNKNOWN for another expression, and for attributes that are computed.
    """
    import torch

    if isinstance(node, ast.Name):
        return names.get(node.id, getattr(builtins, node.id, UNKNOWN))
    if not isinstance(node, ast.Attribute):
        return UNKNOWN
    owner = value_of(node.value, names)
    if owner is UNKNOWN or isinstance(owner, torch.Tensor):
        return UNKNOWN
    stores = [getattr(owner, "__dict__", {})]
    if isinstance(owner, torch.nn.Module):
        stores += [owner._parameters, owner._buffers, owner._modules]
    held = next((store[node.attr] for store in stores if node.attr in store), UNKNOWN)
    # Modules of Python load some of their names on demand.
    return getattr(owner, node.attr, UNKNOWN) if isinstance(owner, ModuleType) else held


def is_harmless(function: Any, allowed: Collection[str]) -> bool:
    """Tell whether a function is torch's own, or one of Python's that are allowed.

    Args:
        function: the function.
        allowed: names of Python's built-in functions.
    """
    home = str(getattr(function, "__module__", None) or getattr(type(function), "__module__", ""))
    name = getattr(function, "__name__", "")
    return home.partition(".")[0] == "torch" or (
        name in allowed and getattr(builtins, name, None) is function
    )


def step_module(
    statements: Sequence[ast.stmt], file: str, result: str, outer: dict[str, Any], modules: dict[str, Any]
) -> Any:
    """Return a module that runs statements on its keyword arguments, and returns one of their names.

    Args:
        statements: the statements to run.
        file: the file they are in.
        result: the name whose value is returned; None where it has none.
        outer: what they read besides tensors, by name.
        modules: the modules that they call, by name.
    """
    import torch

    code = compile(ast.fix_missing_locations(ast.Module([*statements], [])), file, "exec")

    class Step(torch.nn.Module):  # type: ignore[misc]  # torch is read as Any
        """The user's statements."""

        def __init__(self) -> None:
            super().__init__()
            self.__dict__["outer"] = outer
            for name, module in modules.items():
                self._modules[name] = module

        def forward(self, **tensors: Any) -> Any:
            space: dict[str, Any] = {**self.outer, **self._modules, **tensors}
            space["print"] = lambda *_, **__: None
            exec(code, space)  # noqa: S102  # the user's own lines, which have just been run
            return space.get(result)

    return Step()
