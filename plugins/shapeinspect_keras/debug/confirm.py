"""Tries a change that fits by arithmetic with Keras itself: on symbols, or on a rebuilt model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.changes import Change, OnInput, OnLayer, reshaped
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.guard import untouched

#: Keras's names of the settings that a fix changes.
NAMES = {
    "out_features": "units", "out_channels": "filters", "num_embeddings": "input_dim", "hidden_size": "units",
    "embedding_dim": "output_dim", "kernel_size": "kernel_size", "padding": "padding", "groups": "groups",
    "return_sequences": "return_sequences",
}  # fmt: skip
#: The settings that follow from the declared input.
_INPUTS = frozenset({"in_features", "in_channels", "input_size"})


@dataclass(frozen=True, slots=True)
class Confirm:
    """Calls a functional model again.

    Args:
        model: the model.
        shapes: what it was called on, by the names of its inputs, in order.
        held: what a call could write to.
        call: calls it on symbols and returns whether that fails.
    """

    model: Any
    shapes: dict[str, tuple[Any, ...]]
    held: Sequence[Any]
    call: Callable[[Any, tuple[Any, ...]], bool]

    def __call__(self, changes: Sequence[Change]) -> bool | None:
        """Return whether Keras accepts the changes; None if that cannot be tried."""
        try:
            return self._accepted(changes)
        except (TypeError, ValueError, KeyError):
            return None  # the change is impossible, for example for an open length

    def _accepted(self, changes: Sequence[Change]) -> bool | None:
        import keras

        shapes = dict(self.shapes)
        settings: dict[str, dict[str, Any]] = {}
        anew = False
        for change in changes:
            if isinstance(change, OnInput) and change.name in shapes:
                for step in change.steps:
                    shapes[change.name] = reshaped(step, shapes[change.name])
            elif isinstance(change, OnLayer) and self._is_fed(change):
                anew = True
            elif isinstance(change, OnLayer) and change.attributes.keys() <= NAMES.keys():
                settings[change.path] = {NAMES[key]: value for key, value in change.attributes.items()}
            else:
                return None
        inputs = getattr(graphs.functional(self.model), "_inputs", ())
        with untouched(list(self.held)):
            model = self._rebuilt(settings) if settings else self.model
            if anew:
                model = self._anew() if not settings else None
            if model is None:
                return None
            symbols = tuple(
                keras.KerasTensor(shape, dtype=item.dtype)
                for shape, item in zip(shapes.values(), inputs, strict=True)
            )
            return not self.call(model, symbols)

    def _is_fed(self, change: OnLayer) -> bool:
        """Tell whether a change says that the layers are built for the last axis of what is fed."""
        last = next(iter(self.shapes.values()), (None,))[-1:]
        return change.attributes.keys() <= _INPUTS and set(change.attributes.values()) == set(last)

    def _anew(self) -> Any:
        """Return layers of the same settings whose widths follow from the first call; None if they cannot."""
        import keras

        if not isinstance(self.model, keras.Sequential):
            return None
        return keras.Sequential([type(layer).from_config(layer.get_config()) for layer in self.model.layers])

    def _rebuilt(self, settings: dict[str, dict[str, Any]]) -> Any:
        import keras

        def clone(layer: Any) -> Any:
            return type(layer).from_config({**layer.get_config(), **settings.get(layer.name, {})})

        if not set(settings) <= {layer.name for layer in self.model.layers}:
            return None
        try:
            return keras.models.clone_model(self.model, clone_function=clone)
        except (ValueError, TypeError):
            return None
