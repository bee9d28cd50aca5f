"""The arguments with which TorchScript's forward is followed, with the shapes that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect_torch.script.code.parser import Function
from shapeinspect_torch.script.lengths import Known
from shapeinspect_torch.script.tensors import Tensors
from shapeinspect_torch.script.values import Tensor


def arguments(
    function: Function, specs: Sequence[InputSpec], known: Known, tensors: Tensors, *, asked: bool
) -> tuple[list[Any], list[str]]:
    """Return the arguments of a forward, and the names of the inputs among them.

    Args:
        function: the forward.
        specs: the shapes that are asked for.
        known: what is known of the values; it gets the shapes and dtypes of the inputs.
        tensors: names the inputs.
        asked: whether somebody asked for these shapes, so that other inputs have their defaults.
    """
    inputs: list[str] = []
    args: list[Any] = []
    named = [name for name, is_tensor in function.parameters[1:] if is_tensor]
    given = _fed(named, specs)
    known.shapes.update({name: spec.shape for name, spec in given.items()})
    known.dtypes.update({name: spec.dtype for name, spec in given.items()})
    for name, is_tensor in function.parameters[1:]:
        items = [] if is_tensor else _items(name, specs, known, tensors)
        if items:
            args.append(items)
            inputs += [item.name for item in items]
            continue
        if asked and name not in given and name in function.defaults:
            args.append(function.defaults[name])  # as in a call with the inputs that are asked for
            continue
        args.append(known.tensor(tensors.fresh(name)) if is_tensor else UNKNOWN)
        inputs += [args[-1].name] if is_tensor else []
    return args, inputs


def _fed(names: Sequence[str], specs: Sequence[InputSpec]) -> dict[str, InputSpec]:
    """Return which inputs are asked for, and how: by their names, the others in order.

    Example:
        >>> asked = _fed(["x", "y"], [InputSpec((2, 3), "y"), InputSpec((5,))])
        >>> {name: spec.shape for name, spec in asked.items()}
        {'y': (2, 3), 'x': (5,)}
    """
    by_name = {spec.name: spec for spec in specs if spec.name is not None and spec.name in names}
    free = [name for name in names if name not in by_name]
    return by_name | dict(zip(free, (spec for spec in specs if spec.name is None), strict=False))


def _items(name: str, specs: Sequence[InputSpec], known: Known, tensors: Tensors) -> list[Tensor]:
    """Return the tensors of a list that is fed, whose shapes are asked for as ``name.0``, ``name.1``."""
    by_name = {spec.name: spec for spec in specs}
    items: list[Tensor] = []
    while (spec := by_name.get(f"{name}.{len(items)}")) is not None:
        path = f"{name}.{len(items)}"
        known.shapes[path], known.dtypes[path] = spec.shape, spec.dtype
        items.append(known.tensor(tensors.fresh(path)))
    return items
