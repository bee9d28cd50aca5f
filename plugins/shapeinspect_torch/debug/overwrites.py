"""Watches a forward and its backward: what autograd saves, who writes, and what it finds changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

from shapeinspect_torch.tracing.dispatch_mode import function_name
from shapeinspect_torch.tracing.recorder import is_ours


@dataclass(frozen=True, slots=True)
class Writing:
    """One write in place.

    Args:
        name: the function that wrote.
        where: the user's line, with its text.
        code: the code that the line stands in.
        line: its number.
        owner: the ``self`` of that code, or None.
        module: the module of torch's own with ``inplace=True`` that wrote, or None.
        storage: what identifies the memory that was written to.
        version: the memory's version after it.
    """

    name: str
    where: str
    code: CodeType
    line: int
    owner: Any
    module: Any
    storage: int
    version: int


@dataclass(frozen=True, slots=True)
class Overwritten:
    """A tensor that autograd saved and found changed in backward.

    Args:
        saved_by: the function that saved it.
        saved_at: the user's line of that.
        shape: the saved tensor's shape.
        storage: what identifies its memory.
        write: the first write after it was saved; None if nobody was seen.
    """

    saved_by: str
    saved_at: str
    shape: tuple[int, ...]
    storage: int
    write: Writing | None


@contextmanager
def watched() -> Iterator[list[Overwritten]]:
    """Watch everything that runs in the block; list what backward finds overwritten, in its order."""
    import torch
    from torch.overrides import TorchFunctionMode

    running: list[str] = []
    writes: list[Writing] = []
    found: list[Overwritten] = []

    class Watch(TorchFunctionMode):  # type: ignore[misc]  # torch is read as Any
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            given = list(_tensors(args))
            with torch._C.DisableTorchFunction():
                versions = [one._version for one in given]
            running.append(function_name(func))
            try:
                return func(*args, **(kwargs or {}))
            finally:
                name = running.pop()
                with torch._C.DisableTorchFunction():
                    changed = [
                        one for one, version in zip(given, versions, strict=True) if one._version != version
                    ]
                    writes.extend(_writing(name, one) for one in changed)

    def pack(tensor: Any) -> Any:
        with torch._C.DisableTorchFunction():
            place = _user_frame()
            said = "" if place is None else _spelled(place)
            return tensor, tensor._version, running[-1] if running else "an operation", said

    def unpack(saved: Any) -> Any:
        tensor, version, name, said = saved
        with torch._C.DisableTorchFunction():
            if tensor._version != version:
                storage = tensor.untyped_storage()._cdata
                write = next(
                    (one for one in writes if one.storage == storage and one.version > version), None
                )
                found.append(Overwritten(name, said, tuple(tensor.shape), storage, write))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack), Watch():
        yield found


def _tensors(args: Any) -> Iterator[Any]:
    import torch

    for one in args:
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, (list, tuple)):
            yield from _tensors(one)


def _user_frame() -> Any:
    frame: Any = sys._getframe(1)
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _spelled(frame: Any) -> str:
    from shapeinspect_torch.debug.frames import spelled_line

    return spelled_line(frame.f_code.co_filename, frame.f_lineno, frame)


def _writing(name: str, tensor: Any) -> Writing:
    import torch

    inner: Any = sys._getframe(1)
    module = None
    frame = inner
    while frame is not None and is_ours(frame.f_code.co_filename):
        owner = frame.f_locals.get("self")
        if module is None and isinstance(owner, torch.nn.Module) and getattr(owner, "inplace", False):
            module = owner
        frame = frame.f_back
    frame = frame or inner
    return Writing(
        name,
        _spelled(frame),
        frame.f_code,
        frame.f_lineno,
        frame.f_locals.get("self"),
        module,
        tensor.untyped_storage()._cdata,
        tensor._version,
    )
