"""What is known of a graph while it becomes a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from shapeinspect.dims import Shape
from shapeinspect.ir import Value
from shapeinspect.rules.shape_values import MOST
from shapeinspect_tensorflow.graph.flow import Flow, Ref, Step
from shapeinspect_tensorflow.graph.node_view import Held
from shapeinspect_tensorflow.graph.parts import Facts, Parts
from shapeinspect_tensorflow.graph.recurrence.loops import Unrolled
from shapeinspect_tensorflow.vocabulary import dtypes


@dataclass(slots=True)
class State:
    """What is known of a graph while it becomes a model.

    Args:
        flow: resolves the inputs of nodes.
        facts: what other parts of the file say.
        names: the names of values that the file names.
        parts: what it has become so far.
        held: the stored tensors.
        shapes: the shapes of values.
        named: the same by the names of the values.
        used: the last output in use of each node.
        read: the values that something reads.
        fed: the inputs.
        listed: the names of the values that are lists of tensors.
        unrolled: the steps that stand for others.
    """

    flow: Flow
    facts: Facts
    names: dict[Ref, str]
    parts: Parts = field(default_factory=Parts)
    held: dict[Ref, Held] = field(default_factory=dict)
    shapes: dict[Ref, Shape | None] = field(default_factory=dict)
    named: dict[str, Shape | None] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    read: set[Ref] = field(default_factory=set)
    fed: set[Ref] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    unrolled: Unrolled = field(default_factory=lambda: Unrolled([]))

    def at(self, ref: Ref) -> Step:
        """Return the step that makes a value, with what stands for its inputs.

        Args:
            ref: the value.
        """
        made = self.unrolled.layers.get(ref.path)
        return self.unrolled.renamed(self.flow.step(ref)) if made is None else made

    def has(self, ref: Ref) -> bool:
        """Tell whether a value is part of the model already.

        Args:
            ref: the value.
        """
        return ref in self.held or ref in self.shapes

    def shape(self, ref: Ref) -> Shape | None:
        """Return the shape of a value, as far as it is known.

        Args:
            ref: the value.
        """
        if ref in self.held:
            return self.held[ref].used
        return self.shapes.get(ref) if ref in self.shapes else self.recorded(self.at(ref), ref.index)

    def recorded(self, step: Step, index: int) -> Shape | None:
        """Return the recorded shape of an output.

        Args:
            step: the node.
            index: the number of the output.
        """
        shapes = step.node.attributes.get("_output_shapes")
        if not isinstance(shapes, tuple) or not 0 <= index < len(shapes):
            return None
        shape: Shape | None = shapes[index]
        return shape

    def value(self, ref: Ref) -> str:
        """Return the name of a value, which may be that of the signature; names are unique.

        Args:
            ref: the value.
        """
        name = self.names.get(ref)
        if name is None:
            name = ref.path if ref.index == 0 else f"{ref.path}:{ref.index if ref.index > 0 else '?'}"
        stored = self.held.get(ref)
        if stored is not None:
            dtype = dtypes.name(stored.dtype)
            self.parts.values.setdefault(name, Value(name, stored.used, dtype, constant=_constant(stored)))
        self.parts.values.setdefault(name, Value(name))
        return name


def _constant(stored: Held) -> tuple[int, ...] | int | None:
    """Return the numbers of a stored tensor that lengths may be computed with."""
    numbers = stored.numbers
    if numbers is None or len(numbers) > MOST or len(stored.used) > 1:
        return None
    return numbers if stored.used else numbers[0]
