"""Writes a debugger's changes as a line of torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapeinspect.rerun import Change, Evaluating, Failure, OnCall, OnInput, OnLayer, OnOperand, Step

#: Attributes of the vocabulary that torch calls otherwise.
_ARGUMENTS = {"axis": "dim"}

_STEPS: dict[str, Callable[[str, Any], str]] = {
    "permute": lambda x, axes: f"{x}.permute{axes}" if _swap(axes) is None else f"{x}.transpose{_swap(axes)}",
    "unsqueeze": lambda x, axis: f"{x}.unsqueeze({axis})",
    "squeeze": lambda x, axis: f"{x}.squeeze({axis})",
    "flatten": lambda x, first: f"{x}.flatten({first})",
    "merge": lambda x, axes: f"{x}.flatten({axes[0]}, {axes[1]})",
    "reshape": lambda x, shape: f"{x}.reshape{shape}",
    "resize": lambda x, shape: f"{x} of shape {shape}",
    "crop": lambda x, shape: f"{x}[{', '.join(':' if n is None else f':{n}' for n in shape)}]",
    "interpolate": lambda x, space: f"F.interpolate({x}, size={space})",
    "adaptive_pool": lambda x, space: f"nn.AdaptiveAvgPool{len(space)}d({_plain(space)})({x})",
    "channels": lambda x, given: (
        f"{x}.mean({given[0]}, keepdim=True)" if given[1] == 1
        else f"{x}[{', '.join([':'] * given[0])}, :{given[1]}]" if len(given) > 2
        else f"{x}.repeat_interleave({given[1]}, {given[0]})"
    ),
    "project": lambda x, given: f"nn.LazyConv2d({given[0]}, 1, stride={given[1]})({x})",
    "last": lambda x, axis: f"{x}[{', '.join([':'] * axis)}, -1]" if axis else f"{x}[-1]",
    "dtype": lambda x, name: f"{x}.long()" if name == "int64" else f"{x}.to(torch.{name})",
    "contiguous": lambda x, _: f"{x}.contiguous()",
}  # fmt: skip


def spell(change: Change, name: str, failure: Failure) -> str:
    """Write a change as torch spells it.

    Args:
        change: the change.
        name: what the tensor is called.
        failure: what it is to mend.
    """
    if isinstance(change, OnInput):
        return steps(change.steps, name)
    if isinstance(change, OnOperand):
        return steps(_shortened(change, failure), name)
    if isinstance(change, OnLayer | OnCall):
        if isinstance(change, OnCall) and "shape" in change.attributes:
            return f"{name}.{failure.layer.type.rpartition('.')[2]}{change.attributes['shape']}"
        return ", ".join(
            f"{_ARGUMENTS.get(key, key)}={_plain(value)}" for key, value in change.attributes.items()
        )
    if isinstance(change, Evaluating):
        return "model.eval()"
    return str(change)


def steps(done: tuple[Step, ...], name: str) -> str:
    """Write steps as one expression.

    Args:
        done: the steps.
        name: the tensor.
    """
    for step in done:
        name = _STEPS[step[0]](name, step[1])
    return name


def _shortened(change: OnOperand, failure: Failure) -> tuple[Step, ...]:
    """Leave out the lengths of a crop that stay as they are."""
    if change.call is not None or change.operand >= len(failure.inputs):
        return change.steps
    shape = failure.model.values[failure.inputs[change.operand]].shape or ()
    return tuple(
        (name, tuple(None if new == old else new for new, old in zip(given, shape, strict=False)))
        if name == "crop"
        else (name, given)
        for name, given in change.steps
    )


def _swap(axes: tuple[int, ...]) -> tuple[int, int] | None:
    moved = [at for at, axis in enumerate(axes) if at != axis]
    return (moved[0], moved[1]) if len(moved) == 2 else None


def _plain(value: Any) -> str:
    if isinstance(value, tuple) and value and all(one == value[0] for one in value):
        return str(value[0])
    return str(value)
