"""Fills in the shapes, axis names and work that the source did not give.

Nothing that the source gave is changed; what is not proven stays unknown.
"""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.frozen import Frozen, changed
from shapeinspect.infer.axes import name_axes
from shapeinspect.infer.blocks import MAX_WALKS, Blocks, count_rounds
from shapeinspect.infer.composite import compose_inputs
from shapeinspect.infer.inputs import with_input_shapes
from shapeinspect.infer.shapes import REFUSAL, fill_shapes
from shapeinspect.infer.work import count_work
from shapeinspect.ir import Model

__all__ = ["REFUSAL", "infer", "with_input_shapes"]


def infer(model: Model) -> Model:
    """Fill in unknown shapes, the names of axes, and the multiply-accumulates of every call.

    A shape that the framework computed and recorded stays; one that was only inferred gives way to our own
    rules. Where the two contradict each other, or an op refuses its input, a note is added and inference
    continues. A length that the source records only as a symbol is computed where it follows from the lengths
    of the inputs.

    Args:
        model: the model as an adapter read it.

    Example:
        >>> from shapeinspect.ir import Call, Layer, Value
        >>> layer = Layer("fc", "linear", "Linear", attributes=Frozen(in_features=3, out_features=5))
        >>> values = Frozen({"x": Value("x", (2, 3)), "y": Value("y")})
        >>> model = infer(Model("m", "onnx", "onnx", "onnx", (layer,), (Call("fc", ("x",), ("y",)),), values))
        >>> model.values["y"].shape, model.calls[0].macs
        ((2, 5), 30)
    """
    if not model.calls:
        return model
    layers = {layer.path: layer for layer in model.layers}
    blocks = Blocks(model)
    for _ in range(MAX_WALKS):
        filled, facts, notes = fill_shapes(model, layers, blocks)
        if not blocks.again():
            break
    else:
        blocks.give_up()
        filled, facts, notes = fill_shapes(model, layers, blocks)
    shapes = {name: value.shape for name, value in filled.items()}
    model = replace(model, values=Frozen(filled))
    axes = name_axes(model, facts, shapes)
    values = {
        name: value if value.axes == axes.get(name) else changed(value, axes=axes.get(name))
        for name, value in filled.items()
    }
    calls, branches = count_rounds(count_work(model, facts), blocks)
    composed, unclear = compose_inputs(model, layers, facts, shapes, axes)
    return replace(
        model,
        layers=composed,
        values=Frozen(values),
        calls=calls,
        notes=(*model.notes, *notes, *unclear, *branches),
    )
