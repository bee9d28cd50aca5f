"""Where the values of a failed run come from."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.ir import Call, Layer
from shapeinspect.mismatch.sizes.requirements import lengths_of
from shapeinspect.plugin_api.rerun import Failure

#: The most calls that are followed back.
_LONGEST = 400


class Lineage:
    """The calls that made the values of a failed run.

    Args:
        failure: where the run ended.
    """

    def __init__(self, failure: Failure) -> None:
        self._failure = failure
        layers = {layer.path: layer for layer in failure.model.layers}
        self._makers: dict[str, tuple[Layer, Call]] = {
            value: (layers[call.layer], call)
            for call in failure.model.calls
            if call.layer in layers and layers[call.layer].kind not in ("module", "input")
            for value in call.outputs
        }

    def maker(self, name: str) -> tuple[Layer, Call] | None:
        """Return the layer and the call that made a value; None for an input or a stored tensor.

        Args:
            name: the value.
        """
        return self._makers.get(name)

    def back(self, name: str, operand: int = 0) -> Iterator[tuple[Layer, Call, str]]:
        """Yield the calls that led to a value along one operand, the last first, each with what it made.

        Args:
            name: the value.
            operand: which input of each call is followed, where it has so many; else the first.
        """
        for _ in range(_LONGEST):
            made = self._makers.get(name)
            if made is None:
                return
            layer, call = made
            yield layer, call, name
            if not call.inputs:
                return
            name = call.inputs[operand if operand < len(call.inputs) else 0]

    def steps(self, name: str) -> Iterator[tuple[Layer, tuple[int, ...], tuple[int, ...]]]:
        """Yield the calls that led to a value, the last first, with the shapes that they read and made.

        Args:
            name: the value.
        """
        for layer, call, made in self.back(name):
            yield layer, self.shape(call.inputs[0]) if call.inputs else (), self.shape(made)

    def inputs(self, name: str) -> set[str]:
        """Return the model's inputs that a value is computed from.

        Args:
            name: the value.
        """
        waiting, seen = [name], set[str]()
        while waiting:
            value = waiting.pop()
            if value not in seen:
                seen.add(value)
                made = self._makers.get(value)
                waiting += () if made is None else made[1].inputs
        return seen & {*self._failure.model.inputs}

    def is_stored(self, name: str) -> bool:
        """Tell whether a value is a weight or a buffer of the model.

        Args:
            name: the value.
        """
        model = self._failure.model
        return name in model.values and name not in self._makers and name not in model.inputs

    def shape(self, name: str) -> tuple[int, ...]:
        """Return a value's shape; empty where it is not known.

        Args:
            name: the value.
        """
        return lengths_of(self._failure, name) or ()

    def place(self, layer: Layer) -> str:
        """Return a layer's name in a sentence, with its line where that is known.

        Args:
            layer: the layer.
        """
        file, _, line = (layer.origin or "").rpartition(":")
        if not line.isdigit():
            return f'"{layer.path}"'
        here = (self._failure.where or "").partition(":")[0]
        return f'"{layer.path}" at line {line}' + ("" if file == here else f" of {file}")

    def title(self, name: str) -> str:
        """Return a value's name in a sentence: its own, or that of what made it.

        Args:
            name: the value.
        """
        made = self._makers.get(name)
        return f'"{name}"' if made is None else self.place(made[0])
