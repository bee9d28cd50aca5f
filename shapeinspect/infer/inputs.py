"""Applies the input shapes that a user asks for to a model read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shapeinspect.dims import Dim, Expr, Shape, Unknown, substitute, symbol, symbols
from shapeinspect.errors import UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Attribute, Call, Model, Value
from shapeinspect.rules.rule import show
from shapeinspect.sources.input_shapes import InputSpec


def with_input_shapes(model: Model, specs: tuple[InputSpec, ...]) -> Model:
    """Set the shapes of the model's inputs, and drop what was recorded for other shapes.

    Symbols that a requested length determines are replaced everywhere. Where a recorded length is
    changed, the shapes of everything computed from that input become unknown. ``infer``, called on
    the result, fills them in again.

    Args:
        model: the model.
        specs: the shapes, by name or in the order of the inputs; ``?`` keeps what is recorded.

    Raises:
        UsageError: for an input that the model does not have, another number of axes than it
            has, or two values for one symbol.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> values = Frozen({"x": Value("x", (symbol("N"), 3)), "y": Value("y", (2 * symbol("N"), 3))})
        >>> model = Model("m", "onnx", "onnx", "onnx", values=values, inputs=("x",))
        >>> with_input_shapes(model, (InputSpec((4, 3)),)).values["y"].shape
        (8, 3)
    """
    asked = _assign(model, specs)
    if not asked:
        return model
    bound: dict[str, Dim] = {}
    for name, spec in asked.items():
        _bind(bound, name, model.values[name].shape, spec.shape)
    values, changed = dict(model.values), set()
    if bound:
        values = {name: _bound_value(value, bound) for name, value in values.items()}
    for name, spec in asked.items():
        have = values[name].shape
        shape = spec.shape if have is None else tuple(map(_chosen, have, spec.shape))
        if have is not None and any(map(_changes, have, shape)):
            changed.add(name)
        values[name] = replace(values[name], shape=shape, dtype=spec.dtype or values[name].dtype)
    for name in _downstream(model, changed):
        values[name] = replace(values[name], shape=None, constant=None)
    calls, layers = model.calls, model.layers
    if bound:
        calls = tuple(_bound_call(call, bound) for call in calls)
        layers = tuple(replace(layer, attributes=_bound_all(layer.attributes, bound)) for layer in layers)
    if changed:
        # An op that the source knows to sum no products sums none at any size.
        calls = tuple(replace(call, macs=0 if call.macs == 0 else None) for call in calls)
    return replace(model, values=Frozen(values), calls=calls, layers=layers)


def _assign(model: Model, specs: tuple[InputSpec, ...]) -> dict[str, InputSpec]:
    have = [name for name in model.inputs if name in model.values]
    asked: dict[str, InputSpec] = {}
    for spec in specs:
        free = [name for name in have if name not in asked and all(other.name != name for other in specs)]
        if (spec.name is None and not free) or (spec.name is not None and spec.name not in have):
            what = (
                "more inputs than the model has" if spec.name is None else f'there is no input "{spec.name}"'
            )
            raise UsageError(what, expected=_listing(model, have), got=show(spec.shape))
        name = free[0] if spec.name is None else spec.name
        if name in asked:
            raise UsageError(f'input "{name}" is given twice', got=show(spec.shape))
        recorded = model.values[name].shape
        if recorded is not None and len(recorded) != len(spec.shape):
            raise UsageError(
                f'input "{name}" has {len(recorded)} axes, not {len(spec.shape)}',
                expected=_listing(model, have),
                got=show(spec.shape),
            )
        asked[name] = spec
    return asked


def _listing(model: Model, names: list[str]) -> tuple[str, ...]:
    if not names:
        return ("no inputs: the source records none",)
    return tuple(f"{name} {_text(model.values[name].shape)}" for name in names)


def _text(shape: Shape | None) -> str:
    return "of unknown shape" if shape is None else show(shape)


def _bind(bound: dict[str, Dim], name: str, have: Shape | None, asked: Shape) -> None:
    for old, new in zip(have or (), asked, strict=False):
        if not isinstance(old, Expr) or isinstance(new, Unknown) or old == new:
            continue
        label = str(old)
        if old != symbol(label):
            continue
        if bound.setdefault(label, new) != new:
            raise UsageError(
                f'"{label}" would be {bound[label]} and {new}',
                where=f'input "{name}" and another axis share the symbol {label}',
            )


def _chosen(old: Dim, new: Dim) -> Dim:
    return old if isinstance(new, Unknown) else new


def _changes(old: Dim, new: Dim) -> bool:
    return not isinstance(old, Unknown) and old != new


def _downstream(model: Model, changed: set[str]) -> set[str]:
    """Return the values that calls compute from changed inputs; calls are in execution order."""
    reached = set(changed)
    if changed:
        for call in model.calls:
            if any(name in reached for name in call.inputs):
                reached.update(name for name in call.outputs if name in model.values)
    return reached - changed


def _bound_value(value: Value, bound: Mapping[str, Dim]) -> Value:
    shape, constant = _bound(value.shape, bound), _bound(value.constant, bound)
    return (
        value
        if (shape, constant) == (value.shape, value.constant)
        else replace(value, shape=shape, constant=constant)
    )


def _bound_call(call: Call, bound: Mapping[str, Dim]) -> Call:
    work = None if call.macs is None else substitute(call.macs, bound)
    return replace(call, attributes=_bound_all(call.attributes, bound), macs=work)


def _bound_all(attributes: Frozen[Attribute], bound: Mapping[str, Dim]) -> Frozen[Attribute]:
    if not any(_symbolic(value) for value in attributes.values()):
        return attributes
    return Frozen({key: _bound(value, bound) for key, value in attributes.items()})


def _symbolic(value: Any) -> bool:
    return (
        any(map(_symbolic, value))
        if isinstance(value, tuple)
        else isinstance(value, Expr) and bool(symbols(value))
    )


def _bound(value: Any, bound: Mapping[str, Dim]) -> Any:
    if isinstance(value, tuple):
        return tuple([_bound(entry, bound) for entry in value])
    return substitute(value, bound) if isinstance(value, Expr) else value
