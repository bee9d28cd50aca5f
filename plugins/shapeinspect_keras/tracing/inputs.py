"""The inputs of a live Keras model: the shapes it was built for, or those that the user gives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import UNKNOWN, Shape
from shapeinspect.errors import UsageError
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.sources.source import Source
from shapeinspect_keras.tracing.graph import functional


@dataclass(frozen=True, slots=True)
class Entrance:
    """Symbolic arguments of a call, and what is known of each tensor among them.

    Args:
        args: positional arguments.
        kwargs: arguments by name.
        names: a name for each tensor, in the order of flattening.
        shapes: the lengths as they were named, symbols included.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    names: tuple[str, ...]
    shapes: tuple[Shape, ...]


def arguments(layer: Any, source: Source) -> Entrance | None:
    """Make symbolic arguments for a layer, from the request or from what it was built for.

    Args:
        layer: the model or layer.
        source: the request.

    Returns:
        The arguments, or None if neither gives any.

    Raises:
        UsageError: if a named input is no argument of the layer's ``call``.
    """
    if source.example is not None:
        args, kwargs = source.example
        return _from_structures(layer, tuple(args), dict(kwargs))
    if source.inputs:
        return _from_specs(layer, source.inputs)
    built = getattr(layer, "_build_shapes_dict", None)
    return _from_build(layer, built) if built else None


def lengths(shape: Sequence[Any]) -> Shape:
    """Read a Keras shape; None is unknown.

    Args:
        shape: integers and None.
    """
    return tuple(UNKNOWN if item is None else int(item) for item in shape)


def _tensor(shape: Shape, dtype: str) -> Any:
    import keras

    return keras.KerasTensor(tuple(item if isinstance(item, int) else None for item in shape), dtype=dtype)


def _dtype(layer: Any) -> str:
    return str(getattr(layer, "input_dtype", None) or "float32")


def _parameters(layer: Any) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    result = inspect.signature(layer.call).parameters.values()
    return [item.name for item in result if item.kind in kinds or item.kind is inspect.Parameter.KEYWORD_ONLY]


def _of_graph(model: Any, specs: Sequence[InputSpec]) -> Entrance:
    """Match the given inputs with those of a functional model, by name or in order."""
    declared = {str(item._keras_history.operation.name): item for item in model._inputs}
    named = {spec.name: spec for spec in specs if spec.name is not None}
    free = [name for name in declared if name not in named]
    for spec in specs:
        if spec.name is None and free:
            named[free.pop(0)] = spec
        elif spec.name is None or spec.name not in declared:
            raise UsageError(
                "there are more inputs than the model has"
                if spec.name is None
                else f'there is no input "{spec.name}"',
                expected=", ".join(declared),
            )
    shapes = tuple(
        named[name].shape if name in named else lengths(item.shape) for name, item in declared.items()
    )
    types = (str(item.dtype) for item in declared.values())
    tensors = [_tensor(shape, kind) for shape, kind in zip(shapes, types, strict=True)]
    return Entrance((tensors[0] if len(tensors) == 1 else tensors,), {}, tuple(declared), shapes)


def _from_specs(layer: Any, specs: Sequence[InputSpec]) -> Entrance:
    model = functional(layer)
    if model is not None:
        return _of_graph(model, specs)
    parameters = _parameters(layer)
    tensors = [_tensor(spec.shape, spec.dtype or _dtype(layer)) for spec in specs]
    for spec in specs:
        if spec.name is not None and spec.name not in parameters:
            raise UsageError(
                f'"{spec.name}" is not an argument of {type(layer).__name__}.call',
                expected=", ".join(parameters),
                got=spec.name,
            )
    built = getattr(layer, "_build_shapes_dict", None) or {}
    together = len(built) == 1 and _count(next(iter(built.values()))) == len(specs) > 1
    if all(spec.name is None for spec in specs) and together:
        args: tuple[Any, ...] = (list(tensors),)
        names = [f"{parameters[0]}.{index}" for index in range(len(specs))]
        return Entrance(args, {}, tuple(names), tuple(spec.shape for spec in specs))
    plain = [(tensor, spec) for tensor, spec in zip(tensors, specs, strict=True) if spec.name is None]
    named = {spec.name: (tensor, spec) for tensor, spec in zip(tensors, specs, strict=True) if spec.name}
    if len(plain) > len(parameters):
        raise UsageError(f"{type(layer).__name__} takes {len(parameters)} inputs", got=f"{len(plain)}")
    ordered = [spec for _, spec in plain] + [named[name][1] for name in sorted(named)]
    return Entrance(
        tuple(tensor for tensor, _ in plain),
        {name: named[name][0] for name in sorted(named)},
        (*parameters[: len(plain)], *sorted(named)),
        tuple(spec.shape for spec in ordered),
    )


def _count(shapes: Any) -> int:
    """Count the shapes in a structure; a tuple of lengths is one."""
    if isinstance(shapes, Mapping):
        return sum(_count(item) for item in shapes.values())
    if _is_shape(shapes):
        return 1
    return sum(_count(item) for item in shapes) if isinstance(shapes, list | tuple) else 0


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(item is None or isinstance(item, int) for item in value)


def _from_build(layer: Any, built: Mapping[str, Any]) -> Entrance | None:
    def fill(shape: Any) -> Any:
        if isinstance(shape, Mapping):
            return {key: fill(item) for key, item in shape.items()}
        if _is_shape(shape):
            return _tensor(lengths(shape), _dtype(layer))
        if isinstance(shape, list | tuple):
            return type(shape)(fill(item) for item in shape)
        return shape

    parameters = _parameters(layer)
    filled = {key: fill(shape) for key, shape in built.items()}
    if len(filled) == 1:
        return _from_structures(layer, tuple(filled.values()), {})
    named = {key.removesuffix("_shape"): item for key, item in filled.items()}
    return _from_structures(layer, (), named) if set(named) <= set(parameters) else None


def _from_structures(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Entrance:
    """Turn tensors of any kind into symbolic ones, and name them by the arguments they stand in."""
    import keras

    names: list[str] = []
    shapes: list[Shape] = []

    def convert(path: tuple[Any, ...], value: Any) -> Any:
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            return value
        shape = lengths(tuple(value.shape))
        names.append(".".join(map(str, path)))
        shapes.append(shape)
        return _tensor(shape, keras.backend.standardize_dtype(value.dtype))

    parameters = _parameters(layer)
    outputs = []
    for index, arg in enumerate(args):
        name = parameters[index] if index < len(parameters) else f"input_{index}"
        outputs.append(_mapped((name,), arg, convert))
    by_name = {key: _mapped((key,), kwargs[key], convert) for key in sorted(kwargs)}
    return Entrance(tuple(outputs), by_name, tuple(names), tuple(shapes))


def _mapped(path: tuple[Any, ...], value: Any, convert: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _mapped((*path, key), value[key], convert) for key in sorted(value)}
    if isinstance(value, list | tuple):
        items = [_mapped((*path, index), item, convert) for index, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return convert(path, value)
