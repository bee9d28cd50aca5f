"""The facts of one call that the stages need, computed once and passed from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shapeinspect.dims import Shape
from shapeinspect.infer.settings import attributes_of, input_names, inputs_of
from shapeinspect.ir import Call, Layer, Value
from shapeinspect.rules import Attributes, Naming, Shapes, axis_names


@dataclass(slots=True)
class CallFacts:
    """One call of a layer whose kind has arithmetic.

    Args:
        call: the call.
        layer: its layer.
        names: the names of its inputs, as the kind counts them.
        attributes: its settings.
        inputs: the shapes of its inputs.
        outputs: the shapes of its outputs; empty until all shapes are filled in.
        naming: what it proves about its axes; empty until all shapes are filled in.
    """

    call: Call
    layer: Layer
    names: tuple[str, ...]
    attributes: Attributes
    inputs: Shapes
    outputs: Shapes = ()
    naming: Naming = field(default_factory=Naming)

    def finish(self, shapes: Mapping[str, Shape | None]) -> None:
        """Add the shapes of the outputs, and what they prove.

        Args:
            shapes: the shape of every value.
        """
        self.outputs = tuple([shapes.get(name) for name in self.call.outputs])
        self.naming = axis_names(self.layer.kind, self.attributes, self.inputs, self.outputs)


def facts_of(
    layer: Layer, call: Call, values: Mapping[str, Value], shapes: Mapping[str, Shape | None]
) -> CallFacts:
    """Return the facts of one call that follow from its inputs.

    Args:
        layer: its layer.
        call: the call.
        values: the values, with the numbers that the graph computes.
        shapes: the shape of every value.

    Example:
        >>> facts = facts_of(Layer("p", "permute", "P"), Call("p", ("x", ""), ("y",)), {}, {"x": (2, 3)})
        >>> facts.names, facts.inputs
        (('x',), ((2, 3),))
    """
    names = input_names(layer, call)
    return CallFacts(
        call, layer, names, attributes_of(layer, call, values), inputs_of(layer, call, shapes, names)
    )
