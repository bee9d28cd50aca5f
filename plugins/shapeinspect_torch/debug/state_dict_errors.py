"""A state_dict that does not fit a module: which layers differ, and which settings would fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

from shapeinspect.plugin_api.changes import Change, OnLayer, PartialLoad, Wording
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import OtherWeights
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.sources.source import Source
from shapeinspect_torch.debug.edits import rebuild_layer
from shapeinspect_torch.debug.spelling import spell
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import walk
from shapeinspect_torch.tracing.trace import read_module


def loading(message: str, where: str | None, frames: Sequence[FrameType]) -> Rerun | None:
    """Find the module and the state_dict of a load that was refused because of sizes.

    Args:
        message: torch's message.
        where: the user's source line.
        frames: those of the traceback.
    """
    import torch

    for frame in reversed(frames):
        model, state = frame.f_locals.get("self"), frame.f_locals.get("state_dict")
        if frame.f_code.co_name == "load_state_dict" and isinstance(model, torch.nn.Module):
            rerun = _Loading(model, state) if isinstance(state, Mapping) else None
            return rerun if rerun is not None and rerun.locate(message, where) else None
    return None


class _Loading(Rerun):
    """A module and the state_dict that it refuses."""

    def __init__(self, model: Any, state: Mapping[str, Any]) -> None:
        self._model = model
        self._stored = {
            str(key): tuple(value.shape) for key, value in state.items() if hasattr(value, "shape")
        }

    def locate(self, message: str, where: str | None) -> bool:
        """Find the layers whose stored tensors have other sizes."""
        model = read_module(Source(type(self._model).__name__, target=self._model))
        differing = [
            (
                layer.path,
                tuple(
                    (weight.role, self._stored[weight.name])
                    for weight in layer.weights
                    if self._differs(weight)
                ),
            )
            for layer in model.layers
            if any(self._differs(weight) for weight in layer.weights)
        ]
        if not differing:
            return False
        layer = next(layer for layer in model.layers if layer.path == differing[0][0])
        fact, claim = OtherWeights(tuple(differing)), Claim(what="load_state_dict")
        self.failure = Failure(replace(model, notes=()), layer, (), message, where, fact=fact, claim=claim)
        return True

    def _differs(self, weight: Any) -> bool:
        stored = self._stored.get(weight.name)
        return stored is not None and stored != weight.shape

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Build the layers as the changes say, and compare every size again."""
        shadow = Shadow()
        nodes = walk(self._model)
        copy = shadow.of(self._model)
        if any(isinstance(change, PartialLoad) for change in changes):
            return None if self._loads(copy) else self.failure
        for change in changes:
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
        shapes = {name: tuple(tensor.shape) for name, tensor in copy.state_dict(keep_vars=True).items()}
        fits = all(self._stored.get(name, shape) == shape for name, shape in shapes.items())
        return None if fits else self.failure

    def _loads(self, copy: Any) -> bool:
        """Load the matching weights into a copy without values; check that only the others are missing."""
        import torch

        shapes = {name: tuple(tensor.shape) for name, tensor in copy.state_dict(keep_vars=True).items()}
        kept = {
            name: torch.empty(shape, device="meta")
            for name, shape in self._stored.items()
            if shapes.get(name, shape) == shape
        }
        try:
            result = copy.load_state_dict(kept, strict=False)
        except RuntimeError:
            return False
        return (
            set(result.missing_keys) == shapes.keys() - kept.keys() and kept.keys() & shapes.keys() != set()
        )

    def spell(self, change: Wording, name: str) -> str:
        """Spell a change in torch."""
        if isinstance(change, PartialLoad):
            paths = ", ".join(f'"{path}"' for path in change.skipped[:3])
            return f"leave {paths} out of the state and load the rest with strict=False"
        return spell(change, name, self.failure)
