"""Walks the calls in order: fills in the shapes that are unknown, and checks those that are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shapeinspect.dims import Expr, Shape, Unknown
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.infer.settings import attributes_of, inputs_of
from shapeinspect.ir import Call, Layer, Model, Note
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect.rules.rule import show, unlike


def fill_shapes(
    model: Model, layers: Mapping[str, Layer]
) -> tuple[dict[str, Shape | None], tuple[Note, ...]]:
    """Return the shape of every value, and notes on what does not fit.

    Args:
        model: the model.
        layers: its layers by path.

    Example:
        >>> fill_shapes(Model("m", "onnx", "onnx", "onnx"), {})
        ({}, ())
    """
    shapes = {name: value.shape for name, value in model.values.items()}
    notes: dict[Note, None] = {}
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or not has_rule(layer.kind):
            continue
        try:
            made = output_shapes(
                layer.kind, attributes_of(layer, call, model.values), inputs_of(layer, call, shapes)
            )
        except ShapeMismatchError as error:
            notes[_refused(layer, error)] = None
            continue
        odd = next((shape for shape in made if shape and not all(map(_is_length, shape))), None)
        if odd is not None:
            notes[Note(f"its settings give {show(odd)}, which is no shape", layer.path)] = None
            continue
        for name, shape in zip(call.outputs, made, strict=False):
            if name and name in shapes:
                notes.update(dict.fromkeys(_fill(shapes, name, shape, call)))
    have = set(model.notes)
    return shapes, tuple(note for note in notes if note not in have)


def _is_length(dim: object) -> bool:
    # A setting from a file may be anything, and a rule may hand it on.
    return isinstance(dim, Expr | Unknown) or (
        isinstance(dim, int) and not isinstance(dim, bool) and dim >= 0
    )


def _fill(shapes: dict[str, Shape | None], name: str, made: Shape | None, call: Call) -> Iterable[Note]:
    have = shapes[name]
    if made is None:
        return ()
    if have is None:
        shapes[name] = made
        return ()
    if len(have) != len(made) or any(map(unlike, have, made)):
        return (
            Note(
                f"the source records the output as {show(have)}, its settings give {show(made)}", call.layer
            ),
        )
    shapes[name] = tuple(
        new if isinstance(old, Unknown) else old for old, new in zip(have, made, strict=True)
    )
    return ()


def _refused(layer: Layer, error: ShapeMismatchError) -> Note:
    text = f"this {layer.kind} does not fit its input: it expects {error.expected}, and got {error.got}"
    return Note(text, layer.path)
