"""One proposal of what to change."""

from __future__ import annotations

from dataclasses import dataclass

from shapeinspect.plugin_api.rerun import Change, Failure, OnInput, OnOperand, Step


@dataclass(frozen=True, slots=True)
class Fix:
    """A proposal.

    Args:
        cause: what is wrong if it helps; see ``causes``.
        changes: what is different.
        rank: how likely it is meant; the smallest is the best.
        text: what to call it, where the changes alone do not say it well.
        alone: whether it is shown only where nothing likelier helps.

    Example:
        >>> from shapeinspect.plugin_api.rerun import OnInput
        >>> Fix("no-batch", (OnInput("x", (("unsqueeze", 0),)),), 9).cause
        'no-batch'
    """

    cause: str
    changes: tuple[Change, ...]
    rank: int
    text: str | None = None
    alone: bool = False


def before(failure: Failure, operand: int, steps: tuple[Step, ...]) -> Change:
    """Return the change that does steps to an operand: to the model's input itself if nothing else reads it.

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
