"""Copies a model, by default onto meta tensors: they have shapes, no data, and a run computes nothing.

Why meta tensors in a structural copy, and not FakeTensorMode or swapped parameters: the user's
objects are never touched, so there is nothing to restore, even after an exception; a meta tensor
costs ten microseconds an op and no memory; and torch's fake tensors pull in the whole compiler
(a second of imports). What they add, a real-looking device, ``dispatch_mode`` provides as well.
``copy.deepcopy`` is not used: it would copy every weight, fails on tensors with a history, and
would let a bound method or a hook of the copy act on the user's model.
"""

from __future__ import annotations

import argparse
import copy
import functools
import io
import logging
import random
import sys
import threading
import types
from collections import OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Callable
from typing import Any

from shapeinspect_torch.tracing.moved_objects import is_moved_by_use, unmoved
from shapeinspect_torch.tracing.wrappers import run_what_it_holds

#: Integer tensors of up to this many elements keep their values: sizes, flags, lengths.
TINY = 64
#: Where numbers turn out to be needed, those of integers and flags are kept up to this many elements.
LARGE = 1 << 20

_ATOMS = (str, bytes, int, float, complex, type(None), type, types.FunctionType, types.BuiltinFunctionType)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
#: Classes of Python's own that hold values of the user's.
_NAMESPACES = (types.SimpleNamespace, argparse.Namespace, UserDict, UserList)
#: Packages whose hooks only move weights from and to other processes.
_GATHERING = ("torch.distributed.", "deepspeed.")
_LAZY_HOOKS = ("_initialize_hook", "_load_hook")


class Shadow:
    """Copies modules and what they contain; each object is copied once, so shared weights stay shared.

    Args:
        copied: copies one tensor; onto meta by default.
        runs: whether the copy is run for real: it keeps hooks of the user's own, and scripts are copied too.
    """

    def __init__(self, copied: Callable[[Any], Any] | None = None, runs: bool = False) -> None:
        self._tensor = on_meta if copied is None else copied
        self._runs = runs
        self._copies: dict[int, Any] = {}
        self._alive: list[Any] = []
        #: Modules whose custom hooks were left out.
        self.hooked: list[Any] = []

    def of(self, thing: Any) -> Any:
        """Return the copy of a module, a tensor or any object that may contain them.

        Args:
            thing: what to copy; an object that cannot contain a tensor is returned as it is.
        """
        import torch
        from torch.utils.hooks import RemovableHandle

        if isinstance(thing, _ATOMS):
            return thing
        if id(thing) in self._copies:
            return self._copies[id(thing)]
        if isinstance(thing, torch.Tensor):
            new = self._tensor(thing)
        elif isinstance(thing, torch.jit.ScriptModule):
            new = copy.deepcopy(thing) if self._runs else _script_on_meta(thing)
        elif isinstance(thing, torch.nn.Module):
            return self._module(thing)
        elif isinstance(thing, types.MethodType):
            new = types.MethodType(thing.__func__, self.of(thing.__self__))
        elif isinstance(thing, functools.partial):
            new = functools.partial(self.of(thing.func), *self.of(thing.args), **self.of(thing.keywords))
        elif isinstance(thing, torch.Generator):
            new = torch.Generator(thing.device)
            new.set_state(thing.get_state())
        elif isinstance(thing, random.Random) or str(type(thing).__module__).startswith("numpy.random"):
            new = copy.deepcopy(thing)
        elif isinstance(thing, torch.optim.Optimizer):
            new = self._optimizer(thing)
        elif isinstance(thing, RemovableHandle):
            # Removing a hook of the copy must not remove one of the user's model.
            new = RemovableHandle(OrderedDict())
        else:
            return self._container(thing)
        return self._remember(thing, new)

    def real(self, copied: Any) -> Any:
        """Return the user's object behind a copy, or None.

        Args:
            copied: the copy.
        """
        return next((thing for thing in self._alive if self._copies[id(thing)] is copied), None)

    def outside(self, registered: list[Any]) -> list[Any]:
        """Return the user's modules that were copied and cannot be reached from registered ones.

        Args:
            registered: the modules of the tree.
        """
        import torch

        inside = {id(part) for module in registered for part in module.modules()}
        return [
            thing for thing in self._alive if isinstance(thing, torch.nn.Module) and id(thing) not in inside
        ]

    def _remember(self, thing: Any, new: Any) -> Any:
        self._copies[id(thing)] = new
        self._alive.append(thing)
        return new

    def _container(self, thing: Any) -> Any:
        if isinstance(thing, (list, deque)):
            new = self._remember(thing, copy.copy(thing))
            new.clear()
            new.extend(self.of(part) for part in thing)
            return new
        if isinstance(thing, (dict, OrderedDict, defaultdict)):
            new = self._remember(thing, copy.copy(thing))
            for key, part in thing.items():
                dict.__setitem__(new, key, self.of(part))
            for key, part in getattr(thing, "__dict__", {}).items():
                new.__dict__[key] = self.of(part)
            return new
        if isinstance(thing, tuple):
            parts = [self.of(part) for part in thing]
            if all(new is old for new, old in zip(parts, thing, strict=True)):
                return thing
            new = type(thing)(*parts) if hasattr(thing, "_fields") else tuple(parts)
            return self._remember(thing, new)
        if isinstance(thing, (set, frozenset)):
            return self._remember(thing, type(thing)(self.of(part) for part in thing))
        return self._object(thing)

    def _object(self, thing: Any) -> Any:
        # A helper of the user's own (a cache, a configuration) may be written to in forward.
        if isinstance(thing, types.ModuleType | threading.Thread | logging.Logger):
            return thing
        if is_moved_by_use(thing):
            return self._remember(thing, unmoved(thing))
        home = str(type(thing).__module__).partition(".")[0]
        foreign = home in ("torch", "numpy") or home in sys.stdlib_module_names
        fields = [*getattr(thing, "__dict__", ()), *_slots(type(thing))]
        if not fields or (foreign and not isinstance(thing, _NAMESPACES)):
            return thing
        try:
            new = copy.copy(thing)
        except Exception:  # noqa: BLE001  # a stranger's __copy__ may raise anything; the object is shared then
            return thing
        self._remember(thing, new)
        for field in () if new is thing else fields:
            held = thing.__dict__[field] if field in getattr(thing, "__dict__", ()) else getattr(thing, field)
            if field in getattr(new, "__dict__", ()):
                new.__dict__[field] = self.of(held)
            else:
                object.__setattr__(new, field, self.of(held))
        return new

    def _module(self, module: Any) -> Any:
        new = self._remember(module, module.__class__.__new__(module.__class__))
        for key, value in module.__dict__.items():
            if key in _HOOKS:
                new.__dict__[key] = OrderedDict()
            elif key not in _LAZY_HOOKS:
                new.__dict__[key] = None if key == "_compiled_call_impl" else self.of(value)
        for hooks in ("_forward_pre_hooks", "_forward_hooks"):
            self._hooks(module, new, hooks)
        run_what_it_holds(module, new)
        return new

    def _hooks(self, module: Any, new: Any, name: str) -> None:
        for key, hook in module.__dict__[name].items():
            owner = getattr(hook, "__self__", None)
            home = str(getattr(hook, "__module__", None) or type(hook).__module__)
            if owner is module and getattr(hook, "__name__", "") == "_infer_parameters":
                continue  # the hooks of a lazy module: see ``recorder``
            # torch's own hooks (weight_norm, spectral_norm, pruning) compute the weight; others may do
            # anything.
            if home.startswith("torch.nn.utils."):
                new.__dict__[name][key] = self.of(hook)
            elif home.startswith(_GATHERING):
                continue  # they gather and release weights, which the copy has whole
            elif self._runs:
                new.__dict__[name][key] = self._hook(hook)
            else:
                self.hooked.append(module)

    def _hook(self, hook: Any) -> Any:
        """Copy a function with what it refers to: it writes to copies of the user's lists and modules."""
        if not isinstance(hook, types.FunctionType):
            return self.of(hook)
        cells = tuple(types.CellType(self.of(_content(cell))) for cell in hook.__closure__ or ())
        named = {name: hook.__globals__[name] for name in hook.__code__.co_names if name in hook.__globals__}
        scope = {**hook.__globals__, **{name: self.of(value) for name, value in named.items()}}
        new = types.FunctionType(hook.__code__, scope, hook.__name__, hook.__defaults__, cells)
        new.__kwdefaults__ = hook.__kwdefaults__
        return new

    def _optimizer(self, optimizer: Any) -> Any:
        """Copy an optimizer that steps the copied weights, as if for the first time."""
        new = copy.copy(optimizer)
        new.state = defaultdict(dict)
        new.param_groups = [
            {**group, "params": [self.of(weight) for weight in group["params"]]}
            for group in optimizer.param_groups
        ]
        return new


def _script_on_meta(script: Any) -> Any:
    import torch

    return torch.jit.load(io.BytesIO(script.save_to_buffer()), map_location="meta")


def _slots(kind: type) -> list[str]:
    """Return the fields of a class that has no dictionary for them."""
    names = [name for base in kind.__mro__ for name in _listed(vars(base).get("__slots__", ()))]
    return [name for name in names if not name.startswith("__")]


def _listed(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not assigned yet
        return None


def cloned(tensor: Any) -> Any:
    """Return a tensor with the same numbers in memory of its own; a parameter stays one.

    Args:
        tensor: any tensor; it is not changed.
    """
    import torch
    from torch.nn.parameter import is_lazy

    if is_lazy(tensor):
        return on_meta(tensor)
    new = tensor.detach().clone()
    if isinstance(tensor, torch.nn.Parameter):
        return torch.nn.Parameter(new, requires_grad=tensor.requires_grad)
    return new.requires_grad_(tensor.requires_grad)


def on_meta(tensor: Any, largest: int = TINY) -> Any:
    """Return a meta tensor, a parameter for a parameter; few integers keep their values.

    Args:
        tensor: any tensor; it is not changed.
        largest: how many integers are few.
    """
    import torch
    from torch.nn.parameter import is_lazy

    if is_lazy(tensor):
        kind: Any = type(tensor)
        return kind(tensor.requires_grad, device="meta", dtype=tensor.dtype)
    new = without_numbers(tensor, largest)
    if isinstance(tensor, torch.nn.Parameter):
        new = torch.nn.Parameter(new, requires_grad=tensor.requires_grad)
        new.__dict__.update(getattr(tensor, "__dict__", {}))
    return new


def without_numbers(tensor: Any, largest: int = TINY) -> Any:
    """Return a meta tensor of the same shape, strides and dtype; few integers keep their values.

    Args:
        tensor: any tensor; it is not changed.
        largest: how many integers are few.
    """
    import torch

    if _is_few(tensor, largest) and not isinstance(tensor, torch.nn.Parameter):
        return tensor.detach().cpu().clone()
    if tensor.is_quantized:
        return torch.empty(tensor.shape, dtype=torch.float32, device="meta")
    if tensor.layout != torch.strided or tensor.is_nested:
        return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _is_few(tensor: Any, largest: int) -> bool:
    """Tell whether a tensor has few elements, integers or flags, on a device that holds data."""
    whole = not (tensor.is_floating_point() or tensor.is_complex() or tensor.is_quantized)
    flat = tensor.dim() <= 1 or largest > TINY
    return bool(whole and flat and tensor.device.type != "meta" and tensor.numel() <= largest)
