"""Follows the versions of tensors: what autograd saves for backward, and who writes into it afterwards.

Autograd itself reports what it saves (``torch.autograd.graph.saved_tensors_hooks``). A tensor whose version
has changed since then was overwritten, and ``backward`` refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

from shapeinspect.plugin_api.user_code import frames
from shapeinspect_torch.tracing.dispatch_mode import function_name
from shapeinspect_torch.tracing.recorder import PACKAGES


@dataclass(frozen=True, slots=True)
class Site:
    """A line of user code that ran.

    Args:
        place: its location, as ``file.py:12``.
        text: the same with its source.
        code: the code that contains it.
        line: its number.
        owner: the first argument of that code, a method's object; None where there is none.
    """

    place: str
    text: str
    code: CodeType
    line: int
    owner: Any


@dataclass(frozen=True, slots=True)
class Write:
    """One in-place write.

    Args:
        function: the function that wrote.
        site: the user's line; None where no code of the user's is running.
        module: torch's own module with ``inplace=True`` that wrote, or None.
        storage: what identifies the memory that was written to.
        version: the memory's version after it.
    """

    function: str
    site: Site | None
    module: Any
    storage: int
    version: int


@dataclass(frozen=True, slots=True)
class Saved:
    """A tensor that autograd saved.

    Args:
        tensor: the tensor.
        version: its version then.
        function: the function that saved it.
        site: the user's line, or None.
    """

    tensor: Any
    version: int
    function: str
    site: Site | None


@dataclass(frozen=True, slots=True)
class Overwritten:
    """A tensor that autograd saved and that was written to afterwards.

    Args:
        saved_by: the function that saved it.
        saved_at: the user's line of that.
        shape: the saved tensor's shape.
        storage: what identifies its memory.
        write: the first write after it was saved; None if no function was seen to write.
    """

    saved_by: str
    saved_at: Site | None
    shape: tuple[int, ...]
    storage: int
    write: Write | None


class VersionWatcher:
    """Tracks the running torch function, and lists the in-place writes.

    Args:
        counts: which functions' writes are listed, by their names; all of them by default.
    """

    def __init__(self, counts: Callable[[str], bool] = lambda _: True) -> None:
        self.writes: list[Write] = []
        self._counts = counts
        self._running: list[str] = []

    def mode(self) -> Any:
        """Return the torch mode that intercepts the calls."""
        import torch
        from torch.overrides import TorchFunctionMode

        watcher = self

        class Watch(TorchFunctionMode):  # type: ignore[misc]  # torch is read as Any
            def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                del types
                with torch._C.DisableTorchFunction():
                    before = [(tensor, tensor._version) for tensor in _tensors(args)]
                watcher._running.append(function_name(func))
                try:
                    return func(*args, **(kwargs or {}))
                finally:
                    name = watcher._running.pop()
                    with torch._C.DisableTorchFunction():
                        watcher._note(name, before)

        return Watch()

    def _note(self, function: str, before: list[tuple[Any, int]]) -> None:
        changed = [tensor for tensor, version in before if tensor._version != version]
        if not changed or not self._counts(function):
            return
        site, module = running_site(), _writing_module()
        for tensor in changed:
            storage = tensor.untyped_storage()._cdata
            self.writes.append(Write(function, site, module, storage, tensor._version))

    def save(self, tensor: Any) -> Saved:
        """Note that autograd saves a tensor: the ``pack`` hook.

        Args:
            tensor: the tensor.
        """
        import torch

        with torch._C.DisableTorchFunction():
            function = self._running[-1] if self._running else "an operation"
            return Saved(tensor, tensor._version, function, running_site())

    def overwritten(self, saved: Saved) -> Overwritten | None:
        """Return how a saved tensor was overwritten; None if it has not changed.

        Args:
            saved: what :meth:`save` returned.
        """
        import torch

        with torch._C.DisableTorchFunction():
            tensor = saved.tensor
            if tensor._version == saved.version:
                return None
            storage = tensor.untyped_storage()._cdata
            after = (
                write for write in self.writes if write.storage == storage and write.version > saved.version
            )
            return Overwritten(saved.function, saved.site, tuple(tensor.shape), storage, next(after, None))


@contextmanager
def overwrites() -> Iterator[list[Overwritten]]:
    """Watch a forward and its backward in the block; list what backward finds overwritten, in its order."""
    import torch

    watcher = VersionWatcher()
    results: list[Overwritten] = []

    def unpack(saved: Saved) -> Any:
        overwritten = watcher.overwritten(saved)
        if overwritten is not None:
            results.append(overwritten)
        return saved.tensor

    with torch.autograd.graph.saved_tensors_hooks(watcher.save, unpack), watcher.mode():
        yield results


def running_site() -> Site | None:
    """Return the user's line that runs now."""
    site = frames.user_place(frames.running_frames(), PACKAGES)
    if site is None:
        return None
    frame, line = site
    first = frame.f_code.co_varnames[:1] if frame.f_code.co_argcount else ()
    owner = frame.f_locals.get(*first) if first else None
    return Site(frames.place_of(*site), frames.source_line(*site), frame.f_code, line, owner)


def _writing_module() -> Any:
    """Return the innermost module with ``inplace=True`` that torch's own code runs in, or None."""
    import torch

    for frame, _ in frames.running_frames():
        if not frames.is_library(frame.f_code.co_filename, PACKAGES):
            return None
        owner = frame.f_locals.get("self")
        if isinstance(owner, torch.nn.Module) and getattr(owner, "inplace", False):
            return owner
    return None


def _tensors(args: Any) -> Iterator[Any]:
    import torch

    for argument in args:
        if isinstance(argument, torch.Tensor):
            yield argument
        elif isinstance(argument, (list, tuple)):
            yield from _tensors(argument)
