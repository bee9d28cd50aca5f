"""Explains a backward that fails because a saved tensor was overwritten."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.changes import Change, Wording
from shapeinspect.plugin_api.facts import Overwritten
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect_torch.debug.in_place import InPlace
from shapeinspect_torch.debug.replay import replay_of
from shapeinspect_torch.debug.watch import calls_of

_WORDS = re.compile(
    r"\[(?P<type>[\w.]+) \[(?P<shape>[\d, ]*)\]\](?:, which is output \d+ of (?P<maker>\w+),)?"
    r" is at version (?P<now>\d+); expected version (?P<then>\d+)"
)
#: The most graph nodes that are searched.
_NODES = 200_000


def overwritten(
    message: str,
    where: str | None,
    users: Sequence[tuple[FrameType, int]],
    frames: Sequence[tuple[FrameType, int]],
    model: Any,
) -> Rerun | None:
    """Find where the tensor was saved and overwritten, by the user's statements or the watched calls.

    Args:
        message: torch's message.
        where: the user's line at which backward failed.
        users: the user's frames and lines.
        frames: all frames and lines.
        model: the model that is debugged, or None.
    """
    for frame, line in reversed(users):
        replay = replay_of(frame, line)
        rerun = None if replay is None else InPlace(message, replay=replay)
        if rerun is not None and rerun.locate():
            return rerun
    for call in calls_of(model):
        rerun = InPlace(message, call=call)
        if rerun.locate():
            return rerun
    return _FromMessage(message, where, frames, model)


class _FromMessage(Rerun):
    """The facts in torch's message and the loss's graph, for a backward that cannot be rerun."""

    def __init__(
        self, message: str, where: str | None, frames: Sequence[tuple[FrameType, int]], model: Any
    ) -> None:
        words = _WORDS.search(message)
        shape = tuple(int(value) for value in words["shape"].split(",") if value.strip()) if words else ()
        versions = (int(words["then"]), int(words["now"])) if words else None
        node = next(_stumbling(frames), None)
        saved_by = _plain(node.name()) if node is not None else None
        weight = _weight(
            node, shape, [model, *(value for frame, _ in frames for value in frame.f_locals.values())]
        )
        name = weight or saved_by or _plain((words and words["maker"]) or "") or "backward"
        layer = Layer(name.rpartition(".")[0] if weight else name, "unknown", saved_by or "backward")
        fact = Overwritten(shape, saved_by, versions=versions, weight=weight, hint=_HINT[bool(weight)])
        self.failure = Failure(Model("", "live", "torch", "torch-live"), layer, (), message, where, fact=fact)

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Return the failure: there is nothing to run."""
        del changes
        return self.failure

    def spell(self, change: Wording, name: str) -> str:
        """Return an empty text: there is no fix."""
        del change, name
        return ""


_HINT = {
    True: "a weight changes in optimizer.step(): call it after every backward through the old "
    "weights, and detach() values carried over from the previous step",
    False: "run forward and backward inside `with shapeinspect.debug(model):` to get the line that wrote",
}


def _plain(name: str) -> str:
    """Turn ``SigmoidBackward0`` into ``sigmoid``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", re.sub(r"Backward\d*$", "", name)).lower()


def _stumbling(frames: Sequence[tuple[FrameType, int]]) -> Iterator[Any]:
    """Yield the nodes of the loss's graph whose saved tensors were overwritten."""
    import torch

    roots = [
        value
        for frame, _ in frames
        if frame.f_code.co_name in ("backward", "grad")
        for value in (
            frame.f_locals.get("self"),
            *_flat(frame.f_locals.get("tensors")),
            *_flat(frame.f_locals.get("outputs")),
        )
        if isinstance(value, torch.Tensor)
    ]
    waiting = [value.grad_fn for value in roots if value.grad_fn is not None]
    seen: set[Any] = set()
    while waiting and len(seen) < _NODES:
        node = waiting.pop(0)
        if node in seen:
            continue
        seen.add(node)
        for name in dir(node):
            if name.startswith("_saved_"):
                try:
                    getattr(node, name)
                except RuntimeError as error:
                    if "inplace operation" in str(error):
                        yield node
                        break
        waiting.extend(value for value, _ in node.next_functions if value is not None)


def _flat(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _weight(node: Any, shape: tuple[int, ...], owners: Sequence[Any]) -> str | None:
    """Return the name of the weight that a node saved, if one has the shape in the message."""
    import torch

    weights = {}
    for after, _ in getattr(node, "next_functions", ()):
        last = after
        for _ in range(2):  # the weight itself, or its transpose
            weight = getattr(last, "variable", None)
            if weight is not None and tuple(weight.shape) in (shape, shape[::-1]) and weight.dim() > 1:
                weights[id(weight)] = weight
            last = next(
                (following for following, _ in getattr(last, "next_functions", ()) if following is not None),
                None,
            )
    for owner in owners:
        if isinstance(owner, torch.nn.Module):
            for name, parameter in owner.named_parameters():
                if id(parameter) in weights:
                    return str(name)
    return None
