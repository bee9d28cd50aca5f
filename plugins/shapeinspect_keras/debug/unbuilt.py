"""Tries a change with Keras itself before a layer that refused, while the model is still being built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.changes import Change, OnCall, OnInput, OnLayer, OnOperand, Step
from shapeinspect_keras.debug.confirm import NAMES
from shapeinspect_keras.debug.spelling import after
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.guard import untouched


@dataclass(frozen=True, slots=True)
class Redrawn:
    """Retraces the graph that leads to a call, with new symbols and new layers.

    Args:
        operation: what refused.
        args: its positional arguments on symbols.
        kwargs: the others.
        operands: the symbols among them, in order.
        places: which of the recorded call's operands each symbol is.
        sources: the symbols at which the graph begins, by their values' names.
        held: what the calls could write to.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    operands: Sequence[Any]
    places: Sequence[int | None]
    sources: Mapping[str, Any]
    held: Sequence[Any]

    def __call__(self, changes: Sequence[Change]) -> bool | None:
        """Return whether Keras accepts the changes; None if that cannot be tried."""
        settings: dict[str, dict[str, Any]] = {}
        inputs: dict[str, tuple[Step, ...]] = {}
        operands: dict[int, tuple[Step, ...]] = {}
        for change in changes:
            if isinstance(change, OnInput):
                inputs[change.name] = change.steps
            elif isinstance(change, OnLayer) and change.attributes.keys() <= NAMES.keys():
                name = change.path.rpartition("/")[2]
                settings[name] = {NAMES[key]: value for key, value in change.attributes.items()}
            elif isinstance(change, OnOperand) and change.call is None and change.operand in self.places:
                operands[change.operand] = change.steps
            elif isinstance(change, OnCall) and self._joins_channels():
                return False  # maps of other sizes are not put one after another in space
            else:
                return None
        with untouched(list(self.held)):
            try:
                args, kwargs = self._arguments(settings, inputs, operands)
                call = self._fresh(self.operation, settings)
            except Exception:  # noqa: BLE001  # a user's layer may fail to be created again in any way
                return None
            try:
                call(*args, **kwargs)
            except Exception:  # noqa: BLE001  # what Keras raises is the answer
                return False
        return True

    def _joins_channels(self) -> bool:
        """Tell whether the operation joins pictures or volumes along their channels."""
        import keras

        rank = len(self.operands[0].shape) if self.operands else 0
        joins = isinstance(self.operation, keras.layers.Concatenate)
        return joins and rank > 3 and self.operation.axis % rank == rank - 1

    def _arguments(
        self,
        settings: Mapping[str, Mapping[str, Any]],
        inputs: Mapping[str, tuple[Step, ...]],
        operands: Mapping[int, tuple[Step, ...]],
    ) -> tuple[Any, Any]:
        import keras

        known: dict[int, Any] = {}
        for name, symbol in self.sources.items():
            known[id(symbol)] = _moved(symbol, inputs.get(name, ()))
        for node in graphs.reached(list(self.operands), list(self.sources.values())):
            args, kwargs = node.arguments.fill_in(known)
            returned = keras.tree.flatten(self._fresh(node.operation, settings)(*args, **kwargs))
            known |= {id(old): new for old, new in zip(node.outputs, returned, strict=True)}
        given = {
            id(item): _moved(known[id(item)], () if index is None else operands.get(index, ()))
            for index, item in zip(self.places, self.operands, strict=True)
        }
        filled = keras.tree.map_structure(
            lambda item: given.get(id(item), item), [list(self.args), dict(self.kwargs)]
        )
        return filled[0], filled[1]

    def _fresh(self, operation: Any, settings: Mapping[str, Mapping[str, Any]]) -> Callable[..., Any]:
        """Recreate a layer, so that its first call determines its width."""
        import keras

        if not isinstance(operation, keras.Layer):
            return operation  # type: ignore[no-any-return]  # Keras's operations are called
        changed = settings.get(str(operation.name), {})
        if operation is self.operation and operation.built and not changed:
            return operation  # type: ignore[no-any-return]  # its sizes were fixed before
        config = operation.get_config()
        if isinstance(operation, keras.layers.Bidirectional):  # the settings are those of the layers inside
            for part in ("layer", "backward_layer"):
                inner = config.get(part)
                if isinstance(inner, dict):
                    config[part] = {**inner, "config": {**inner["config"], **changed}}
        else:
            config |= changed
        return type(operation).from_config(config)  # type: ignore[no-any-return]  # a layer


def _moved(symbol: Any, steps: tuple[Step, ...]) -> Any:
    """Return a symbol of the shape after the steps."""
    import keras

    shape = tuple(symbol.shape)
    for step in steps:
        shape = after(step, shape)
    return keras.KerasTensor(shape, dtype=symbol.dtype) if steps else symbol
