"""Matches the shapes that a user asks for with the inputs of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import Dim, Expr, Shape, Unknown, substitute, symbol
from shapeinspect.errors import UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model
from shapeinspect.sources.input_shapes import InputSpec


def fed_by(model: Model, specs: Sequence[InputSpec]) -> Frozen[Any]:
    """Match the asked-for shapes with a model's inputs: by name, or in order.

    Args:
        model: the model.
        specs: what the user asked for; ``?`` keeps what is declared. A length of the same name is the same
            in an input that nothing is asked for.

    Raises:
        UsageError: if there is no such input.
    """
    fed: dict[str, Shape] = {}
    named = {spec.name for spec in specs}
    free = [name for name in model.inputs if name not in named]
    for spec in specs:
        if (spec.name is None and not free) or (spec.name is not None and spec.name not in model.inputs):
            raise UsageError(
                "there are more input shapes than the model has inputs"
                if spec.name is None
                else f'there is no input "{spec.name}"',
                expected=", ".join(model.inputs) or "no inputs: the source records none",
            )
        name = free.pop(0) if spec.name is None else spec.name
        value = model.values.get(name)
        declared = value.shape if value is not None else None
        if declared is not None and len(declared) == len(spec.shape):
            fed[name] = tuple(
                old if isinstance(new, Unknown) else new
                for old, new in zip(declared, spec.shape, strict=True)
            )
        else:
            fed[name] = spec.shape
    return Frozen({**_alike(model, fed), **fed})


def _alike(model: Model, fed: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shapes of the other inputs that declare a length which what is fed determines."""
    lengths: dict[str, set[Dim]] = {}
    for name, given in fed.items():
        for old, new in zip(_declared(model, name), given, strict=False):
            if isinstance(old, Expr) and isinstance(new, int) and old == symbol(str(old)):
                lengths.setdefault(str(old), set()).add(new)
    known = {name: one.pop() for name, one in lengths.items() if len(one) == 1}
    shapes = {name: _declared(model, name) for name in model.inputs if name not in fed}
    at = {name: tuple(substitute(dim, known) for dim in shape) for name, shape in shapes.items()}
    return {name: shape for name, shape in at.items() if shape != shapes[name]}


def _declared(model: Model, name: str) -> Shape:
    value = model.values.get(name)
    return () if value is None or value.shape is None else value.shape
