"""A hook of a module that is called before its forward, and not copied, written or compiled with it."""

from __future__ import annotations

import copy
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: The module's hooks, and which of them take keyword arguments.
_PLACES = ("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs")
#: What hooks of the user's were registered in: their handles know it by a weak reference.
_USED: weakref.WeakKeyDictionary[Any, list[_Hooks]] = weakref.WeakKeyDictionary()


class _Hooks(OrderedDict[int, Any]):
    """The hooks of a module as they are, and one more where the module calls them.

    Everything but the calling (``items``, and whether there is any) goes to the module's own dictionary.
    """

    def __init__(self, own: OrderedDict[int, Any], more: dict[int, Any]) -> None:
        super().__init__()
        self.own, self.more, self.used = own, more, False

    def __len__(self) -> int:
        return len(self.own) + len(self.more)

    def __iter__(self) -> Iterator[int]:
        return iter(self.own)

    def __contains__(self, key: object) -> bool:
        return key in self.own or key in self.more

    def __getitem__(self, key: int) -> Any:
        return self.own[key]

    def __setitem__(self, key: int, value: Any) -> None:
        self.used = True
        self.own[key] = value

    def __delitem__(self, key: int) -> None:
        del self.own[key]

    def move_to_end(self, key: int, last: bool = True) -> None:
        self.own.move_to_end(key, last)

    def keys(self) -> Any:
        return self.own.keys()

    def values(self) -> Any:
        return self.own.values()

    def items(self) -> Any:
        return [*self.own.items(), *self.more.items()]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.own.__reduce_ex__(protocol)

    def __copy__(self) -> OrderedDict[int, Any]:
        return copy.copy(self.own)

    def __deepcopy__(self, memo: dict[int, Any]) -> OrderedDict[int, Any]:
        return copy.deepcopy(self.own, memo)


@contextmanager
def hidden_hook(module: Any, hook: Callable[..., None]) -> Iterator[None]:
    """Call a function before each forward of a module while the block runs.

    ``torch.save``, ``copy.deepcopy`` and ``torch.jit.script`` see the module as it is outside of the block.

    Args:
        module: the module.
        hook: is given the module, its positional arguments and its keyword arguments.
    """
    from torch.utils.hooks import RemovableHandle

    if not all(isinstance(module.__dict__.get(name), dict) for name in _PLACES):
        handle = module.register_forward_pre_hook(hook, with_kwargs=True)  # a script's hooks are elsewhere
        try:
            yield
        finally:
            handle.remove()
        return
    number = RemovableHandle(OrderedDict()).id  # no other hook has it
    kept = {name: _Hooks(module.__dict__[name], {number: hook}) for name in _PLACES}
    module.__dict__.update(kept)
    try:
        yield
    finally:
        for name, hooks in kept.items():
            hooks.more.clear()
            if module.__dict__.get(name) is hooks:
                module.__dict__[name] = hooks.own
            if hooks.used:
                _USED.setdefault(module, []).append(hooks)
