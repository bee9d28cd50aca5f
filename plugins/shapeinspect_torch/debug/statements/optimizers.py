"""An optimizer whose resumed state belongs to weights of other shapes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.ir import Layer, Value
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect.plugin_api.user_code.source import UserSource
from shapeinspect.rules.rule import show

#: At most so many weights are shown.
_SHOWN = 3


def resumed(
    frames: Sequence[Place], site: UserSource | None, message: str, where: str | None, model: object | None
) -> Rerun | None:
    """Say which weights have a state of another shape; None where no optimizer steps, or all states fit.

    Args:
        frames: the frames of the traceback, with their lines.
        site: the user's line; None where its source is not there.
        message: torch's message.
        where: the user's source line.
        model: the model that is debugged, if it is known.
    """
    import torch

    steps = [frame for frame, _ in frames if frame.f_code.co_name == "step"]
    found = (frame.f_locals.get("self") for frame in steps)
    optimizer = next((one for one in found if isinstance(one, torch.optim.Optimizer)), None)
    wrong = [] if optimizer is None else [*_unlike(optimizer)]
    if optimizer is None or not wrong:
        return None
    names = _names(frames, model)
    expected, got = [], []
    for weight, key, shape in wrong[:_SHOWN]:
        name = names.get(id(weight), "a weight")
        expected.append(f"{key} of {show(weight.shape)}, like {name}")
        got.append(f"{key} of {show(shape)} for {name}")
    edits = [] if site is None else [*_edits(site, optimizer)]
    fact = Explained("optimizer-state", (" and ".join(expected),), tuple(got), tuple(edits))
    weight, key, shape = wrong[0]
    values = [Value("weight", tuple(weight.shape)), Value(key, shape)]
    layer = Layer("step", "optimizer", type(optimizer).__name__)
    failure = outside(layer, values, "torch", message, where, fact)
    return Rewriting(failure, lambda _edit: _trial(optimizer))


def _unlike(optimizer: Any) -> Iterator[tuple[Any, str, tuple[int, ...]]]:
    """Yield the weights that have a state of another shape, with its name and its shape."""
    import torch

    for weight, state in optimizer.state.items():
        for key, held in state.items() if isinstance(state, dict) else ():
            tensor = isinstance(held, torch.Tensor) and held.ndim > 0
            if tensor and key in _LIKE_WEIGHTS and held.shape != weight.shape:
                yield weight, key, tuple(held.shape)
                break


#: The states that have the shape of their weight.
_LIKE_WEIGHTS = frozenset({
    "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "grad_avg", "sum",
    "acc_delta", "exp_inf", "prev", "step_size", "ax",
})  # fmt: skip


def _names(frames: Sequence[Place], model: object | None) -> dict[int, str]:
    """Return what the weights are called in the models that the user's frames hold."""
    import torch

    held = [
        model,
        *(value for frame, _ in frames for value in (*frame.f_locals.values(), *frame.f_globals.values())),
    ]
    modules = {id(one): one for one in held if isinstance(one, torch.nn.Module)}
    return {id(weight): f'"{name}"' for one in modules.values() for name, weight in one.named_parameters()}


def _edits(site: UserSource, optimizer: Any) -> Iterator[Edit]:
    """Yield the edit that leaves the state out where it is loaded, and keeps the settings."""
    owners = {name.rpartition(".")[2] for name, held in site.names.items() if held is optimizer} | {
        "optimizer"
    }
    for call in ast.walk(site.tree):
        function = call.func if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or not isinstance(function, ast.Attribute) or len(call.args) != 1:
            continue
        owner = function.value
        last = getattr(owner, "attr", getattr(owner, "id", ""))
        if function.attr == "load_state_dict" and last in owners:
            old, given = site.source(call), site.source(call.args[0])
            new = site.edited(call, [(call.args[0], f'{{**{given}, "state": {{}}}}')])
            text = f"{' '.join(new.split())} instead of {' '.join(old.split())}"
            yield Edit("", text, alters="the moments of all weights: they begin anew")
            return


def _trial(optimizer: Any) -> Claim | None:
    """Take a step without the state, on copies of the weights."""
    import torch

    from shapeinspect_torch.tracing.real_run import room_for

    groups = []
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    try:  # a copy, its gradient, and what the optimizer keeps
        room_for(sum(4 * weight.numel() * weight.element_size() for weight in weights), weights[0].device)
    except RuntimeError:
        return None
    for group in optimizer.param_groups:
        copies = []
        for weight in group["params"]:
            copy = torch.nn.Parameter(weight.detach().clone())
            copy.grad = None if weight.grad is None else weight.grad.detach().clone()
            copies.append(copy)
        groups.append({**group, "params": copies})
    try:
        type(optimizer)(groups).step()
    except Exception:  # noqa: BLE001  # an optimizer of the user's own may raise anything
        return None
    step = "optimizer.step without the state, on copies of the weights,"
    return Claim(what=step, rest="nothing was loaded again")
