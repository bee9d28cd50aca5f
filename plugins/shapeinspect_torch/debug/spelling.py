"""Spells a debugger's changes in torch."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from shapeinspect.plugin_api.changes import (
    Around,
    Evaluating,
    FewerStates,
    InsteadOf,
    MoreSamples,
    NoState,
    OnCall,
    OnInput,
    OnLayer,
    OnOperand,
    Step,
    Wording,
)
from shapeinspect.plugin_api.rerun import Failure

#: Attributes of the vocabulary with another name in torch.
_ARGUMENTS = {"axis": "dim"}

_CASTS = {"int64": "long", "float32": "float", "float64": "double", "float16": "half", "bool": "bool"}

_STEPS: dict[str, Callable[[str, Any], str]] = {
    "permute": lambda x, axes: f"{x}.permute{axes}" if _swap(axes) is None else f"{x}.transpose{_swap(axes)}",
    "unsqueeze": lambda x, axis: f"{x}.unsqueeze({axis})",
    "squeeze": lambda x, axis: f"{x}.squeeze({axis})",
    "flatten": lambda x, first: f"{x}.flatten({first})",
    "merge": lambda x, axes: f"{x}.flatten({axes[0]}, {axes[1]})",
    "reshape": lambda x, shape: f"{x}.reshape{shape}",
    "resize": lambda x, shape: f"{x} of shape {shape}",
    "crop": lambda x, shape: f"{x}[{', '.join(':' if n is None else f':{n}' for n in shape)}]",
    "expand": lambda x, lengths: f"{x}.expand{lengths}",
    "one_hot": lambda x, count: f"F.one_hot({x}.long(), {count}).float()",
    "interpolate": lambda x, space: f"F.interpolate({x}, size={space})",
    "interpolate_last": lambda x, space: (
        f"F.interpolate({x}.permute(0, 3, 1, 2), size={space}).permute(0, 2, 3, 1)"
    ),
    "adaptive_pool": lambda x, space: f"nn.AdaptiveAvgPool{len(space)}d({_plain(space)})({x})",
    "channels": lambda x, given: _channels(x, *given),
    "project": lambda x, given: f"nn.LazyConv2d({given[0]}, 1, stride={given[1]})({x})",
    "first": lambda x, axis: f"{x}[..., 0]" if axis == -1 else f"{x}[{', '.join([':'] * axis)}, 0]",
    "last": lambda x, axis: f"{x}[{', '.join([':'] * axis)}, -1]" if axis else f"{x}[-1]",
    "dtype": lambda x, name: f"{x}.{_CASTS[name]}()" if name in _CASTS else f"{x}.to(torch.{name})",
    "shift": lambda x, by: f"{x} {'+' if by > 0 else '-'} {abs(by)}",
    "argmax": lambda x, axis: f"{x}.argmax({axis})",
    "item": lambda x, at: f"{x}[{at}]",
    "contiguous": lambda x, _: f"{x}.contiguous()",
    "repeat": lambda x, given: f"{x}.repeat_interleave({given[1]}, {given[0]})",
}  # fmt: skip


def _channels(name: str, axis: int, length: int, before: int, rank: int) -> str:
    if length == 1:
        return f"{name}.mean({axis}, keepdim=True)"
    if before == 1:
        return f"{name}.expand({', '.join(str(length) if i == axis else '-1' for i in range(rank))})"
    return f"{name}[{':, ' * axis}:{length}]"


def spell(change: Wording, name: str, failure: Failure) -> str:
    """Spell a change in torch.

    Args:
        change: the change.
        name: what the tensor is called.
        failure: what it is to mend.
    """
    if isinstance(change, OnInput):
        return steps(_shortened(change.steps, failure, change.name), name)
    if isinstance(change, OnOperand):
        if name == "x" and _in_a_row(failure) and [step for step, _ in change.steps] == ["flatten"]:
            return f"nn.Flatten({change.steps[0][1]})"
        known = change.call is None and change.operand < len(failure.inputs)
        return steps(_shortened(change.steps, failure, failure.inputs[change.operand] if known else ""), name)
    if isinstance(change, OnLayer | OnCall):
        if isinstance(change, OnCall) and "shape" in change.attributes:
            return f"{name}.{failure.layer.type.rpartition('.')[2]}{change.attributes['shape']}"
        settings = ", ".join(
            f"{_ARGUMENTS.get(key, key)}={_plain(value)}" for key, value in change.attributes.items()
        )
        return f'{settings} in "{change.path}"' if isinstance(change, OnLayer) else settings
    return _without_state(failure) if isinstance(change, NoState) else _sentence(change)


def _in_a_row(failure: Failure) -> bool:
    """Tell whether the failed layer is one of a Sequential, where no line names what it reads."""
    return failure.layer.path.rpartition(".")[2].isdigit()


def _without_state(failure: Failure) -> str:
    """Write the user's call without its state; empty where the line does not show it."""
    try:
        statement = ast.parse((failure.where or "").partition("  ")[2]).body
    except SyntaxError:
        return ""
    name = failure.layer.path.rpartition(".")[2]
    calls = [
        node
        for part in statement
        for node in ast.walk(part)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == name and len(node.args) == 2
    ]
    if len(calls) != 1 or calls[0].keywords:
        return ""
    alone = ast.Call(calls[0].func, calls[0].args[:1], [])
    return f"{ast.unparse(alone)} instead of {ast.unparse(calls[0])}"


def _sentence(change: Wording) -> str:
    """Spell a change that needs no tensor name."""
    if isinstance(change, Evaluating):
        return "model.eval()"
    if isinstance(change, InsteadOf):
        return f'{steps(change.steps, "x").removeprefix("x.")} in place of "{change.path}"'
    if isinstance(change, Around):
        name = change.path.rpartition(".")[2]
        inner = steps((("permute", change.axes),), "x")
        around = steps((("permute", change.back),), f"{name}({inner})")
        return f'{around} instead of {name}(x) at "{change.path}"'
    if isinstance(change, MoreSamples):
        short = "1" if change.count == 2 else f"fewer than {change.count}"
        return (
            f"feed at least {change.count} samples a batch "
            f"(DataLoader's drop_last=True drops the last one of {short})"
        )
    if isinstance(change, FewerStates):
        return f"cut the state to the batch, [:, :{change.batch}] (or DataLoader's drop_last=True)"
    return str(change)


def steps(done: tuple[Step, ...], name: str) -> str:
    """Spell steps as one expression.

    Args:
        done: the steps.
        name: the tensor.
    """
    for step in done:
        name = _STEPS[step[0]](name, step[1])
    return name


def _shortened(done: tuple[Step, ...], failure: Failure, value: str) -> tuple[Step, ...]:
    """Omit the lengths of a crop that do not change."""
    known = failure.model.values.get(value)
    shape = (known.shape if known is not None else None) or ()
    return tuple(
        (name, _cut(argument, shape) if name == "crop" and len(shape) == len(argument) else argument)
        for name, argument in done
    )


def _cut(lengths: tuple[int, ...], shape: tuple[Any, ...]) -> tuple[int | None, ...]:
    cut = [None if new == old else new for new, old in zip(lengths, shape, strict=True)]
    while cut and cut[-1] is None:
        cut.pop()
    return tuple(cut)


def _swap(axes: tuple[int, ...]) -> tuple[int, int] | None:
    moved = [position for position, axis in enumerate(axes) if position != axis]
    return (moved[0], moved[1]) if len(moved) == 2 else None


def _plain(value: Any) -> str:
    if isinstance(value, tuple) and value and all(item == value[0] for item in value):
        return str(value[0])
    return str(value)
