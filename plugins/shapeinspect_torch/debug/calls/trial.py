"""One run of a failed call: what was recorded, and where it failed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.plugin_api.changes import Change, OnInput
from shapeinspect_torch.debug.calls.anchors import Site, site_of
from shapeinspect_torch.debug.calls.edits import stepped
from shapeinspect_torch.tracing.inputs import Inputs
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import Node
from shapeinspect_torch.tracing.pytree import rebuild, tensors
from shapeinspect_torch.tracing.recorder import Recorder

#: What a failed attempt returns in the place of outputs.
FAILED = object()


@dataclass(slots=True)
class Trial:
    """One run: what was recorded, and where it failed."""

    nodes: list[Node]
    shadow: Shadow
    recorder: Recorder
    error: Exception | None = None
    #: The index in the recorder's calls, and the function's name or the module's path.
    failed: tuple[int, str] | None = None
    #: The user's line that failed, and the module around it.
    site: Site | None = None
    #: The input shape of a pool, by the ``id`` of the indices that it returned.
    pooled: dict[int, tuple[int, ...]] = field(default_factory=dict)
    #: The parameters of the failed module's forward that its tensors are passed for.
    roles: tuple[str, ...] = ()
    #: The largest and the smallest index that the failed function was given, where its numbers are there.
    indices: tuple[int, int] | None = None
    #: The arguments of the layer that failed.
    arguments: tuple[tuple[Any, ...], dict[str, Any]] | None = None

    def fail(self, position: int, name: str, given: Any = ()) -> None:
        """Record where it failed first, and the indices among what a function was given.

        Args:
            position: the place of the failed call among the recorder's.
            name: its function's name or its module's path.
            given: the arguments of a function.
        """
        if self.failed is None:
            self.failed, self.site = (position, name), site_of(self.recorder)
            self.indices = _indices(given)


def _indices(given: Any) -> tuple[int, int] | None:
    """Return the largest and the smallest number of the first tensor of integers that has its numbers."""
    import torch

    with torch._C.DisableTorchFunction():
        for _, tensor in tensors(given):
            plain = tensor.is_floating_point() or tensor.is_complex() or tensor.dtype is torch.bool
            if not plain and not tensor.is_meta and tensor.numel():
                return int(tensor.max()), int(tensor.min())
    return None


def roles_of(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
    """Return the parameter of a module's forward that each tensor is passed for.

    Args:
        module: the module.
        args: its positional arguments.
        kwargs: its named ones.
    """
    parameters = list(inspect.signature(type(module).forward).parameters)[1:]
    passed = [*zip(parameters, args, strict=False), *kwargs.items()]
    return tuple(name for name, value in passed for _ in tensors(value))


def retried(trial: Trial, edited: tuple[Any, Any] | None, call: Callable[[Any, Any], Any]) -> Any:
    """Run a failed call on edited arguments; return its outputs, or FAILED with the failure unchanged.

    Args:
        trial: the run.
        edited: the arguments, by position and by name; None for none.
        call: runs the call.
    """
    recorder = trial.recorder
    if edited is None or trial.failed is not None:
        return FAILED
    before, recorder.failure = recorder.failure, None
    try:
        return call(*edited)
    except Exception:  # noqa: BLE001  # it fails with the edit as well, so it fails
        recorder.failure = before
        return FAILED


def fed(inputs: Inputs, changes: tuple[Change, ...]) -> Inputs:
    """Return the arguments with the changes of inputs.

    Args:
        inputs: the arguments, copied.
        changes: the changes of a fix.
    """
    steps = {change.name: change.steps for change in changes if isinstance(change, OnInput)}
    if not steps:
        return inputs
    new = {id(tensor): stepped(tensor, steps[name]) for name, tensor in inputs.names if name in steps}
    names = tuple((name, new.get(id(tensor), tensor)) for name, tensor in inputs.names)
    return Inputs(
        rebuild(inputs.args, lambda tensor: new.get(id(tensor), tensor)),
        rebuild(inputs.kwargs, lambda tensor: new.get(id(tensor), tensor)),
        names,
    )
