"""Walks the calls in order: fills in the shapes that are unknown, and checks those that are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from shapeinspect.dims import Dim, Expr, Shape, Unknown, symbols
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.infer.facts import CallFacts, facts_of
from shapeinspect.ir import Call, Layer, Model, Note, Value
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect.rules.rule import show, unlike
from shapeinspect.rules.shape_values import contents


def fill_shapes(
    model: Model, layers: Mapping[str, Layer]
) -> tuple[dict[str, Value], tuple[CallFacts, ...], tuple[Note, ...]]:
    """Return every value with its shape, and its numbers where the graph computes shapes with them.

    Args:
        model: the model.
        layers: its layers by path.

    Returns:
        the values by name, the facts of every call whose kind has arithmetic, and notes on mismatches.

    Example:
        >>> fill_shapes(Model("m", "onnx", "onnx", "onnx"), {})
        ({}, (), ())
    """
    values = dict(model.values)
    shapes = {name: value.shape for name, value in values.items()}
    numbers: dict[str, Any] = {
        name: value.constant for name, value in values.items() if value.constant is not None
    }
    given_names = frozenset().union(
        *(symbols(dim) for name in model.inputs if name in values for dim in values[name].shape or ())
    )
    notes: dict[Note, None] = {}
    facts: list[CallFacts] = []
    read: set[str] = set()
    late: set[str] = set()  # inputs that were read before another call changed them, as in a loop
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or not has_rule(layer.kind):
            continue
        item = facts_of(layer, call, values, shapes)
        facts.append(item)
        read.update(call.inputs)
        before = [values.get(name) for name in call.outputs]
        try:
            outputs = output_shapes(layer.kind, item.attributes, item.inputs)
        except ShapeMismatchError as error:
            notes[_refused(layer, error)] = None
            continue
        odd = next((shape for shape in outputs if shape and not all(map(_is_length, shape))), None)
        if odd is not None:
            notes[Note(f"its settings give {show(odd)}, which is not a shape", layer.path)] = None
            continue
        for name, shape in zip(call.outputs, outputs, strict=False):
            if name and name in shapes:
                notes.update(dict.fromkeys(_fill(shapes, name, shape, call, given_names)))
                if shapes[name] != values[name].shape:
                    values[name] = replace(values[name], shape=shapes[name])
        _compute(item, values, numbers)
        for name, old in zip(call.outputs, before, strict=True):
            if name in read and values.get(name) is not old:
                late.add(name)
    if late:
        facts = [
            facts_of(fact.layer, fact.call, values, shapes) if late.intersection(fact.call.inputs) else fact
            for fact in facts
        ]
    for item in facts:
        item.finish(shapes)
    have = set(model.notes)
    return values, tuple(facts), tuple(note for note in notes if note not in have)


def _compute(fact: CallFacts, values: dict[str, Value], numbers: dict[str, Any]) -> None:
    """Store the numbers that a call computes from numbers."""
    call = fact.call
    name = call.outputs[0] if len(call.outputs) == 1 else ""
    output = values.get(name)
    if output is None or output.constant is not None:
        return
    read = tuple([numbers.get(source) for source in fact.names])
    result = contents(fact.layer.kind, fact.attributes, fact.inputs, read, output.dtype)
    if result is None:
        return
    numbers[name] = result
    entries = result if isinstance(result, tuple) else (result,)
    if all(isinstance(n, int | Expr | Unknown) and not isinstance(n, bool) for n in entries):
        values[name] = replace(output, constant=result)


def _is_length(dim: object) -> bool:
    # A setting from a file may be anything, and a rule may hand it on; nothing counts beyond 64 bits.
    return isinstance(dim, Expr | Unknown) or (
        isinstance(dim, int) and not isinstance(dim, bool) and 0 <= dim < 2**63
    )


def _fill(
    shapes: dict[str, Shape | None], name: str, shape: Shape | None, call: Call, given: frozenset[str]
) -> Iterable[Note]:
    have = shapes[name]
    if shape is None:
        return ()
    if have is None:
        shapes[name] = shape
        return ()
    if len(have) != len(shape) or any(map(unlike, have, shape)):
        return (
            Note(
                f"the source records the output as {show(have)}, its settings give {show(shape)}",
                call.layer,
            ),
        )
    shapes[name] = tuple(
        new if _tells_more(new, old, given) else old for old, new in zip(have, shape, strict=True)
    )
    return ()


def _tells_more(new: Dim, old: Dim, given: frozenset[str]) -> bool:
    """Tell whether a length is computed that the source leaves open or records as a symbol."""
    if isinstance(old, Unknown):
        return True
    return (
        isinstance(old, Expr)
        and not symbols(old) <= given
        and isinstance(new, int | Expr)
        and symbols(new) <= given
    )


def _refused(layer: Layer, error: ShapeMismatchError) -> Note:
    text = f"this {layer.kind} does not fit its input: it expects {error.expected}, and got {error.got}"
    return Note(text, layer.path)
