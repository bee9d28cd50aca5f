"""What is in doubt of a recorded graph: rules that a framework contradicts, fixes behind unknown shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.infer.doubts import DOUBT, STANDS, contradicts, is_recorded
from shapeinspect.infer.settings import attributes_of, inputs_of
from shapeinspect.ir import Model
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.rerun import Recorded
from shapeinspect.rules import has_rule, output_shapes
from shapeinspect.rules.rule import show

#: No arithmetic of shapes knows the indices that other tables are asked for.
UNKNOWN_INDICES = Claim(Level.UNTRIED, rest="this table takes the indices with it; what follows is not known")


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


def as_far_as_known(claim: Claim, model: Model, first: int, shapes: Mapping[str, Shape | None]) -> Claim:
    """Narrow what is claimed of a fix by arithmetic, where a layer's output is not known with it.

    Args:
        claim: the claim.
        model: the graph.
        first: the number of the call that had failed.
        shapes: the shapes that a walk with the fix has computed.
    """
    kinds = {layer.path: layer.kind for layer in model.layers}
    for call in model.calls[first:]:
        counts = kinds.get(call.layer, "module") not in ("module", "input")
        if counts and any(name and shapes.get(name) is None for name in call.outputs):
            return replace(claim, rest=f'{claim.rest}; it is not known what "{call.layer}" makes')
    return claim
