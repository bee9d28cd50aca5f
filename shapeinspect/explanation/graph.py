"""A model's graph as seen from one call: its inputs and outputs, and what set each length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shapeinspect.dims import Dim, Shape
from shapeinspect.enclosing import Bodies
from shapeinspect.infer.settings import attributes_of, input_names, inputs_of
from shapeinspect.ir import Axes, Call, Layer, Model, calls_by_layer
from shapeinspect.rules import KINDS, Attributes, Naming, Shapes, axis_names
from shapeinspect.rules.fields import TRANSPOSED_WINDOW, WINDOW
from shapeinspect.text import plural

#: The format of a model made of a single calculated layer: its input is what a user typed.
CALCULATOR = "calculator"

_DEEPEST = 10_000
#: Kinds whose features are units.
RECURRENT = frozenset(name for name, kind in KINDS.items() if "hidden_size" in kind.settings)
#: Kinds whose output channels are filters.
FILTERS = frozenset(
    name
    for name, kind in KINDS.items()
    if "out_channels" in kind.settings and kind.sees in (WINDOW, TRANSPOSED_WINDOW)
)


@dataclass(frozen=True)
class Graph:
    """A model with its layers by path and the producer of each value.

    Args:
        model: a model that went through ``infer``.
    """

    model: Model
    layers: Mapping[str, Layer] = field(init=False)
    #: The graphs that run for several rounds.
    loops: Bodies = field(init=False, repr=False, compare=False)
    _inputs: frozenset[str] = field(init=False, repr=False)
    _producers: Mapping[str, tuple[Call, int]] = field(init=False)
    _calls: Mapping[str, list[Call]] = field(init=False)
    _origins: dict[tuple[str, int], str] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        layers = {layer.path: layer for layer in self.model.layers}
        producers: dict[str, tuple[Call, int]] = {}
        for call in self.model.calls:
            layer = layers.get(call.layer)
            if layer is None or layer.kind in ("module", "input"):
                continue
            for index, name in enumerate(call.outputs):
                producers.setdefault(name, (call, index))
        loops = (body.path for block in self.model.blocks if block.kind != "if" for body in block.bodies)
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "loops", Bodies(loops))
        object.__setattr__(self, "_inputs", frozenset(self.model.inputs))
        object.__setattr__(self, "_producers", producers)
        object.__setattr__(self, "_calls", calls_by_layer(self.model.calls))

    def is_input(self, name: str) -> bool:
        """Return whether a value is an input of the model.

        Args:
            name: the value's name.
        """
        return name in self._inputs

    def producer(self, name: str) -> tuple[Call, int] | None:
        """Return the call that produces a value, and the index of the output.

        Args:
            name: the value's name.
        """
        return None if self.is_input(name) else self._producers.get(name)

    def calls_of(self, path: str) -> tuple[Call, ...]:
        """Return a layer's executions.

        Args:
            path: the layer's path.
        """
        return tuple(self._calls.get(path, ()))

    def attributes(self, call: Call) -> Attributes:
        """Return the settings of a call.

        Args:
            call: the call.
        """
        return attributes_of(self.layers[call.layer], call, self.model.values)

    def sources(self, call: Call) -> tuple[str, ...]:
        """Return the names of a call's inputs, as its rule counts them.

        Args:
            call: the call.
        """
        return input_names(self.layers[call.layer], call)

    def inputs(self, call: Call) -> Shapes:
        """Return the shapes of a call's inputs, as its rule counts them.

        Args:
            call: the call.
        """
        shapes = {name: value.shape for name in call.inputs if (value := self.model.values.get(name))}
        return inputs_of(self.layers[call.layer], call, shapes)

    def outputs(self, call: Call) -> Shapes:
        """Return the shapes of a call's outputs.

        Args:
            call: the call.
        """
        return tuple(self.shape(name) for name in call.outputs)

    def shape(self, name: str) -> Shape | None:
        """Return a value's shape.

        Args:
            name: its name.
        """
        value = self.model.values.get(name)
        return None if value is None else value.shape

    def axes(self, name: str) -> Axes | None:
        """Return the names of a value's axes.

        Args:
            name: its name.
        """
        value = self.model.values.get(name)
        return None if value is None else value.axes

    def naming(self, call: Call) -> Naming:
        """Return what a call proves about the axes of its inputs and outputs.

        Args:
            call: the call.
        """
        layer = self.layers[call.layer]
        return axis_names(layer.kind, self.attributes(call), self.inputs(call), self.outputs(call))

    def letter(self, name: str, axis: int) -> str | None:
        """Return the name of one axis of a value, or None.

        Args:
            name: the value's name.
            axis: which axis.
        """
        axes = self.axes(name)
        return axes[axis] if axes is not None and -len(axes) <= axis < len(axes) else None

    def origin(self, name: str, axis: int) -> str:
        """Describe what set the length of an axis: the call that created the axis, or an input.

        Args:
            name: the value's name.
            axis: which axis, from 0.

        Returns:
            a few words, such as "the 32 filters of "body""; empty if unknown.
        """
        passed: list[tuple[str, int]] = []
        text = self._origins.get((name, axis))
        while text is None and len(passed) < _DEEPEST:
            passed.append((name, axis))
            result = self.producer(name)
            if result is None:
                is_input = self.is_input(name) and self.model.format != CALCULATOR
                text = f'the model\'s input "{name}"' if is_input else ""
                break
            call, index = result
            back = self._carried(call, index, axis, name)
            if back is None:
                text = self._set_by(call, name, axis)
                break
            name, axis = back
            text = self._origins.get((name, axis))
        self._origins.update(dict.fromkeys(passed, text or ""))
        return text or ""

    def _carried(self, call: Call, index: int, axis: int, name: str) -> tuple[str, int] | None:
        """Return the input axis that an output axis keeps with the same length."""
        shape, sources, inputs = self.shape(name), self.sources(call), self.inputs(call)
        if shape is None or axis >= len(shape):
            return None
        for source, source_axis, output, output_axis in self.naming(call).links:
            if (output, output_axis) != (index, axis) or source >= len(sources):
                continue
            given = inputs[source]
            if given is not None and source_axis < len(given) and given[source_axis] == shape[axis]:
                return sources[source], source_axis
        return None

    def _set_by(self, call: Call, name: str, axis: int) -> str:
        layer = self.layers[call.layer]
        shape, where = self.shape(name), f'"{call.layer}"'
        if shape is None:
            return ""
        length, letter = shape[axis], self.letter(name, axis)
        if layer.kind in FILTERS and letter == "C":
            return f"the {plural(length, 'filter')} of {where}"
        if layer.kind == "linear" and axis == len(shape) - 1:
            return f"the {plural(length, 'output')} of {where}"
        if layer.kind in ("embedding", "embedding_bag") and axis == len(shape) - 1:
            return f"the embedding size of {where}"
        if layer.kind in RECURRENT and axis == len(shape) - 1:
            return f"the {plural(length, 'unit')} of {where}"
        if layer.kind == "concat" and (parts := self._joined(call, axis)):
            return f"{where} joins {parts}"
        for source, merged, _output, target in self.naming(call).merges:
            given = self.inputs(call)[source]
            if target == axis and given is not None:
                return f"{where} flattens {product_text(self._letters(call, source, merged), given, merged)}"
        return f"from {where}, {_a(layer.kind)}"

    def _letters(self, call: Call, source: int, axes: tuple[int, ...]) -> list[str | None]:
        return [self.letter(self.sources(call)[source], axis) for axis in axes]

    def _joined(self, call: Call, axis: int) -> str:
        pieces = []
        for name in self.sources(call):
            shape = self.shape(name)
            if shape is None or axis >= len(shape):
                return ""
            pieces.append(str(shape[axis]))
        attributes = self.attributes(call)
        return " + ".join(pieces) if attributes.get("axis", 0) % max(_rank(self, call), 1) == axis else ""


def _rank(graph: Graph, call: Call) -> int:
    shape = graph.shape(call.outputs[0])
    return 0 if shape is None else len(shape)


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def product_text(letters: list[str | None], shape: Shape, axes: tuple[int, ...]) -> str:
    """Write the axes that are merged into one: ``C·H·W = 16·5·5``.

    Args:
        letters: the name of each, None where it has none.
        shape: the shape that they are axes of.
        axes: which of them.

    Example:
        >>> product_text(["C", "H", "W"], (1, 16, 5, 5), (1, 2, 3))
        'C·H·W = 16·5·5'
    """
    lengths: list[Dim] = [shape[axis] for axis in axes]
    numbers = "·".join(map(str, lengths))
    return f"{'·'.join(letter or '' for letter in letters)} = {numbers}" if all(letters) else numbers
