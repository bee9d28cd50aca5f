"""Makes the modules of a copy report their calls to a recorder; the user's objects are not touched."""

from __future__ import annotations

import functools
from typing import Any

from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import Node
from shapeinspect_torch.tracing.recorder import Draft, Recorder
from shapeinspect_torch.tracing.stored.quantized import float_forward
from shapeinspect_torch.tracing.stored.weights import own_tensors


def new_recorder(nodes: list[Node], shadow: Shadow, keeps: bool = True) -> Recorder:
    """Return an empty recorder that knows a model's modules and the names of its tensors.

    Args:
        nodes: the modules, the model itself first.
        shadow: has their copies.
        keeps: whether it keeps every tensor alive.
    """
    names: dict[int, str] = {}
    for node in nodes:
        path = "" if node is nodes[0] else f"{node.draft.path}."
        for role, tensor in own_tensors(shadow.of(node.real), node.leaf):
            names.setdefault(id(tensor), path + role)
    return Recorder(nodes[0].draft, frozenset(node.draft.path for node in nodes), names, keeps)


def wrap_copies(copy: Any, nodes: list[Node], shadow: Shadow, recorder: Recorder, real: bool = False) -> None:
    """Make every module of the copy report its calls; the user's objects are not touched.

    Args:
        copy: the copy of the model.
        nodes: the user's modules.
        shadow: has their copies.
        recorder: where the calls are reported.
        real: whether the copy is run for real: quantized layers run as they are, and batch norms too
            unless they refuse a batch of one.
    """
    import torch

    scripts: tuple[str, ...] = ()
    for node in nodes:
        module = shadow.of(node.real)
        if node.first != node.draft.path or node.draft.path.startswith(scripts or ("\0",)):
            continue
        if isinstance(module, torch.jit.ScriptModule):
            scripts += (f"{node.draft.path}.",)
            module.__dict__["forward"] = _reporting(node.draft, module, _whole(module.forward), recorder)
            continue
        forward: Any = module.forward
        if node.leaf and not real and node.draft.type.startswith("quantized."):
            forward = float_forward(module, node.draft.kind, node.native)
        if node.draft.kind == "batch_norm" and real:
            forward = _of_one(module, forward)
        elif node.draft.kind == "batch_norm":
            module.__dict__["training"] = False
        module.__dict__["forward"] = _reporting(node.draft, module, forward, recorder)
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            for key, hook in hooks.items():
                hooks[key] = _quiet(hook, recorder)
        parametrizations = module._modules.get("parametrizations")
        for part in parametrizations.modules() if parametrizations is not None else ():
            part.__dict__["forward"] = _quiet(part.forward, recorder)


def _whole(forward: Any) -> Any:
    """Return a script's forward, which is one call: what the interpreter runs is not reported."""
    import torch

    def run(*args: Any, **kwargs: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return forward(*args, **kwargs)

    return run


def _of_one(module: Any, forward: Any) -> Any:
    def run(x: Any) -> Any:
        try:
            return forward(x)
        except ValueError as error:
            if "more than 1 value" not in str(error) or module.running_mean is None:
                raise
        module.__dict__["training"] = False
        return forward(x)

    return run


def _reporting(draft: Draft, module: Any, forward: Any, recorder: Recorder) -> Any:
    from torch.nn.modules.lazy import LazyModuleMixin

    lazy = isinstance(module, LazyModuleMixin)

    def run(*args: Any, **kwargs: Any) -> Any:
        if lazy and module.has_uninitialized_params():
            recorder.quietly(_initialize, (module, draft, args, kwargs), {})
        return recorder.module(draft, forward, args, kwargs)

    return functools.wraps(forward)(run) if hasattr(forward, "__name__") else run


def _initialize(module: Any, draft: Draft, args: Any, kwargs: Any) -> None:
    # The initialization that nn.LazyX does in a hook before its first call.
    from shapeinspect_torch.vocabulary.kinds import describe

    module.initialize_parameters(*args, **kwargs)
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
    draft.attributes.update(describe(type(module).__name__, module.__dict__)[1])


def _quiet(forward: Any, recorder: Recorder) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        return recorder.quietly(forward, args, kwargs)

    return run
