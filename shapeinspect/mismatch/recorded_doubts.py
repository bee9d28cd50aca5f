"""Which of our rules contradict the shapes that the framework itself computed and recorded."""

from __future__ import annotations

from shapeinspect.errors import ShapeMismatchError
from shapeinspect.infer.doubts import DOUBT, STANDS, contradicts, is_recorded
from shapeinspect.infer.settings import attributes_of, inputs_of
from shapeinspect.ir import Model
from shapeinspect.plugin_api.rerun import Recorded
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect.rules.rule import show


def doubted_calls(recorded: Recorded, model: Model) -> dict[int, str]:
    """Find the calls whose rule contradicts what the framework computed, and say how.

    The rule is tried on the very shapes that the framework recorded: one that agrees there may refuse
    other inputs.

    Args:
        recorded: the graph, and whether the framework computed its shapes.
        model: its model, in which every input of a call has a value.

    Returns:
        a sentence for each such call, by its index among the calls.
    """
    doubts: dict[int, str] = {}
    layers = {layer.path: layer for layer in model.layers}
    shapes = {name: value.shape for name, value in model.values.items()}
    for index, call in enumerate(model.calls if recorded.computed else ()):
        layer = layers.get(call.layer)
        if layer is None or not has_rule(layer.kind) or not is_recorded(call, model.values):
            continue
        attributes, given = attributes_of(layer, call, model.values), inputs_of(layer, call, shapes)
        wanted = [shapes.get(name) for name in call.outputs if name]
        how = ""
        try:
            for want, have in zip(wanted, output_shapes(layer.kind, attributes, given), strict=False):
                if want and have is not None and contradicts(want, have):
                    how = f"{layer.kind} gives {show(have)}"
        except ShapeMismatchError as error:
            if recorded.takes is not None and not recorded.takes(layer.path, given):
                continue  # the record is what was refused
            how = f"{layer.kind} expects {error.expected}, got {error.got}"
        if how:
            stated = " and ".join(show(shape) for shape in wanted if shape is not None)
            doubts[index] = f"{DOUBT}: {how}; {STANDS}, {stated}"
    return doubts
