"""Spells changes in NumPy, for a model that is fed arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapeinspect.plugin_api.changes import (
    FewerStates,
    InsteadOf,
    MoreSamples,
    OnCall,
    OnInput,
    OnLayer,
    OnOperand,
    Step,
    Wording,
)

#: The steps that NumPy has an expression for.
IN_NUMPY: dict[str, Callable[[str, Any], str]] = {
    "permute": lambda x, axes: f"{x}.transpose{axes}",
    "unsqueeze": lambda x, axis: f"np.expand_dims({x}, {axis})",
    "squeeze": lambda x, axis: f"{x}.squeeze({axis})",
    "flatten": lambda x, first: f"{x}.reshape(*{x}.shape[:{first}], -1)",
    "reshape": lambda x, shape: f"{x}.reshape{shape}",
    "crop": lambda x, shape: f"{x}[{', '.join(f':{length}' for length in shape)}]",
    "interpolate": lambda x, space: f"{x} resized to {'×'.join(map(str, space))}",
    "dtype": lambda x, dtype: f"{x}.astype(np.{dtype})",
    "resize": lambda x, shape: f"{x} of shape {shape}",
    "named": lambda x, name: f'"{name}" under the name "{x}"',
    "channels": lambda x, given: (
        f"{x}.mean({given[0]}, keepdims=True)" if given[1] == 1
        else f"np.repeat({x}, {given[1]}, {given[0]})" if given[2] == 1
        else f"{x}[{':, ' * given[0]}:{given[1]}]"
    ),
}  # fmt: skip


def in_numpy(change: Wording, name: str) -> str:
    """Spell a change in NumPy, and settings by their names in the vocabulary of kinds.

    Args:
        change: the change.
        name: what the tensor is called.

    Example:
        >>> in_numpy(OnInput("x", (("permute", (0, 3, 1, 2)),)), "x")
        'x.transpose(0, 3, 1, 2)'
    """
    if isinstance(change, OnInput | OnOperand):
        return _after(change.steps, name)
    if isinstance(change, InsteadOf):
        return f'{_after(change.steps, "x")} in place of "{change.path}"'
    if isinstance(change, OnLayer | OnCall):
        settings = ", ".join(f"{key}={value}" for key, value in change.attributes.items())
        return f'{settings} in "{change.path}"' if isinstance(change, OnLayer) else settings
    if isinstance(change, MoreSamples):
        return f"feed at least {change.count} samples a batch"
    if isinstance(change, FewerStates):
        return f"cut the state to the batch, [:, :{change.batch}]"
    return str(change)


def _after(steps: tuple[Step, ...], name: str) -> str:
    for step, argument in steps:
        write = IN_NUMPY.get(step)
        name = write(name, argument) if write is not None else f"{step} {argument} of {name}"
    return name
