"""A state_dict that a module refuses: finds both in the traceback, and runs what may load it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.plugin_api.changes import Change, Loaded, OnLayer, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import KeyedLoad
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.plugin_api.user_code.calls import UserCall, failed_call
from shapeinspect.plugin_api.user_code.constructions import built_by, built_in_place
from shapeinspect.plugin_api.user_code.frames import Place, user_line
from shapeinspect.sources.source import Source
from shapeinspect_torch.debug.calls.edits import rebuild_layer
from shapeinspect_torch.debug.loading.plan import Statement
from shapeinspect_torch.debug.loading.pretrained import WORDS, pretrained
from shapeinspect_torch.debug.loading.survey import Surveyed, survey
from shapeinspect_torch.debug.spelling import spell
from shapeinspect_torch.tracing.assembly import assemble
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import walk
from shapeinspect_torch.tracing.recorder import PACKAGES
from shapeinspect_torch.tracing.wrappers import unwrap

#: Libraries that load for the user; their lines are not the user's.
_LIBRARIES = (
    *PACKAGES,
    "safetensors",
    "transformers",
    "lightning",
    "pytorch_lightning",
    "timm",
    "accelerate",
)


#: Causes for which a weight that is missing is the place of the failure.
_OF_KEYS = frozenset({"keys-missing", "adapter", "keys-renamed", "renamed-in-part", "other-depth"})


def loading(message: str, where: str | None, frames: list[Place]) -> Rerun | None:
    """Find the module and the state_dict of a load that was refused.

    Args:
        message: torch's message.
        where: the user's source line.
        frames: those of the traceback, the outermost first, with their lines.
    """
    where = user_line(frames, _LIBRARIES) or where
    if WORDS in message:
        call = failed_call(frames, _LIBRARIES, ("from_pretrained",))
        report = pretrained(message, frames, call)
        return None if report is None else _Loading(report[0], {}, report[1], message, where)
    given = _given(frames)
    if given is None:
        return None
    module, state, strict, assign = given
    call = failed_call(frames, _LIBRARIES, ("load_state_dict", "load_model"))
    statement = _statement(call, module, strict, assign)
    construction = None if call is None else built_in_place(call)
    construction = construction or built_by(module, frames, _LIBRARIES)
    if isinstance(state, str | os.PathLike):
        state, statement = _opened(state, statement)
    found = survey(module, state, statement, construction)
    if found is not None and call is None and found.fact.repairs:
        stands = "below, model and state_dict stand for what the library was given and has read"
        found = replace(found, fact=replace(found.fact, why=(*found.fact.why, stands)))
    return None if found is None else _Loading(module, state, found, message, where)


def _given(frames: list[Place]) -> tuple[Any, Any, bool, bool] | None:
    """Return the module, the state_dict, and the options of the load."""
    import torch

    for frame, _ in reversed(frames):
        local = frame.f_locals
        module = local.get("self")
        if frame.f_code.co_name == "load_state_dict" and isinstance(module, torch.nn.Module):
            return module, local.get("state_dict"), bool(local.get("strict", True)), bool(local.get("assign"))
        module = local.get("model")
        if frame.f_code.co_name == "load_model" and isinstance(module, torch.nn.Module):
            return module, local.get("state_dict"), bool(local.get("strict", True)), False
    return None


def _statement(call: UserCall | None, module: Any, strict: bool, assign: bool) -> Statement:
    """Read how the user's line calls the module and the state_dict."""
    if call is None:
        return Statement(strict=strict, assign=assign)
    torch = next(iter(call.names(_package())), "")
    name = call.source(call.node.func)
    if name.endswith("load_model"):
        model = call.argument(0, "model")
        path = call.argument(1, "filename")
        loader = name.removesuffix("load_model") + "load_file"
        again = f"{name}({model}, {path}, strict=False)"
        return Statement(model, f"{loader}({path})", False, torch, strict, again)
    state = call.argument(0, "state_dict")
    if not state:
        return Statement(call.owner or "model", strict=strict, assign=assign)
    name, holder = call.holder(0, "state_dict")
    return Statement(call.owner, state, assign, torch, strict, holder_name=name, holder=holder)


def _opened(path: str | os.PathLike[str], statement: Statement) -> tuple[Any, Statement]:
    """Load the file whose path was given instead of a state_dict."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001  # it is gone, or it is no file of PyTorch
        return None, statement
    code = f'{statement.torch or "torch"}.load({statement.state}, map_location="cpu")'
    return state, replace(statement, state=code, opened=True)


def _package() -> Any:
    import torch

    return torch


class _Loading(Rerun):
    """A module and the state_dict that it refuses."""

    def __init__(self, module: Any, state: Any, found: Surveyed, message: str, where: str | None) -> None:
        self._module, self._state, self._found = module, state, found
        nodes = walk(unwrap(module)[0])  # nothing is run: a forward may need no inputs, or refuse none
        model = assemble(Source(type(module).__name__, target=module), nodes, Shadow(), None, [])
        layer = self._refusing(model.layers, found.fact)
        self.failure = Failure(model, layer, (), message, where, fact=found.fact)

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Say what a repair loaded; see :class:`Rerun`.

        Args:
            changes: those with which an attempt passed.
        """
        number = next((change.repair for change in changes if isinstance(change, Loaded)), None)
        if self._found.untried:
            return Claim(Level.UNTRIED, rest=self._found.untried)
        rest = "all keys load" if number is None else self._found.outcomes[number]
        return Claim(Level.WHOLE, self._found.call, rest)

    def _refusing(self, layers: Sequence[Layer], fact: KeyedLoad) -> Layer:
        """Return the first layer whose weight has another shape or is missing, else the whole module."""
        keys = [key for key, _, _ in fact.reshaped]
        keys = keys or [path + "." + role for path, roles in fact.stored for role, _ in roles]
        if not keys and fact.loaded and fact.cause in _OF_KEYS:
            keys = list(fact.missing)
        for layer in layers:
            if any(weight.name in keys[:1] for weight in layer.weights):
                return layer
        name = type(self._module).__name__
        return Layer(name, "module", name)

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Build the layers as the changes say, and load into them; repairs were run before."""
        shadow = Shadow()
        nodes = walk(self._module)
        copy = shadow.of(self._module)
        for change in changes:
            if isinstance(change, Loaded):
                return None  # it was run when it was found
            node = next(
                (node for node in nodes if isinstance(change, OnLayer) and node.draft.path == change.path),
                None,
            )
            if node is None or not isinstance(change, OnLayer):
                return self.failure
            try:
                rebuild_layer(shadow.of(node.real), node.native, change.attributes)
            except (ValueError, TypeError):
                return self.failure
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # nothing is copied into a weight without numbers
                copy.load_state_dict(self._state)
        except RuntimeError:
            return self.failure
        return None

    def spell(self, change: Wording, name: str) -> str:
        """Spell a change in torch."""
        return spell(change, name, self.failure)
