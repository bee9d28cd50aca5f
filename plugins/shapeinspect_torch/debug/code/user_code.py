"""Resolves names in the user's code, and runs parts of it again as a module."""

from __future__ import annotations

import ast
import builtins
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from types import BuiltinFunctionType, ModuleType
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


#: The modules of torch whose functions compute, and do nothing else that would last.
_COMPUTING = (
    "torch._C._fft", "torch._C._linalg", "torch._C._nn", "torch._C._special", "torch._tensor", "torch.amp",
    "torch.autograd", "torch.autograd.function", "torch.autograd.grad_mode", "torch.cuda.amp",
    "torch.distributions", "torch.fft", "torch.functional", "torch.linalg", "torch.masked", "torch.nested",
    "torch.nn", "torch.optim", "torch.random", "torch.special", "torch.utils.checkpoint",
)  # fmt: skip
#: Built-in functions of the module torch that compute nothing.
_SETTING = ("set_", "_", "from_file", "init_", "import_", "fork", "parse_")
#: Methods of tensors that are called on a value that is not known, but for a field of a user's object.
_OF_SHAPES = frozenset((
    "argmax", "bool", "chunk", "contiguous", "detach", "dim", "expand", "flatten", "float", "int", "long",
    "mean", "permute", "repeat", "reshape", "shape", "size", "squeeze", "sum", "t", "transpose", "unbind",
    "unsqueeze", "view",
))  # fmt: skip
_ITERATING = frozenset((
    "dict", "enumerate", "list", "map", "max", "min", "reversed", "sorted", "sum", "tuple", "zip",
))  # fmt: skip
#: Methods that arrays of NumPy have in common with tensors, and that write to the array.
_WRITES = frozenset(("fill", "put", "resize", "sort"))
_PLAIN = (str, bytes, bool, int, float, complex, type(None), list, tuple, dict, set, frozenset, range, deque)
#: What holds values, and is copied with them.
_HOLDING = (*_PLAIN, OrderedDict, defaultdict)


def is_harmless(function: Any, allowed: Collection[str]) -> bool:
    """Tell whether a function only computes: one of torch's own, or one of Python's that are allowed.

    Args:
        function: the function.
        allowed: names of Python's built-in functions.
    """
    home = str(getattr(function, "__module__", None) or getattr(type(function), "__module__", ""))
    name = str(getattr(function, "__name__", ""))
    if home in ("torch", "torch._C"):
        return isinstance(function, type | BuiltinFunctionType) and not name.startswith(_SETTING)
    computes = home.startswith(tuple(f"{one}." for one in _COMPUTING if one != "torch.autograd"))
    return home in _COMPUTING or computes or (name in allowed and getattr(builtins, name, None) is function)


def is_method_of_tensors(function: ast.expr, names: Mapping[str, Any], more: Collection[str] = ()) -> bool:
    """Tell whether a call is one of a method of a tensor, or of a plain value of Python.

    Many a method of a user's own has the name of a tensor's: ``run.log(loss)``, ``queue.put(x)``.

    Args:
        function: what is called.
        names: the variables that it may read.
        more: methods of lists and dictionaries that may be called, too.
    """
    import torch

    if not isinstance(function, ast.Attribute):
        return False
    of_tensors = hasattr(torch.Tensor, function.attr)
    if not of_tensors and function.attr not in more:
        return False
    owner = value_of(function.value, names)
    if owner is not UNKNOWN:
        array = type(owner).__module__ == "numpy" and function.attr not in _WRITES
        return isinstance(owner, torch.Tensor | torch.Size) or type(owner) in _HOLDING or array
    root: ast.expr = function.value
    while isinstance(root, ast.Attribute | ast.Subscript):
        root = root.value
    held = names.get(root.id, UNKNOWN) if isinstance(root, ast.Name) else UNKNOWN
    known = held is not UNKNOWN and not isinstance(held, torch.Tensor)
    if not known or (type(held) in _HOLDING and _holds_plain(held)):
        return True
    return of_tensors and function.attr in _OF_SHAPES


def _holds_plain(container: Any) -> bool:
    import torch

    parts = container.values() if isinstance(container, dict) else container if _is_sized(container) else ()
    return all(isinstance(part, torch.Tensor) or type(part) in _HOLDING for part in parts)


def _is_sized(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset | deque)


def touches_nothing_else(statement: ast.AST, names: Mapping[str, Any]) -> bool:
    """Tell whether a statement advances no iterator of the user's, and stores into what is copied only.

    Args:
        statement: the statement, or an expression.
        names: the variables that it reads.
    """
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if hasattr(type(names.get(node.id)), "__next__"):
                return False
        elif isinstance(node, ast.For | ast.comprehension):
            if not _is_iterable(node.iter, names):
                return False
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _ITERATING:
            if not all(_is_iterable(part, names) for part in node.args):
                return False
        elif isinstance(node, ast.Starred) and not _is_iterable(node.value, names):
            return False
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if not _is_copied(node, names):
                return False
        elif isinstance(node, ast.withitem) and not isinstance(node.context_expr, ast.Call):
            return False
    return True


def _is_iterable(node: ast.expr, names: Mapping[str, Any]) -> bool:
    """Tell whether an expression can be iterated over again; a loader of data cannot."""
    import torch

    held = value_of(node, names)
    kinds = (torch.Tensor, torch.Size, torch.nn.Module)
    array = type(held).__module__ == "numpy"
    return held is UNKNOWN or isinstance(held, kinds) or type(held) in _HOLDING or array


def _is_copied(node: ast.Attribute | ast.Subscript, names: Mapping[str, Any]) -> bool:
    """Tell whether what is stored into is a local value, or one of those that a rerun copies."""
    import torch

    held = value_of(node.value, names)
    if held is UNKNOWN or isinstance(held, torch.Tensor | torch.nn.Module) or type(held) in _HOLDING:
        return True
    kind = type(held)
    own = kind.__module__.partition(".")[0] not in (*sys.stdlib_module_names, "numpy", "torch")
    plain = own and hasattr(held, "__dict__") and not isinstance(held, type | ModuleType)
    stores: Any = kind.__setattr__
    return isinstance(node, ast.Attribute) and plain and stores is object.__setattr__


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
