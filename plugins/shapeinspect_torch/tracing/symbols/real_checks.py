"""What torch's real kernels refuse and its shape functions let pass, on lengths that are symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OVER_AN_AXIS = frozenset({"max", "min", "amax", "amin", "median", "nanmedian", "aminmax", "mode"})


class RealRefusalError(RuntimeError):
    """Only a real kernel refuses this."""


class UncertainError(RuntimeError):
    """Real kernels differ in whether they refuse this."""


def refuse_inputs(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise for arguments that real kernels refuse.

    Args:
        name: the function.
        args: positional arguments.
        kwargs: named arguments.

    Raises:
        RealRefusalError: if an axis without elements is reduced to its largest or smallest one.

    Source: ``aten/src/ATen/native/ReduceOpsUtils.h``, ``zero_numel_check_dims``.
    """
    if name not in _OVER_AN_AXIS or not args or (len(args) > 1 and hasattr(args[1], "dim")):
        return
    tensor = args[0]
    axes = args[1] if len(args) > 1 else kwargs.get("dim")
    if axes is None or axes == ():
        empty = tensor.numel() == 0
    else:
        empty = any(tensor.shape[axis] == 0 for axis in (axes if isinstance(axes, list | tuple) else (axes,)))
    if empty:
        raise RealRefusalError(f"{name}(): Expected reduction dim to have non-zero size.")


def refuse_output(name: str, output: Any) -> None:
    """Raise for an output that real kernels refuse to make.

    Args:
        name: the function.
        output: what it returned.

    Raises:
        UncertainError: if a transposed convolution does, which some backends take.
    """
    if name.startswith("conv_transpose") and any(length == 0 for length in output.shape[2:]):
        raise UncertainError
