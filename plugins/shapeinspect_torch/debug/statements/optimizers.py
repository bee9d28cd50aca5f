"""An optimizer whose resumed state belongs to other weights: of other shapes, or of another number."""

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
#: Weights of more numbers than this are not copied for a trial.
_NUMBERS = 50_000_000


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


def refused(
    frames: Sequence[Place], site: UserSource | None, message: str, where: str | None, model: object | None
) -> Rerun | None:
    """Say which weights the groups of a stored state lack or have too many; None where no optimizer loads.

    Args:
        frames: the frames of the traceback, with their lines.
        site: the user's line; None where its source is not there.
        message: torch's message.
        where: the user's source line.
        model: the model that is debugged, if it is known.
    """
    import torch

    loads = [frame.f_locals for frame, _ in frames if frame.f_code.co_name == "load_state_dict"]
    found = (local for local in loads if isinstance(local.get("self"), torch.optim.Optimizer))
    local: dict[str, Any] = next(found, {})
    optimizer, state = local.get("self"), local.get("state_dict")
    if optimizer is None or not isinstance(state, dict) or not {"state", "param_groups"} <= state.keys():
        return None
    own = [len(group["params"]) for group in optimizer.param_groups]
    stored = [len(group["params"]) for group in state["param_groups"]]
    if own == stored:
        return None
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    pairs = _in_order(weights, _stored_shapes(state))
    names = _names(frames, model)
    because = _without(weights, pairs, names)
    edits = [] if site is None else [*_own_groups(site, optimizer, pairs)]
    fact = Explained("optimizer-groups", (_groups(own),), (_groups(stored),), tuple(edits), because)
    values = [Value("weight", tuple(weights[0].shape))] if weights else []
    layer = Layer("load_state_dict", "optimizer", type(optimizer).__name__)
    failure = outside(layer, values, "torch", message, where, fact)
    return Rewriting(failure, lambda _edit: _loads(optimizer, state, pairs))


def _groups(counts: Sequence[int]) -> str:
    """Write how many weights the groups have."""
    sizes = " and ".join(f"{count} {'weight' if count == 1 else 'weights'}" for count in counts)
    return f"{len(counts)} {'group' if len(counts) == 1 else 'groups'} of {sizes}"


def _stored_shapes(state: dict[str, Any]) -> list[tuple[int, ...] | None]:
    """Return the shape of each stored weight, as its moments have it; None where nothing tells it."""
    shapes: list[tuple[int, ...] | None] = []
    for group in state["param_groups"]:
        for index in group["params"]:
            held = state["state"].get(index, {})
            tensors = (held[key] for key in held if key in _LIKE_WEIGHTS) if isinstance(held, dict) else ()
            shapes.append(next((tuple(one.shape) for one in tensors if getattr(one, "ndim", 0)), None))
    return shapes


def _in_order(weights: Sequence[Any], shapes: Sequence[tuple[int, ...] | None]) -> list[int] | None:
    """Return which weight each stored state belongs to; None where their shapes do not tell it in one way.

    Weights are stored in their order, so that a state may only be left out, or stand alone.
    """
    if not shapes or None in shapes:
        return None
    first, at = [], 0
    for shape in shapes:
        while at < len(weights) and tuple(weights[at].shape) != shape:
            at += 1
        if at == len(weights):
            return None
        first.append(at)
        at += 1
    last, at = [], len(weights) - 1
    for shape in reversed(shapes):
        while tuple(weights[at].shape) != shape:
            at -= 1
        last.append(at)
        at -= 1
    # the earliest and the latest way: where the two differ, shapes alone do not say which weights are new
    whole = first == last[::-1] or first == [*range(len(shapes))]
    return first if whole else None


def _without(weights: Sequence[Any], pairs: Sequence[int] | None, names: dict[int, str]) -> tuple[str, ...]:
    """Name the weights that have no stored state."""
    if pairs is None:
        return ()
    new = [weight for index, weight in enumerate(weights) if index not in {*pairs}]
    if not new:
        return ("the stored states have the shapes of these weights, in their order: only the groups differ",)
    listed = [f"{names.get(id(weight), 'a weight')} of {show(weight.shape)}" for weight in new[:_SHOWN]]
    more = f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
    return (f"no state is stored for {', '.join(listed)}{more}",)


def _own_groups(site: UserSource, optimizer: Any, pairs: Sequence[int] | None) -> Iterator[Edit]:
    """Yield the edit that takes the stored moments into the groups that there are."""
    for call in ast.walk(site.tree):
        if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") != "load_state_dict":
            continue
        if len(call.args) != 1 or site.failed not in (None, call) or pairs is None:
            continue
        owner = site.source(call.func).rpartition(".")[0]
        given, old = site.source(call.args[0]), site.source(call)
        states = f'{given}["state"]'
        if [*pairs] != [*range(len(pairs))]:
            order = "[" + ", ".join(map(str, pairs)) + "]"
            states = f"dict(zip({order}, (v for _, v in sorted({states}.items()))))"
        groups = f'{owner}.state_dict()["param_groups"]'
        new = site.edited(call, [(call.args[0], f'{{"state": {states}, "param_groups": {groups}}}')])
        alters = "the settings of the groups, such as lr: they stay the script's own"
        yield Edit("", f"{' '.join(new.split())} instead of {' '.join(old.split())}", alters=alters)
        return


def _loads(optimizer: Any, state: dict[str, Any], pairs: Sequence[int] | None) -> Claim | None:
    """Load the states into an optimizer of copies of the weights, and let it take a step."""
    import torch

    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    if pairs is None or sum(weight.numel() for weight in weights) > _NUMBERS:
        return None
    groups = []
    for group in optimizer.param_groups:
        copies = [torch.nn.Parameter(weight.detach().clone()) for weight in group["params"]]
        for copy in copies:
            copy.grad = torch.zeros_like(copy)
        groups.append({**group, "params": copies})
    try:
        new = type(optimizer)(groups)
        states = dict(zip(pairs, (held for _, held in sorted(state["state"].items())), strict=True))
        new.load_state_dict({"state": states, "param_groups": new.state_dict()["param_groups"]})
        new.step()
    except Exception:  # noqa: BLE001  # an optimizer of the user's own may raise anything
        return None
    return Claim(what="load_state_dict", rest="so does a step on copies of the weights")


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
