"""Builds the arguments of a forward from the user's input specification, without data."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from shapeinspect.errors import UsageError
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.sources.source import Source
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.pytree import rebuild, tensors


@dataclass(frozen=True, slots=True)
class Inputs:
    """The arguments of one forward.

    Args:
        args: the positional ones.
        kwargs: the named ones.
        names: the name of each tensor in them, and the tensor, in order.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[tuple[str, Any], ...]


def prepare(source: Source, model: Any, shadow: Shadow, whole: frozenset[str]) -> Inputs:
    """Build the arguments of the model's forward.

    Args:
        source: the request.
        model: the user's module.
        shadow: copies example tensors.
        whole: the names of inputs that hold integers where the user gave no dtype.

    Raises:
        UsageError: if they do not fit the forward.
    """
    signature = signature_of(model)
    if source.example is not None:
        args, kwargs = (shadow.of(part) for part in resized_example(source, model))
    else:
        args, kwargs = arguments_from_specs(source.inputs, model, signature, whole)
    bound = _bound(signature, tuple(args), dict(kwargs), model)
    names = tuple(pair for name, tree in bound for pair in tensors(tree, name))
    return Inputs(tuple(args), dict(kwargs), names)


def resized_example(source: Source, model: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the example arguments, in the shapes that are asked for besides: cut, or repeated along an axis.

    Args:
        source: the request.
        model: the user's module.
    """
    args, kwargs = source.example or ((), {})
    shapes = {spec.name: _sizes(spec) for spec in source.inputs}
    if not shapes:
        return args, kwargs
    given = (
        pair
        for name, tree in _bound(signature_of(model), args, kwargs, model)
        for pair in tensors(tree, name)
    )
    new = {id(tensor): _resized(tensor, shapes[name]) for name, tensor in given if name in shapes}

    def change(tensor: Any) -> Any:
        return new.get(id(tensor), tensor)

    return rebuild(tuple(args), change), rebuild(dict(kwargs), change)


def _resized(tensor: Any, shape: tuple[int, ...]) -> Any:
    import torch

    tensor = tensor.detach()
    for axis, (before, after) in enumerate(zip(tensor.shape, shape, strict=True)):
        if before != after:
            tensor = tensor.index_select(axis, torch.arange(after, device=tensor.device) % max(before, 1))
    return tensor


def signature_of(model: Any) -> inspect.Signature | None:
    """Return the signature of a model's forward; None where Python has none.

    Args:
        model: the module.
    """
    try:
        return inspect.signature(model.forward)
    except (TypeError, ValueError):
        return None


def arguments_from_specs(
    specs: tuple[InputSpec, ...], model: Any, signature: inspect.Signature | None, whole: frozenset[str]
) -> tuple[list[Any], dict[str, Any]]:
    """Return meta tensors of the requested shapes, by position and by name.

    Args:
        specs: the shapes and dtypes.
        model: the module; inputs have the dtype of its weights by default.
        signature: the signature of its forward.
        whole: the names of inputs that hold integers where the user gave no dtype.

    Raises:
        UsageError: if a length is not an integer, or an input is given twice.
    """
    import torch

    floating = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.get_default_dtype())
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    order = list(_positional(signature))
    named = {spec.name for spec in specs if spec.name is not None}
    for spec in specs:
        name = spec.name
        if name is None:
            name = order[len(args)] if len(args) < len(order) else f"input{len(args)}"
        default = torch.int64 if name in whole else floating
        dtype = default if spec.dtype is None else getattr(torch, spec.dtype)
        tensor = torch.empty(_sizes(spec), dtype=dtype, device="meta")
        if spec.name is not None:
            kwargs[name] = tensor
        elif name in named or (len(args) < len(order) and order[len(args)] in named):
            raise UsageError(f'input "{name}" is given twice: by name and by position')
        else:
            args.append(tensor)
    return nested(args, kwargs, signature)


def nested(
    args: list[Any], kwargs: dict[str, Any], signature: inspect.Signature | None
) -> tuple[list[Any], dict[str, Any]]:
    """Build the dicts and lists that dotted names speak of: ``batch.image``, ``frames.0``, ``args.1``.

    Args:
        args: the positional arguments.
        kwargs: the named ones, by dotted names.
        signature: the signature of the forward.

    Raises:
        UsageError: if an input is given as a tensor and with parts.
    """
    trees: dict[str, Any] = {}
    for name, tensor in kwargs.items():
        parts = name.split(".")
        here = trees
        for part in parts[:-1]:
            here = here.setdefault(part, {})
            if not isinstance(here, dict):
                raise UsageError(f'input "{name}" is given twice: as a tensor, and with parts')
        if parts[-1] in here:
            raise UsageError(f'input "{name}" is given twice: as a tensor, and with parts')
        here[parts[-1]] = tensor
    trees = {name: _listed(tree) for name, tree in trees.items()}
    for parameter in signature.parameters.values() if signature is not None else ():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL and isinstance(trees.get(parameter.name), list):
            args = [*args, *trees.pop(parameter.name)]
    return args, trees


def _listed(tree: Any) -> Any:
    """Return a dict whose keys count up from 0 as a list."""
    if not isinstance(tree, dict):
        return tree
    if set(tree) == set(map(str, range(len(tree)))):
        return [_listed(tree[str(index)]) for index in range(len(tree))]
    return {name: _listed(part) for name, part in tree.items()}


def _positional(signature: inspect.Signature | None) -> tuple[str, ...]:
    if signature is None:
        return ()
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, parameter in signature.parameters.items() if parameter.kind in plain)


def _sizes(spec: InputSpec) -> tuple[int, ...]:
    for axis, dim in enumerate(spec.shape):
        if not isinstance(dim, int):
            shown = ",".join(map(str, spec.shape))
            number = 2 if axis == 0 else 224 if axis > 1 else 3
            example = ",".join(str(d if isinstance(d, int) else number) for d in spec.shape)
            raise UsageError(
                f"--input {shown}: a live PyTorch model is traced with numbers",
                expected=f"a whole number for axis {axis}",
                got=repr(str(dim)),
                hint=f"such as --input {example}; run it again with another number to see what changes",
            )
    return tuple(dim for dim in spec.shape if isinstance(dim, int))


def _bound(
    signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any], model: Any
) -> list[tuple[str, Any]]:
    if signature is None:
        return [*((f"input{position}", arg) for position, arg in enumerate(args)), *kwargs.items()]
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        given = [f"{len(args)} by position"] if args else []
        given += [f'"{name}"' for name in kwargs]
        raise UsageError(
            f"the inputs do not fit the forward of {type(model).__name__}: {error}",
            expected=f"forward{signature}",
            got=", ".join(given) or "nothing",
            hint="name each input: --input name=1,3,224,224",
        ) from None
    named: list[tuple[str, Any]] = []
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            named.extend(value.items())
        else:
            named.append((name, value))
    return named
