"""A single proposed fix."""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.plugin_api.changes import Change, OnInput, OnOperand, Step, Wording
from shapeinspect.plugin_api.rerun import Failure


@dataclass(frozen=True, slots=True)
class Fix:
    """A proposal.

    Args:
        cause: what is wrong if it helps; see ``causes``; empty where that it helps does not say it.
        changes: what the debugger tries.
        rank: its place on the ladder of ``ranks``; the smallest is the best.
        text: the text, where it is the same in every framework and says more than the changes.
        alone: whether it is shown only where nothing likelier helps.
        alters: what it changes of the program's meaning besides mending it, such as "the number of classes";
            empty for nothing.
        why: what it shows to be wrong, in the words of the user's code.
        wording: what the debugger writes, where that is not the changes themselves.

    Example:
        >>> from shapeinspect.mismatch.repairs.ranks import Rung
        >>> Fix("no-batch", (OnInput("x", (("unsqueeze", 0),)),), Rung.PLAIN_BATCH).cause
        'no-batch'
    """

    cause: str
    changes: tuple[Change, ...]
    rank: int
    text: str | None = None
    alone: bool = False
    wording: tuple[Wording, ...] = ()
    alters: str = ""
    why: tuple[str, ...] = ()


def before(failure: Failure, operand: int, steps: tuple[Step, ...]) -> Change:
    """Return the change that edits an operand: the model's input itself if nothing else reads it.

    Args:
        failure: where the run ended.
        operand: which input of the failed call.
        steps: what is done to it, in order.
    """
    name = failure.inputs[operand]
    containers = {layer.path for layer in failure.model.layers if layer.kind == "module"}
    read = any(name in call.inputs for call in failure.model.calls if call.layer not in containers)
    if name in failure.model.inputs and not read and failure.inputs.count(name) == 1:
        return OnInput(name, steps)
    return OnOperand(None, operand, steps)
