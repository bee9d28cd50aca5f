"""Finds writes in place into tensors that autograd keeps for backward, without computing anything.

A copy of the model runs once on meta tensors with gradients on. What autograd saves, and in which
version, it tells itself (``torch.autograd.graph.saved_tensors_hooks``); a tensor whose version is
another one at the end was overwritten, and ``backward`` would refuse it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from shapeinspect.ir import Note
from shapeinspect.sources.source import Source
from shapeinspect_torch.tracing.dispatch_mode import function_name
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.inputs import prepare
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.recorder import Draft, Recorder, is_ours

#: What torch calls ``x += y`` and the like.
_SIGNS = {"add_": "+", "sub_": "-", "mul_": "*", "div_": "/", "__iadd__": "+", "__isub__": "-"}
_SIGNS |= {"__imul__": "*", "__itruediv__": "/"}
_ASSIGNMENTS = frozenset(("__setitem__", "__ifloordiv__", "__imod__", "__ipow__", "__imatmul__")) | set(
    _SIGNS
)


@dataclass(frozen=True, slots=True)
class Write:
    """One write in place.

    Args:
        function: the function that wrote.
        line: the user's line.
        storage: what identifies the memory that was written to.
        version: the memory's version after it.
    """

    function: str
    line: str | None
    storage: int
    version: int


@dataclass(frozen=True, slots=True)
class Overwrite:
    """A tensor that autograd saved and that was written to afterwards.

    Args:
        saved_by: the function that saved it.
        saved_at: the user's line of that.
        shape: the saved tensor's shape.
        write: the first write after it was saved.
    """

    saved_by: str
    saved_at: str | None
    shape: tuple[int, ...]
    write: Write


def notes(source: Source, model: Any, recorder: Recorder, whole: frozenset[str]) -> list[Note]:
    """Return a note for each write of a trace that autograd would refuse in backward.

    Args:
        source: the request.
        model: the user's module.
        recorder: the trace of its forward.
        whole: the inputs that hold whole numbers.
    """
    writes = [draft for draft in recorder.drafts.values() if _in_place(draft.type)]
    if not writes or not any(parameter.requires_grad for parameter in model.parameters()):
        return []
    try:
        found = _overwritten(source, model, whole)
    except Exception:  # noqa: BLE001  # a forward that does not run without numbers is not judged
        return []
    return list(dict.fromkeys(_note(one, writes) for one in found))


def _in_place(spelled: str) -> bool:
    name = spelled.rpartition(".")[2]
    return name in _ASSIGNMENTS or (name.endswith("_") and not name.endswith("__"))


def _note(found: Overwrite, writes: list[Draft]) -> Note:
    about = next((draft.path for draft in writes if draft.origin == found.write.line), None)
    shape = ", ".join(map(str, found.shape))
    name = found.write.function
    if name == "__setitem__":
        form = "x = x.clone() before the write"
    elif name in _SIGNS:
        form = f"x = x {_SIGNS[name]} y in the place of x {_SIGNS[name]}= y"
    else:
        form = f"y = x.{name.rstrip('_')}(…) in the place of x.{name}(…)"
    return Note(
        f"{found.write.line} writes in place ({name}) into the ({shape}) tensor that "
        f"{found.saved_by} at {found.saved_at} saved for backward: backward() would fail with "
        f'"modified by an inplace operation"; out of place it works: {form}',
        about,
    )


def _overwritten(source: Source, model: Any, whole: frozenset[str]) -> list[Overwrite]:
    import torch

    saved: list[tuple[Any, int, str, str | None]] = []
    with undisturbed(grad=True):
        shadow = Shadow()
        copy = shadow.of(model)
        inputs = prepare(source, model, shadow, whole)
        mode, running, writes = _watch()

        def pack(tensor: Any) -> Any:
            with torch._C.DisableTorchFunction():
                saved.append((tensor, tensor._version, running[-1] if running else "an operation", _line()))
            return tensor

        with (
            torch.device("meta"),
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
            mode,
        ):
            copy(*inputs.args, **inputs.kwargs)
    found = []
    for tensor, version, function, line in saved:
        storage = tensor.untyped_storage()._cdata
        after = [one for one in writes if one.storage == storage and one.version > version]
        if tensor._version != version and after:
            found.append(Overwrite(function, line, tuple(tensor.shape), after[0]))
    return found


def _watch() -> tuple[Any, list[str], list[Write]]:
    """Return a mode that knows which function runs, and lists the writes."""
    import torch
    from torch.overrides import TorchFunctionMode

    running: list[str] = []
    writes: list[Write] = []

    class Watch(TorchFunctionMode):  # type: ignore[misc]  # torch is Any to the type checker
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            given = [one for one in args if isinstance(one, torch.Tensor)]
            with torch._C.DisableTorchFunction():
                versions = [one._version for one in given]
            running.append(function_name(func))
            try:
                return func(*args, **(kwargs or {}))
            finally:
                name = running.pop()
                with torch._C.DisableTorchFunction():
                    writes.extend(
                        Write(name, _line(), one.untyped_storage()._cdata, one._version)
                        for one, version in zip(given, versions, strict=True)
                        # Running statistics change too, and autograd allows for that.
                        if one._version != version and _in_place(name)
                    )

    return Watch(), running, writes


def _line() -> str | None:
    frame: Any = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_ours(file):
            return f"{os.path.basename(file)}:{frame.f_lineno}"
        frame = frame.f_back
    return None
